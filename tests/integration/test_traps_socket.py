# SPDX-License-Identifier: MIT
"""Traps into which clients of such hubs have fallen, as reported in public: the WebSocket.

A test bears the number of the trap in our list, most of which are told in the names: up to 22,
and 33 to 37. The rest are in test_traps_http.py. Some have one more test where hubs are restarted
(test_reconnect.py) or channels encrypted (test_encrypted.py).
"""
import signal
import time

import pytest

from lib.gateway import Provider, write_config
from lib.hubs import FaultyHub
from lib.limits import wait_until
from lib.process import program, run
from lib.pusher_client import PusherClient, Remote
from lib.trap import OURS, Trap

QUICK_PING = {'ping_interval': '150ms', 'pong_timeout': '300ms'}
SUBSCRIBED = 'pusher_internal:subscription_succeeded'


@pytest.fixture
def trap(faulty_hub, start_gateway, channel):
    return Trap(faulty_hub, start_gateway, channel)


def test_trap_01_each_of_many_disconnects_is_handled(trap):
    trap.start()
    for action in ('cut', 'close 4200', 'reset', 'close', 'close 1001', 'cut'):
        before = trap.connects()
        trap.play('now client chapi-gw ' + action)
        trap.wait_again(before)
        assert trap.works()


@pytest.mark.parametrize('code', [4200, 4201])
def test_trap_02_connection_is_closed_before_the_next_is_opened(trap, code):
    trap.start()
    for _ in range(3):
        before = trap.connects()
        trap.play('now client chapi-gw close %d' % code)
        trap.wait_again(before)
        wait_until(lambda: len(trap.connections()) == 1, 'the old connection to be gone')
    assert trap.works()


def test_trap_03_hub_that_closes_without_pings_never_has_to(start_gateway, channel, folder):
    """A hub that pings and closes with 4201 unless it is answered."""
    hub = FaultyHub(folder)
    hub.options += ['--activity-timeout', '100ms', '--pong-timeout', '5s']
    hub.start()
    try:
        trap = Trap(hub, start_gateway, channel)
        trap.start(pusher={'ping_interval': '10m'})
        trap.play('on receive pusher:ping all do ping', 'on receive pusher:ping all do send '
                  '\'{"event":"pusher:ping"}\'', 'on receive pusher:pong 1-8 do ping')
        trap.wait_done(5, 'pings and pongs')
        assert trap.connects() == 1 and trap.status()['state'] == 'up'
    finally:
        hub.stop()


def test_traps_04_and_07_each_connection_is_signed_for_with_its_own_socket_id(trap):
    """By the gateway itself. chapi-hub checks: with an old one no channel would be confirmed."""
    trap.start()
    first = trap.status()['socket_id']
    trap.play('now client chapi-gw cut')
    assert trap.wait_again(1)['socket_id'] != first
    assert trap.works()


def test_trap_05_all_channels_are_subscribed_again(trap):
    names = [trap.channel, trap.channel + '-two', trap.channel + '-three']
    trap.start(channels=' '.join(names))
    trap.play('now client chapi-gw close 4200')
    trap.wait_again(1)
    for name in names:
        with Remote(trap.hub, name) as remote:
            assert remote.call('chapi.echo', name)['result'] == name


def test_trap_06_wrong_key_is_said_and_the_gateway_still_ends(trap):
    gateway = trap.start(wait=False, pusher={'key': 'another'})
    status = trap.wait_status(lambda s: 4001 in (s['last_close_code'], s['last_error_code']),
                              '4001')
    assert 'check key and cluster' in status['reason']
    assert status['state'] == 'waiting' and status['until'] - time.time() > 4 * 60
    gateway.stop()
    assert gateway.wait() == 0


