# SPDX-License-Identifier: MIT
"""The Python package in clients/python, against the real gateway and the hubs.

First the programs of the older library, as its readers type them; then what is new.
"""
import asyncio
import importlib.util
import json
import os
import re
import sys
import textwrap
import threading
import time
import typing

import pytest

from lib.gateway import Gateway
from lib.limits import LIMIT, wait_until
from lib.process import Daemon, as_ordinary_user, environment, run, top_srcdir
from lib.pusher_client import payload

PACKAGE = os.path.join(top_srcdir, 'clients/python')
sys.path.insert(0, PACKAGE)
import chapi                        # noqa: E402
from chapi import parts, schema, values     # noqa: E402
from chapi.app import App           # noqa: E402
from chapi.ipc import Messages, read_message    # noqa: E402

needs_websockets = pytest.mark.skipif(importlib.util.find_spec('websockets') is None,
                                      reason='the Python package websockets is missing')
pytestmark = needs_websockets       # of all: what needs no hub is a small part

# ---- the older library's programs ----------------------------------------------------------------

OLD_SERVER = '''
from chapi import Server
import json

app_id = '{app_id}'
key = '{key}'
secret = '{secret}'
cluster = '{cluster}'

server = Server(app_id, key, secret, cluster)


@server.api('echo')
def echo(**kwargs):
    return kwargs


def handler(data):
    data = json.loads(data)
    print('received api request {{}}: {{}}'.format(data['api'], data['params']))


server.add_request_handler(handler)
server.run({worker_num})
'''

OLD_CLIENT = '''
from chapi import Client
import json
import time

app_id = '{app_id}'
key = '{key}'
secret = '{secret}'
cluster = '{cluster}'

client = Client(app_id, key, secret, cluster)


def print_result(data):
    data = json.loads(data)
    print('result of {{}}: {{}}'.format(data['api'], data['result']))


client.add_response_handler(print_result)
time.sleep(2)
client.request('echo', a='a', b=[1, 2, 3])
client.request('wrong_api', arg='test')
time.sleep(2)
'''


@pytest.fixture
def write_program(folder):
    def write(name, text, **words):
        path = os.path.join(folder, name)
        with open(path, 'w') as f:
            f.write(textwrap.dedent(text).format(**words) if words else textwrap.dedent(text))
        return path
    return write


@pytest.fixture
def python_env(gateway_of_hub):
    able = run(as_ordinary_user([sys.executable, '-c', 'import os, sys; os.listdir(sys.argv[1])', PACKAGE]))
    if able.returncode != 0:
        pytest.skip('an ordinary user cannot run %s on %s' % (sys.executable, PACKAGE))
    return environment(PYTHONPATH=PACKAGE, PYTHONUNBUFFERED='1', PYTHONDONTWRITEBYTECODE='1',
                       CHAPI_SOCKET=gateway_of_hub.socket_path)


@pytest.fixture
def gateway_of_hub(start_gateway, hub, channel):
    """It listens on a channel of its own and on the public one of the older library."""
    gateway = start_gateway(hub, '%s chapi' % channel).wait_up()
    os.chmod(gateway.socket_path, 0o666)
    return gateway


@needs_websockets
@pytest.mark.parametrize('worker_num', ['', 'worker_num=1'])
def test_programs_of_the_older_library_run_unchanged(daemons, gateway_of_hub, hub, python_env, write_program,
                                                     worker_num):
    words = {'app_id': hub.app_id, 'key': hub.key, 'secret': hub.secret,
             'cluster': 'http://%s:%d' % (hub.host, hub.port)}
    server = daemons.start(Daemon('server', as_ordinary_user(
        [sys.executable, write_program('server.py', OLD_SERVER, worker_num=worker_num, **words)]),
        env=python_env, status=None))
    gateway_of_hub.ask('wait', ['echo'], {'timeout_ms': int(LIMIT * 1000)})
    done = run(as_ordinary_user([sys.executable, write_program('client.py', OLD_CLIENT, **words)]), env=python_env,
               limit=LIMIT + 4)     # it sleeps that long
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["result of echo: {'a': 'a', 'b': [1, 2, 3]}",
                                                'result of wrong_api: None']
    server.wait_log("received api request echo: {'a': 'a', 'b': [1, 2, 3]}")
    server.wait_log('received api request wrong_api: ')


