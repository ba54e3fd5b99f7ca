# SPDX-License-Identifier: MIT
"""The day's budget of messages: counted, told of, kept over a restart, never in an answer's way.

Days, clocks and files that are damaged: test-budget and test-ledger.
"""
import contextlib
import functools
import os
import tempfile
import time

import pytest

from lib.gateway import Gateway, Provider
from lib.limits import wait_until
from lib.process import program, run
from lib.pusher_client import Remote

CALL = 4    # messages: a request published and delivered, and so its answer
LIMIT = 10 * CALL


def on_one_day(test):
    """If a day (UTC) ended while the test ran, it runs once more, with a gateway of its own."""
    @functools.wraps(test)
    def run_it(**fixtures):
        day = time.gmtime()[:3]
        try:
            test(**fixtures)
        except Exception:
            if time.gmtime()[:3] == day:
                raise
        if time.gmtime()[:3] != day:
            test(**fixtures)
    return run_it


@pytest.fixture
def start(daemons, folder, hub):
    """start(daily_messages, state_dir=...): a gateway that is subscribed, a caller of it."""
    with contextlib.ExitStack() as callers:
        def start_one(daily_messages=None, state_dir=None):
            own = tempfile.mkdtemp(dir=folder)
            channel = 'private-chapi-' + os.path.basename(own)
            gateway = daemons.start(Gateway(
                own, hub, channel, remote={'daily_messages': daily_messages},
                gateway={'state_dir': state_dir or os.path.join(own, 'state')}))
            gateway.wait_up()
            return gateway, callers.enter_context(Remote(hub, channel))
        yield start_one


def budget_of(gateway):
    return gateway.ask('status')['hub']['budget']


def use_up(remote, calls):
    for n in range(calls):
        assert remote.call('chapi.echo', n)['result'] == n


def wait_messages(gateway, n):
    """The answer is there before the hub says that it has taken it."""
    wait_until(lambda: budget_of(gateway)['messages'] >= n, '%d messages' % n)
    return budget_of(gateway)


@on_one_day
def test_each_message_is_counted(start):
    gateway, remote = start()
    use_up(remote, 3)
    budget = wait_messages(gateway, 3 * CALL)
    assert budget.pop('day').count('-') == 2
    assert budget == {'limit': 0, 'messages': 3 * CALL, 'published': 3, 'delivered': 3,
                      'received': 3, 'low': False}
    assert not os.path.exists(os.path.join(gateway.folder, 'state'))


@on_one_day
def test_warnings_reserve_and_restart(start):
    gateway, remote = start(LIMIT)
    use_up(remote, 7)
    assert not wait_messages(gateway, 7 * CALL)['low']
    assert '% of the day' not in gateway.log()
    use_up(remote, 1)
    gateway.wait_log("80 % of the day's messages are used: 32 of 40 (daily_messages)")
    use_up(remote, 2)
    gateway.wait_log("95 % of the day's messages are used: 38 of 40 (daily_messages); "
                     'progress and proof of life stop')
    use_up(remote, 3)
    assert wait_messages(gateway, 13 * CALL)['low']
    assert gateway.log().count('% of the day') == 2
    gateway.stop()

    gateway.start().wait_up()
    budget = budget_of(gateway)
    assert budget['messages'] == 13 * CALL and budget['low']
    use_up(remote, 1)
    wait_messages(gateway, 14 * CALL)
    assert gateway.log().count('% of the day') == 2


@on_one_day
def test_progress_stops_and_the_answer_comes(start):
    gateway, remote = start(LIMIT)
    use_up(remote, 10)
    with gateway.connect() as client:
        Provider(client, 'lights.on')
        number = remote.request('lights.on', {}, progress=True)
        request = client.wait_request()
        client.notify('progress', request[1], 50)
        wait_until(lambda: gateway.ask('status')['hub']['remote']['progress_dropped'] == 1,
                   'progress to be left out')
        client.answer(request, 'on')
        assert remote.response(number)['result'] == 'on'
    assert not [e for e in remote.client.events if e['event'] == 'progress']


@on_one_day
def test_proof_of_life_stops(daemons, folder, fake_hub):
    fake_hub.is_delivering = True
    own = tempfile.mkdtemp(dir=folder)
    channel = 'private-chapi-' + os.path.basename(own)
    gateway = daemons.start(Gateway(own, fake_hub, channel, remote={'daily_messages': LIMIT},
                                    timing={'proof_of_life': '20ms'}))
    gateway.wait_log("95 % of the day's messages are used")

    def proof():
        return gateway.ask('status')['hub']['proof_of_life']
    wait_until(lambda: proof()['age_ms'] > 200, 'the proof to stop')
    # The next may be on its way before the last one's answer over HTTP is counted.
    assert proof()['seen'] - LIMIT * 95 // 100 // 2 in (0, 1) and proof()['missed'] == 0
    budget = budget_of(gateway)
    assert (budget['published'], budget['delivered'], budget['received']) == (19, 19, 0)
    while not fake_hub.published.empty():
        fake_hub.published.get()
    fake_hub.send_event(channel, 'request', {'id': 'still', 'api': 'chapi.ping'})
    fake_hub.wait_response('still')


@on_one_day
def test_another_limit_holds_after_a_reload(start):
    gateway, remote = start()
    use_up(remote, 2)
    wait_messages(gateway, 2 * CALL)
    with open(gateway.config, 'a') as f:
        f.write('[remote]\ndaily_messages = %d\n' % (2 * CALL))
    gateway.ask('reload')
    budget = budget_of(gateway)
    assert budget['limit'] == 2 * CALL and budget['low']


def test_no_place_for_the_file_is_said_once(start):
    gateway, remote = start(LIMIT, state_dir='/proc/nowhere')
    use_up(remote, 1)
    wait_messages(gateway, CALL)
    gateway.stop()
    assert gateway.log().count('/proc/nowhere') == 1
    assert 'counted in memory only' in gateway.log()


@on_one_day
def test_tools_show_it(start):
    gateway, remote = start(LIMIT)

    def ctl(*arguments):
        return run([program('chapi-ctl'), '-s', gateway.socket_path] + list(arguments)).stdout
    use_up(remote, 1)
    wait_messages(gateway, CALL)
    assert '4 of 40\n' in ctl('status')
    assert '\nchapi_hub_messages_today 4\n' in ctl('metrics') and \
        '\nchapi_hub_messages_limit 40\n' in ctl('metrics')
    use_up(remote, 9)
    wait_messages(gateway, 10 * CALL)
    assert "40 of 40; the day's messages are used up, answers go on\n" in ctl('status')
