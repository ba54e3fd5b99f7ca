# SPDX-License-Identifier: MIT
"""The Python package over the hubs, to a real gateway."""
import asyncio
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.limits import LIMIT, wait_until
from lib.python_client import add, chapi, in_thread, needs_websockets, remote_client

pytestmark = needs_websockets


def test_remote_call(hub, channel, remote_gateway, python_server):
    def fail():
        raise ValueError('no')
    python_server(remote_gateway, add=add, fail=fail,
                  who=lambda: chapi.current_call().request.caller, same=lambda v: v)
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


def test_request_that_is_lost_runs_with_the_repeat(faulty_hub, channel, start_gateway,
                                                   python_server):
    """The repeat says for how long the first has been out: less than the gateway is there."""
    silence_s, timeout_s = 0.5, 0.8
    gateway = start_gateway(faulty_hub, channel, pusher={'ping_interval': '100ms',
                                                         'pong_timeout': '400ms'}).wait_up()
    there_at = time.monotonic() + silence_s + timeout_s
    python_server(gateway, add=add)
    with remote_client(faulty_hub, channel) as client:
        client.wait_ready(timeout=LIMIT)
        wait_until(lambda: time.monotonic() > there_at, 'the gateway to be there for so long')
        faulty_hub.control.do('on deliver request do swallow')
        assert client.call('add', timeout=timeout_s, a=1, b=2) == 3
        assert faulty_hub.control.done() == [1]
        response = client.perform('add', {'a': 1}, id='of-unknown-age', retry='')
        assert (response.error.details['reason'], response.error.ran) == ('restarted', 'unknown')


@pytest.fixture
def patient(monkeypatch):
    """The hub has longer for a request than the test runs."""
    monkeypatch.setattr(chapi.app, 'PUBLISH_TIMEOUT', 2 * LIMIT)


def test_publishing_that_hangs_ends_with_the_calls_time(faulty_hub, channel, patient):
    """Else a repeat could go out later than its receiver believes that it can come."""
    with remote_client(faulty_hub, channel) as client:
        client.wait_ready(timeout=LIMIT)
        faulty_hub.control.do('on post all do delay 10m')
        wait = in_thread(client.call, 'f', timeout=0.2)
        error = wait()
        assert (error.code, error.ran) == ('hub_down', 'unknown')


def test_what_waits_beyond_its_time_does_not_go_out(faulty_hub, channel, patient, monkeypatch):
    monkeypatch.setattr(chapi.remote, 'PUBLISHERS', 1)
    with remote_client(faulty_hub, channel) as client:
        client.wait_ready(timeout=LIMIT)
        faulty_hub.control.do('on post 1 do delay 10m')
        waits = [in_thread(client.call, 'f', timeout=0.2)]
        wait_until(lambda: faulty_hub.control.done() == [1], 'the one publisher to be busy')
        waits += [in_thread(client.call, 'f', timeout=0.1)]
        first, second = (wait() for wait in waits)
        assert (first.code, first.ran) == ('hub_down', 'unknown')
        assert (second.code, second.ran) == ('deadline_exceeded', 'no')
        assert faulty_hub.control.ask('rules')[0]['seen'] == 1, 'it went out'


def test_answer_counts_before_the_hub_has_confirmed_the_request(
        faulty_hub, channel, start_gateway, python_server, patient):
    gateway = start_gateway(faulty_hub, channel).wait_up()
    python_server(gateway, add=add)
    with remote_client(faulty_hub, channel) as client:
        client.wait_ready('add', timeout=LIMIT)
        faulty_hub.control.do('on posted 1 do delay 10m')
        assert in_thread(client.call, 'add', timeout=LIMIT, a=1, b=2)() == 3
        assert faulty_hub.control.done() == [1]


def test_handlers_of_a_remote_client_see_its_requests(hub, channel, remote_gateway):
    seen, came = [], threading.Event()
    with remote_client(hub, channel) as client:
        client.add_request_handler(lambda data: (seen.append(json.loads(data)), came.set()))
        client.call('chapi.echo', a=1)
        assert came.wait(LIMIT)
    assert (seen[0]['api'], seen[0]['params']) == ('chapi.echo', {'a': 1})


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


def test_wrong_secret_is_an_error_that_says_so(hub):
    for channel in ('private-chapi-x', 'chapi'):
        with remote_client(hub, channel, secret='wrong') as client:
            with pytest.raises(chapi.Unauthenticated) as e:
                client.call('f')
            assert e.value.ran == 'no'


def test_hub_that_is_not_there_is_an_error(own_hub):
    own_hub.start()
    own_hub.stop()
    with remote_client(own_hub, 'chapi', connect_timeout=0.2) as client:
        with pytest.raises(chapi.HubDown) as e:
            client.call('f')
        assert e.value.ran == 'no'


def test_app_that_the_hub_does_not_know_is_refused(hub):
    client = chapi.Client('1', 'nobodys-key', 'secret', host=hub.host, port=hub.port, tls=False)
    with pytest.raises(chapi.FailedPrecondition, match='4001'):
        client.call('f')
    client.stop()


class Counter:
    """A function that counts how often it is run, and waits when told to."""

    def __init__(self):
        self.n_runs = 0
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self):
        self.n_runs += 1
        self.begun.set()
        assert self.go.wait(LIMIT)
        return self.n_runs