@pytest.mark.parametrize('form', ['absent', 'null', 'object', 'array', 'number', 'empty'])
def test_traps_08_and_10_data_of_any_form_costs_nothing(trap, form):
    trap.start()
    trap.play('on deliver request client chapi-gw 1 do data ' + form)
    with Remote(trap.hub, trap.channel) as remote:
        number = remote.request('chapi.echo', 1)
        trap.wait_done(1, 'the odd form')
        if form == 'object':
            assert remote.response(number)['result'] == 1
    assert trap.works() and trap.connects() == 1


def test_trap_09_client_events_are_requests(trap):
    trap.start()
    with Remote(trap.hub, trap.channel) as remote:
        assert remote.response(remote.request_over_socket('chapi.echo', 7))['result'] == 7


def test_trap_11_there_is_no_last_try(trap):
    trap.play('on accept client chapi-gw 1-12 do cut')
    trap.start(wait=False)
    assert trap.wait_again(12)
    assert trap.works()


@pytest.mark.parametrize('state', ['connecting', 'waiting'])
def test_trap_12_it_can_be_stopped_at_any_time(trap, state):
    trap.play('on deliver pusher:connection_established client chapi-gw all do swallow'
              if state == 'connecting'
              else 'on accept client chapi-gw all do close 4100')
    gateway = trap.start(wait=False, timing={'backoff_least': '60s', 'backoff_most': '60s'})
    trap.wait_status(lambda s: s['state'] == state, state)
    began = time.monotonic()
    gateway.stop()
    assert gateway.wait() == 0 and time.monotonic() - began < 9


def test_trap_13_network_that_is_gone_without_a_word_is_noticed(trap):
    trap.start(pusher=QUICK_PING)
    trap.play('now client chapi-gw freeze')
    assert 'did not answer a ping' in trap.gateway.wait_log('did not answer a ping')
    trap.wait_again(1)
    assert trap.works()


def test_trap_14_bursts_of_cuts_are_met_with_growing_waits(trap):
    """Each time it was up, but never for long: within 2 s a client without growth would
    come 40 times."""
    trap.play('on deliver %s client chapi-gw all do cut' % SUBSCRIBED)
    trap.start(wait=False, timing={'backoff_least': '50ms', 'backoff_most': '10s'})
    waits = []

    def grown():
        status = trap.status()
        if status['state'] == 'waiting' and status['next_try_in_ms'] not in waits:
            waits.append(status['next_try_in_ms'])
        return max(waits, default=0) > 600
    wait_until(grown, 'waits to grow')
    assert trap.connects() < 12


@pytest.mark.parametrize('line', [
    'on receive pusher:subscribe client chapi-gw 1 do cut',
    'on receive pusher:subscribe client chapi-gw 1 do close 4200',
    'on deliver %s client chapi-gw 1-2 do swallow' % SUBSCRIBED])
def test_trap_15_drop_in_the_middle_of_subscribing_leaves_nothing_pending(trap, line):
    trap.play(line)
    trap.start(timing={'subscribe': '200ms'})
    if 'swallow' not in line:       # it may have been up for the moment before
        trap.wait_again(1)
    assert trap.works()


@pytest.mark.parametrize('code, waits', [(4003, True), (4100, False), (4200, False), (4301, False)])
def test_trap_16_close_code_of_a_live_connection_counts(trap, code, waits):
    trap.start()
    trap.play('now client chapi-gw close %d why' % code)
    status = trap.wait_status(lambda s: s['last_close_code'] == code, 'the code')
    if waits:
        assert status['until'] - time.time() > 4 * 60 and 'why' in status['reason']
    else:
        trap.wait_again(1)


def test_trap_17_channel_is_never_asked_for_twice_on_a_connection(trap):
    """And if the hub thinks that it was, it is subscribed."""
    trap.play("on deliver %s client chapi-gw 1 do replace '%s'" % (
        SUBSCRIBED,
        '{"event":"pusher:error","data":{"code":null,"message":"Existing subscription to channel '
                    '$channel"}}'), 'on receive pusher:subscribe client chapi-gw all do send "{}"')
    trap.start()
    asked = trap.control.done()
    trap.gateway.send_signal(signal.SIGHUP)
    trap.gateway.send_signal(signal.SIGHUP)
    assert trap.works()
    assert trap.control.done() == asked and trap.connects() == 1


