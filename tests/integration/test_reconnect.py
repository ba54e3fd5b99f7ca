# SPDX-License-Identifier: MIT
"""Hubs that come late, go away and come back, and connections that are cut."""
import os
import sys
import time

import pytest

from lib.gateway import Gateway, Provider
from lib.limits import wait_until
from lib.process import top_srcdir
from lib.pusher_client import Remote

sys.path.insert(0, os.path.join(top_srcdir, 'tests/soak'))
from callers import Caller                      # noqa: E402
from provider import Provider as SoakProvider   # noqa: E402


def test_gateway_may_start_before_the_hub(own_hub, start_gateway, channel):
    own_hub.start()
    own_hub.stop()      # its port is known now, and nobody is there
    gateway = start_gateway(own_hub, channel)
    with gateway.connect() as client:
        assert client.call('chapi.echo', 1) == 1
        hub = client.ask('status')['hub']
        assert hub['state'] != 'up'
        wait_until(lambda: client.ask('status')['hub']['reason'], 'a reason in the status')
    own_hub.start()
    gateway.wait_up()
    with Remote(own_hub, channel) as remote:
        assert remote.call('chapi.echo', 2)['result'] == 2


def test_gateway_subscribes_again_after_the_hub_has_restarted(own_hub, start_gateway, channel):
    own_hub.start()
    gateway = start_gateway(own_hub, '%s %s-two' % (channel, channel)).wait_up()
    with Remote(own_hub, channel) as remote:
        assert remote.call('chapi.echo', 1)['result'] == 1
    for n in range(2):
        first_id = gateway.ask('status')['hub']['socket_id']
        own_hub.stop()
        gateway.wait_not_up()
        own_hub.start()
        gateway.wait_up()
        assert gateway.ask('status')['hub']['socket_id'] != first_id
        for name in (channel, channel + '-two'):
            with Remote(own_hub, name) as remote:
                assert remote.call('chapi.echo', n)['result'] == n


def test_hub_that_is_killed_is_noticed(own_hub, start_gateway, channel):
    own_hub.start()
    gateway = start_gateway(own_hub, channel).wait_up()
    own_hub.kill()
    gateway.wait_not_up()
    own_hub.start()
    gateway.wait_up()
    with Remote(own_hub, channel) as remote:
        assert remote.call('chapi.echo', 1)['result'] == 1


def test_hub_that_is_killed_and_started_again_under_load(own_hub, start_gateway, channel):
    """Callers ask with the same id until they know: one outcome each, one run each."""
    own_hub.start()
    gateway = start_gateway(own_hub, channel).wait_up()
    provider = SoakProvider(gateway, 1)
    callers = [Caller(own_hub, channel, n) for n in range(4)]
    provider.start()
    for caller in callers:
        caller.start()
    for kill in (own_hub.kill, own_hub.stop):
        before = [len(c.outcomes) for c in callers]
        wait_until(lambda: all(len(c.outcomes) > n + 2 for c, n in zip(callers, before)),
                   'requests', 40)
        kill()
        own_hub.start()
    for caller in callers:
        caller.is_ending = True
    for caller in callers:
        caller.join(70)
        assert not caller.is_alive() and not caller.faults, caller.faults
        assert all(caller.outcomes.values())
    provider.is_ending = True
    provider.join(10)
    assert not provider.twice()


def test_trap_36_gateways_do_not_come_back_in_one_moment(own_hub, daemons, folder, channel):
    """Not even for the first time after a hub has vanished."""
    own_hub.start()
    gateways = []
    for n in range(4):
        os.mkdir('%s/%d' % (folder, n))
        gateways.append(daemons.start(Gateway('%s/%d' % (folder, n), own_hub, channel, timing={
            'backoff_least': '60s', 'backoff_most': '60s'}, gateway={'name': 'gw-%d' % n})))
    for gateway in gateways:
        gateway.wait_up()
    own_hub.kill()
    waits = sorted(gateway.wait_not_up()['next_try_in_ms'] for gateway in gateways)
    assert waits[-1] - waits[0] > 1000


def test_calls_under_way_outlive_a_restart_of_the_hub(own_hub, start_gateway, channel):
    """Local ones do not notice; a remote one is answered when the hub is back."""
    own_hub.start()
    gateway = start_gateway(own_hub, channel).wait_up()
    with gateway.connect() as client, gateway.connect('json') as caller:
        provider = Provider(client, 'slow')
        with Remote(own_hub, channel) as remote:
            number = remote.request('slow', {'from': 'afar'})
            far = client.wait_request()
        local = caller.request('call', 'slow', {'from': 'here'})
        near = client.wait_request()
        own_hub.stop()
        gateway.wait_not_up()
        client.answer(near, 'local answer')
        assert caller.result(local) == 'local answer'
        own_hub.start()
        gateway.wait_up()
        with Remote(own_hub, channel) as remote:
            client.answer(far, 'answer from afar')
            assert remote.response(number)['result'] == 'answer from afar'
            number = remote.request('slow', {})
            provider.serve_one(lambda params: 'next')
            assert remote.response(number)['result'] == 'next'


def test_connection_that_is_cut_is_made_again_with_a_new_signature(
        fake_hub, start_gateway, channel):
    gateway = start_gateway(fake_hub, channel).wait_up()
    for n in range(1, 4):
        fake_hub.drop()
        assert len(fake_hub.wait_subscribed(channel, after=n)) == 1
    gateway.wait_up()
    assert not fake_hub.refused
    fake_hub.send_event(channel, 'request', {'id': 'x', 'api': 'chapi.echo', 'params': 1})
    assert fake_hub.wait_response('x')['result'] == 1


