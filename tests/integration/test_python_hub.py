# SPDX-License-Identifier: MIT
"""The Python package's remote client against somebody who plays the gateway, or the hub."""
import asyncio
import json
import os
import threading
import time
from types import SimpleNamespace

import pytest

from lib.limits import LIMIT, wait_until
from lib.python_client import chapi, in_thread, needs_websockets, remote_client
from lib.pusher_client import payload
from chapi import parts

pytestmark = needs_websockets


@pytest.fixture
def played(hub, channel, remote):
    """A client, and somebody on its channel who plays the gateway."""
    with remote_client(hub, channel) as client:
        client.wait_ready(timeout=LIMIT)
        yield client, remote


def take_request(remote):
    return payload(remote.client.wait_event('request'))


def test_large_request_and_response_travel_in_parts(played):
    client, remote = played
    value = os.urandom(60000).hex()     # twice what one batch of events carries, not packed
    wait = in_thread(client.call, 'echo', v=value)
    assembly, text = parts.Assembly(), None
    while text is None:
        text = assembly.add(payload(remote.client.wait_event('request-part')))
    record = json.loads(text)
    assert record['params'] == {'v': value}
    pieces = parts.split(record['id'], json.dumps({'id': record['id'], 'api': 'echo',
                                                   'result': value, 'error': None}))
    assert len(pieces) > 3
    for piece in pieces[::-1] + pieces[:1]:
        assert len(piece) <= parts.EVENT_MAX
        remote.send(piece, 'response-part')
    assert wait() == value


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
        async with chapi.AsyncClient(hub.app_id, hub.key, hub.secret, channel=remote.channel,
                                     host=hub.host, port=hub.port, tls=False) as other:
            call = asyncio.ensure_future(other.call('g'))
            number = (await asyncio.to_thread(take_request, remote))['id']
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        return number
    number = asyncio.run(cancel())
    assert payload(remote.client.wait_event('cancel')) == {'id': number}


def test_remote_call_runs_out_of_time_when_nobody_answers(played, monkeypatch):
    client, _ = played
    monkeypatch.setattr('chapi.remote.ANSWER_WAIT', 0.05)
    with pytest.raises(chapi.DeadlineExceeded) as e:
        client.call('f', timeout=0.05)
    assert e.value.ran == 'unknown'


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


def test_repeat_of_an_id_is_sent_with_that_id(played):
    """What a repeat means is the gateway's affair; here it must not be changed on the way."""
    client, remote = played
    for n in range(2):
        wait = in_thread(client.perform, 'f', {'n': 1}, id='same')
        record = take_request(remote)
        assert (record['id'], record['params']) == ('same', {'n': 1})
        remote.send({'id': 'same', 'api': 'f', 'result': n, 'error': None}, 'response')
        assert wait().result == n


def test_lost_connection_and_silent_hub(fake_hub):
    """Cut without a word, the client subscribes again; what it does not know it ignores."""
    with remote_client(fake_hub, 'private-x', connect_timeout=LIMIT) as client:
        client.wait_ready(timeout=LIMIT)
        fake_hub.drop()
        fake_hub.wait_subscribed('private-x', after=1)
        for frame in ('[]', '{"event":"pusher:error","data":{"code":4200,"message":"x"}}',
                      '{"event":"what"}'):
            fake_hub.send_raw(frame)
        wait = in_thread(client.call, 'f')
        record = fake_hub.wait_published()[2]
        fake_hub.send_event('private-x', 'response',
                            {'id': record['id'], 'api': 'f', 'result': 5, 'error': None})
        assert wait() == 5
        assert fake_hub.refused == []


@pytest.mark.parametrize('answer, error, ran', [
    (('500 No', '<html>'), chapi.HubDown, 'unknown'),
    (('413 Large', 'too large'), chapi.TooLarge, 'no'),
    (('200 OK', '{"error":"quota","code":403}'), chapi.FailedPrecondition, 'no'),
    (('302 Found\r\nLocation: http://127.0.0.1:1/', ''), chapi.FailedPrecondition, 'no'),
    (('429 Slow', ''), chapi.RateLimited, 'no')])
def test_refusals_of_the_hub(fake_hub, monkeypatch, answer, error, ran):
    """Of a call that has no time for another try."""
    monkeypatch.setattr('chapi.remote.ANSWER_WAIT', 0.05)
    with remote_client(fake_hub, 'chapi') as client:
        client.wait_ready(timeout=LIMIT)
        fake_hub.answers.append(answer)
        with pytest.raises(error) as e:
            client.call('f', timeout=0.3)
        assert (type(e.value), e.value.ran) == (error, ran)


def test_answer_of_the_hub_that_is_cut_off_leaves_the_call_in_doubt(fake_hub, monkeypatch):
    monkeypatch.setattr('chapi.remote.ANSWER_WAIT', 0.05)
    with remote_client(fake_hub, 'chapi') as client:
        client.wait_ready(timeout=LIMIT)
        fake_hub.answers.append(('502 Bad\r\nTransfer-Encoding: chunked', 'no chunk\r\n'))
        with pytest.raises(chapi.HubDown, match='did not answer') as e:
            client.call('f', timeout=0.3)
        assert e.value.ran == 'unknown'


def test_repeat_that_cannot_be_sent_never_says_that_nothing_ran(fake_hub):
    with remote_client(fake_hub, 'chapi') as client:
        client.wait_ready(timeout=LIMIT)
        for retry, ran in ((None, 'no'), ('6d1f', 'unknown')):
            fake_hub.answers.append(('429 Slow', ''))
            with pytest.raises(chapi.RateLimited) as e:
                client.perform('f', id='the-same', retry=retry, timeout=0.3)
            assert e.value.ran == ran


