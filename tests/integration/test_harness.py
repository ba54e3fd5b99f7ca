# SPDX-License-Identifier: MIT
"""The tests' own tools: a wrong one would make every other test worthless."""
import json
import os
import subprocess

import pytest

from lib import recorder
from lib.pusher_client import (HttpError, PusherClient, Remote, channel_auth, hmac_hex, payload,
                               signed_target)
from lib.websocket import TEXT, Closed

KEY, SECRET = 'aaaabbbbccccddddeeee', '11112222333344445555'
SOCKET_ID, NOW = '1234.5678', 1700000000


@pytest.mark.parametrize('channel, data, signature', [
    ('private-sensor.42', None, 'f81bf0afb5499963fd811112064e1967ff36af38259d6a1d00f843e6bc92ce05'),
    ('presence-room_1', '{"user_id":"gw-1","user_info":{"name":"Gateway"}}',
     '2f691f7076883f9cb78e442cf2b6a9747f8949cf973f21f93d066e7b912c3091'),
    ('presence-room_1', '{"user_id":"gw-2","user_info":{"name":"Zürich ✓"}}',
     '8a90f919e4a86a0db172f534a671419129de70905ccf0e597521b2ce545e7a7d'),
    ('private-encrypted-vault_7', None,
     '61de26d4bb7a4db45283e80ad2fe9427f23d5a8935e720ab68ea7e5924f2dc46'),
], ids=['private', 'presence', 'presence-utf8', 'encrypted'])
def test_channel_signature_is_that_of_official_libraries(channel, data, signature):
    assert channel_auth(KEY, SECRET, SOCKET_ID, channel, data) == KEY + ':' + signature


@pytest.mark.parametrize('method, path, query, body, signature', [
    ('POST', '/apps/7654321/events', None,
     r'{"name":"reading","channels":["private-sensor.42"],"data":"{\"t\":21.5,\"unit\":\"C\"}"}',
     '4918bd53458a09ac2fce7c2e7e1bb3d7e2332b08826fd8ec384e3f9c0a3eb732'),
    ('POST', '/apps/7654321/batch_events', None,
     '{"batch":[{"name":"reading","channel":"ch-a","data":"1"},'
     '{"name":"note","channel":"ch-b","data":"Zürich ✓","socket_id":"1234.5678"}]}',
     '096e468c5149c6804ce11cdedd06637ec26abfff44de93d2c2818f1b47b92428'),
    ('GET', '/apps/7654321/channels', {'filter_by_prefix': 'presence-', 'info': 'user_count'}, '',
     '76e9185219a97596b89a1da3666edbf924cedb879e2c2f37a1d0ba8bdd09af3d'),
    ('POST', '/apps/7654321/users/user-9/terminate_connections', None, '{}',
     'e93873480bed45517229f62161a558d87a9e2106a0829a10896b9cb68216eb84'),
], ids=['events', 'batch', 'get', 'terminate'])
def test_http_signature_is_that_of_official_libraries(method, path, query, body, signature):
    target = signed_target(method, path, KEY, SECRET, body.encode(), query, NOW)
    assert target.endswith('&auth_signature=' + signature)


def test_hmac_of_a_webhook_is_that_of_official_libraries():
    body = '{"time_ms":1700000000123,"events":[{"name":"channel_occupied","channel":"ch-a"}]}'
    assert hmac_hex(SECRET, body) == \
        '24a47d285fc972d7488cae7e7ea9a18283201caec65ab9b21d530be5ed69cfa9'


def test_fake_hub_checks_subscriptions_and_keeps_what_is_published(fake_hub):
    with Remote(fake_hub, 'private-x') as remote:
        remote.send({'api': 'a'}, event='news')
        assert fake_hub.wait_published() == ('private-x', 'news', {'api': 'a'})
        fake_hub.answers.append(('401 Unauthorized', 'no'))
        with pytest.raises(HttpError):
            remote.send({'api': 'a'})
    with PusherClient(fake_hub) as other:
        other.establish()
        other.send('pusher:subscribe', {'channel': 'private-y', 'auth': 'x:y'})
        other.round_trip()
        assert fake_hub.refused == ['private-y']


@pytest.mark.parametrize('n', [0, 1, 125, 126, 127, 65535, 65536, 1 << 20])
def test_websocket_carries_frames_of_any_length(fake_hub, n):
    with PusherClient(fake_hub) as client:
        client.establish()
        fake_hub.send_raw('x' * n)
        assert client.socket.receive() == (TEXT, b'x' * n)
        client.send('y' * n, {})
        client.round_trip()
        assert fake_hub.heard[0]['event'] == 'y' * n


def test_websocket_tells_the_close_code(fake_hub):
    with PusherClient(fake_hub) as client:
        client.establish()
        fake_hub.sockets[0].send_close(4001, 'so it is')
        with pytest.raises(Closed) as closed:
            client.receive()
        assert (closed.value.code, closed.value.reason) == (4001, 'so it is')


def test_hub_relays_events_between_clients(hub, channel):
    with Remote(hub, channel) as one, Remote(hub, channel) as two:
        one.send({'n': 1}, event='news')
        event = two.client.wait_event('news')
        assert (event['channel'], json.loads(event['data'])) == (channel, {'n': 1})
        one.request_over_socket('x', {'n': 2})
        assert payload(two.client.wait_event('client-request'))['params'] == {'n': 2}
        one.client.round_trip()
        assert not one.client.events, 'own events must not come back'


@pytest.mark.parametrize('start', [
    lambda argv: subprocess.run(argv, capture_output=True),
    lambda argv: subprocess.run(argv, stdout=subprocess.DEVNULL),
    lambda argv: subprocess.Popen(argv, stdout=subprocess.PIPE, text=True).communicate(),
    lambda argv: list(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True).stdout),
    lambda argv: subprocess.Popen(argv, stderr=subprocess.PIPE).stderr.readline(),
], ids=['run', 'run, standard error as it is', 'communicate', 'lines', 'a line'])
def test_what_programs_write_is_kept_to_be_searched(start):
    """However a test starts one."""
    mark = 'mark-' + os.urandom(8).hex()
    start(['sh', '-c', 'echo "$0"; echo "$0" >&2; exec >&- 2>&-', mark])
    assert any(mark in text for _, text in recorder.written())
