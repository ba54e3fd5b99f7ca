# SPDX-License-Identifier: MIT
"""chapi-ctl setup: by options and on a terminal; what it writes, and what the hub does not take."""
import configparser
import json
import os
import pty
import select
import stat

import pytest

from lib.gateway import Gateway
from lib.limits import LIMIT, Deadline
from lib.process import die_with_parent, environment, program, run

EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE = 64, 65, 66, 69
EX_CANTWRITE, EX_CONFIG, CANCELLED = 74, 78, 130
UNIT = 'etc/systemd/system/chapi-gw.service.d/credential.conf'
SECRET = 'hush-not-to-be-seen'


@pytest.fixture
def root(folder):
    path = os.path.join(folder, 'root')
    os.mkdir(path)
    return path


@pytest.fixture
def env(folder):
    """The gateway of the build is found; what is left in $TMPDIR is seen.

    systemctl writes down what it is told."""
    bin_folder, tmp = os.path.join(folder, 'bin'), os.path.join(folder, 'tmp')
    os.mkdir(bin_folder)
    os.mkdir(tmp)
    os.symlink(program('chapi-gw'), bin_folder + '/chapi-gw')
    with open(bin_folder + '/systemctl', 'w') as f:
        f.write('#!/bin/sh\necho "$@" >>%s/systemctl.log\n' % folder)
    os.chmod(bin_folder + '/systemctl', 0o755)
    yield environment(PATH=bin_folder + ':' + os.environ['PATH'], TMPDIR=tmp, XDG_CONFIG_HOME=folder
                      + '/config')
    assert os.listdir(tmp) == []


@pytest.fixture
def app_hub(own_hub):
    return own_hub.start()


@pytest.fixture
def setup(env):
    def setup(*arguments, secret=SECRET):
        return run([program('chapi-ctl'), 'setup'] + list(arguments), stdin=secret + '\n', env=env)
    return setup


def app(hub):
    return ['--app-id', hub.app_id, '--key', hub.key, '--secret-file', '-', '--host', hub.host,
            '--port', str(hub.port),
            '--no-tls', '--name', 'kitchen']


HOSTED = ['--app-id', '1', '--key', 'k', '--secret-file', '-', '--cluster', 'eu', '--name',
          'kitchen', '--no-check']


def read(*path):
    with open(os.path.join(*path)) as f:
        return f.read()


def settings_in(*path):
    parser = configparser.ConfigParser()
    parser.read_string(read(*path))
    return {name: dict(parser[name]) for name in parser.sections()}


def mode_of(*path):
    return stat.S_IMODE(os.stat(os.path.join(*path)).st_mode)


# ---- by options -------------------------------------------------------------------------------

def test_files_and_their_modes(setup, root):
    result = setup('--root', root, *HOSTED)
    assert (result.returncode, result.stdout) == (0, ''), result.stderr
    assert settings_in(root, 'etc/chapi/chapi-gw.conf.d/hub.conf') == {
        'pusher': {'app_id': '1', 'key': 'k', 'cluster': 'eu'}, 'gateway': {'name': 'kitchen'}}
    assert read(root, 'etc/chapi/secret') == SECRET + '\n'
    assert 'LoadCredential=pusher-secret:/etc/chapi/secret\n' in read(root, UNIT)
    assert (mode_of(root, 'etc/chapi/secret'), mode_of(root, 'etc/chapi/chapi-gw.conf.d/hub.conf'),
            mode_of(root, UNIT)) == \
        (0o600, 0o644, 0o644)
    assert SECRET not in result.stderr and 'systemctl' not in result.stderr


def test_once_more_replaces_it_and_mends_the_modes(setup, root):
    assert setup('--root', root, *HOSTED).returncode == 0
    os.chmod(root + '/etc/chapi/secret', 0o644)
    assert setup('--root', root, *HOSTED, '--legacy', secret='another').returncode == 0
    assert read(root, 'etc/chapi/secret') == 'another\n' \
        and mode_of(root, 'etc/chapi/secret') == 0o600
    found = settings_in(root, 'etc/chapi/chapi-gw.conf.d/hub.conf')
    assert found['remote'] == {'channel': 'private-chapi-kitchen chapi'}


