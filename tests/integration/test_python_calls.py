# SPDX-License-Identifier: MIT
"""The Python package: calls through the local gateway, their values, errors and ends."""
import json
import os
import threading
import time

import pytest

from lib.limits import LIMIT, wait_until
from lib.python_client import add, chapi
from chapi import schema

def test_call_gives_the_result(server, local):
    server.register('add', add)
    assert local.call('add', a=1, b=2) == 3
    assert local.call('add', {'a': 5}) == 6


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
    assert (e.value.message, e.value.ran, e.value.details['code']) == \
        ('no such room', 'yes', 'ValueError')
    with pytest.raises(chapi.PermissionDenied) as e:
        local.call('refuse')
    assert e.value.ran == 'no'
    with pytest.raises(chapi.ApiError) as e:
        local.call('jam')
    assert (e.value.details['code'], e.value.code) == ('door_jammed', 'api_error')
    with pytest.raises(chapi.ApiNotFound) as e:
        local.call('nobody.has.this')
    assert e.value.ran == 'no'


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


@pytest.mark.parametrize('value', [None, True, -1, 2 ** 64 - 1, 1.5, 'ü', b'\x00\xff',
                                   [1, [2]], {'k': {'$': 1}}, {}, 'x' * 1000000],
                         ids=lambda v: repr(v)[:20])
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

    def note(value):
        seen.append((value, threading.current_thread()))
    assert local.call('work', on_progress=note) == 'done'
    assert seen == [(n, threading.current_thread()) for n in range(5)]
    assert local.call('work') == 'done', 'a caller that did not ask for progress gets none'


def test_progress_that_cannot_be_expressed_is_told_to_the_function(server, local):
    server.register('f', lambda: chapi.current_call().progress(object()))
    with pytest.raises(chapi.ApiError) as e:
        local.call('f', on_progress=print)
    assert e.value.details['code'] == 'TypeError'


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


@pytest.mark.parametrize('timeout', [-1, float('inf'), float('nan')])
def test_timeout_is_a_number_of_seconds(local, timeout):
    with pytest.raises(chapi.InvalidArgument, match='number of seconds') as e:
        local.call('chapi.echo', timeout=timeout)
    assert e.value.ran == 'no'


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
        wait_until(lambda: gateway.ask('status')['calls']['abandoned'] == 0,
                   'the provider to have answered')
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
    assert (seen[0]['id'], seen[0]['api'], seen[0]['params']) == \
        (number, 'wrong_api', {'arg': 'test'})
    assert (seen[0]['result'], seen[0]['error']['code']) == (None, 'api_not_found')


def test_client_that_was_stopped_says_so(gateway):
    """With the error of a lost connection, as all else that asks for one that is not there."""
    client = chapi.Client(socket=gateway.socket_path)
    events = client.monitor(['peer'])
    client.stop()
    client.stop()
    for ask in (lambda: client.call('chapi.ping'), client.wait_ready, client.status,
                lambda: client.publish('c', 'e', 1), client.monitor,
                lambda: client.call('chapi.ping', on_progress=print), lambda: next(events)):
        with pytest.raises(chapi.ConnectionLost, match='stopped') as e:
            ask()
        assert e.value.ran == 'no'
