# SPDX-License-Identifier: MIT
"""Sentences of chapi-ipc(7) about what a connection survives, and what it does not, on the socket."""
import pytest

from lib.gateway import Provider
from lib.ipc import RpcError

ABANDONED_MOST = 1024


def failure(client, *request):
    with pytest.raises(RpcError) as e:
        client.ask(*request)
    return e.value


def counters(client):
    return client.ask('status')['counters']


def test_method_that_is_unknown(client):
    error = failure(client, 'call.twice', 'f')
    assert (error.code, error.ran) == ('invalid_argument', 'no') and 'call.twice' in error.message
    assert client.quiet()


def test_unknown_keys_of_options_are_ignored(client):
    client.ask('register', 'f', {'colour': 'green'})
    number = client.request('call', 'f', {}, {'colour': 'red'})
    client.answer(client.wait_request(), 'fine')
    assert client.result(number) == 'fine'


@pytest.mark.parametrize('timeout_ms', [0, -1, 'soon'])
def test_time_limit_that_is_none(client, timeout_ms):
    client.ask('register', 'f')
    error = failure(client, 'call', 'f', {}, {'timeout_ms': timeout_ms})
    assert (error.code, error.ran) == ('invalid_argument', 'no')
    assert client.quiet()


def test_notification_that_is_unknown_is_counted(client):
    before = counters(client)['notifications_ignored']
    client.notify('hurry', 1)
    client.notify('cancel')
    assert counters(client)['notifications_ignored'] == before + 2


def test_second_answer_and_answer_to_nothing_are_counted(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    before = counters(caller)['responses_ignored']
    number = caller.request('call', 'f')
    request = provider.wait_request()
    provider.answer(request, 'first')
    provider.answer(request, 'second')
    provider.answer(4711, 'to nothing')
    assert provider.quiet()
    assert caller.result(number) == 'first' and caller.quiet()
    assert counters(caller)['responses_ignored'] == before + 2


def test_provider_with_too_many_abandoned_calls_is_closed(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    for n in range(ABANDONED_MOST + 1):
        if n == ABANDONED_MOST:
            assert caller.ask('list') and caller.ask('status')['calls']['abandoned'] == ABANDONED_MOST
        number = caller.request('call', 'f')
        caller.notify('cancel', number)
        assert caller.wait_response(number)[2]['code'] == 'cancelled'
    provider.wait_end()
    assert failure(caller, 'call', 'f').code == 'api_not_found'


def test_message_that_is_larger_than_sixteen_is_the_end(start_gateway, encoding):
    """One that is too large by less costs one call only."""
    gateway = start_gateway(gateway={'max_message': '1K'})
    with gateway.connect(encoding) as client:
        error = failure(client, 'call', 'chapi.echo', 'x' * 15000)
        assert (error.code, error.ran) == ('too_large', 'no')
        assert client.quiet()
        try:
            client.request('call', 'chapi.echo', 'x' * 20000)
        except BrokenPipeError:
            pass
        client.wait_end()