@needs_websockets
def test_responses_to_older_programs_have_api_params_and_result(gateway_of_hub, hub):
    seen, came = [], threading.Event()
    with remote_client(hub, None) as client:
        client.add_response_handler(lambda data: (seen.append(json.loads(data)), len(seen) == 2 and came.set()))
        client.wait_ready(timeout=LIMIT)
        client.request('chapi.echo', a='a', b=[1, 2, 3])
        client.request('wrong_api', arg='test')
        assert came.wait(LIMIT), seen
    by_api = {r['api']: r for r in seen}
    assert by_api['chapi.echo']['params'] == by_api['chapi.echo']['result'] == {'a': 'a', 'b': [1, 2, 3]}
    assert (by_api['wrong_api']['params'], by_api['wrong_api']['result']) == ({'arg': 'test'}, None)
    assert by_api['wrong_api']['error']['code'] == 'api_not_found'


def test_gateway_of_another_app_is_an_error_that_says_so(gateway_of_hub, hub):
    server = chapi.Server(hub.app_id, 'key-of-another-app', hub.secret, 'eu', socket=gateway_of_hub.socket_path)
    with pytest.raises(chapi.FailedPrecondition, match='another app'):
        server.run()


def test_server_keeps_the_secret_to_itself(gateway, folder):
    """Not in its attributes, so in no message either."""
    server = chapi.Server('1', 'key', 'a-secret-of-the-test', 'eu', socket=gateway.socket_path)
    assert 'a-secret-of-the-test' not in repr([vars(server), vars(server._server), vars(server._server._link)])


def test_provider_and_caller_of_the_readme(daemons, gateway, write_program):
    with open(os.path.join(PACKAGE, 'README.md')) as f:
        provider, caller = re.findall(r'```python\n(.*?)```', f.read(), re.S)[:2]
    env = environment(PYTHONPATH=PACKAGE, CHAPI_SOCKET=gateway.socket_path, PYTHONDONTWRITEBYTECODE='1')
    daemons.start(Daemon('provider', [sys.executable, write_program('provider.py', provider)], env=env, status=None))
    done = run([sys.executable, write_program('caller.py', caller)], env=env)
    assert done.returncode == 0 and int(done.stdout) > 0, done.stderr


def test_keyboard_interrupt_ends_the_server_cleanly(daemons, gateway, write_program):
    path = write_program('server.py', '''
        from chapi import Server
        server = Server()
        server.register('f', lambda: 1)
        server.run(worker_num=2)
        print('ended')
    ''')
    server = daemons.start(Daemon('server', [sys.executable, path], env=environment(
        PYTHONPATH=PACKAGE, CHAPI_SOCKET=gateway.socket_path, PYTHONDONTWRITEBYTECODE='1')))
    gateway.ask('wait', ['f'], {'timeout_ms': int(LIMIT * 1000)})
    server.send_signal(2)
    assert server.wait() == 0
    assert server.log() == 'ended'


# ---- calls through the local gateway ----------------------------------------------------------------

@pytest.fixture
def server(gateway):
    server = chapi.Server(socket=gateway.socket_path)
    server.start(worker_num=2, timeout=LIMIT)
    yield server
    server.stop()


@pytest.fixture
def local(gateway):
    with chapi.Client(socket=gateway.socket_path) as client:
        yield client


def add(a: int, b: int = 1) -> int:
    """Adds two numbers.

    Whole ones.
    """
    return a + b


def test_call_gives_the_result(server, local):
    server.register('add', add)
    assert local.call('add', a=1, b=2) == 3
    assert local.call('add', {'a': 5}) == 6


def test_docstring_and_hints_become_the_description(server, gateway):
    server.register('add', add, tags=['math'])
    record = gateway.ask('describe', 'add')
    assert (record['summary'], record['description'], record['tags']) == ('Adds two numbers.', 'Whole ones.', ['math'])
    assert record['params'] == {'type': 'object', 'required': ['a'], 'properties': {
        'a': {'type': 'integer'}, 'b': {'type': 'integer', 'default': 1}}}
    assert record['result'] == {'type': 'integer'}


@pytest.mark.parametrize('params', [{'a': 'x'}, {}, {'a': 1, 'c': 2}, [1]])
def test_params_that_do_not_fit_never_reach_the_function(server, local, params):
    reached = []
    server.register('f', lambda a: reached.append(a), params=schema.describe(add)['params'])
    with pytest.raises(chapi.InvalidArgument) as e:
        local.call('f', params)
    assert e.value.ran == 'no'
    assert reached == []


