# SPDX-License-Identifier: MIT
"""The npm package in clients/node: what its tests in JavaScript say, its types, its README."""
import json
import os
import re
import shutil

import pytest

from lib import serving
from lib.limits import LIMIT
from lib.node_package import PACKAGE, node, project     # noqa: F401, a fixture
from lib.process import Daemon, environment, program, run, top_srcdir
from lib.pusher_client import PusherClient, payload


def test_frames_values_and_streams(project):
    node(project, 'values.test.mjs')


def test_refusals_of_a_hub(project):
    node(project, 'refusals.test.mjs')


def test_client_with_a_gateway(project):
    node(project, 'local.test.mjs', CHAPI_GW=program('chapi-gw'))


def test_types(project):
    node(project, os.path.join(project, 'node_modules/typescript/bin/tsc'), '--project', '.')


# ---- the package and its README ---------------------------------------------------------------

def test_version_is_the_same_everywhere():
    with open(os.path.join(PACKAGE, 'package.json')) as f:
        version = json.load(f)['version']
    with open(os.path.join(PACKAGE, 'lib/version.js')) as f:
        assert "VERSION = '%s'" % version in f.read()
    with open(os.path.join(top_srcdir, 'NEWS')) as f:
        assert f.readline().startswith('chapi %s ' % version)


def test_each_error_code_has_its_class():
    """Those of the table in libchapi-ipc, in the library and in its types."""
    with open(os.path.join(top_srcdir, 'libchapi-ipc/error.c')) as f:
        codes = set(re.findall(r'\{ CHAPI_ERR_[A-Z_]+, "([a-z_]+)", CHAPI_RAN', f.read()))
    with open(os.path.join(PACKAGE, 'lib/errors.js')) as f:
        text = f.read()
    assert codes and codes == set(re.findall(r"static code = '(\w+)'", text))
    with open(os.path.join(PACKAGE, 'types/errors.d.ts')) as f:
        typed = set(re.findall(r'declare class (\w+)', f.read()))
    assert typed == set(re.findall(r'export class (\w+)', text))


@pytest.fixture
def blocks():
    with open(os.path.join(PACKAGE, 'README.md')) as f:
        return re.findall(r'```js\n(.*?)```', f.read(), re.S)


def test_provider_caller_and_errors_of_the_readme(project, daemons, gateway, blocks):
    paths = []
    for i, text in enumerate(blocks[:3]):
        paths.append(os.path.join(project, 'tests', 'readme-%d.mjs' % i))
        with open(paths[-1], 'w') as f:
            f.write(text)
    env = environment(CHAPI_SOCKET=gateway.socket_path)
    daemons.start(Daemon('provider', [shutil.which('node'), paths[0]], env=env, status=None))
    assert int(node(project, paths[1], CHAPI_SOCKET=gateway.socket_path)) > 0
    assert node(project, paths[2], CHAPI_SOCKET=gateway.socket_path) == 'no such door\n'


def test_examples(project, daemons, gateway):
    examples = os.path.join(project, 'node_modules/chapi/examples')
    env = environment(CHAPI_SOCKET=gateway.socket_path)
    daemons.start(Daemon('provider.mjs', [shutil.which('node'), examples + '/provider.mjs'],
                         env=env, status=None))
    said = node(project, examples + '/caller.mjs', CHAPI_SOCKET=gateway.socket_path).splitlines()
    assert said[0].startswith('load: [') and said[-4:] == ['at 1', 'at 2', 'at 3', 'counted to 3']


# ---- over the hubs ----------------------------------------------------------------------------

def hub_arguments(hub, channel):
    return [str(hub.port), hub.app_id, hub.key, hub.secret_file, channel]


def test_remote_client(project, remote_gateway, hub, channel):
    node(project, 'remote.test.mjs', *hub_arguments(hub, channel),
         CHAPI_SOCKET=remote_gateway.socket_path)


def page_script():
    """What the example's page runs as a module, with the package's place for one of these tests."""
    with open(os.path.join(PACKAGE, 'examples/page.html')) as f:
        text = re.search(r'<script type="module">\n(.*)</script>', f.read(), re.S)[1]
    assert "'./chapi/lib/remote.js'" in text and "channel: 'private-chapi-pi'" in text
    return text.replace('./chapi/lib/remote.js', 'chapi/remote')


def test_web_page_of_the_examples(project, daemons, start_gateway, hub, channel):
    gateway = start_gateway(hub, channel).wait_up()
    serving.start(daemons, gateway, 'disk.free', '--', 'echo', '12345', names=['disk.free'])
    path = os.path.join(project, 'tests', 'page-script.mjs')
    with open(path, 'w') as f:
        f.write(page_script().replace('private-chapi-pi', channel))
    said = node(project, 'page.mjs', *hub_arguments(hub, channel), PAGE_SCRIPT=path)
    assert said == '12345 bytes\n'


def test_remote_call_on_an_encrypted_channel(project, start_gateway, hub, master_key):
    channel = 'private-encrypted-chapi-' + os.urandom(6).hex()
    gateway = start_gateway(hub, channel, pusher=master_key.settings()).wait_up()
    with PusherClient(hub) as watcher:      # sees what the hub sees
        watcher.establish()
        watcher.subscribe(channel)
        option = websocket_option()
        said = node(project, 'encrypted.mjs', *hub_arguments(hub, channel), master_key.text,
                    CHAPI_SOCKET=gateway.socket_path, NODE_OPTIONS=option)
        assert option is None or said == 'both\n'
        watcher.round_trip()
        kinds = set()
        for event in watcher.events:
            if not event['event'].startswith('pusher'):
                kinds.add(event['event'])
                assert sorted(payload(event)) == ['ciphertext', 'nonce']
                assert len(event['data']) <= 10240
        assert {'request', 'request-part', 'response', 'response-part'} <= kinds


