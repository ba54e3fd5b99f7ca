# SPDX-License-Identifier: MIT
"""The programs of the older library, as their readers type them,
with the package in clients/python."""
import json
import os
import sys
import threading

import pytest

from lib.limits import LIMIT
from lib.process import Daemon, as_ordinary_user, run
from lib.python_client import PACKAGE, chapi, needs_websockets, package_environment, remote_client

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
def python_env(gateway_of_hub):
    able = run(as_ordinary_user([sys.executable,
                                 '-c', 'import os, sys; os.listdir(sys.argv[1])', PACKAGE]))
    if able.returncode != 0:
        pytest.skip('an ordinary user cannot run %s on %s' % (sys.executable, PACKAGE))
    return package_environment(gateway_of_hub)


@pytest.fixture
def gateway_of_hub(start_gateway, hub, channel):
    """It listens on a channel of its own and on the public one of the older library."""
    gateway = start_gateway(hub, '%s chapi' % channel).wait_up()
    os.chmod(gateway.socket_path, 0o666)
    return gateway


@pytest.fixture
def start_old_server(daemons, gateway_of_hub, hub, python_env, write_program):
    def start(arguments):
        server = daemons.start(Daemon('server', as_ordinary_user([sys.executable, write_program(
            'server.py', OLD_SERVER, worker_num=arguments, **credentials(hub))]),
                                      env=python_env, status=None))
        gateway_of_hub.ask('wait', ['echo'], {'timeout_ms': int(LIMIT * 1000)})
        return server
    return start


def credentials(hub):
    return {'app_id': hub.app_id, 'key': hub.key, 'secret': hub.secret,
            'cluster': 'http://%s:%d' % (hub.host, hub.port)}


@needs_websockets
def test_programs_of_the_older_library_run_unchanged(start_old_server, hub, python_env,
                                                     write_program):
    server = start_old_server('worker_num=1')
    done = run(as_ordinary_user([sys.executable,
                                 write_program('client.py', OLD_CLIENT, **credentials(hub))]),
               env=python_env, limit=LIMIT + 4)     # it sleeps that long
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["result of echo: {'a': 'a', 'b': [1, 2, 3]}",
                                                'result of wrong_api: None']
    server.wait_log("received api request echo: {'a': 'a', 'b': [1, 2, 3]}")
    server.wait_log('received api request wrong_api: ')


def test_server_of_the_older_library_runs_without_a_number_of_workers(
        start_old_server, gateway_of_hub):
    server = start_old_server('')
    assert gateway_of_hub.ask('describe', 'echo')['holders'][0]['client'] == 'server'
    assert gateway_of_hub.ask('call', 'echo', {'a': 'a'}) == {'a': 'a'}
    server.wait_log("received api request echo: {'a': 'a'}")


@needs_websockets
def test_responses_to_older_programs_have_api_params_and_result(gateway_of_hub, hub):
    seen, came = [], threading.Event()
    with remote_client(hub, None) as client:
        client.add_response_handler(lambda data: (seen.append(json.loads(data)),
                                                  len(seen) == 2 and came.set()))
        client.wait_ready(timeout=LIMIT)
        client.request('chapi.echo', a='a', b=[1, 2, 3])
        client.request('wrong_api', arg='test')
        assert came.wait(LIMIT), seen
    by_api = {r['api']: r for r in seen}
    assert by_api['chapi.echo']['params'] == by_api['chapi.echo']['result'] == \
        {'a': 'a', 'b': [1, 2, 3]}
    assert (by_api['wrong_api']['params'], by_api['wrong_api']['result']) == ({'arg': 'test'}, None)
    assert by_api['wrong_api']['error']['code'] == 'api_not_found'


def test_gateway_of_another_app_is_an_error_that_says_so(gateway_of_hub, hub):
    server = chapi.Server(hub.app_id, 'key-of-another-app', hub.secret, 'eu',
                          socket=gateway_of_hub.socket_path)
    with pytest.raises(chapi.FailedPrecondition, match='another app'):
        server.run()


def test_server_keeps_the_secret_to_itself(gateway, folder):
    """Not in its attributes, so in no message either."""
    server = chapi.Server('1', 'key', 'a-secret-of-the-test', 'eu', socket=gateway.socket_path)
    assert 'a-secret-of-the-test' not in repr([vars(server), vars(server._server),
                                               vars(server._server._link)])