def test_each_error_has_its_class(server, local):
    def fail():
        raise ValueError('no such room')

    def refuse():
        raise chapi.PermissionDenied('not you')

    def jam():
        raise chapi.Error('stuck', code='door_jammed', details={'n': 3})
    for function in (fail, refuse, jam):
        server.register(function.__name__, function)
    with pytest.raises(chapi.ApiError) as e:
        local.call('fail')
    assert (e.value.message, e.value.ran, e.value.details['code']) == ('no such room', 'yes', 'ValueError')
    with pytest.raises(chapi.PermissionDenied) as e:
        local.call('refuse')
    assert e.value.ran == 'no'
    with pytest.raises(chapi.ApiError) as e:
        local.call('jam')
    assert (e.value.details['code'], e.value.code) == ('door_jammed', 'api_error')
    with pytest.raises(chapi.ApiNotFound) as e:
        local.call('nobody.has.this')
    assert e.value.ran == 'no'


def test_every_code_of_the_protocol_has_a_class():
    codes = {'api_error', 'invalid_argument', 'api_not_found', 'api_exists', 'permission_denied', 'unauthenticated',
             'failed_precondition', 'busy', 'rate_limited', 'paused', 'hub_down', 'gateway_not_found', 'too_large',
             'deadline_exceeded', 'cancelled', 'provider_gone', 'answer_lost', 'bad_reply', 'bad_message',
             'version_mismatch', 'internal', 'connection_lost'}
    for code in codes:
        error = chapi.Error.from_record({'code': code, 'message': 'm', 'ran': 'unknown'})
        assert type(error) is not chapi.Error and (type(error).code, error.ran) == (code, 'unknown')
    assert type(chapi.Error.from_record({'code': 'of_the_future'})) is chapi.Error


def test_response_is_a_record(server, local):
    before = time.time()
    server.register('add', add)
    response = local.perform('add', {'a': 1}, id='my-id')
    assert (response.id, response.api, response.result, response.error) == ('my-id', 'add', 2, None)
    assert before - 1 < response.request_time <= response.response_time < time.time() + 1
    assert response.gateway == 'gw-of-the-tests' and response.run_ms >= 0


def test_function_sees_the_request(server, local):
    seen = []
    server.register('f', lambda: seen.append(chapi.current_call().request))
    local.perform('f', id='label')
    request, = seen
    assert (request.id, request.api, request.params, request.origin) == ('label', 'f', {}, 'local')
    assert request.caller == 'uid:%d' % os.getuid()
    assert request.timeout_ms <= 30000
    with pytest.raises(LookupError):
        chapi.current_call()


@pytest.mark.parametrize('value', [None, True, -1, 2 ** 64 - 1, 1.5, 'ü', b'\x00\xff', [1, [2]], {'k': {'$': 1}}, {},
                                   'x' * 1000000], ids=lambda v: repr(v)[:20])
def test_values_come_back_as_they_were(server, local, value):
    server.register('same', lambda v: v)
    assert local.call('same', v=value) == value


def test_result_that_cannot_be_expressed_is_an_error(server, local):
    server.register('f', lambda: object())
    with pytest.raises(chapi.Error) as e:
        local.call('f')
    assert e.value.ran == 'yes'
    with pytest.raises(chapi.InvalidArgument):
        local.call('f', a=object())
    assert local.call('chapi.echo', a=1) == {'a': 1}


def test_value_that_python_cannot_hold_costs_one_call(server, gateway, local):
    """Text that is no UTF-8 passes the gateway between two connections that speak MessagePack."""
    server.register('f', lambda **params: sorted(params))
    with gateway.connect() as client:
        client.send_raw(bytes([0x94, 0, 1, 0xa4]) + b'call' + bytes([0x92, 0xa1]) + b'f' +
                        bytes([0x81, 0xa1]) + b'k' + bytes([0xa1, 0xff]))
        assert client.wait_response(1)[2]['code'] == 'invalid_argument'
    assert local.call('f', a=1) == ['a']


def test_names_change_while_the_server_runs(server, local):
    server.register('f', lambda: 'old', timeout_ms=1000)
    assert local.call('f') == 'old'
    server.update('f', lambda: 'new', summary='better')
    assert local.call('f') == 'new'
    assert server.apis()['f']['summary'] == 'better' and server.apis()['f']['state'] == 'active'
    server.pause('f')
    with pytest.raises(chapi.Paused):
        local.call('f')
    server.resume('f')
    assert local.call('f') == 'new'
    with pytest.raises(chapi.ApiExists):
        server.register('f', lambda: None)
    server.unregister('f')
    with pytest.raises(chapi.ApiNotFound):
        local.call('f')
    with pytest.raises(chapi.ApiNotFound):
        server.unregister('f')
    assert server.apis() == {}