def test_secret_from_a_file(setup, root, folder):
    with open(folder + '/mine', 'w') as f:
        f.write('from-a-file')
    options = ['from-a-file' if o == '-' else o for o in HOSTED]
    options[options.index('--secret-file') + 1] = folder + '/mine'
    assert setup('--root', root, *options, secret='').returncode == 0
    assert read(root, 'etc/chapi/secret') == 'from-a-file\n'


def test_json_says_where_the_files_are(setup, root):
    result = setup('--json', '--root', root, *HOSTED)
    assert json.loads(result.stdout) == {'settings': root + '/etc/chapi/chapi-gw.conf.d/hub.conf',
                                         'secret': root + '/etc/chapi/secret', 'unit': root + '/'
                                         + UNIT}


def test_the_hub_is_tried_and_a_gateway_takes_what_is_written(setup, app_hub, env, folder, daemons):
    result = setup('--user', *app(app_hub), '--legacy', '--no-start', secret=app_hub.secret)
    assert result.returncode == 0, result.stderr
    assert 'the hub takes it' in result.stderr and app_hub.secret not in result.stderr
    written = folder + '/config/chapi/chapi-gw.conf.d/hub.conf'
    found = settings_in(written)
    assert found['pusher']['secret_file'] == folder + '/config/chapi/secret' \
        and found['pusher']['tls'] == 'no'
    gateway = Gateway(folder)
    gateway.argv[gateway.argv.index(gateway.config)] = written
    with daemons.start(gateway).wait_up().connect() as client:
        assert client.ask('status')['name'] == 'kitchen'


def test_own_authority_is_tried_and_written(setup, own_hub, authority, folder, root):
    """Of a hub with TLS, whose authority is not one of the system's."""
    own_hub.certificate = authority.issue('hub', 'DNS:localhost,IP:127.0.0.1')
    own_hub.start()
    options = [o for o in app(own_hub) if o != '--no-tls']
    result = setup('--root', root, *options, secret=own_hub.secret)
    assert result.returncode != 0 and 'certificate' in result.stderr, result.stderr
    assert os.listdir(root) == []
    ca_file = own_hub.certificate[2]
    result = setup('--root', root, *options, '--ca-file', ca_file, secret=own_hub.secret)
    assert result.returncode == 0 and 'the hub takes it' in result.stderr, result.stderr
    found = settings_in(root, 'etc/chapi/chapi-gw.conf.d/hub.conf')['pusher']
    assert found['ca_file'] == ca_file and 'tls' not in found


@pytest.mark.parametrize('ca_file, status', [('/nowhere.pem', EX_CONFIG), ('mine.pem', EX_USAGE)])
def test_authority_that_cannot_be_is_said(setup, root, ca_file, status):
    result = setup('--root', root, *HOSTED, '--ca-file', ca_file)
    assert (result.returncode, result.stdout) == (status, '') and ca_file in result.stderr
    assert os.listdir(root) == []


def test_service_is_started(setup, app_hub, folder):
    result = setup('--user', '--start', *app(app_hub), secret=app_hub.secret)
    assert result.returncode == 0, result.stderr
    assert read(folder, 'systemctl.log').splitlines() == \
        ['--user daemon-reload', '--user enable chapi-gw.service',
         '--user restart chapi-gw.service']


def test_service_that_does_not_start_is_said(setup, folder):
    with open(folder + '/bin/systemctl', 'w') as f:
        f.write('#!/bin/sh\nexit 1\n')
    result = setup('--user', '--start', *HOSTED)
    assert result.returncode == 71 and 'systemctl --user status chapi-gw.service' in result.stderr


@pytest.mark.parametrize('wrong', ['secret', 'key', 'port'])
def test_what_the_hub_does_not_take_is_not_written(setup, app_hub, root, wrong):
    options = app(app_hub)
    if wrong == 'key':
        options[options.index('--key') + 1] = 'no-such-key'
    if wrong == 'port':
        app_hub.stop()
    result = setup('--root', root, *options, secret='not-' + app_hub.secret if wrong == 'secret'
                   else app_hub.secret)
    assert result.returncode == EX_UNAVAILABLE, result.stderr
    assert 'the hub does not take it' in result.stderr \
        and 'nothing has been changed' in result.stderr
    assert app_hub.secret not in result.stderr
    assert os.listdir(root) == []


