# SPDX-License-Identifier: MIT
"""Monitors, live: who sees what, and that a slow one slows nobody."""
import os

import pytest

from lib.gateway import Provider
from lib.ipc import RpcError

NOBODY = {'monitor': 'user:daemon *', 'admin': 'user:daemon *'}


def events(client, kind, n=1):
    return [client.take(lambda m: m[0] == 2 and m[1] == 'event' and m[2][0]['kind'] == kind,
                        kind)[2][0]
            for _ in range(n)]


def test_a_monitor_sees_calls_and_names(connect):
    watcher, provider, caller = connect(), connect(), connect()
    assert watcher.ask('monitor', {'bodies': True}) is None
    Provider(provider, 'f')
    api = events(watcher, 'api')[0]
    assert (api['name'], api['action']) == ('f', 'registered')
    number = caller.request('call', 'f', {'a': 1}, {'id': 'x1'})
    provider.answer(provider.wait_request(), {'b': 2})
    caller.result(number)
    request, response = events(watcher, 'request')[0], events(watcher, 'response')[0]
    assert (request['api'], request['id'], request['params']) == ('f', 'x1', {'a': 1})
    assert (response['api'], response['id'], response['result'], response['error']) == \
        ('f', 'x1', {'b': 2}, None)
    assert request['caller'] == 'uid:%d' % os.getuid() and request['origin'] == 'local'
    provider.close()
    assert events(watcher, 'api')[0]['action'] == 'unregistered'


def test_bodies_only_when_asked_for(connect):
    watcher, provider, caller = connect(), connect(), connect()
    watcher.ask('monitor', {'kinds': ['request', 'response']})
    Provider(provider, 'f')
    number = caller.request('call', 'f', {'secret': 1})
    provider.answer(provider.wait_request(), 'secret')
    caller.result(number)
    assert 'params' not in events(watcher, 'request')[0]
    assert 'result' not in events(watcher, 'response')[0]


def test_patterns_choose_names(connect):
    watcher, caller = connect(), connect()
    watcher.ask('monitor', {'kinds': ['request'], 'apis': ['door.*', 'gate']})
    for name in ('door.open', 'window', 'gate'):
        with pytest.raises(RpcError):
            caller.call(name)
    assert [e['api'] for e in events(watcher, 'request', 2)] == ['door.open', 'gate']
    assert watcher.quiet()


def test_failures_are_shown_with_their_code(connect):
    watcher, caller = connect(), connect()
    watcher.ask('monitor', {'kinds': ['response']})
    with pytest.raises(RpcError):
        caller.call('nobody')
    error = events(watcher, 'response')[0]['error']
    assert (error['code'], error['ran']) == ('api_not_found', 'no')


def test_connections_are_shown_with_their_label(connect):
    watcher = connect()
    watcher.ask('monitor', {'kinds': ['peer']})
    other = connect()
    other.ask('hello', {'client': 'my-program', 'protocol': 1})
    other.close()
    seen = []
    while ('left', 'my-program') not in seen:
        event = events(watcher, 'peer')[0]
        seen.append((event['action'], event['client']))
    assert ('connected', '') in seen


def test_without_the_right_one_sees_what_is_ones_own(start_gateway, encoding):
    gateway = start_gateway(policy=NOBODY)
    with gateway.connect(encoding) as watcher, gateway.connect(encoding) as other:
        with pytest.raises(RpcError) as e:
            watcher.ask('monitor', {'kinds': ['peer']})
        assert e.value.code == 'permission_denied'
        watcher.ask('monitor', {'bodies': True})
        Provider(watcher, 'mine')
        Provider(other, 'theirs')
        other.call('chapi.ping')
        number = other.request('call', 'mine', {'a': 1})
        request = watcher.wait_request()
        watcher.answer(request, 'r')
        other.result(number)
        assert events(watcher, 'request')[0]['params'] == {'a': 1}
        assert events(watcher, 'response')[0]['result'] == 'r'
        with pytest.raises(RpcError):
            other.call('nobody', {'hidden': 1})
        unknown = events(watcher, 'request')[0]
        assert unknown['api'] == 'nobody' and 'params' not in unknown


def test_a_slow_monitor_loses_events_and_is_told_how_many(start_gateway, encoding):
    gateway = start_gateway(gateway={'max_message': '64K'}, limits={'output_per_peer': '128K'})
    with gateway.connect(encoding) as watcher, gateway.connect('msgpack') as caller:
        watcher.ask('monitor', {'kinds': ['response'], 'bodies': True})
        body = 'x' * 30000
        for n in range(200):
            assert caller.call('chapi.echo', {'n': n, 'body': body})['n'] == n
        lost = 0
        seen = 0
        while seen + lost < 200:
            event = watcher.wait_notification('event')[2][0]
            if event['kind'] == 'lost':
                lost += event['count']
            else:
                seen += 1
            if seen + lost < 200 and not watcher.inbox:
                caller.call('chapi.echo', {'n': -1})
                lost -= 1
        assert gateway.ask('status')['counters']['events_lost'] > 0
        assert lost > 0 and seen > 0
