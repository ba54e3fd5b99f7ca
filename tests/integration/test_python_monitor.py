# SPDX-License-Identifier: MIT
"""The Python package: monitors, events of one's own, and what there is to call."""
import asyncio

import pytest

from lib.limits import LIMIT
from lib.python_client import add, chapi, in_thread, needs_websockets, remote_client
from lib.pusher_client import payload


def test_monitor_sees_calls_with_their_bodies(server, local):
    server.register('add', add)
    with local.monitor(['request', 'response'], 'ad*', bodies=True) as events:
        local.call('chapi.ping')
        local.call('add', a=1, b=2)
        request, response = next(events), next(events)
    assert (request['kind'], request['api'], request['params']) == \
        ('request', 'add', {'a': 1, 'b': 2})
    assert (response['kind'], response['id'], response['result']) == ('response', request['id'], 3)
    assert request['time'] <= response['time']


def test_monitor_that_nobody_reads_fast_loses_nothing_and_keeps_little(server, local, monkeypatch):
    monkeypatch.setattr('chapi.monitor.WAITING_MAX', 4)
    monkeypatch.setattr('chapi.ipc.READ_SIZE', 512)
    server.register('add', add)
    with local.monitor(['request'], 'add', bodies=True) as events:
        for n in range(60):
            local.call('add', a=n)
        assert len(events._monitor._monitor._events) < 30
        assert [next(events)['params']['a'] for _ in range(60)] == list(range(60))


def test_stop_ends_the_iteration(local):
    events = local.monitor()
    wait = in_thread(lambda: [e['kind'] for e in events if e['kind'] == 'request'])
    events.stop()
    assert wait() == []
    wait = in_thread(list, local.monitor(['hub']))
    local.stop()
    assert wait() == [], 'the end of the client is the end of its monitors'


def test_end_of_the_gateway_ends_a_monitor_aloud(gateway, local):
    with local.monitor(['request']) as events:
        wait = in_thread(next, events)
        gateway.stop()
        assert isinstance(wait(), chapi.ConnectionLost)


def test_monitor_for_asyncio(gateway, server):
    async def main():
        async with chapi.AsyncClient(socket=gateway.socket_path) as client:
            async with await client.monitor(['api']) as events:
                await asyncio.to_thread(server.register, 'add', add)
                async for event in events:
                    return event['kind'], event['name'], event['action']
    assert asyncio.run(asyncio.wait_for(main(), LIMIT)) == ('api', 'add', 'registered')


def test_wrong_kind_is_refused(local):
    with pytest.raises(chapi.InvalidArgument):
        local.monitor(['no such kind'])


def test_what_there_is_to_call(server, local):
    server.register('math.add', add)
    server.register('math.half', lambda n: n / 2)
    assert [r['name'] for r in local.apis('math.*')] == ['math.add', 'math.half']
    assert {'chapi.ping', 'math.add'} <= {r['name'] for r in local.apis()} | {'chapi.ping'}
    assert local.describe('math.add')['params']['required'] == ['a']
    with pytest.raises(chapi.ApiNotFound):
        local.describe('math.nothing')


@needs_websockets
def test_remote_client_sees_what_there_is_to_call(hub, channel, remote_gateway, python_server):
    python_server(remote_gateway, add=add)
    with remote_client(hub, channel) as client:
        assert 'add' in [r['name'] for r in client.apis()]
        assert client.describe('add')['summary'] == 'Adds two numbers.'
        with pytest.raises(chapi.FailedPrecondition, match='this machine'):
            client.monitor()


@needs_websockets
@pytest.mark.parametrize('kind', ['local', 'remote'])
def test_publish(hub, channel, start_gateway, remote, kind):
    gateway = start_gateway(hub, channel, policy={'publish': '* private-chapi-*'}).wait_up()
    with (chapi.Client(socket=gateway.socket_path) if kind == 'local'
          else remote_client(hub, channel)) as client:
        client.publish(channel, 'headline', {'text': 'Zürich'})
        client.publish(channel, 'plain', 'as it is')
        assert payload(remote.client.wait_event('headline')) == {'text': 'Zürich'}
        assert remote.client.wait_event('plain')['data'] == 'as it is'
        for name in ('pusher:x', 'client-x'):
            with pytest.raises(chapi.InvalidArgument):
                client.publish(channel, name, 1)


def test_publish_without_a_hub_is_refused(local):
    with pytest.raises(chapi.FailedPrecondition) as e:
        local.publish('news', 'headline', 1)
    assert e.value.ran == 'no'
