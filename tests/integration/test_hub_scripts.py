# SPDX-License-Identifier: MIT
"""chapi-hub plays faults: every action of chapi-hub(1), seen by a client."""
import contextlib
import json
import os
import socket
import ssl
import stat
import time

import pytest

from lib.hubs import FaultyHub
from lib.limits import wait_until
from lib.process import program, run
from lib.pusher_client import HttpApi, HttpError, PusherClient, payload, signed_target
from lib.websocket import BINARY, PING, Closed

CHANNEL = 'private-x'


@pytest.fixture
def control(faulty_hub):
    return faulty_hub.control


@pytest.fixture
def client(faulty_hub):
    with PusherClient(faulty_hub) as client:
        client.establish()
        yield client


@pytest.fixture
def api(faulty_hub):
    return HttpApi(faulty_hub)


@pytest.fixture
def subscribed(client):
    client.subscribe(CHANNEL)
    return client


def raw_post(hub, api, body=None):
    body = body or json.dumps({'name': 'e', 'channels': [CHANNEL], 'data': '{"id":"n"}'}).encode()
    return api.raw('POST', signed_target('POST', '/apps/%s/events' % hub.app_id, hub.key,
                                         hub.secret, body), body)


def ids(client, n):
    return [payload(client.wait_event('e'))['id'] for _ in range(n)]


# ---- lines ------------------------------------------------------------------------------------

def test_words_and_json_are_taken_and_nonsense_is_not(control):
    control.do('seed 100000000')
    control.do('on post do answer 502', ['on', 'post', 'do', 'answer', '502', 'a \'b\' c'])
    for line in ('hello', 'seed', 'seed 100000001', 'on post do fly', '["on"', '[1]'):
        with pytest.raises(ValueError):
            control.ask(line)
    assert [rule['rule'] for rule in control.ask('rules')][0] == 'on post do answer 502'
    control.do('forget')
    assert control.ask('rules') == []


def test_control_socket_is_for_its_owner_and_goes_with_the_hub(faulty_hub):
    assert stat.S_IMODE(os.stat(faulty_hub.control_path).st_mode) == 0o600
    faulty_hub.stop()
    assert not os.path.exists(faulty_hub.control_path)


def test_killed_hubs_socket_is_replaced(faulty_hub):
    faulty_hub.kill()
    assert os.path.exists(faulty_hub.control_path)
    assert faulty_hub.start().control.ask('rules') == []


def test_rule_file_is_read_at_the_start(folder):
    hub = FaultyHub(folder, script='# faults\n\non post events 1-2 do answer 503 busy\n').start()
    try:
        assert [raw_post(hub, HttpApi(hub))[0] for _ in range(3)] == [503, 503, 200]
    finally:
        hub.stop()


@pytest.mark.parametrize('text, status, words',
                         [('on post do cut\non x', 78, 'line 2'), (None, 66, 'No such file')],
                         ids=['wrong', 'missing'])
def test_bad_rule_file_is_told(folder, faulty_hub, text, status, words):
    path = folder + '/bad'
    if text is not None:
        with open(path, 'w') as f:
            f.write(text)
    done = run([program('chapi-hub'), '--app', '1:k', '--secret-file', faulty_hub.secret_file,
                '--listen', '127.0.0.1:0', '--script', path])
    assert done.returncode == status and words in done.stderr, done


# ---- WebSocket --------------------------------------------------------------------------------

def test_second_subscribe_is_followed_by_close_4200(faulty_hub, control, client):
    control.do('on receive pusher:subscribe 2 do close 4200 \'come back\'')
    client.subscribe(CHANNEL)
    client.subscribe('public')      # it is answered, and then
    with pytest.raises(Closed) as e:
        client.receive()
    assert (e.value.code, e.value.reason) == (4200, 'come back')


@pytest.mark.parametrize('action, code',
                         [('close', 0), ('cut', 0), ('reset', 0), ('close 4100', 4100)])
def test_connection_ends_now(control, client, action, code):
    control.do('now client test ' + action)
    with pytest.raises(Closed) as e:
        client.receive()
    assert e.value.code == code


def test_only_some_clients(control, client):
    control.do('now client other* cut')
    client.round_trip()
    assert control.ask('clients') == [{'client': 'test', 'socket_id': client.socket_id}]