@pytest.mark.parametrize('no_check', [[], ['--no-check']], ids=['tried', 'only checked'])
def test_what_the_gateway_does_not_take_is_not_written(setup, root, no_check):
    options = [o for o in HOSTED if o != '--no-check'] + no_check
    options[options.index('eu')] = 'not/a/cluster'
    result = setup('--root', root, *options)
    assert result.returncode == EX_CONFIG and 'cluster' in result.stderr
    assert os.listdir(root) == []


def have(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as f:
        f.write(text)


@pytest.mark.parametrize('name, text, place', [
    ('chapi-gw.conf', '[pusher]\nhost = hub.example\n',
     'etc/chapi/chapi-gw.conf:2: host and cluster are both set'),
    ('chapi-gw.conf.d/old.conf', '[pusher]\nhost = hub.example\n',
     'etc/chapi/chapi-gw.conf.d/old.conf:2: host and cluster'),
    ('chapi-gw.conf', '[gateway]\nnonsense = 1\n', 'etc/chapi/chapi-gw.conf:2: '),
    ('chapi-gw.conf', '[pusher]\nsecret_file = /nowhere/secret\n',
     'etc/chapi/chapi-gw.conf:2: secret file /nowhere/secret'),
], ids=['other kind of hub', 'in a drop-in', 'wrong already',
        'secret file that wins over the credential'])
@pytest.mark.parametrize('no_check', [[], ['--no-check']], ids=['tried', 'only checked'])
def test_what_contradicts_the_configuration_is_not_written(setup, root, name, text, place,
                                                           no_check):
    """The gateway would not start with it: what is there already counts."""
    have(os.path.join(root, 'etc/chapi', name), text)
    result = setup('--root', root, *[o for o in HOSTED if o != '--no-check'], *no_check)
    assert result.returncode == EX_CONFIG and root + '/' + place in result.stderr, result.stderr
    assert 'nothing has been changed' in result.stderr
    assert not os.path.exists(root + '/etc/chapi/secret') \
        and not os.path.exists(root + '/etc/systemd')


def test_what_cannot_be_checked_is_said(env, setup, folder, root):
    """An image is made where no gateway is installed."""
    os.unlink(folder + '/bin/chapi-gw')
    env['PATH'] = folder + '/bin'
    result = setup('--root', root, *HOSTED)
    if os.path.exists('/usr/local/sbin/chapi-gw'):
        pytest.skip('a gateway is installed')
    assert result.returncode == 0 and 'the configuration is not checked' in result.stderr
    assert read(root, 'etc/chapi/secret') == SECRET + '\n'


def test_what_is_configured_already_counts_in_the_trial(setup, app_hub, root):
    """A port that only the old file has; rights and names of events that would be in the way.

    An older hub.conf goes."""
    have(root + '/etc/chapi/chapi-gw.conf',
         '[pusher]\nport = %d\ntls = no\n[remote]\nrequest_event = ask\nchannel = mine\n'
         '[policy]\nmonitor = user:root none\npublish = user:root none\ncall = user:root none\n'
         % app_hub.port)
    have(root + '/etc/chapi/chapi-gw.conf.d/hub.conf', '[pusher]\ncluster = eu\n')
    options = app(app_hub)
    del options[options.index('--port'):options.index('--no-tls') + 1]
    result = setup('--root', root, *options, secret=app_hub.secret)
    assert result.returncode == 0 and 'the hub takes it' in result.stderr, result.stderr
    assert settings_in(root, 'etc/chapi/chapi-gw.conf.d/hub.conf')['pusher']['host'] == app_hub.host


def test_secret_is_never_in_an_argument_or_the_environment(env, app_hub, root, folder):
    """The gateway that tries it shows what it was given."""
    os.unlink(folder + '/bin/chapi-gw')
    with open(folder + '/bin/chapi-gw', 'w') as f:
        f.write('#!/bin/sh\n(echo "$@"; env) >%s/seen\nexec %s "$@"\n'
                % (folder, program('chapi-gw')))
    os.chmod(folder + '/bin/chapi-gw', 0o755)
    result = run([program('chapi-ctl'), 'setup', '--root', root] + app(app_hub),
                 stdin=app_hub.secret, env=env)
    assert result.returncode == 0, result.stderr
    assert '--config' in read(folder, 'seen') and app_hub.secret not in read(folder, 'seen')


@pytest.mark.parametrize('options, status', [
    ([], EX_USAGE), (['--app-id', '1', '--key', 'k'], EX_USAGE),
    (HOSTED + ['--host', 'h'], EX_USAGE),
    (HOSTED + ['--port', '70000'], EX_USAGE), (HOSTED + ['--port', '0'], EX_USAGE),
    (HOSTED + ['--user', '--root', '/nowhere'], EX_USAGE),
    (HOSTED + ['--start', '--root', '/nowhere'], EX_USAGE),
    (HOSTED + ['--name', 'two words'], EX_USAGE), (HOSTED + ['--name', 'a/b'], EX_USAGE),
    (HOSTED + ['extra'], EX_USAGE), (HOSTED + ['--secret-file', '/nowhere'], EX_NOINPUT),
    (['--app-id', '', '--key', 'k', '--secret-file', '-', '--cluster', 'eu'], EX_USAGE),
], ids=['nothing', 'no secret', 'two hubs', 'port', 'port 0', 'user and root', 'start and root',
        'name', 'name with a slash', 'argument', 'secret file', 'empty'])
def test_wrong_usage_is_said(setup, options, status):
    result = setup(*options)
    assert (result.returncode, result.stdout) == (status, '') and result.stderr


@pytest.mark.parametrize('secret', ['', 'two words', 'two\nlines', 'nul\0', 'x' * 257],
                         ids=['none', 'blank', 'lines', 'nul', 'long'])
def test_what_is_no_secret_is_said(setup, root, secret):
    result = setup('--root', root, *HOSTED, secret=secret)
    assert result.returncode == EX_DATAERR and 'secret' in result.stderr
    assert os.listdir(root) == []


def test_longest_secret(setup, root):
    assert setup('--root', root, *HOSTED, secret='x' * 256).returncode == 0
    assert read(root, 'etc/chapi/secret') == 'x' * 256 + '\n'


def test_folder_that_cannot_be_written(setup, root):
    with open(root + '/etc', 'w'):
        pass
    result = setup('--root', root, *HOSTED)
    assert result.returncode == EX_CANTWRITE and root + '/etc/chapi/secret' in result.stderr


# ---- on a terminal ----------------------------------------------------------------------------

class Terminal:
    """Somebody who reads questions and types answers."""

    def __init__(self, arguments, env, wrapper=()):
        argv = [*wrapper, program('chapi-ctl'), 'setup', *arguments]
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            die_with_parent()
            os.execvpe(argv[0], argv, env)
        self.shown = ''
        self.seen = 0

    def read(self):
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.shown += data.decode()
        return bool(data)

    def wait(self, text, end=''):
        deadline = Deadline(LIMIT)
        while text not in self.shown[self.seen:] or not self.shown.endswith(end):
            assert select.select([self.fd], [], [],
                                 deadline.left('"%s" in %s' % (text, self.shown)))[0]
            assert self.read(), self.shown
        self.seen = len(self.shown)

    def answer(self, question, text, end='\n'):
        self.wait(question, ': ')
        os.write(self.fd, (text + end).encode())

    def end(self):
        deadline = Deadline(LIMIT)
        while True:
            assert select.select([self.fd], [], [], deadline.left('the end'))[0]
            if not self.read():
                break
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def terminal(env):
    terminals = []

    def start(*arguments):
        terminals.append(Terminal(list(arguments), env))
        return terminals[-1]
    return start


def test_all_is_asked(terminal, app_hub, folder):
    t = terminal('--user')
    t.answer("The app's id", app_hub.app_id)
    t.answer("The app's key", '  %s ' % app_hub.key)
    t.answer('secret', app_hub.secret)
    t.answer('Cluster', '')
    t.answer('Host', app_hub.host)
    t.answer('port', str(app_hub.port))
    t.answer('TLS', 'n')
    t.answer('Name of this gateway', 'kitchen')
    t.answer('older library', 'y')
    t.answer('Start the service', '')
    assert t.end() == 0, t.shown
    assert app_hub.secret not in t.shown and 'the hub takes it' in t.shown
    found = settings_in(folder, 'config/chapi/chapi-gw.conf.d/hub.conf')
    assert found['pusher']['key'] == app_hub.key \
        and found['remote']['channel'] == 'private-chapi-kitchen chapi'
    assert read(folder, 'config/chapi/secret') == app_hub.secret + '\n'
    assert '--user restart chapi-gw.service' in read(folder, 'systemctl.log')


def test_what_is_refused_can_be_written_all_the_same(terminal, app_hub, root):
    for answer, status in (('n', EX_UNAVAILABLE), ('y', 0)):
        t = terminal('--root', root, '--app-id', app_hub.app_id, '--key', 'wrong', '--host',
                     app_hub.host, '--port',
                     str(app_hub.port), '--no-tls', '--name', 'kitchen', '--legacy')
        t.answer('secret', app_hub.secret)
        t.answer('all the same', answer)
        assert t.end() == status, t.shown
        assert bool(os.listdir(root)) == (status == 0)


@pytest.mark.parametrize('secret', ['', 'two words', 'x' * 257], ids=['none', 'blank', 'long'])
def test_what_is_typed_and_no_secret_is_said(terminal, root, secret):
    """It was cut off, once."""
    t = terminal('--root', root, *[o for o in HOSTED if o not in ('--secret-file', '-')])
    t.answer('secret', secret)
    assert t.end() == EX_DATAERR and 'up to 256 bytes' in t.shown
    assert os.listdir(root) == []


def test_secret_from_standard_input_is_not_shown_on_a_terminal(terminal, root):
    t = terminal('--root', root, *HOSTED, '--legacy')
    t.answer('secret', SECRET)
    assert t.end() == 0 and SECRET not in t.shown
    assert read(root, 'etc/chapi/secret') == SECRET + '\n'


@pytest.mark.parametrize('port', ['0', '65536', 'x'])
def test_port_that_is_none_is_said(terminal, root, port):
    t = terminal('--root', root, '--app-id', '1', '--key', 'k', '--host', 'h', '--no-check',
                 '--no-tls', '--name', 'n', '--legacy')
    t.answer('secret', SECRET)
    t.answer('port', port)
    assert t.end() == EX_USAGE and '65535' in t.shown
    assert os.listdir(root) == []


class Shell(Terminal):
    """The same behind a shell with job control: Ctrl-Z gives the terminal back to it."""

    def __init__(self, arguments, env):
        script = ('set -m; "$0" setup "$@"; stty -a | grep -oE -- "-?echo " ; echo "back"; '
                  'read go; fg >/dev/null; '
                  'status=$?; stty -a | grep -oE -- "-?echo "; exit $status')
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            die_with_parent()
            os.execve('/bin/bash', ['bash', '-c', script, program('chapi-ctl')] + arguments, env)
        self.shown = ''
        self.seen = 0


def test_ctrl_z_at_the_secret_gives_the_terminal_back(env, root):
    t = Shell(['--root', root, '--app-id', '1', '--key', 'k', '--cluster', 'eu', '--no-check',
               '--name', 'n', '--legacy'], env)
    t.answer('secret', 'half of it', end='')
    os.write(t.fd, b'\x1a')
    t.wait('back')
    assert '-echo' not in t.shown and 'echo ' in t.shown
    os.write(t.fd, b'go\n')
    t.answer('secret', SECRET)
    assert t.end() == 0, t.shown
    assert 'half' not in t.shown and SECRET not in t.shown and '-echo' not in t.shown
    assert read(root, 'etc/chapi/secret') == SECRET + '\n'


@pytest.mark.parametrize('end', ['\x04', '\x03'], ids=['end of input', 'Ctrl-C'])
def test_nothing_is_written_when_it_is_broken_off_at_the_secret(terminal, root, end):
    t = terminal('--root', root, '--app-id', '1', '--key', 'k', '--cluster', 'eu')
    t.answer('secret', '', end)
    assert t.end() in (CANCELLED, -2)
    assert os.listdir(root) == []