def test_name_of_another_process_is_refused(server, gateway):
    server.register('f', lambda: 1)
    with chapi.Server(socket=gateway.socket_path) as other:
        with pytest.raises(chapi.ApiExists):
            other.register('f', lambda: 2)
        assert other.apis() == {}
    late = chapi.Server(socket=gateway.socket_path)
    late.register('f', lambda: 3)
    with pytest.raises(chapi.ApiExists):
        late.run()


def test_name_taken_by_another_process_is_shown_as_revoked(server, gateway):
    server.register('f', lambda: 1)
    with chapi.Server(socket=gateway.socket_path) as other:
        other.register('f', lambda: 2, policy='replace')
        wait_until(lambda: server.apis()['f']['state'] == 'revoked', 'the server to be told')


def test_workers_run_at_the_same_time(server, local):
    meeting = threading.Barrier(2)
    server.register('meet', lambda: meeting.wait(LIMIT) >= 0)
    with chapi.Client(socket=server._server._link._path) as other:
        results = []
        thread = threading.Thread(target=lambda: results.append(other.call('meet')))
        thread.start()
        assert local.call('meet') is True
        thread.join()
        assert results == [True]


def test_progress_comes_in_order_in_the_thread_of_the_call(server, local):
    def work():
        for n in range(5):
            chapi.current_call().progress(n)
        return 'done'
    server.register('work', work)
    seen = []
    assert local.call('work', on_progress=lambda v: seen.append((v, threading.current_thread()))) == 'done'
    assert seen == [(n, threading.current_thread()) for n in range(5)]
    assert local.call('work') == 'done', 'a caller that did not ask for progress gets none'


def test_deadline_is_an_error_and_tells_the_function(server, local):
    told = threading.Event()

    def slow():
        if chapi.current_call().wait_cancelled(LIMIT):
            told.set()
    server.register('slow', slow)
    with pytest.raises(chapi.DeadlineExceeded) as e:
        local.call('slow', timeout=0.05)
    assert e.value.ran == 'unknown'
    assert told.wait(LIMIT)


def test_call_cancelled_before_a_worker_is_free_is_not_run(gateway):
    """One worker, held; a second call waits for it and runs out of time."""
    begun, go, ran = threading.Event(), threading.Event(), []
    server = chapi.Server(socket=gateway.socket_path)
    server.register('hold', lambda: (begun.set(), go.wait(LIMIT)) and None)
    server.register('f', lambda n: ran.append(n))
    server.start(worker_num=1, timeout=LIMIT)
    with gateway.connect() as client:
        held = client.request('call', 'hold', {})
        assert begun.wait(LIMIT)
        late = client.request('call', 'f', {'n': 1}, {'timeout_ms': 20})
        assert client.wait_response(late)[2]['code'] == 'deadline_exceeded'
        wait_until(lambda: gateway.ask('status')['calls']['abandoned'] == 0, 'the provider to have answered')
        go.set()
        client.result(held)
        client.call('f', {'n': 2})
    server.stop()
    assert ran == [2]


def test_notify_does_not_wait(server, local):
    ran, go = threading.Event(), threading.Event()
    server.register('f', lambda **kw: go.wait(LIMIT) and ran.set())
    local.notify('f', a=1)
    go.set()
    assert ran.wait(LIMIT)


def test_local_requests_answer_the_handlers(server, local):
    seen, came = [], threading.Event()
    local.add_response_handler(lambda data: (seen.append(json.loads(data)), came.set()))
    number = local.request('wrong_api', arg='test')
    assert came.wait(LIMIT)
    assert (seen[0]['id'], seen[0]['api'], seen[0]['params']) == (number, 'wrong_api', {'arg': 'test'})
    assert (seen[0]['result'], seen[0]['error']['code']) == (None, 'api_not_found')


def test_handlers_of_a_server_see_requests_and_responses(gateway, local):
    seen, came = [], threading.Event()
    server = chapi.Server(socket=gateway.socket_path)
    server.register('add', add)
    server.add_request_handler(lambda data: seen.append(('request', json.loads(data))))
    server.add_response_handler(lambda data: (seen.append(('response', json.loads(data))), came.set()))
    server.start(timeout=LIMIT)
    local.call('add', a=1)
    assert came.wait(LIMIT)
    server.stop()
    (_, request), (_, response) = [s for s in seen if s[1]['api'] == 'add']
    assert request['params'] == response['params'] == {'a': 1}
    assert (response['result'], response['error'], request['id']) == (2, None, response['id'])


def test_wait_ready_waits_for_names(gateway, server, local):
    timer = threading.Timer(0.05, server.register, ('late', lambda: 1))
    timer.start()
    local.wait_ready('late', timeout=LIMIT)
    assert local.call('late') == 1
    timer.join()
    with pytest.raises(chapi.DeadlineExceeded):
        local.wait_ready('never', timeout=0.05)


