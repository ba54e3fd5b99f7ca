# SPDX-License-Identifier: MIT
"""Gateway and hub on hosts of their own: cables that are cut, packets that are lost,
answers that take their time."""
import os
import sys
import time

import pytest

from lib.gateway import Provider
from lib.hubs import FaultyHub
from lib.limits import wait_until
from lib.netns import Net, Relay, Unavailable
from lib.process import top_srcdir
from lib.pusher_client import Remote

sys.path.insert(0, os.path.join(top_srcdir, 'tests/soak'))
from callers import Caller                      # noqa: E402
from provider import Provider as SoakProvider   # noqa: E402
from workloads import Workload                  # noqa: E402

QUICK = {'handshake': '2s', 'publish_timeout': '1s', 'backoff_least': '20ms',
         'backoff_most': '200ms'}


@pytest.fixture
def net():
    try:
        net = Net()
    except Unavailable as e:
        pytest.skip('no network namespaces here: %s' % e)
    yield net
    net.delete()


@pytest.fixture
def far_hub(net, folder, request):
    """On the hub's host; the test itself is there as well, as its remote callers are."""
    hub = FaultyHub(folder)
    hub.host = net.hub.address
    hub.options += ['--listen', hub.host + ':0', '--listen-anywhere']
    with net.hub:
        hub.start()
        request.node.hub_daemon = hub.daemon
        yield hub
        hub.stop()


@pytest.fixture
def start(net, far_hub, start_gateway, channel):
    def start(**pusher):
        with net.gateway:
            gateway = start_gateway(far_hub, channel, timing=QUICK,
                                    pusher=dict({'ping_interval': '200ms',
                                                 'pong_timeout': '400ms'}, **pusher))
        return gateway.wait_up(30)
    return start


def call(remote, number):
    assert remote.call('chapi.echo', number)['result'] == number


def test_cable_that_is_cut_is_noticed_and_what_waits_goes_out_later(net, far_hub, start, channel):
    """An answer that was made meanwhile arrives when the cable is in again."""
    gateway = start()
    with gateway.connect() as client, Remote(far_hub, channel) as remote:
        provider = Provider(client, 'slow')
        number = remote.request('slow', {})
        request = client.wait_request()
        net.cut()
        gateway.wait_not_up()
        client.answer(request, 'late')
        client.call('chapi.ping')
        wait_until(lambda: gateway.ask('status')['hub']['publisher']['waiting'] == 1,
                   'the answer to wait')
        net.mend()
        gateway.wait_up(30)
        assert remote.response(number, 30)['result'] == 'late'
        remote.request('slow', {})
        provider.serve_one()


def test_cable_that_is_out_for_a_moment_costs_nothing(net, far_hub, start, channel):
    gateway = start(ping_interval='30s', pong_timeout='20s')
    with Remote(far_hub, channel) as remote:
        call(remote, 1)
        net.cut()
        net.mend()
        call(remote, 2)
    assert gateway.ask('status')['hub']['connects'] == 1


@pytest.mark.parametrize('hook', ['input', 'output'])
def test_line_that_is_dead_one_way_is_noticed(net, far_hub, start, channel, hook):
    gateway = start()
    net.lose(100, (hook,))
    gateway.wait_not_up()
    net.lose(0)
    gateway.wait_up(30)
    with Remote(far_hub, channel) as remote:
        call(remote, 1)


def test_host_that_moves_to_another_address_is_there_again(net, far_hub, start, channel):
    gateway = start()
    net.move('10.213.7.77')
    wait_until(lambda: gateway.ask('status')['hub']['connects'] > 1, 'another try', 30)
    gateway.wait_up(30)
    with Remote(far_hub, channel) as remote:
        call(remote, 1)


def test_lost_packets_cost_time_and_nothing_else(net, far_hub, start, channel):
    """Callers ask until they know: one outcome each, one run each."""
    gateway = start(ping_interval='1s', pong_timeout='2s')
    provider = SoakProvider(gateway, 1)
    provider.start()
    net.lose(15)
    caller = Caller(far_hub, channel, 1, [Workload()])
    for _ in range(12):
        caller.ask(caller.workloads[0])
    net.lose(0)
    caller.drop()
    provider.is_ending = True
    provider.join(10)
    assert not caller.faults and not provider.twice()
    assert len(provider.runs) == 12 and all(caller.outcomes.values())


def test_answers_that_take_half_a_second_each_way_are_waited_for(net, far_hub, start, channel):
    relay = Relay(net.gateway, far_hub.host, far_hub.port, 0.3)
    try:
        gateway = start(host='127.0.0.1', port=relay.port, ping_interval='300ms', pong_timeout='5s')
        with Remote(far_hub, channel) as remote:
            began = time.monotonic()
            call(remote, 1)
            assert time.monotonic() - began >= 0.6
        status = gateway.ask('status')['hub']
        assert status['connects'] == 1 and status['publisher']['repeated'] == 0
        gateway.stop()
    finally:
        relay.stop()
