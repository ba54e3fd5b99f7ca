# SPDX-License-Identifier: MIT
"""A request may name the channel for its answer, within limits."""
import os

import pytest

from lib.gateway import Provider
from lib.pusher_client import Remote, payload


@pytest.fixture
def reply():
    return 'private-chapi-phone@reply-' + os.urandom(4).hex()


@pytest.fixture
def phone(hub, reply):
    with Remote(hub, reply) as phone:
        yield phone


def test_answer_and_progress_go_to_reply_to(remote, remote_gateway, phone, reply):
    with remote_gateway.connect() as client:
        provider = Provider(client, 'f')
        number = remote.request('f', {}, reply_to=reply, progress=True)
        request = provider.client.wait_request()
        client.notify('progress', request[1], 7)
        assert payload(phone.client.wait_event('progress'))['value'] == 7
        client.answer(request, 'there')
        assert phone.response(number)['result'] == 'there'
        remote.call('chapi.ping')
        assert remote.is_quiet()


def test_error_goes_to_reply_to_as_well(remote, remote_gateway, phone, reply):
    number = remote.request('nobody', {}, reply_to=reply)
    assert phone.response(number)['error']['code'] == 'api_not_found'


def test_repeat_is_answered_where_the_first_answer_went(remote, remote_gateway, phone, reply):
    number = remote.request('chapi.echo', 1, reply_to=reply)
    phone.response(number)
    remote.send({'id': number, 'api': 'chapi.echo', 'params': 1,
                 'reply_to': 'private-chapi-x@reply'})
    assert phone.response(number)['cached'] is True


@pytest.mark.parametrize('wrong', ['chapi', 'private-chapi-x', 'private-other@reply',
                                   'presence-chapi-x@reply', 'private-chapi-x@reply/..',
                                   'private-chapi-x@reply ü', 'private-chapi-@reply' + 'x' * 145,
                                   'private-encrypted-chapi-x@reply'])
def test_channel_that_may_not_be_is_refused_where_the_request_came(remote, remote_gateway, wrong):
    error = remote.call('chapi.echo', 1, reply_to=wrong)['error']
    assert (error['code'], error['ran']) == ('invalid_argument', 'no')
    assert error['message'].startswith('reply_to: ')


def test_longest_name_is_taken(hub, remote, remote_gateway):
    name = 'private-chapi-@reply' + 'x' * 144
    assert len(name) == 164
    with Remote(hub, name) as phone:
        assert phone.response(remote.request('chapi.echo', 5, reply_to=name))['result'] == 5


def test_patterns_are_a_setting(hub, channel, remote, start_gateway):
    start_gateway(hub, channel, remote={'reply_channels': 'private-answers-*'}).wait_up()
    assert remote.call('chapi.echo', 1,
                       reply_to='private-chapi-x@reply')['error']['code'] == 'invalid_argument'
    with Remote(hub, 'private-answers-1') as phone:
        assert phone.response(remote.request('chapi.echo', 5,
                                             reply_to='private-answers-1'))['result'] == 5


def test_limits_of_what_is_large_and_where_it_goes_are_reloaded(hub, channel, remote,
                                                                start_gateway):
    gateway = start_gateway(hub, channel,
                            remote={'reply_channels': 'private-a-*', 'max_record': '1M'}).wait_up()
    assert remote.call('chapi.echo', 1,
                       reply_to='private-b-1')['error']['code'] == 'invalid_argument'
    with open(gateway.config) as f:
        text = f.read()
    with open(gateway.config, 'w') as f:
        f.write(text.replace('private-a-*', 'private-c-* private-b-*').replace('1M', '20K'))
    gateway.ask('reload')
    with Remote(hub, 'private-b-1') as phone:
        assert phone.response(remote.request('chapi.echo', 5,
                                             reply_to='private-b-1'))['result'] == 5
    assert remote.call('chapi.echo', 1,
                       reply_to='private-a-1')['error']['code'] == 'invalid_argument'
    with gateway.connect() as client:
        provider = Provider(client, 'f')
        number = remote.request('f', {})
        provider.serve_one(lambda params: 'x' * 30000)
        assert remote.response(number)['error']['details']['limit'] == 20480