def test_no_gateway_is_an_error_that_says_where(folder):
    path = os.path.join(folder, 'nobody.sock')
    with chapi.Client(socket=path, connect_timeout=0.1) as client:
        with pytest.raises(chapi.ConnectionLost, match=path) as e:
            client.call('f')
    assert e.value.ran == 'no'
    with pytest.raises(chapi.ConnectionLost):
        chapi.Server(socket=path).start(timeout=0.1)


def test_restart_of_the_gateway_is_survived(daemons, start_gateway):
    gateway = start_gateway()
    begun = threading.Event()
    server = chapi.Server(socket=gateway.socket_path)
    server.register('f', lambda: 'here')
    server.register('hang', lambda: begun.set() or chapi.current_call().wait_cancelled(LIMIT))
    server.register('rest', lambda: 1)
    server.start(timeout=LIMIT, worker_num=2)
    server.pause('rest')
    with chapi.Client(socket=gateway.socket_path) as client:
        lost = []

        def hang():
            try:
                client.call('hang')
            except chapi.Error as e:
                lost.append(e)
        thread = threading.Thread(target=hang)
        thread.start()
        assert begun.wait(LIMIT)
        gateway.kill()
        thread.join(LIMIT)
        assert [(type(e), e.ran) for e in lost] == [(chapi.ConnectionLost, 'unknown')]
        gateway.start()
        client.wait_ready('f', timeout=LIMIT)
        assert client.call('f') == 'here'
        client.wait_ready('rest', timeout=LIMIT)
        wait_until(lambda: server.apis()['rest']['state'] != 'offline', 'all names to be back')
        with pytest.raises(chapi.Paused):
            client.call('rest')
    gateway.status = 0
    server.stop()


def test_server_may_start_before_the_gateway(daemons, folder, start_gateway):
    gateway = Gateway(folder)
    server = chapi.Server(socket=gateway.socket_path)
    server.register('f', lambda: 'here')
    thread = threading.Thread(target=server.start, kwargs={'timeout': LIMIT})
    thread.start()
    daemons.start(gateway)
    thread.join(LIMIT)
    with chapi.Client(socket=gateway.socket_path) as client:
        assert client.call('f') == 'here'
    server.stop()


# ---- asyncio ---------------------------------------------------------------------------------------

def test_async_forms(gateway):
    async def main():
        cancelled = asyncio.Event()
        server = chapi.AsyncServer(socket=gateway.socket_path)

        @server.api('count')
        async def count(n: int):
            for i in range(n):
                chapi.current_call().progress(i)
                await asyncio.sleep(0)
            return n

        @server.api()
        async def hang():
            chapi.current_call().progress('begun')
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        @server.api()
        def plain():
            return threading.current_thread() is threading.main_thread()
        async with server, chapi.AsyncClient(socket=gateway.socket_path) as client:
            seen = []
            assert await client.call('count', n=3, on_progress=seen.append) == 3
            assert seen == [0, 1, 2]
            assert await client.call('plain') is False, 'functions that block run in a worker'
            assert await asyncio.gather(*[client.call('count', n=i) for i in range(50)]) == list(range(50))
            begun = asyncio.Event()
            call = asyncio.ensure_future(client.call('hang', on_progress=lambda _: begun.set()))
            await asyncio.wait_for(begun.wait(), LIMIT)
            call.cancel()
            await asyncio.wait_for(cancelled.wait(), LIMIT)
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await client.call('count', n=1) == 1
    asyncio.run(asyncio.wait_for(main(), LIMIT))


# ---- over a hub ------------------------------------------------------------------------------------

def remote_client(hub, channel, secret=None, **more):
    return chapi.Client(hub.app_id, hub.key, secret or hub.secret, channel=channel, host=hub.host, port=hub.port,
                        tls=False, **more)


@pytest.fixture
def serve(daemons):
    """serve(gateway, name=function, ...): a server until the test ends."""
    servers = []

    def start(gateway, **functions):
        server = chapi.Server(socket=gateway.socket_path)
        for name, function in functions.items():
            server.register(name, function)
        server.start(timeout=LIMIT)
        servers.append(server)
        return server
    yield start
    for server in servers:
        server.stop()