def test_delivery_is_swallowed_doubled_delayed(control, subscribed, api):
    control.do('on deliver e 1 do swallow', 'on deliver e 2 do double',
               'on deliver e 3 do delay 700ms')
    for n in (1, 2, 3, 4):
        began = time.monotonic()
        api.trigger(CHANNEL, 'e', {'id': n})
    assert ids(subscribed, 4) == [2, 2, 4, 3]
    assert time.monotonic() - began > 0.6
    assert control.done() == [1, 1, 1]
    assert control.published() == [1, 2, 3, 4]


@pytest.mark.parametrize('form, expected', [
    ('string', '{"id": 1}'), ('object', {'id': 1}), ('array', [{'id': 1}]), ('number', 1),
    ('null', None), ('absent', 'absent'), ('empty', '')])
def test_data_has_an_odd_form(control, subscribed, api, form, expected):
    control.do('on deliver e do data ' + form)
    api.trigger(CHANNEL, 'e', {'id': 1})
    assert subscribed.wait_event('e').get('data', 'absent') == expected


def test_message_is_replaced_and_others_are_sent(control, subscribed, api):
    control.do('on deliver e do replace \'{"event":"f","channel":"$channel","data":$data,'
               '"more":"$fill(300000)"}\'',
               'on deliver e do send \'{"event":"g","data":"$socket_id"}\'',
               'on deliver e do error null what string')
    api.trigger(CHANNEL, 'e', 'text')
    event = subscribed.wait_event('f')
    assert (event['channel'], event['data'], len(event['more'])) == (CHANNEL, 'text', 300000)
    assert subscribed.wait_event('g')['data'] == subscribed.socket_id
    assert subscribed.wait_event('pusher:error')['data'] == '{"code":null,"message":"what"}'


def test_message_in_fragments_and_in_binary(control, subscribed, api):
    control.do('on deliver e 1 do fragment 3', 'on deliver e 2 do binary', 'now send-hex ff00')
    assert subscribed.socket.receive()[1] == b'\xff\0'
    api.trigger(CHANNEL, 'e', {'id': 1})
    assert ids(subscribed, 1) == [1]
    api.trigger(CHANNEL, 'e', {'id': 2})
    assert subscribed.socket.receive()[0] == BINARY


def test_ping_of_both_kinds(control, client):
    control.do('now ping', 'now send \'{"event":"pusher:ping","data":{}}\'')
    client.wait_event('pusher:ping')
    assert client.socket.pings == 1


def test_ping_without_pong(control, client):
    control.do('on receive pusher:ping do ignore')
    client.send('pusher:ping', {})
    client.round_trip()
    assert not [e for e in client.events if e['event'] == 'pusher:pong']


def test_connection_without_a_ping_of_the_protocol_is_closed(faulty_hub, control):
    """Neither messages nor ping control frames count."""
    control.do('on accept all do need-ping 400ms')
    with PusherClient(faulty_hub) as client:
        client.establish()
        with pytest.raises(Closed) as e:
            for _ in range(200):
                client.socket.send_frame(PING, b'')
                client.send('pusher:pong', {})
                with contextlib.suppress(TimeoutError):
                    client.receive(0.1)
        assert (e.value.code, e.value.reason) == (4201, 'No ping was sent in time')


@pytest.mark.parametrize('end', ['now need-ping 0s', 'forget'])
def test_no_ping_is_needed_any_more(control, client, end):
    control.do('now need-ping 100ms', end)
    time.sleep(0.2)
    client.round_trip()


@pytest.mark.parametrize('rule, expected', [
    ('on deliver pusher:connection_established do data object', {'activity_timeout': 120}),
    ('on deliver pusher:connection_established do replace '
     '\'{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"1.2\\"}"}\'',
     {'socket_id': '1.2'}),
], ids=['object', 'no activity_timeout'])
def test_greeting_has_an_odd_form(faulty_hub, control, rule, expected):
    control.do(rule)
    with PusherClient(faulty_hub) as client:
        assert expected.items() <= client.establish().items()


@pytest.mark.parametrize('rule, code', [
    ('on accept do cut', 0), ('on accept do close 4009', 4009), ('on accept do close', 0)])
def test_connection_ends_before_the_greeting(faulty_hub, control, rule, code):
    control.do(rule)
    with PusherClient(faulty_hub) as client, pytest.raises(Closed) as e:
        client.receive()
    assert e.value.code == code


def test_frozen_connection_says_nothing_until_it_resumes(control, client):
    control.do('now freeze')
    client.send('pusher:ping', {})
    with pytest.raises(TimeoutError):
        client.socket.receive(0.3)
    control.do('now resume')
    client.wait_event('pusher:pong')


