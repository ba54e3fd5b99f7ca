# SPDX-License-Identifier: MIT
"""The Python package over a hub that does not say whether it has taken a request.

The call goes on, with the same id: as a repeat from the first doubt on, as it was where the hub
surely has not taken it.
"""
import json
import os
import threading
import time

import pytest

from lib.limits import LIMIT, wait_until
from lib.python_client import chapi, in_thread, needs_websockets, remote_client

pytestmark = needs_websockets


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    """The next try comes soon."""
    monkeypatch.setattr('chapi.remote.PUBLISH_AGAIN', 0.05)


class Counter:
    """A function that counts how often it is run."""

    def __init__(self):
        self.n_runs = 0
        self.ran = threading.Event()

    def __call__(self, value=None):
        self.n_runs += 1
        self.ran.set()
        return value


@pytest.fixture
def counted(faulty_hub, channel, start_gateway, python_server):
    """(client, counter): of a gateway that the client has heard of."""
    gateway = start_gateway(faulty_hub, channel).wait_up()
    count = Counter()
    python_server(gateway, count=count)
    with remote_client(faulty_hub, channel) as client:
        assert client.call('chapi.ping', timeout=LIMIT) == 'pong'
        yield client, count


# More than one batch of events; and what is answered late, after the client has heard of a failure.
LARGE = os.urandom(120000).hex()
LATE = 'on deliver response* 1 do delay 300ms'


@pytest.mark.parametrize('value', [7, LARGE], ids=['whole', 'parts'])
@pytest.mark.parametrize('rules', [
    ['on post 1 do reset'], ["on post 1-2 do answer 503 'busy'"], ["on post 1 do answer 408 ''"],
    ["on post 1-2 do answer 429 ''"], ['on posted 1 do reset', LATE],
    ["on posted 1 do answer 502 '<h1>'", LATE], ['on posted 1-2 do cut', LATE],
    ["on posted 1 do answer 200 '{\"error\":\"oops\",\"code\":500}'", LATE]],
    ids=['lost', '503', '408', '429', 'reset', '502', 'cut', '200'])
def test_call_goes_on_and_runs_once(faulty_hub, counted, rules, value):
    client, count = counted
    faulty_hub.control.do(*rules)
    assert client.call('count', timeout=LIMIT, value=value) == value
    assert count.n_runs == 1
    assert faulty_hub.control.done()[0] >= 1


def test_one_way_call_goes_on_too(faulty_hub, counted):
    client, count = counted
    faulty_hub.control.do("on post 1-2 do answer 503 'busy'", 'on posted 1 do reset')
    client.notify('count')
    assert count.ran.wait(LIMIT)
    assert client.call('chapi.ping', timeout=LIMIT) == 'pong'
    assert count.n_runs == 1


@pytest.mark.parametrize('value', [7, LARGE[:60000]], ids=['whole', 'parts'])
def test_it_is_not_run_by_the_gateway_that_comes_next(faulty_hub, channel, start_gateway, value):
    """The hub took it and did not say so; it ran; the gateway restarts before it goes out again."""
    gateway = start_gateway(faulty_hub, channel).wait_up()
    with remote_client(faulty_hub, channel) as client:
        client.wait_ready(timeout=LIMIT)
        with gateway.connect() as local:
            local.ask('register', 'once')
            faulty_hub.control.do('on posted do answer 502', 'on post 2- do answer 503')
            wait = in_thread(client.perform, 'once', value, timeout=6 * LIMIT)
            local.wait_request('once')
            gateway.kill()
        gateway.start().wait_up()
        with gateway.connect() as local:
            local.ask('register', 'once')
            faulty_hub.control.do('forget')
            error = wait().error
            assert (error.code, error.details['reason'], error.ran) == (
                'failed_precondition', 'restarted', 'unknown')
            assert local.quiet()
    gateway.end_status = 0


@pytest.mark.parametrize('rule', ['on posted 1 do delay 10m', 'on posted 1 do reset'])
def test_answer_counts_when_the_time_to_publish_is_over(faulty_hub, counted, rule):
    """It is on its way, within the time that answers have beyond that of the call."""
    client, _ = counted
    faulty_hub.control.do(rule, 'on deliver response 1 do delay 700ms')
    assert client.call('chapi.echo', timeout=0.3, a=1) == {'a': 1}


def test_refusal_after_a_doubt_does_not_say_that_nothing_ran(faulty_hub, channel, monkeypatch):
    monkeypatch.setattr('chapi.remote.ANSWER_WAIT', 0.05)
    with remote_client(faulty_hub, channel) as client:
        client.wait_ready(timeout=LIMIT)
        faulty_hub.control.do('on posted 1 do answer 502', "on post 2 do answer 413 'too large'")
        with pytest.raises(chapi.TooLarge) as e:
            client.call('f', timeout=1)
        assert e.value.ran == 'unknown'
        assert faulty_hub.control.done() == [1, 1]


@pytest.mark.parametrize('status, is_doubtful', [('502 Bad', True), ('429 Slow', False)])
def test_what_goes_out_again(fake_hub, status, is_doubtful):
    with remote_client(fake_hub, 'private-x') as client:
        client.wait_ready(timeout=LIMIT)
        fake_hub.answers.append((status, ''))
        wait = in_thread(client.call, 'f', timeout=60, n=1)
        again = fake_hub.wait_published()[2]
        first = json.loads(fake_hub.posts[0][1]['data'])
        if is_doubtful:
            assert again.pop('retry') == '' and again.pop('retry_ms') >= 50
            assert again.pop('timeout_ms') < first.pop('timeout_ms') == 60000
        assert again == first
        fake_hub.send_event('private-x', 'response',
                            {'id': first['id'], 'api': 'f', 'result': 5, 'error': None})
        assert wait() == 5


def test_call_that_never_goes_out_ends_with_its_time(faulty_hub, channel):
    """What the hub surely has not taken is not waited for."""
    with remote_client(faulty_hub, channel) as client:
        client.wait_ready(timeout=LIMIT)
        faulty_hub.control.do("on post all do answer 429 ''")
        began = time.monotonic()
        with pytest.raises(chapi.RateLimited) as e:
            client.call('f', timeout=1.5)
        assert e.value.ran == 'no' and time.monotonic() - began > 1
        assert wait_until(lambda: faulty_hub.control.done()[0] > 1, 'it to be tried again')