def test_repeat_of_an_id_gets_the_first_answer(hub, channel, remote_gateway, python_server):
    count = Counter()
    count.go.set()
    python_server(remote_gateway, count=count)
    with remote_client(hub, channel) as client:
        first = client.perform('count', id='the-same')
        again = client.perform('count', id='the-same', retry=first.instance)
        assert (first.result, again.result, first.cached, again.cached) == (1, 1, False, True)
        other = client.perform('count', id='never-seen', retry='another instance')
        assert isinstance(other.error, chapi.FailedPrecondition)
        assert (other.error.ran, other.error.details['reason']) == ('unknown', 'restarted')
        assert client.perform('count', id='never-seen').result == 2


def test_repeat_while_the_first_waits_does_not_say_that_it_did_not_run(hub, channel, remote_gateway,
                                                                       python_server):
    count = Counter()
    python_server(remote_gateway, count=count)
    with remote_client(hub, channel) as client, ThreadPoolExecutor(1) as thread:
        first = thread.submit(client.perform, 'count', id='the-same')
        try:
            assert count.begun.wait(LIMIT)
            with pytest.raises(chapi.InvalidArgument) as e:
                client.perform('count', id='the-same', retry='')
            assert e.value.ran == 'unknown'
        finally:
            count.go.set()
        assert first.result(LIMIT).result == 1


def test_repeat_of_an_id_that_is_forgotten_does_not_run(hub, channel, start_gateway, python_server):
    gateway = start_gateway(hub, channel, remote={'answer_store_time': '1s'}).wait_up()
    count = Counter()
    count.go.set()
    python_server(gateway, count=count)
    with remote_client(hub, channel) as client:
        first = client.perform('count', id='the-same')
        again = wait_until(lambda: [r for r in [client.perform('count', id='the-same',
                                                               retry=first.instance)]
                                    if not r.cached], 'the id to be forgotten')[0]
        assert isinstance(again.error, chapi.AnswerLost), again
        assert (again.error.ran, count.n_runs) == ('unknown', 1)


def test_answer_that_a_restart_of_the_hub_lost_is_asked_for_again(
        own_hub, channel, start_gateway, python_server):
    own_hub.start()
    gateway = start_gateway(own_hub, channel).wait_up()
    count = Counter()
    python_server(gateway, count=count)
    with remote_client(own_hub, channel, connect_timeout=LIMIT) as client:
        wait = in_thread(client.call, 'count', timeout=60)
        assert count.begun.wait(LIMIT)
        own_hub.stop()
        gateway.wait_not_up()
        count.go.set()
        own_hub.start()
        assert wait() == 1
        assert count.n_runs == 1


def test_restart_of_the_gateway_in_a_call_is_told(own_hub, channel, start_gateway, python_server):
    """The gateway that is back knows nothing of the call, and does not run it again."""
    own_hub.start()
    gateway = start_gateway(own_hub, channel).wait_up()
    count = Counter()
    server = python_server(gateway, count=count)
    with remote_client(own_hub, channel, connect_timeout=LIMIT) as client:
        assert client.call('chapi.ping') == 'pong'
        wait = in_thread(client.call, 'count', timeout=60)
        assert count.begun.wait(LIMIT)
        gateway.kill()
        gateway.start().wait_up()
        wait_until(lambda: server.apis()['count']['state'] == 'active', 'the server to be back')
        assert client.call('chapi.ping') == 'pong', 'so it has heard of the new instance'
        own_hub.stop()      # so the client loses its connection, and asks again when it is back
        own_hub.start()
        error = wait()
        assert (type(error), error.ran) == (chapi.FailedPrecondition, 'unknown')
        count.go.set()
        assert client.call('count', timeout=LIMIT) == 2
    gateway.end_status = 0


def test_progress_and_cancel_reach_over_the_hub(hub, channel, remote_gateway, python_server):
    told = threading.Event()

    def hang():
        chapi.current_call().progress({'percent': 50})
        if chapi.current_call().wait_cancelled(LIMIT):
            told.set()
    python_server(remote_gateway, hang=hang)

    async def main():
        async with chapi.AsyncClient(hub.app_id, hub.key, hub.secret, channel=channel,
                                     host=hub.host, port=hub.port, tls=False) as client:
            seen = asyncio.Event()
            call = asyncio.ensure_future(client.call('hang',
                                                     on_progress=lambda v: v['percent'] == 50
                                                     and seen.set()))
            await seen.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await asyncio.to_thread(told.wait, LIMIT)
    asyncio.run(asyncio.wait_for(main(), LIMIT))


def test_large_values_both_ways(hub, channel, remote_gateway, python_server):
    python_server(remote_gateway, same=lambda v: v, size=lambda v: len(v),
                  much=lambda n: os.urandom(n))
    with remote_client(hub, channel) as client:
        value = os.urandom(40000)
        assert client.call('same', v=value) == value
        assert client.call('size', v='x' * 300000) == 300000
        with pytest.raises(chapi.TooLarge) as e:
            client.call('much', n=1 << 20)
        assert e.value.ran == 'yes'
        with pytest.raises(chapi.TooLarge) as e:
            client.call('size', v=os.urandom(1 << 20))
        assert e.value.ran == 'no'


def test_large_answer_that_comes_again(hub, channel, remote_gateway, python_server):
    """In the parts of the first time, which make up for one that was lost; so it is not marked."""
    python_server(remote_gateway, much=lambda: os.urandom(30000))
    with remote_client(hub, channel) as client:
        first = client.perform('much', id='the-same')
        again = client.perform('much', id='the-same', retry=first.instance)
        assert len(first.result) == 30000 and again.result == first.result