@pytest.mark.parametrize('code', [4200, 4201, 4100, 1001, 1006], ids=str)
def test_close_with_a_code_is_followed_by_a_new_connection(fake_hub, start_gateway, channel, code):
    gateway = start_gateway(fake_hub, channel).wait_up()
    fake_hub.sockets[-1].send_close(code if code != 1006 else 0)
    fake_hub.wait_subscribed(channel, after=1)
    gateway.wait_up()


def test_error_frame_on_a_live_connection_is_no_reason_to_leave(fake_hub, start_gateway, channel):
    start_gateway(fake_hub, channel).wait_up()
    for _ in range(3):
        fake_hub.send_raw('{"event":"pusher:error","data":{"code":4200,"message":"stays"}}')
    fake_hub.send_event(channel, 'request', {'id': 'x', 'api': 'chapi.echo', 'params': 1})
    assert fake_hub.wait_response('x')['result'] == 1
    assert len(fake_hub.sockets) == 1


def test_gateway_answers_pings_of_the_hub(fake_hub, start_gateway, channel):
    start_gateway(fake_hub, channel).wait_up()
    fake_hub.send_raw('{"event":"pusher:ping","data":{}}')
    wait_until(lambda: [e for e in fake_hub.heard if e['event'] == 'pusher:pong'], 'a pong')


def test_gateway_pings_a_quiet_hub_and_its_data_is_an_object(fake_hub, start_gateway, channel):
    start_gateway(fake_hub, channel,
                  pusher={'ping_interval': '100ms', 'pong_timeout': '5s'}).wait_up()
    pings = wait_until(lambda: [e for e in fake_hub.heard if e['event'] == 'pusher:ping'], 'a ping')
    assert pings[0]['data'] == {}


def test_hub_that_answers_no_ping_is_left(fake_hub, start_gateway, channel):
    fake_hub.is_deaf = True
    gateway = start_gateway(fake_hub, channel,
                            pusher={'ping_interval': '100ms', 'pong_timeout': '200ms'})
    gateway.wait_log('did not answer a ping within 200 ms')
    fake_hub.wait_subscribed(channel, after=1)


def test_status_says_until_when_a_ping_may_be_answered(fake_hub, start_gateway, channel):
    fake_hub.is_deaf = True
    gateway = start_gateway(fake_hub, channel,
                            pusher={'ping_interval': '100ms', 'pong_timeout': '200s'})
    with gateway.wait_up().connect() as client:
        hub = wait_until(lambda: [hub for hub in [client.ask('status')['hub']]
                                  if hub['waits_for']], 'a wait')[0]
        assert (hub['state'], hub['waits_for']) == ('up', 'the answer to a ping')
        assert 0 < hub['until'] - time.time() <= 201
        fake_hub.send_raw('{"event":"whatever"}')
        fake_hub.is_deaf = False
        wait_until(lambda: client.ask('status')['hub']['waits_for'] == '', 'an answer')


def test_pings_and_their_answers_do_not_wake_the_loop(fake_hub, start_gateway, channel):
    """They are sent and read in the WebSocket's thread: what wakes the loop is something to do."""
    gateway = start_gateway(fake_hub, channel,
                            pusher={'ping_interval': '100ms', 'pong_timeout': '200s'}).wait_up()

    def pings():
        return len([e for e in fake_hub.heard if e['event'] == 'pusher:ping'])

    wait_until(lambda: pings() >= 2, 'the first pings')
    woken, sent = gateway.wake_ups(), pings()
    wait_until(lambda: pings() >= sent + 10, 'ten pings')
    assert gateway.wake_ups() - woken < 5


def test_hub_that_says_nothing_after_the_handshake_is_left(fake_hub, start_gateway, channel):
    fake_hub.is_silent = True
    start_gateway(fake_hub, channel, timing={'handshake': '200ms'})
    wait_until(lambda: len(fake_hub.sockets) >= 2, 'a second try')


def test_answer_waits_for_a_hub_that_is_back_soon(fake_hub, start_gateway, channel):
    """Status 503 means that it surely was not published: it is tried again."""
    start_gateway(fake_hub, channel).wait_up()
    fake_hub.answers.append(('503 Service Unavailable', 'busy'))
    fake_hub.send_event(channel, 'request', {'id': 'x', 'api': 'chapi.echo', 'params': 1})
    assert fake_hub.wait_response('x', 3)['result'] == 1


def test_wrong_key_is_said(own_hub, start_gateway, channel):
    own_hub.start()
    gateway = start_gateway(own_hub, channel, pusher={'key': 'some-other-key'})
    with gateway.connect() as client:
        reason = wait_until(lambda: client.ask('status')['hub']['reason'], 'a reason in the status')
        assert client.call('chapi.echo', 1) == 1
    assert '4001' in reason or 'key' in reason


def test_wrong_secret_is_said(own_hub, start_gateway, channel, folder):
    own_hub.start()
    path = folder + '/wrong-secret'
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as f:
        f.write('not-the-secret')
    gateway = start_gateway(own_hub, channel, pusher={'secret_file': path},
                            timing={'subscribe': '500ms'})
    with gateway.connect() as client:
        # Before the hub's refusal there may be "no answer within 500 ms": it is asked again then.
        reason = wait_until(lambda: [r for r in [client.ask('status')['hub']['reason']]
                                     if 'secret_file' in r and channel in r],
                            'the reason in the status')[0]
    assert channel in reason and 'check key and secret_file' in reason, reason
    assert gateway.ask('status')['hub']['state'] != 'up'


def test_gateway_ends_while_it_waits_for_a_hub(own_hub, start_gateway, channel):
    own_hub.start()
    own_hub.stop()
    gateway = start_gateway(own_hub, channel,
                            timing={'backoff_least': '60s', 'backoff_most': '60s'})
    gateway.stop()
    assert gateway.wait() == 0