@needs_websockets
def test_remote_call(hub, channel, remote_gateway, serve):
    def fail():
        raise ValueError('no')
    serve(remote_gateway, add=add, fail=fail, who=lambda: chapi.current_call().request.caller, same=lambda v: v)
    with remote_client(hub, channel, name='phone') as client:
        client.wait_ready('add', timeout=LIMIT)
        assert client.call('add', a=1, b=2) == 3
        assert client.call('who') == 'claimed:phone'
        for value in (b'\x00\xff', {'$bin': 'x'}, 'Zürich ✓', 1.5, None):
            assert client.call('same', v=value) == value
        with pytest.raises(chapi.ApiError) as e:
            client.call('fail')
        assert e.value.details['code'] == 'ValueError'
        with pytest.raises(chapi.ApiNotFound):
            client.call('nobody.has.this')
        with pytest.raises(chapi.DeadlineExceeded):
            client.wait_ready('nobody.has.this', timeout=0.2)


@needs_websockets
def test_handlers_of_a_remote_client_see_its_requests(hub, channel, remote_gateway):
    seen, came = [], threading.Event()
    with remote_client(hub, channel) as client:
        client.add_request_handler(lambda data: (seen.append(json.loads(data)), came.set()))
        client.call('chapi.echo', a=1)
        assert came.wait(LIMIT)
    assert (seen[0]['api'], seen[0]['params']) == ('chapi.echo', {'a': 1})


@needs_websockets
def test_remote_client_survives_a_restart_of_the_hub(own_hub, channel, start_gateway):
    own_hub.start()
    gateway = start_gateway(own_hub, channel).wait_up()
    with remote_client(own_hub, channel, connect_timeout=LIMIT) as client:
        for n in range(2):
            assert client.call('chapi.echo', n=n) == {'n': n}
            own_hub.stop()
            gateway.wait_not_up()
            own_hub.start()
            gateway.wait_up()
        assert client.call('chapi.echo', n=9) == {'n': 9}


@needs_websockets
def test_wrong_secret_is_an_error_that_says_so(hub):
    for channel in ('private-chapi-x', 'chapi'):
        with remote_client(hub, channel, secret='wrong') as client:
            with pytest.raises(chapi.Unauthenticated) as e:
                client.call('f')
            assert e.value.ran == 'no'


@needs_websockets
def test_hub_that_is_not_there_is_an_error(own_hub):
    own_hub.start()
    own_hub.stop()
    with remote_client(own_hub, 'chapi', connect_timeout=0.2) as client:
        with pytest.raises(chapi.HubDown) as e:
            client.call('f')
        assert e.value.ran == 'no'


@needs_websockets
def test_app_that_the_hub_does_not_know_is_refused(hub):
    client = chapi.Client('1', 'nobodys-key', 'secret', host=hub.host, port=hub.port, tls=False)
    with pytest.raises(chapi.FailedPrecondition, match='4001'):
        client.call('f')
    client.stop()


@pytest.fixture
def played(hub, channel, remote):
    """A client, and somebody on its channel who plays the gateway."""
    with remote_client(hub, channel) as client:
        client.wait_ready(timeout=LIMIT)
        yield client, remote


def in_thread(function, *arguments, **more):
    """Starts function; returns what waits for its result, or for the error that it raised."""
    outcome = []

    def target():
        try:
            outcome.append(function(*arguments, **more))
        except chapi.Error as e:
            outcome.append(e)
    thread = threading.Thread(target=target)
    thread.start()

    def wait():
        thread.join(LIMIT)
        assert outcome, 'no end of it within the limit'
        return outcome[0]
    return wait


def take_request(remote):
    return payload(remote.client.wait_event('request'))


@needs_websockets
def test_large_request_and_response_travel_in_parts(played):
    client, remote = played
    value = os.urandom(60000).hex()     # twice what one batch of events carries when it is not packed
    wait = in_thread(client.call, 'echo', v=value)
    assembly, text = parts.Assembly(), None
    while text is None:
        text = assembly.add(payload(remote.client.wait_event('request-part')))
    record = json.loads(text)
    assert record['params'] == {'v': value}
    pieces = parts.split(record['id'], json.dumps({'id': record['id'], 'api': 'echo', 'result': value, 'error': None}))
    assert len(pieces) > 3
    for piece in pieces[::-1] + pieces[:1]:
        assert len(piece) <= parts.EVENT_MAX
        remote.send(piece, 'response-part')
    assert wait() == value