def test_call_is_repeated_when_the_connection_is_back(fake_hub):
    """What was answered meanwhile is lost: the same id is asked for again,
    for the time that is left."""
    with remote_client(fake_hub, 'private-x', connect_timeout=LIMIT) as client:
        fake_hub.wait_subscribed('private-x')
        wait = in_thread(client.call, 'f', n=1, timeout=60)
        first = fake_hub.wait_published()[2]
        fake_hub.drop()
        again = fake_hub.wait_published()[2]
        assert (again['id'], again['params'], again['retry']) == (first['id'], {'n': 1}, '')
        assert again['timeout_ms'] <= first['timeout_ms'] == 60000
        fake_hub.send_event('private-x', 'response',
                            {'id': first['id'], 'api': 'f', 'result': 5, 'error': None,
                             'gateway': 'pi', 'instance': 'one'})
        assert wait() == 5
        wait = in_thread(client.call, 'f')
        fake_hub.wait_published()
        fake_hub.drop()
        again = fake_hub.wait_published()[2]
        assert again['retry'] == 'one', 'the instance that was heard of'
        fake_hub.send_event('private-x', 'response',
                            {'id': again['id'], 'api': 'f', 'result': 6, 'error': None})
        assert wait() == 6


def test_call_is_repeated_once_at_half_of_its_time(played, monkeypatch):
    monkeypatch.setattr('chapi.remote.ANSWER_WAIT', 0.05)
    client, remote = played
    wait = in_thread(client.call, 'f', timeout=0.5)
    first = take_request(remote)
    assert 'retry' not in first
    again = take_request(remote)
    assert (again['id'], again['retry']) == (first['id'], '') and 0 < again['timeout_ms'] <= 250
    assert again['retry_ms'] >= 250, 'for how long the first has been out'
    assert isinstance(wait(), chapi.DeadlineExceeded)
    assert [e for e in remote.client.events if e['event'] == 'request'] == []


def test_repeat_tells_how_long_the_machine_slept(played, monkeypatch):
    """Its even clock stood still, and the gateway has forgotten the first meanwhile,
    or is another."""
    client, remote = played
    monkeypatch.setattr('chapi.remote.ANSWER_WAIT', 0.05)
    wait = in_thread(client.call, 'f', timeout=0.5)
    take_request(remote)
    monkeypatch.setattr('chapi.request.time', SimpleNamespace(
        monotonic=time.monotonic, time=lambda: time.time() + 3600))
    assert take_request(remote)['retry_ms'] >= 3600000
    assert isinstance(wait(), chapi.DeadlineExceeded)


def test_failure_to_ask_again_costs_nothing(fake_hub):
    with remote_client(fake_hub, 'private-x', connect_timeout=LIMIT) as client:
        fake_hub.wait_subscribed('private-x')
        wait = in_thread(client.call, 'f', timeout=60)
        number = fake_hub.wait_published()[2]['id']
        fake_hub.answers.append(('500 No', ''))
        fake_hub.drop()
        wait_until(lambda: not fake_hub.answers, 'the repeat to be refused')
        fake_hub.send_event('private-x', 'response',
                            {'id': number, 'api': 'f', 'result': 5, 'error': None})
        assert wait() == 5


def test_part_that_was_lost_comes_with_the_repeat(fake_hub):
    with remote_client(fake_hub, 'private-x', connect_timeout=LIMIT) as client:
        fake_hub.wait_subscribed('private-x')
        wait = in_thread(client.call, 'f', timeout=60)
        number = fake_hub.wait_published()[2]['id']
        value = os.urandom(20000).hex()
        pieces = parts.split(number,
                             json.dumps({'id': number, 'api': 'f', 'result': value, 'error': None}))
        for piece in pieces[1:]:
            fake_hub.send_event('private-x', 'response-part', piece)
        fake_hub.drop()
        assert fake_hub.wait_published()[2]['id'] == number
        for piece in pieces[:2]:
            fake_hub.send_event('private-x', 'response-part', piece)
        assert wait() == value


@pytest.mark.parametrize('code', [None, 'rate_limited', 'busy'])
def test_wait_for_a_function_outlasts_a_gateway_that_cannot_say(fake_hub, monkeypatch, code):
    """It does not answer yet, or has no time for the question."""
    monkeypatch.setattr('chapi.remote.POLL', 0.01)
    monkeypatch.setattr('chapi.remote.ANSWER_WAIT', 0.01)
    monkeypatch.setattr('chapi.remote.ASK_TIMEOUT', LIMIT if code else 0.05)

    def say(number, **more):
        fake_hub.send_event('private-x', 'response', {
            'id': number, 'api': 'chapi.describe', 'result': None, 'error': None, **more})

    def wait_for_function():
        try:
            client.wait_ready('f')
        finally:
            is_over.set()
    is_over, said = threading.Event(), []
    with remote_client(fake_hub, 'private-x') as client:
        client.wait_ready(timeout=LIMIT)
        wait = in_thread(wait_for_function)
        first = fake_hub.wait_published()[2]['id']
        monkeypatch.setattr('chapi.remote.ASK_TIMEOUT', LIMIT)
        if code:
            say(first, error={'code': code, 'message': 'not now', 'ran': 'no'})
        while not is_over.is_set():
            try:
                number = fake_hub.wait_published(0.05)[2]['id']
            except TimeoutError:
                continue
            if number != first:
                said.append(number)
                say(number, result={'name': 'f'})
        assert wait() is None and said
