# SPDX-License-Identifier: MIT
"""Fixtures: folders, gateways, hubs, connections. Whatever a test starts ends with it."""
import base64
import os
import shutil
import signal
import tempfile

import pytest

from lib import hubs, recorder, serving
from lib.certificates import Authority
from lib.fake_hub import FakeHub
from lib.gateway import Gateway, write_config
from lib.limits import LIMIT
from lib.process import Daemon, Daemons, program, run, top_srcdir
from lib.pusher_client import Remote

pytest_plugins = ['lib.python_client']
TEST_LIMIT = int(LIMIT * 9)

recorder.install()

# Whoever runs the tests in the background has Ctrl-C ignored, and programs would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _make_folder():
    """Short, as a socket's path has to be; open to ordinary users, as some tests run as one."""
    folder = tempfile.mkdtemp(prefix='chapi-')
    os.chmod(folder, 0o755)
    return folder


@pytest.fixture
def folder():
    folder = _make_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def daemons(request, folder):
    """Starts daemons; stops and checks them at the end."""
    daemons = Daemons()
    request.node.daemons = daemons
    yield daemons
    daemons.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure comes with the logs of the programs that took part."""
    daemons = getattr(item, 'daemons', None)
    if call.when == 'call' and daemons is not None:
        item.logs = daemons.logs()
        if getattr(item, 'hub_daemon', None) is not None:
            item.logs.append((item.hub_daemon.name, item.hub_daemon.log()))
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for name, log in getattr(item, 'logs', []):
            report.sections.append(('log of ' + name, log[-20000:]))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """Nothing may hang: the last resort, as every wait has a limit of its own."""
    longer = item.get_closest_marker('limit')
    limit = longer.args[0] if longer else TEST_LIMIT

    def too_long(*_):
        raise TimeoutError('the test took more than %d s' % limit)
    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(limit)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def secrets_in(text):
    """Of the tests' own, which begin with these words (tests/lib/secrets), and of the hubs."""
    with open(os.path.join(top_srcdir, 'tests/lib/secrets')) as f:
        known = f.read().split() + list(Daemon.known_secrets)
    return [secret for secret in known if secret in text]


@pytest.fixture(scope='session', autouse=True)
def no_secret_in_any_log():
    """Whatever any program wrote in the whole run: no secret of any of them is in it, and no
    gateway's log has what functions were called with, or gave."""
    yield
    for daemon in Daemon.known_logs:
        found = daemon.name == 'chapi-gw' and [text for text in Daemon.known_params
                                               if text in daemon.log()]
        assert not found, 'params or results in a log: %s\n%s' % (found, daemon.log())
    for who, text in recorder.written() + [(d.argv, d.log()) for d in Daemon.known_logs]:
        assert not secrets_in(text), '%s told a secret:\n%s' % (who, text)


# ---- the gateway ------------------------------------------------------------------------------

@pytest.fixture(params=['msgpack', 'json'])
def encoding(request):
    return request.param


@pytest.fixture
def start_gateway(daemons, folder):
    """start_gateway(hub=None, channel=None, remote={...}, ...): runs until the test ends."""
    def start(hub=None, channel=None, **more):
        return daemons.start(Gateway(folder, hub, channel, **more))
    return start


@pytest.fixture
def gateway(start_gateway):
    """For local calls only, all defaults."""
    return start_gateway()


@pytest.fixture
def connect(gateway, encoding):
    """connect(): one more connection in the test's encoding."""
    clients = []

    def make(other_encoding=None):
        clients.append(gateway.connect(other_encoding or encoding))
        return clients[-1]
    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(connect):
    return connect()


# ---- hubs -------------------------------------------------------------------------------------

def _hub_parameters():
    for name in hubs.chosen():
        why_not = hubs.HUBS[name].why_not()
        yield pytest.param(name, marks=[pytest.mark.skip(reason=why_not)] if why_not else [])


def pytest_generate_tests(metafunc):
    if 'hub_name' in metafunc.fixturenames:
        metafunc.parametrize('hub_name', list(_hub_parameters()), scope='session')


@pytest.fixture(scope='session')
def running_hubs():
    """Hubs that tests share, started at first use."""
    folder = _make_folder()
    running = {}

    def get(name):
        if name not in running:
            running[name] = hubs.HUBS[name](folder)
            running[name].start()
        return running[name]
    yield get
    for hub in running.values():
        hub.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def hub(request, hub_name, running_hubs):
    """A hub that others use too: not to be stopped."""
    hub = running_hubs(hub_name)
    request.node.hub_daemon = hub.daemon
    return hub


@pytest.fixture
def own_hub(request, hub_name, folder, daemons):
    """A hub of the test's own, not started; after the test it is stopped."""
    hub = hubs.HUBS[hub_name](folder)
    yield hub
    hub.stop()


@pytest.fixture
def faulty_hub(request, folder):
    """chapi-hub that plays faults, of the test's own."""
    hub = hubs.FaultyHub(folder).start()
    request.node.hub_daemon = hub.daemon
    yield hub
    hub.stop()


@pytest.fixture
def fake_hub(folder):
    hub = FakeHub(folder)
    yield hub
    hub.stop()


@pytest.fixture
def channel():
    """A channel that no other test uses."""
    return 'private-chapi-' + os.urandom(6).hex()


@pytest.fixture
def remote(hub, channel):
    with Remote(hub, channel) as remote:
        yield remote


@pytest.fixture
def remote_gateway(start_gateway, hub, channel):
    """A gateway that is subscribed."""
    return start_gateway(hub, channel).wait_up()


# ---- encrypted channels -----------------------------------------------------------------------

class MasterKey:
    """text: base64; path: a file with it."""

    def __init__(self, folder):
        self.text = 'hush/key' + base64.b64encode(os.urandom(26)).decode()
        Daemon.known_secrets.add(self.text)
        self.path = os.path.join(folder, 'master-key')
        with open(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as f:
            f.write(self.text + '\n')

    def settings(self):
        return {'encryption_master_key_file': self.path}


@pytest.fixture
def master_key(folder, hub):
    """Skips where chapi-gw was built without encryption."""
    key = MasterKey(folder)
    path = write_config(os.path.join(folder, 'try.conf'),
                        {'pusher': dict(hub.settings(), **key.settings())})
    if 'without libsodium' in run([program('chapi-gw'), '--config', path, '--check-config']).stderr:
        pytest.skip('built without libsodium')
    return key


# ---- certificates -----------------------------------------------------------------------------

@pytest.fixture(scope='session')
def authority():
    if shutil.which('openssl') is None:
        pytest.skip('openssl, the command, is missing')
    folder = _make_folder()
    yield Authority(folder, 'ca')
    shutil.rmtree(folder, ignore_errors=True)


# ---- programs ---------------------------------------------------------------------------------

@pytest.fixture
def need():
    """need('socat'): skips, and says so, where a command is missing."""
    def check(*commands):
        for command in commands:
            if shutil.which(command) is None:
                pytest.skip(command + ' is missing')
    return check


@pytest.fixture
def serve(gateway, daemons):
    """serve(NAME, COMMAND..., options=[...]): chapi-serve until the test ends.

    Comes back when the name is there.
    """
    def start(name, *command, options=(), env=None):
        return serving.start(daemons, gateway, *options, name,
                             *(('--',) + command if command else ()), names=[name], env=env)
    return start