@needs_websockets
def test_remote_progress_and_cancel(played):
    client, remote = played
    seen = []
    wait = in_thread(client.call, 'f', on_progress=seen.append)
    record = take_request(remote)
    assert record['progress'] is True
    remote.send({'id': record['id'], 'seq': 0, 'value': 'half'}, 'progress')
    wait_until(lambda: seen, 'progress')
    remote.send({'id': record['id'], 'api': 'f', 'result': 1, 'error': None}, 'response')
    assert (wait(), seen) == (1, ['half'])

    async def cancel():
        hub = remote.hub
        async with chapi.AsyncClient(hub.app_id, hub.key, hub.secret, channel=remote.channel, host=hub.host,
                                     port=hub.port, tls=False) as other:
            call = asyncio.ensure_future(other.call('g'))
            number = (await asyncio.to_thread(take_request, remote))['id']
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        return number
    number = asyncio.run(cancel())
    assert payload(remote.client.wait_event('cancel')) == {'id': number}


@needs_websockets
def test_remote_call_runs_out_of_time_when_nobody_answers(played, monkeypatch):
    client, _ = played
    monkeypatch.setattr('chapi.remote.ANSWER_WAIT', 0.05)
    with pytest.raises(chapi.DeadlineExceeded) as e:
        client.call('f', timeout=0.05)
    assert e.value.ran == 'unknown'


@needs_websockets
def test_answers_of_others_and_nonsense_are_passed_over(played):
    client, remote = played
    wait = in_thread(client.perform, 'f', {}, id='mine')
    assert take_request(remote)['id'] == 'mine'
    for text in ('no JSON', '[]', '{"id":["x"]}', '{"id":"other","result":1,"error":null}'):
        remote.send(text, 'response')
    remote.send('{"id":"mine","part":7,"parts":2,"data":""}', 'response-part')
    remote.send({'id': 'mine', 'api': 'f', 'result': 2, 'error': None, 'cached': True}, 'response')
    response = wait()
    assert (response.result, response.cached) == (2, True)


@needs_websockets
def test_repeat_of_an_id_is_sent_with_that_id(played):
    """What a repeat means is the gateway's affair; here it must not be changed on the way."""
    client, remote = played
    for n in range(2):
        wait = in_thread(client.perform, 'f', {'n': 1}, id='same')
        record = take_request(remote)
        assert (record['id'], record['params']) == ('same', {'n': 1})
        remote.send({'id': 'same', 'api': 'f', 'result': n, 'error': None}, 'response')
        assert wait().result == n


@needs_websockets
def test_lost_connection_and_silent_hub(fake_hub):
    """Cut without a word, the client subscribes again; what it does not know it ignores."""
    with remote_client(fake_hub, 'private-x', connect_timeout=LIMIT) as client:
        client.wait_ready(timeout=LIMIT)
        fake_hub.drop()
        fake_hub.wait_subscribed('private-x', after=1)
        for frame in ('[]', '{"event":"pusher:error","data":{"code":4200,"message":"x"}}', '{"event":"what"}'):
            fake_hub.send_raw(frame)
        wait = in_thread(client.call, 'f')
        record = fake_hub.wait_published()[2]
        fake_hub.send_event('private-x', 'response', {'id': record['id'], 'api': 'f', 'result': 5, 'error': None})
        assert wait() == 5
        assert fake_hub.refused == []


@needs_websockets
@pytest.mark.parametrize('answer, error, ran', [
    (('500 No', '<html>'), chapi.HubDown, 'unknown'), (('413 Large', 'too large'), chapi.TooLarge, 'no'),
    (('200 OK', '{"error":"quota","code":403}'), chapi.FailedPrecondition, 'no'),
    (('302 Found\r\nLocation: http://127.0.0.1:1/', ''), chapi.FailedPrecondition, 'no'), (('429 Slow', ''), chapi.RateLimited, 'no')])
def test_refusals_of_the_hub(fake_hub, answer, error, ran):
    with remote_client(fake_hub, 'chapi') as client:
        client.wait_ready(timeout=LIMIT)
        fake_hub.answers.append(answer)
        with pytest.raises(error) as e:
            client.call('f')
        assert (type(e.value), e.value.ran) == (error, ran)


# ---- without any gateway ---------------------------------------------------------------------------

VECTORS = App('7654321', 'aaaabbbbccccddddeeee', '11112222333344445555', 'eu')


