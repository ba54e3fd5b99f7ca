# SPDX-License-Identifier: MIT
"""The Python package over a hub that says when it wants the next event: Retry-After."""
import asyncio
import threading
import time

import pytest

from lib.limits import LIMIT, wait_until
from lib.python_client import chapi, in_thread, needs_websockets, remote_client

from chapi.pause import retry_after

CHANNEL = 'private-x'
AN_HOUR = {'Retry-After': '3600'}
NOW, IN_A_MINUTE = 'Tue, 14 Nov 2023 22:13:20 GMT', 'Tue, 14 Nov 2023 22:14:20 GMT'


@pytest.mark.parametrize('text, date, seconds', [
    ('', NOW, 0), ('7', NOW, 7), (' 7 ', '', 7), ('0', '', 0), ('-7', '', 0), ('soon', NOW, 0),
    ('86401', '', 86400), ('9' * 30, '', 86400), ('\u0667', '', 0),
    (IN_A_MINUTE, NOW, 60), (NOW, IN_A_MINUTE, 0), (IN_A_MINUTE, '', 0),
    ('Tue, 14 Nov 2099 22:14:20 GMT', '', 86400), ('Tue, 99 Nov 2023 22:14:20 GMT', NOW, 0)])
def test_what_the_header_says(once, text, date, seconds):
    assert retry_after(text, date) == seconds


@pytest.fixture
def client(fake_hub, monkeypatch):
    monkeypatch.setattr('chapi.remote.PUBLISH_AGAIN', 0.01)
    monkeypatch.setattr('chapi.remote.ANSWER_WAIT', 0.05)
    with remote_client(fake_hub, CHANNEL) as client:
        client.wait_ready(timeout=LIMIT)
        yield client


class Refusing:
    """Scripted answers of a fake hub, and when each of its requests was answered."""

    def __init__(self, hub, *answers):
        self.hub = hub
        self.times = []
        hub.answers.extend(self._noted(*answer) for answer in answers)

    def _noted(self, status, text='', headers=None):
        def answer(sock, _):
            self.times.append(time.monotonic())
            lines = dict(headers or {}, **{'Content-Length': len(text)}).items()
            sock.sendall(('HTTP/1.1 %s\r\n%s\r\n%s' % (
                status, ''.join('%s: %s\r\n' % line for line in lines), text)).encode())
        return answer


def answer_published(hub):
    """Whatever is published next is a request, and gets its answer."""
    record = hub.wait_published()[2]
    hub.send_event(CHANNEL, 'response', {'id': record['id'], 'api': record['api'],
                                         'result': record['params'], 'error': None})
    return time.monotonic()


@needs_websockets
@pytest.mark.parametrize('status, text', [
    ('429 Slow', ''), ('503 Busy', ''), ('200 OK', '{"error":"slow","code":429}')])
def test_next_try_comes_when_the_hub_wants_it(fake_hub, client, status, text):
    """And so does what others publish meanwhile."""
    said = Refusing(fake_hub, (status, text, {'Retry-After': '1'}))
    waits = [in_thread(client.call, 'f', timeout=60, n=1)]
    wait_until(lambda: said.times, 'the first try')
    waits.append(in_thread(client.call, 'f', timeout=60, n=2))
    for _ in waits:
        assert answer_published(fake_hub) - said.times[0] >= 0.95
    assert [wait() for wait in waits] == [{'n': 1}, {'n': 2}]
    assert len(fake_hub.posts) == 3


@needs_websockets
def test_call_ends_at_once_if_the_next_try_would_be_too_late(fake_hub, client):
    """The next ones too, and nothing more goes to the hub."""
    Refusing(fake_hub, ('429 Slow', '', AN_HOUR))
    for do in (lambda: client.call('f', timeout=1800), lambda: client.notify('f'),
               lambda: client.request('f'), lambda: client.publish('news', 'x', 1)):
        with pytest.raises(chapi.RateLimited) as e:
            do()
        assert e.value.ran == 'no' and 3500000 < e.value.details['retry_after_ms'] <= 3600000
    assert 'takes nothing for another' in e.value.message and '429' in e.value.message
    assert len(fake_hub.posts) == 1


@needs_websockets
def test_what_is_in_doubt_stays_so(fake_hub, client):
    """A 503 may come from somewhere before the hub, or after it has taken the event."""
    Refusing(fake_hub, ('503 Busy', '', AN_HOUR))
    with pytest.raises(chapi.HubDown, match='wants the next one in 3600 s') as e:
        client.call('f', timeout=1)
    assert (e.value.ran, len(fake_hub.posts)) == ('unknown', 1)
    with pytest.raises(chapi.HubDown, match='not sent') as e:
        client.call('f', timeout=1)
    assert (e.value.ran, len(fake_hub.posts)) == ('no', 1)


@needs_websockets
def test_many_calls_at_once_wait_together(fake_hub, client):
    """Those too that were about to go out when the hub said so."""
    said = Refusing(fake_hub, *[('429 Slow', '', {'Retry-After': '1'})] * 4)
    waits = [in_thread(client.call, 'f', timeout=60, n=n) for n in range(30)]
    for _ in waits:
        assert answer_published(fake_hub) - said.times[0] >= 0.95
    assert sorted(wait()['n'] for wait in waits) == list(range(30))
    assert len(fake_hub.posts) <= 4 + len(waits)


def publishers():
    return {thread for thread in threading.enumerate() if 'chapi-publisher' in thread.name}


@needs_websockets
def test_stop_ends_what_waits_for_the_hub(fake_hub):
    """And nothing goes out after it, nor does a thread begin."""
    async def main():
        client = chapi.AsyncClient(fake_hub.app_id, fake_hub.key, fake_hub.secret, tls=False,
                                   channel=CHANNEL, host=fake_hub.host, port=fake_hub.port)
        await client.start()
        await client.wait_ready(timeout=LIMIT)
        begun = publishers() - before
        waiting = [asyncio.ensure_future(client.notify('f', n=n)) for n in range(2)]
        while not client._transport._hub.app.pause.left:
            await asyncio.sleep(0.01)
        waiting.append(asyncio.ensure_future(client.publish('news', 'x', 1)))
        await asyncio.sleep(0)
        await client.stop()
        waiting.append(asyncio.ensure_future(client.publish('news', 'x', 2)))
        outcomes = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), LIMIT)
        assert [(type(e), getattr(e, 'ran', '')) for e in outcomes] == \
            [(chapi.ConnectionLost, 'no')] * 4, outcomes
        return begun
    before = publishers()
    Refusing(fake_hub, *[('429 Slow', '', {'Retry-After': '9'})] * 2)
    begun = asyncio.run(main())
    assert len(fake_hub.posts) <= 2 and begun
    wait_until(lambda: publishers() <= before, 'the threads to end')
