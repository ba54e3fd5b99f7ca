# SPDX-License-Identifier: MIT
"""Requests that come again over a hub: a function runs once, and its caller learns what
became of it."""
import pytest

from lib.gateway import Provider
from lib.pusher_client import Remote
from lib.stopped import SILENCE, only_the_new_one_runs


@pytest.fixture
def provider(remote_gateway):
    with remote_gateway.connect() as client:
        yield Provider(client, 'lights.on')


def again(remote, number, name='lights.on', params=None, **fields):
    remote.send(dict({'id': number, 'api': name, 'params': params or {}}, **fields))



def test_repeat_while_the_first_runs_gets_the_same_one_answer(remote, provider):
    number = remote.request('lights.on', {})
    request = provider.client.wait_request()
    again(remote, number)
    remote.call('chapi.ping')
    provider.client.answer(request, 'once')
    assert remote.response(number)['result'] == 'once'
    remote.call('chapi.ping')
    assert remote.is_quiet()


def test_repeat_afterwards_gets_the_answer_without_a_run(remote, provider):
    number = remote.request('lights.on', {})
    provider.serve_one(lambda params: 'first')
    first = remote.response(number)
    assert 'cached' not in first
    again(remote, number)
    second = remote.response(number)
    assert second.pop('cached') is True
    assert second == first


def test_repeat_on_another_channel_is_answered_where_the_first_went(hub, channel, start_gateway):
    other = channel + '-two'
    start_gateway(hub, channel + ' ' + other).wait_up()
    with Remote(hub, channel) as one, Remote(hub, other) as two:
        number = one.request('chapi.echo', 5)
        one.response(number)
        again(two, number, 'chapi.echo', 5)
        assert one.response(number)['cached'] is True
        two.call('chapi.ping')
        assert two.is_quiet()


def test_answer_is_repeated_once_a_second_at_most(remote, remote_gateway):
    number = remote.request('chapi.echo', 5)
    remote.response(number)
    for _ in range(5):
        again(remote, number, 'chapi.echo', 5)
    assert remote.response(number)['cached'] is True
    remote.call('chapi.ping')
    assert remote.is_quiet()


def test_repeat_while_the_first_runs_changes_nothing_of_it(remote, provider):
    """Its own timeout, reply_to and progress are ignored."""
    number = remote.request('lights.on', {})
    request = provider.client.wait_request()
    again(remote, number, timeout_ms=1, reply_to='chapi', progress=True)
    remote.call('chapi.ping')
    assert remote.is_quiet()
    provider.client.notify('progress', request[1], 1)
    provider.client.answer(request, 'done')
    assert remote.response(number)['result'] == 'done'
    remote.call('chapi.ping')
    assert not [e for e in remote.client.events if e['event'] in ('progress', 'response')]


def test_other_request_under_an_id_that_runs_gets_no_answer(remote, provider):
    number = remote.request('lights.on', {'a': 1})
    request = provider.client.wait_request()
    again(remote, number, params={'a': 2})
    again(remote, number, name='chapi.echo', params={'a': 1})
    remote.call('chapi.ping')
    assert remote.is_quiet()
    provider.client.answer(request, 'first')
    assert remote.response(number)['result'] == 'first'


def test_id_of_another_request_is_refused(remote, provider):
    number = remote.request('lights.on', {'a': 1})
    provider.serve_one()
    remote.response(number)
    again(remote, number, params={'a': 2})
    error = remote.response(number)['error']
    assert (error['code'], error['details']['reason']) == ('invalid_argument', 'id_reused')


def test_answer_that_is_not_kept_is_lost_but_not_whether_it_ran(hub, channel, start_gateway):
    gateway = start_gateway(hub, channel, remote={'answer_store_bytes': '0'}).wait_up()
    assert gateway.is_running()
    with Remote(hub, channel) as remote:
        number = remote.request('chapi.echo', 1)
        remote.response(number)
        again(remote, number, 'chapi.echo', 1)
        error = remote.response(number)['error']
        assert (error['code'], error['ran']) == ('answer_lost', 'yes')


def test_what_was_refused_is_refused_again_and_runs_under_another_id(remote, remote_gateway):
    """A repeat may be on its way while its caller is told that nothing was run."""
    number = remote.request('lights.on', {})
    first = remote.response(number)
    assert first['error']['ran'] == 'no'
    with remote_gateway.connect() as client:
        provider = Provider(client, 'lights.on')
        again(remote, number)
        second = remote.response(number)
        assert second.pop('cached') is True
        assert second == first
        number = remote.request('lights.on', {})
        provider.serve_one(lambda params: 'now')
        assert remote.response(number)['result'] == 'now'


def test_retry_after_a_restart_is_not_run(hub, channel, remote, start_gateway):
    gateway = start_gateway(hub, channel).wait_up()
    with gateway.connect() as client:
        provider = Provider(client, 'lights.on')
        number = remote.request('lights.on', {})
        provider.serve_one()
        instance = remote.response(number)['instance']
    gateway.stop()
    gateway.start()
    gateway.wait_up()
    with gateway.connect() as client:
        client.ask('register', 'lights.on')
        client.ask('register', 'lights.state', {'idempotent': True})
        again(remote, number, retry=instance)
        error = remote.response(number)['error']
        assert (error['code'], error['ran']) == ('failed_precondition', 'unknown')
        assert error['details']['reason'] == 'restarted'
        state = remote.request('lights.state', {}, retry=instance)
        client.answer(client.wait_request('lights.state'), 'on')
        assert remote.response(state)['result'] == 'on'


@pytest.mark.parametrize('size', [10, 6000])
def test_request_that_waited_while_the_gateway_did_not_run_is_not_run(hub, channel, remote,
                                                                      start_gateway, size):
    """Nor one of which the first read brings but a piece."""
    gateway = start_gateway(hub, channel, pusher=SILENCE).wait_up()
    only_the_new_one_runs(gateway, remote, size)