def test_signatures_of_the_hub():
    assert VECTORS.channel_auth('1234.5678', 'private-sensor.42') == \
        'aaaabbbbccccddddeeee:f81bf0afb5499963fd811112064e1967ff36af38259d6a1d00f843e6bc92ce05'
    body = b'{"name":"reading","channels":["private-sensor.42"],"data":"{\\"t\\":21.5,\\"unit\\":\\"C\\"}"}'
    assert VECTORS.signed_target('POST', '/apps/7654321/events', body, now=1700000000) == (
        '/apps/7654321/events?auth_key=aaaabbbbccccddddeeee&auth_timestamp=1700000000&auth_version=1.0'
        '&body_md5=b25c417edabb9536a8a46e8ee1da2343'
        '&auth_signature=4918bd53458a09ac2fce7c2e7e1bb3d7e2332b08826fd8ec384e3f9c0a3eb732')
    batch = ('{"batch":[{"name":"reading","channel":"ch-a","data":"1"},'
             '{"name":"note","channel":"ch-b","data":"Zürich ✓","socket_id":"1234.5678"}]}').encode()
    assert VECTORS.signed_target('POST', '/apps/7654321/batch_events', batch, now=1700000000).endswith(
        '096e468c5149c6804ce11cdedd06637ec26abfff44de93d2c2818f1b47b92428')
    assert VECTORS.signed_target('GET', '/apps/7654321/channels', query={
        'filter_by_prefix': 'presence-', 'info': 'user_count'}, now=1700000000).endswith(
        '76e9185219a97596b89a1da3666edbf924cedb879e2c2f37a1d0ba8bdd09af3d')


def test_addresses_of_the_hub():
    assert VECTORS.socket_url.startswith('wss://ws-eu.pusher.com:443/app/aaaabbbbccccddddeeee?protocol=7&')
    assert App('1', 'key', 'secret', 'http://pi.local:6001').socket_url.startswith('ws://pi.local:6001/app/key?')
    for wrong in (None, 'ftp://x', 'http://', 'https://x/path'):
        with pytest.raises(ValueError):
            App('1', 'key', 'secret', wrong)
    with pytest.raises(ValueError):
        chapi.Client('1', 'key')


def test_channel_of_a_client(monkeypatch):
    from chapi.remote import default_channel
    monkeypatch.delenv('CHAPI_CHANNEL', raising=False)
    assert default_channel(None) == 'chapi'
    monkeypatch.setenv('CHAPI_CHANNEL', 'private-chapi-pi')
    assert default_channel(None) == 'private-chapi-pi'
    assert default_channel('other') == 'other'


@pytest.mark.parametrize('change', [{'parts': 3}, {'sha256': 'x'}, {'part': 99}, {'data': None}, {'part': '0'}])
def test_parts_that_contradict_each_other_make_no_record(change):
    first, second, *_ = [json.loads(p) for p in parts.split('x', json.dumps(os.urandom(20000).hex()))]
    assembly = parts.Assembly()
    assert assembly.add(first) is None
    with pytest.raises(ValueError):
        assembly.add(dict(second, **change))


def test_inflating_stops_at_the_limit():
    bomb, = parts.split('x', json.dumps('a' * (parts.RECORD_MAX + 1)))
    with pytest.raises(ValueError):
        parts.Assembly().add(json.loads(bomb))


def test_values_in_json():
    for text, value in (('{"$bin":"AP8="}', b'\x00\xff'), ('{"$$bin":"x"}', {'$bin': 'x'}), ('{"$$$a":1}', {'$$a': 1}),
                        ('["ü",1.5,null]', ['ü', 1.5, None])):
        assert values.from_json(text) == value
        assert values.to_json(value) == text
    moment = values.from_json('{"$time":"2026-01-02T03:04:05.678901234Z"}')
    assert moment.isoformat() == '2026-01-02T03:04:05.678901+00:00'
    assert values.from_json(values.to_json(moment)) == moment
    with pytest.raises(ValueError):
        values.to_json(float('nan'))


def test_messages_are_cut_wherever_the_reads_end():
    stream = values.pack([1, 1, None, {'a': 'x' * 300}]) + values.pack([2, 'event', [1]])
    for size in (1, 2, 7, len(stream)):
        messages = Messages()
        out = [m for i in range(0, len(stream), size) for m in messages.feed(stream[i:i + size])]
        assert [read_message(m)[0] for m in out] == [[1, 1, None, {'a': 'x' * 300}], [2, 'event', [1]]]


def test_hints_of_a_function():
    def f(a: str, b: typing.Optional[int] = None, c: typing.List[float] = (), d: typing.Literal['x', 'y'] = 'x',
          e: bytes = b'', **more) -> dict: pass
    assert schema.describe(f) == {'result': {'type': 'object'}, 'params': {
        'type': 'object', 'required': ['a'], 'properties': {
            'a': {'type': 'string'}, 'b': {}, 'c': {'type': 'array', 'items': {'type': 'number'}},
            'd': {'enum': ['x', 'y'], 'default': 'x'}, 'e': {'type': 'binary'}}}}
    assert schema.describe(lambda **kw: 1) == {}
    with pytest.raises(TypeError):
        schema.describe(lambda a, /: 1)