def test_trap_17_silence_about_a_channel_is_no_reason_to_ask_twice_on_a_connection(trap):
    """The hub has subscribed us, and its confirmations were lost, on two connections."""
    swallow = 'on deliver %s client chapi-gw %%d do swallow' % SUBSCRIBED
    trap.play(swallow % 1, swallow % 3,     # those in between are of the channel of beacons
              'on receive pusher:subscribe client chapi-gw all do send "{}"')
    trap.start(timing={'subscribe': '150ms'})
    asked = trap.control.done()[-1]
    assert (asked, trap.connects()) == (6, 3)
    assert trap.works()


def test_trap_17_silence_about_the_channel_of_beacons_ends_no_connection(trap):
    """It is asked for anew, after an unsubscribe: the hub may have subscribed us."""
    trap.play('on deliver %s client chapi-gw 2-3 do swallow' % SUBSCRIBED,
              'on receive pusher:subscribe client chapi-gw all do send "{}"',
              'on receive pusher:unsubscribe client chapi-gw all do send "{}"')
    trap.start(timing={'subscribe': '150ms'})
    trap.gateway.wait_log('@up is not subscribed: the hub did not answer in time')
    trap.wait_status(lambda s: trap.control.done()[1:] == [4, 2] and s['reason'] == '',
                     'the third try')
    trap.gateway.wait_log('all is well again with the connection')
    assert trap.connects() == 1
    assert trap.works()


@pytest.mark.parametrize('fault', [
    'swallow', 'replace \'{"event":"pusher:subscription_error","channel":"$channel",'
    '"data":{"type":"AuthError","error":"timed out","status":401}}\''],
    ids=['unanswered', 'refused'])
def test_trap_18_subscription_that_failed_is_tried_again(trap, fault):
    trap.play('on deliver %s client chapi-gw 1-3 do %s' % (SUBSCRIBED, fault))
    trap.start(timing={'subscribe': '150ms'})
    assert trap.connects() == (3 if fault == 'swallow' else 1)   # two are asked for on each
    assert trap.works()


def test_trap_19_there_is_one_connection_and_each_event_counts_once(trap):
    """However often it was cut, told to try at once, and cut again meanwhile."""
    trap.start()
    for n in range(6):
        trap.play('now client chapi-gw cut')
        trap.gateway.send_signal(signal.SIGHUP)
        if n % 2:
            trap.gateway.send_signal(signal.SIGHUP)
    trap.gateway.wait_up()
    wait_until(lambda: len(trap.connections()) == 1, 'one connection')
    with trap.gateway.connect() as client, Remote(trap.hub, trap.channel) as remote:
        provider = Provider(client, 'once')
        number = remote.request('once', {})
        provider.serve_one()
        remote.response(number)
        remote.call('chapi.ping')
        assert remote.is_quiet() and client.quiet()


def test_trap_19a_reset_is_an_end_as_well(trap):
    trap.start()
    trap.play('now client chapi-gw reset')
    trap.gateway.wait_log('connection to the hub was lost')
    trap.wait_again(1)
    assert trap.works()


def test_trap_19b_a_restart_of_the_hub_after_a_long_time_is_met_at_once(trap):
    """backoff_reset: a connection that was healthy that long begins anew with its waits."""
    trap.play('on accept client chapi-gw 1-6 do cut')
    trap.start(timing={'backoff_least': '20ms', 'backoff_most': '60s', 'backoff_reset': '0'})
    before = trap.connects()
    trap.play('now client chapi-gw close 4200')
    trap.wait_again(before)
    assert trap.works()


