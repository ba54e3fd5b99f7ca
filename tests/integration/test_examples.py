# SPDX-License-Identifier: MIT
"""The examples of the C library, as they are built, against the real gateway."""
import json
import signal
import subprocess

import pytest

from lib.gateway import Provider
from lib.ipc import RpcError
from lib.limits import LIMIT, wait_until
from lib.process import Daemon, die_with_parent, environment, program, run


@pytest.fixture
def example(gateway, daemons):
    """example(PROGRAM, signal that ends it): runs until the test ends; back when it is ready."""
    def start(name, ended_by=signal.SIGTERM):
        daemon = daemons.start(Daemon(name, [program(name)], status=-ended_by,
                                      env=environment(CHAPI_SOCKET=gateway.socket_path)))
        daemon.wait_log('ready')
        return daemon
    return start


def is_there(gateway, name):
    with gateway.connect() as client:
        return client.ask('list', name)


def call(gateway, *arguments):
    return run([program('smallest-caller')] + list(arguments),
               env=environment(CHAPI_SOCKET=gateway.socket_path))


def test_smallest_provider_and_caller_find_each_other(example, gateway):
    example('smallest-provider')
    done = call(gateway, 'hello')
    assert (done.returncode, done.stdout, done.stderr) == (0, '"Hello from C"\n', '')


def test_smallest_caller_passes_params_on(gateway):
    done = call(gateway, 'chapi.echo', '{"a": [1, 2.5, null]}')
    assert (done.returncode, done.stdout) == (0, '{"a":[1,2.5,null]}\n')


@pytest.mark.parametrize('arguments, status, words', [
    (['nobody'], 67, 'api_not_found'), (['chapi.echo', '{'], 65, 'JSON'), ([], 64, 'usage'),
], ids=['nobody', 'no json', 'no name'])
def test_smallest_caller_says_what_is_wrong(gateway, arguments, status, words):
    done = call(gateway, *arguments)
    assert (done.returncode, done.stdout) == (status, '')
    assert words in done.stderr


def test_smallest_caller_without_a_gateway(folder):
    done = run([program('smallest-caller'), 'hello'],
               env=environment(CHAPI_SOCKET=folder + '/none.sock'))
    assert done.returncode == 69


@pytest.mark.parametrize('name, api, result', [
    ('smallest-provider', 'hello', 'Hello from C'), ('libevent-provider', 'loop', 'from libevent'),
])
def test_provider_survives_a_gateway_that_starts_anew(example, gateway, name, api, result):
    example(name)
    with gateway.connect() as client:
        assert client.call(api) == result
    gateway.stop()
    gateway.start()
    wait_until(lambda: is_there(gateway, api), api + ' to be registered again')
    with gateway.connect() as client:
        assert client.call(api) == result


def test_provider_in_a_libevent_loop_answers_many(example, client):
    example('libevent-provider')
    numbers = [client.request('call', 'loop', {'n': n}) for n in range(500)]
    assert {client.result(number) for number in numbers} == {'from libevent'}


def test_provider_in_a_poll_loop_reads_its_input_too(gateway, client):
    with subprocess.Popen([program('poll-provider')], stdin=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True,
                          env=environment(CHAPI_SOCKET=gateway.socket_path),
                          preexec_fn=die_with_parent) as process:
        assert process.stderr.readline() == 'ready\n'
        assert client.call('count') == 0
        process.stdin.write('one\ntwo\n')
        process.stdin.flush()
        wait_until(lambda: client.call('count') == 2, 'both lines to be counted')
        process.stdin.close()
        assert process.wait(LIMIT) == 0


def test_poll_provider_ends_with_its_gateway(gateway):
    with subprocess.Popen([program('poll-provider')], stdin=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True,
                          env=environment(CHAPI_SOCKET=gateway.socket_path),
                          preexec_fn=die_with_parent) as process:
        assert process.stderr.readline() == 'ready\n'
        gateway.stop()
        assert process.wait(LIMIT) == 74


def test_deferred_answer_comes_later_and_tells_others_to_wait(example, client):
    example('deferred-answer')
    first, second = client.request('call', 'timer', {}), client.request('call', 'timer', {})
    with pytest.raises(RpcError) as e:
        client.result(second)
    assert (e.value.code, e.value.ran) == ('busy', 'no')
    assert client.result(first) == 'done'


def test_deferred_answer_stops_when_nobody_waits(example, client):
    example('deferred-answer')
    with pytest.raises(RpcError) as e:
        client.call('timer', {}, timeout_ms=60)
    assert e.value.code == 'deadline_exceeded'
    assert client.call('timer') == 'done'


def test_deferred_answer_tells_its_progress(example, client):
    example('deferred-answer')
    number = client.request('call', 'timer', {}, {'progress': True})
    told, value = client.wait_notification('progress')[2]
    assert told == number
    assert 0 <= value['percent'] < 100
    assert client.result(number) == 'done'
    assert len(client.inbox) < 5, 'a step has 50 ms, all of it 250'


def test_list_names_shows_what_fits(gateway):
    with gateway.connect() as client:
        Provider(client, 'lights.set')
        Provider(client, 'door')
        done = run([program('list-names'), 'lights.*'],
                   env=environment(CHAPI_SOCKET=gateway.socket_path))
    assert (done.returncode, done.stderr) == (0, '')
    assert [api['name'] for api in json.loads(done.stdout)] == ['lights.set']


def test_watch_calls_shows_request_and_response(example, gateway):
    watch = example('watch-calls')
    assert call(gateway, 'chapi.echo', '{"a": 1}').returncode == 0
    assert json.loads(watch.wait_log('"response"'))['api'] == 'chapi.echo'
    assert json.loads(watch.wait_log('"request"'))['kind'] == 'request'


def test_to_msgpack_writes_the_bytes_or_says_where_it_is_wrong():
    done = subprocess.run([program('to-msgpack'), '{"level": 3}'], capture_output=True,
                          timeout=LIMIT)
    assert (done.returncode, done.stdout) == (0, b'\x81\xa5level\x03')
    done = subprocess.run([program('to-msgpack'), '{"level": }'], capture_output=True,
                          timeout=LIMIT)
    assert (done.returncode, done.stdout) == (65, b'') and b'10' in done.stderr