def websocket_option():
    """Node 20 has a WebSocket that it gives away when asked only; later ones have it,
    earlier ones not."""
    option = '--experimental-websocket'
    known = run([shutil.which('node'), option, '-e', '0'], env=environment())
    return option if known.returncode == 0 else None


def test_remote_call_whose_gateway_restarts_is_not_run_again(project, daemons, start_gateway, hub,
                                                             channel):
    gateway = start_gateway(hub, channel).wait_up()
    program = daemons.start(Daemon(
        'restart.mjs', [shutil.which('node'), os.path.join(project, 'tests/restart.mjs'),
                        *hub_arguments(hub, channel)],
        env=environment(CHAPI_SOCKET=gateway.socket_path, CHAPI_TESTS_LIMIT=str(LIMIT))))
    program.wait_log('running')
    gateway.kill()
    gateway.start().wait_up()
    program.wait_log('ran 1 and 1', limit=LIMIT * 2)
    for which in ('small', 'large'):
        program.wait_log(which + ': failed_precondition restarted unknown')
    assert program.wait() == 0
    gateway.end_status = 0


def test_remote_call_in_doubt_is_not_run_by_the_gateway_that_comes_next(
        project, daemons, start_gateway, faulty_hub, channel):
    """The hub took it and did not say so; it ran; the gateway restarts before it goes out again."""
    gateway = start_gateway(faulty_hub, channel).wait_up()
    faulty_hub.control.do('on posted do answer 502', 'on post 2- do answer 503')
    with gateway.connect() as local:
        local.ask('register', 'once')
        program = daemons.start(Daemon(
            'doubt.mjs', [shutil.which('node'), os.path.join(project, 'tests/doubt.mjs'),
                          *hub_arguments(faulty_hub, channel)],
            env=environment(CHAPI_TESTS_LIMIT=str(LIMIT))))
        local.wait_request('once', LIMIT * 2)
        gateway.kill()
    gateway.start().wait_up()
    with gateway.connect() as local:
        local.ask('register', 'once')
        faulty_hub.control.do('forget')
        program.wait_log('failed_precondition restarted unknown')
        assert program.wait() == 0
        assert local.quiet()


def has_builtin_modules():
    return run([shutil.which('node'), '-e', 'process.exit(process.getBuiltinModule ? 0 : 1)'],
               env=environment()).returncode == 0


@pytest.mark.parametrize('answer', [
    "answer 429 ''", "answer 503 'busy'"])
def test_remote_calls_come_when_the_hub_wants_them(project, start_gateway, faulty_hub, channel,
                                                   answer):
    if not has_builtin_modules():
        pytest.skip('this Node tells nothing of the headers: 20.16 does')
    start_gateway(faulty_hub, channel).wait_up()
    faulty_hub.control.do("on post 1 do %s 'Retry-After: 1'" % answer)
    assert node(project, 'later.mjs', *hub_arguments(faulty_hub, channel)).splitlines() == [
        'first later', 'second later']
    assert faulty_hub.control.done() == [1]


PUSHER_SAYS = 'To send client events, you must enable this feature in the Settings page'


def takes_no_client_events(hub):
    """As soketi does it; chapi-hub says what Pusher does."""
    if hub.name == 'soketi':
        hub.app = {'enableClientMessages': False}
        return 'The app does not have client messaging enabled'
    path = os.path.join(hub.folder, 'script')
    with open(path, 'w') as f:
        f.write("on receive client-* all do ignore\n"
                "on receive client-* all do error null '%s'\n" % PUSHER_SAYS)
    hub.options = ['--script', path]
    return PUSHER_SAYS


def test_hub_that_takes_no_client_events_is_an_error_that_says_so(project, own_hub, channel):
    why = takes_no_client_events(own_hub)
    own_hub.start()
    said = node(project, 'refused.mjs', *hub_arguments(own_hub, channel)).splitlines()
    assert [line.split()[:3] for line in said] == [['whole:', 'failed_precondition', 'no'],
                                                   ['parts:', 'failed_precondition', 'no'],
                                                   ['of', 'two:', 'failed_precondition'],
                                                   ['of', 'two:', 'failed_precondition']]
    assert [line.split()[3] for line in said[2:]] == ['unknown'] * 2
    assert all('enable them in the settings of the app' in line and why in line for line in said)


def test_remote_call_over_a_hub_that_restarts(project, daemons, start_gateway, own_hub, channel):
    own_hub.start()
    gateway = start_gateway(own_hub, channel).wait_up()
    program = daemons.start(Daemon(
        'outage.mjs', [shutil.which('node'), os.path.join(project, 'tests/outage.mjs'),
                       *hub_arguments(own_hub, channel)],
        env=environment(CHAPI_SOCKET=gateway.socket_path, CHAPI_TESTS_LIMIT=str(LIMIT))))
    program.wait_log('running')
    own_hub.stop()
    own_hub.start()
    program.wait_log('answered 1, ran 1', limit=LIMIT * 2)
    program.wait_log('then fine')
    assert program.wait() == 0
