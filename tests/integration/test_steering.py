# SPDX-License-Identifier: MIT
"""Calls that can be steered: deadlines, cancel, progress, one-way calls, records.
In both encodings."""
import time

import pytest

from lib.gateway import Provider
from lib.ipc import RpcError
from lib.limits import wait_until


def failure(client, number):
    with pytest.raises(RpcError) as e:
        client.result(number)
    return e.value.code, e.value.ran


def test_the_time_that_is_left_travels(connect):
    provider, caller = connect(), connect()
    provider.ask('register', 'f', {'concurrency': 1})
    caller.request('call', 'f', {}, {'timeout_ms': 60000})
    first = provider.wait_request()
    caller.request('call', 'f', {}, {'timeout_ms': 60000})
    caller.quiet()
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 0.02, 'some time to pass')
    provider.answer(first)
    left = provider.wait_request()[3][1]['timeout_ms']
    assert 0 < left < 60000


def test_a_call_that_never_has_its_turn_did_not_run(connect):
    provider, caller = connect(), connect()
    provider.ask('register', 'f', {'concurrency': 1})
    caller.request('call', 'f')
    number = caller.request('call', 'f', {}, {'timeout_ms': 20})
    assert failure(caller, number) == ('deadline_exceeded', 'no')


def test_more_than_the_names_own_limit_is_cut(connect):
    provider, caller = connect(), connect()
    provider.ask('register', 'f', {'timeout_ms': 20, 'timeout_max_ms': 30})
    number = caller.request('call', 'f', {}, {'timeout_ms': 600000})
    assert provider.wait_request()[3][1]['timeout_ms'] <= 30
    assert failure(caller, number) == ('deadline_exceeded', 'unknown')


def test_cancel_of_a_running_call(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f')
    request = provider.wait_request()
    caller.notify('cancel', number)
    assert failure(caller, number) == ('cancelled', 'unknown')
    assert provider.wait_notification('cancel')[2] == [request[1]]
    provider.answer(request, 'too late')
    assert caller.quiet()


def test_cancel_of_a_queued_call(connect):
    provider, caller = connect(), connect()
    provider.ask('register', 'f', {'concurrency': 1})
    caller.request('call', 'f')
    provider.wait_request()
    number = caller.request('call', 'f')
    caller.notify('cancel', number)
    assert failure(caller, number) == ('cancelled', 'no')
    assert provider.quiet()


def test_cancel_of_a_wait(connect):
    client = connect()
    number = client.request('wait', ['never'])
    client.notify('cancel', number)
    assert failure(client, number) == ('cancelled', 'no')
    client.ask('register', 'never')
    assert client.quiet()


def test_cancel_of_a_drain(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    caller.request('call', 'f')
    request = provider.wait_request()
    number = provider.request('drain', 'f')
    provider.notify('cancel', number)
    assert failure(provider, number) == ('cancelled', 'no')
    assert failure(caller, caller.request('call', 'f')) == ('paused', 'no')
    provider.answer(request)
    assert provider.quiet()


def test_cancel_of_nothing_is_ignored(client):
    client.notify('cancel', 4711)
    assert client.quiet()


def test_a_caller_that_leaves_cancels_its_calls(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    caller.request('call', 'f')
    request = provider.wait_request()
    caller.close()
    assert provider.wait_notification('cancel')[2] == [request[1]]


def test_progress_goes_to_whoever_asked_for_it(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f', {}, {'progress': True})
    request = provider.wait_request()
    assert request[3][1]['progress'] is True
    for n in range(3):
        provider.notify('progress', request[1], {'done': n})
    assert [caller.wait_notification('progress')[2] for _ in range(3)] == \
        [[number, {'done': n}] for n in range(3)]
    provider.answer(request, 'end')
    assert caller.result(number) == 'end'
    provider.notify('progress', request[1], 'after the end')
    provider.quiet()
    assert caller.quiet()


def test_progress_that_nobody_asked_for_is_dropped(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f')
    request = provider.wait_request()
    assert 'progress' not in request[3][1]
    provider.notify('progress', request[1], 1)
    provider.answer(request, 'end')
    assert caller.result(number) == 'end'
    assert caller.quiet()


def test_oneway_is_answered_as_soon_as_it_is_handed_over(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    assert caller.call('f', {'a': 1}, oneway=True) is None
    request = provider.wait_request()
    assert request[3][1]['oneway'] is True
    caller.close()
    provider.answer(request, 'to nobody')
    assert provider.quiet()


def test_a_oneway_call_outlives_its_caller_in_the_queue(connect):
    provider, caller = connect(), connect()
    provider.ask('register', 'f', {'concurrency': 1})
    caller.call('f', {'n': 1}, oneway=True)
    caller.call('f', {'n': 2}, oneway=True)
    caller.close()
    provider.answer(provider.wait_request())
    second = provider.wait_request()
    assert second[3][0] == {'n': 2}
    provider.answer(second)


def test_a_oneway_call_that_is_lost_is_counted(connect, gateway):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    caller.call('f', oneway=True)
    provider.wait_request()
    provider.close()
    wait_until(lambda: gateway.ask('status')['counters']['oneways_lost'] == 1,
               'the loss to be counted')


def test_a_oneway_call_to_oneself_is_lost_with_oneself(connect, gateway):
    client = connect()
    Provider(client, 'f')
    client.call('f', oneway=True)
    client.wait_request()
    client.close()
    wait_until(lambda: gateway.ask('status')['counters']['oneways_lost'] == 1,
               'the loss to be counted')


def test_oneway_may_be_full(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    record = caller.call('f', oneway=True, full=True, id='x')
    assert (record['id'], record['api'], record['result'], record['error']) == \
        ('x', 'f', None, None)
    assert caller.call('nobody', oneway=True, full=True)['error']['code'] == 'api_not_found'


def test_oneway_and_progress_do_not_go_together(client):
    client.ask('register', 'f')
    with pytest.raises(RpcError) as e:
        client.call('f', oneway=True, progress=True)
    assert e.value.code == 'invalid_argument'


def test_full_is_the_record_of_the_call(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    before = time.time()
    number = caller.request('call', 'f', {'a': 1}, {'full': True, 'id': 'my-id'})
    provider.answer(provider.wait_request(), [1])
    record = caller.result(number)
    assert (record['id'], record['api'], record['result'], record['error']) == \
        ('my-id', 'f', [1], None)
    assert before - 1 < record['request_time'] <= record['response_time'] + 0.001
    assert record['queue_ms'] >= 0 and record['run_ms'] >= 0
    assert record['gateway'] == 'gw-of-the-tests' and record['instance']


def test_full_of_a_failure_is_a_record_too(connect):
    caller = connect()
    record = caller.call('nobody', full=True)
    assert (record['result'], record['error']['code'], record['error']['ran']) == \
        (None, 'api_not_found', 'no')