def test_hub_that_does_not_read_still_writes(control, client):
    control.do('now stop-reading')
    client.send('pusher:ping', {})
    control.do('now send \'{"event":"x"}\'')
    client.wait_event('x')
    assert not client.events
    control.do('forget')
    client.wait_event('pusher:pong')


# ---- HTTP -------------------------------------------------------------------------------------

def test_next_three_posts_are_answered_with_502(control, subscribed, api, faulty_hub):
    control.do('on post 1-3 do answer 502 <h1>$fill(1000000)</h1> \'Retry-After: 3\'')
    for _ in range(3):
        status, text = raw_post(faulty_hub, api)
        assert (status, len(text)) == (502, 1000009)
    assert raw_post(faulty_hub, api) == (200, '{}')
    assert ids(subscribed, 1) == ['n']


@pytest.mark.parametrize('action', ['cut', 'reset'])
@pytest.mark.parametrize('when, n', [('post', 0), ('posted', 1)])
def test_request_gets_no_answer(control, subscribed, api, faulty_hub, action, when, n):
    control.do('on %s do %s' % (when, action))
    with pytest.raises(OSError):
        raw_post(faulty_hub, api)
    assert len(control.published()) == n
    subscribed.round_trip()
    assert len(subscribed.events) == n


def test_answer_after_the_deed(control, subscribed, api, faulty_hub):
    control.do('on posted do answer 500', 'on posted 2 do delay 300ms', 'on get do answer 404 no')
    assert raw_post(faulty_hub, api)[0] == 500
    began = time.monotonic()
    assert raw_post(faulty_hub, api)[0] == 200
    assert time.monotonic() - began >= 0.3
    assert ids(subscribed, 2) == ['n', 'n']
    target = signed_target('GET', '/apps/%s/channels' % faulty_hub.app_id, faulty_hub.key,
                           faulty_hub.secret)
    assert api.raw('GET', target) == (404, 'no')


@pytest.mark.parametrize('action, header', [('say-close', b'Connection: close'),
                                            ('hang-up', b'Connection: keep-alive')])
def test_connection_ends_after_the_answer(control, faulty_hub, action, header):
    control.do('on get do answer 200', 'on get do ' + action)
    with socket.create_connection((faulty_hub.host, faulty_hub.port), 5) as s:
        s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
        answer = b''
        while True:
            more = s.recv(4096)
            if not more:
                break
            answer += more
    assert header in answer


def test_clock_is_moved_by_an_hour(control, api):
    control.do('now clock +1h')
    with pytest.raises(HttpError) as e:
        api.trigger(CHANNEL, 'e', 'x')
    assert e.value.status == 401 and 'imestamp' in e.value.text
    control.do('now clock 0')
    api.trigger(CHANNEL, 'e', 'x')


def test_another_certificate_is_presented(folder, authority):
    first = authority.issue('first', 'DNS:localhost')
    second = authority.issue('second', 'DNS:localhost')
    hub = FaultyHub(folder, first).start()

    def serial():
        with socket.create_connection((hub.host, hub.port), 5) as s, \
                hub.tls.wrap_socket(s, server_hostname='localhost') as tls:
            return ssl.DER_cert_to_PEM_cert(tls.getpeercert(True))
    try:
        before = serial()
        hub.control.do(['now', 'certificate', second[0], second[1]])
        assert serial() != before
        for pair in ((second[0], first[1]), ('/nonexistent', second[1])):
            with pytest.raises(ValueError):
                hub.control.ask(['now', 'certificate', *pair])
    finally:
        hub.stop()


def test_certificate_needs_tls(control):
    with pytest.raises(ValueError):
        control.ask('now certificate a b')


def test_delayed_answer_of_a_client_that_left(control, api, faulty_hub):
    control.do('on post do delay 200ms', 'on deliver e do delay 200ms')
    body = b'{}'
    target = signed_target('POST', '/apps/%s/events' % faulty_hub.app_id, faulty_hub.key,
                           faulty_hub.secret, body)
    with socket.create_connection((faulty_hub.host, faulty_hub.port), 5) as s:
        s.sendall(('POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}' % target).encode())
        wait_until(lambda: control.done()[0], 'the request')
    with PusherClient(faulty_hub) as client:
        client.establish()
        client.subscribe(CHANNEL)
        api.trigger(CHANNEL, 'e', 'x')
    wait_until(lambda: not control.ask('clients'), 'the client to be gone')
    assert raw_post(faulty_hub, api)[0] == 200