def test_trap_20_the_gateway_pings_in_the_hubs_own_words(trap):
    """A WebSocket ping would count for nothing with some hubs, nor does traffic:
    they close for want of pings."""
    trap.play('on accept client chapi-gw all do need-ping 1500ms',
              'on receive pusher:ping client chapi-gw all do send "{}"')
    trap.start(pusher=QUICK_PING)
    trap.wait_done(13, 'pings for longer than that')
    assert trap.connects() == 1 and trap.status()['last_close_code'] in (0, None)


@pytest.mark.parametrize('action', ['close 4200', 'close', 'cut', 'reset', 'error 4200 again'])
def test_trap_21_hub_that_accepts_and_closes_is_not_hammered(trap, action):
    trap.play('on accept client chapi-gw all do ' + action)
    trap.start(wait=False, timing={'backoff_least': '100ms', 'backoff_most': '10s'})
    trap.wait_status(lambda s: s['state'] == 'waiting' and s['next_try_in_ms'] > 800, 'a long wait')
    assert trap.connects() < 10


def test_trap_22_data_of_a_ping_is_an_object(fake_hub, start_gateway, channel):
    start_gateway(fake_hub, channel, pusher=QUICK_PING).wait_up()
    fake_hub.send_raw('{"event":"pusher:ping"}')
    for name in ('pusher:ping', 'pusher:pong'):
        event = wait_until(lambda: [e for e in fake_hub.heard if e['event'] == name], name)[0]
        assert event['data'] == {}


def test_trap_33_error_frame_without_a_close_is_no_reason_to_leave(trap):
    trap.start()
    trap.play(*["now client chapi-gw error 4200 'Invalid message format' string"] * 5)
    assert trap.works()
    assert trap.connects() == 1 and trap.status()['last_error_code'] == 4200


def test_trap_34_hub_that_says_no_and_stays_is_left(trap):
    trap.play("on accept client chapi-gw 1-2 do error 4004 'over quota' string",
              'on deliver pusher:connection_established client chapi-gw 1-2 do swallow')
    trap.start(timing={'probe': '50ms', 'handshake': '300ms'})
    assert trap.connects() >= 3 and trap.works()


def test_trap_36_not_all_come_back_in_one_moment(trap):
    """After the same 4200 the waits differ."""
    trap.start(timing={'backoff_least': '50ms', 'backoff_most': '50ms', 'backoff_reset': '0'})
    waits = set()

    def differ():
        before = trap.connects()
        trap.play('now client chapi-gw close 4200')
        status = trap.wait_status(lambda s: s['connects'] > before or s['state'] == 'waiting',
                                  'the close')
        waits.add(status.get('next_try_in_ms'))
        trap.wait_again(before)
        return len(waits - {None, 0}) > 1
    wait_until(differ, 'different waits')


def test_trap_37_what_the_hub_brings_again_is_not_run_again(trap, folder):
    trap.start()
    trap.play('on deliver request client chapi-gw 1 do double')
    with trap.gateway.connect() as client, Remote(trap.hub, trap.channel) as remote:
        client.ask('register', 'motor.on')
        number = remote.request('motor.on', {})
        client.answer(client.wait_request(), 'on')
        assert remote.response(number)['result'] == 'on'
        remote.call('chapi.ping')
        assert client.quiet()


def test_trap_37_channels_that_bring_old_events_are_no_channels_of_ours(fake_hub, folder):
    for name in ('cache-x', 'private-cache-x', 'private-encrypted-cache-x'):
        path = write_config(folder + '/gw.conf',
                            {'pusher': fake_hub.settings(), 'remote': {'channel': name}})
        assert run([program('chapi-gw'), '--check-config', '--config', path]).returncode == 78


def test_every_client_is_cut_but_each_comes_back_by_itself(trap):
    """The rules above are for the gateway only: that they are is worth a test, too."""
    trap.start()
    with PusherClient(trap.hub) as client:
        client.establish()
        trap.play('now client %s cut' % OURS)
        trap.wait_again(1)
        client.round_trip()
