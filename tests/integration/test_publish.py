# SPDX-License-Identifier: MIT
"""Answers on their way out through HTTP, whatever the hub answers; and is the way back alive?

A scripted hub answers as no real one would. What each answer means is a unit test (test-outbox);
here the edges are looked at: connections, time-outs, large bodies, signatures, the status.
"""
import json
import re
import signal
import socket
import ssl
import struct
import threading
import time

import pytest

from lib.fake_hub import FakeHub
from lib.ipc import RpcError
from lib.limits import LIMIT, wait_until

FAST_PROBE = {'publish_timeout': '500ms'}


def ask(hub, channel, number, **more):
    request = dict({'api': 'chapi.echo', 'params': {'n': number}}, **more)
    if number is not None:
        request['id'] = number
    hub.send_event(channel, 'request', request)


def reset(sock, _):
    """The request was read, and nobody knows what became of it."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    raise OSError


def close(*_):
    raise OSError


def silent(sock, _):
    """Until the other side has enough of it."""
    sock.settimeout(20)
    sock.recv(1)
    raise OSError


def busy_after(event):
    """429, as soon as the event has come: what it answers waits with all others."""
    def answer(sock, _):
        event.wait(LIMIT)
        sock.sendall(b'HTTP/1.1 429 Busy\r\nContent-Length: 0\r\n\r\n')
    return answer


def hub_of(gateway):
    with gateway.connect() as client:
        return client.ask('status')['hub']


def publisher(gateway):
    return hub_of(gateway)['publisher']


def ids(hub):
    """What was published or tried, by id."""
    found = []
    for _, body in hub.posts:
        for event in body.get('batch', [body]):
            found.append(json.loads(event['data']).get('id'))
    return found


@pytest.fixture
def gateway(fake_hub, start_gateway, channel):
    return start_gateway(fake_hub, channel, timing=FAST_PROBE).wait_up()


@pytest.mark.parametrize('trouble', [
    ('502 Bad Gateway', '<html>' + 'x' * (1 << 20)), ('503 Service Unavailable', 'busy'),
    ('429 Too Many Requests', ''), ('200 OK', '{"error":"oops","code":500}'),
    ('200 OK', '<html>Log in first</html>'), reset, close, silent,
], ids=['502 and a page of 1 MB', '503', '429', '200 with code 500', '200 with a page',
        'reset', 'close', 'silence'])
def test_answer_with_id_is_published_again_after_trouble(fake_hub, gateway, channel, trouble):
    fake_hub.answers += [trouble] * 3
    ask(fake_hub, channel, 'x')
    assert fake_hub.wait_response('x')['result'] == {'n': 'x'}
    assert ids(fake_hub) == ['x'] * 4
    status = wait_until(lambda: [s for s in [publisher(gateway)] if s['waiting'] == 0],
                        'nothing to wait')[0]
    assert (status['state'], status['published'], status['failed'], status['repeated']) == \
        ('running', 1, 0, 3)


@pytest.mark.parametrize('trouble', [('502 Bad Gateway', ''), reset, close, silent],
                         ids=['502', 'reset', 'close', 'silence'])
def test_answer_without_id_is_published_once(fake_hub, gateway, channel, trouble):
    """Kept connections, too: a client library would send it again on another one by itself."""
    ask(fake_hub, channel, 'first')
    fake_hub.wait_response('first')
    fake_hub.answers.append(trouble)
    ask(fake_hub, channel, None)
    wait_until(lambda: publisher(gateway)['failed'] == 1, 'the answer to be given up')
    ask(fake_hub, channel, 'last')
    fake_hub.wait_response('last')
    assert ids(fake_hub) == ['first', None, 'last']


def test_body_comes_with_its_head(fake_hub, gateway, channel):
    """On a new connection and on a kept one, of what may be sent again and of what may not."""
    for number in ('x', None, 'y', None):
        ask(fake_hub, channel, number)
        fake_hub.wait_published()
    assert fake_hub.n_split == 0


@pytest.fixture
def http_hub(tmp_path):
    """The hub's other half, where it can die alone: FakeHub for HTTP, with a secret of its own."""
    hub = FakeHub(str(tmp_path))
    yield hub
    hub.stop()


def dies(hub):
    """It has read a request, and then nobody listens there."""
    def answer(sock, _):
        hub.listener.shutdown(socket.SHUT_RDWR)
        hub.listener.close()
        sock.close()
        raise OSError
    return answer


def test_what_a_hub_has_read_that_died_is_not_published_again(start_gateway, fake_hub, http_hub,
                                                              channel, folder):
    """A client library tries another connection by itself: if this one is refused says nothing."""
    gateway = start_gateway(fake_hub, channel, pusher={'http_port': http_hub.port}).wait_up()
    ask(fake_hub, channel, 'first')
    http_hub.wait_response('first')
    http_hub.answers.append(dies(http_hub))
    ask(fake_hub, channel, None)
    wait_until(lambda: publisher(gateway)['failed'] == 1, 'the answer to be given up')
    late = FakeHub(folder, http_hub.port)
    try:
        ask(fake_hub, channel, 'last')
        late.wait_response('last')
        assert ids(http_hub) + ids(late) == ['first', None, 'last']
    finally:
        late.stop()


def test_event_that_a_hub_has_read_that_died_may_have_gone_out(start_gateway, fake_hub, http_hub,
                                                               channel):
    gateway = start_gateway(fake_hub, channel, pusher={'http_port': http_hub.port}).wait_up()
    ask(fake_hub, channel, 'first')
    http_hub.wait_response('first')
    http_hub.answers.append(dies(http_hub))
    with gateway.connect() as client, pytest.raises(RpcError) as e:
        client.ask('publish', 'news', 'e', {'a': 1})
    assert e.value.ran == 'unknown'


def test_answer_without_id_is_published_when_the_hub_is_there(start_gateway, fake_hub,
                                                              channel, folder):
    """Who was never reached cannot have taken it."""
    with socket.create_server(('127.0.0.1', 0)) as s:
        port = s.getsockname()[1]
    gateway = start_gateway(fake_hub, channel, pusher={'http_port': port}).wait_up()
    ask(fake_hub, channel, None)
    status = wait_until(lambda: [s for s in [publisher(gateway)] if s['state'] == 'trouble'],
                        'trouble')[0]
    assert status['waiting'] == 1 and status['reason']
    late = FakeHub(folder, port)
    try:
        assert late.wait_published()[2]['result'] == {'n': None}
    finally:
        late.stop()


def test_hub_that_closes_after_each_answer_gets_everything_once(fake_hub, gateway, channel):
    fake_hub.is_closing = True
    for n in range(20):
        ask(fake_hub, channel, 'x%d' % n)
        fake_hub.wait_response('x%d' % n)
    assert ids(fake_hub) == ['x%d' % n for n in range(20)]
    assert publisher(gateway)['repeated'] == 0


def test_connections_are_used_again(fake_hub, gateway, channel):
    for n in range(20):
        ask(fake_hub, channel, 'x%d' % n)
        fake_hub.wait_response('x%d' % n)
    assert fake_hub.n_http_connections <= 4     # publish_connections


@pytest.fixture
def closing_hub(fake_hub, gateway, channel):
    """Closes each connection after its answer, as the gateway has seen; the next one stands."""
    fake_hub.is_closing = fake_hub.is_saying_so = True
    ask(fake_hub, channel, 'first')
    fake_hub.wait_response('first')
    wait_accepted(fake_hub, 3)
    return fake_hub


def wait_accepted(hub, n):
    """A WebSocket, and those of HTTP."""
    wait_until(lambda: len(hub.accepted) >= n, 'a connection')


def test_next_connection_is_made_before_there_is_a_request(closing_hub, channel):
    for n in range(4):
        ask(closing_hub, channel, 'x%d' % n)
        closing_hub.wait_response('x%d' % n)
        wait_accepted(closing_hub, 4 + n)
    assert closing_hub.n_http_connections == 5
    assert len(closing_hub.accepted) == 7, 'one ahead, and no other that nothing came on'


def test_connection_made_ahead_that_the_hub_has_closed_is_not_used(closing_hub, channel):
    """What has no id may not be sent again."""
    closing_hub.accepted[-1].shutdown(socket.SHUT_RDWR)
    ask(closing_hub, channel, None)
    assert closing_hub.wait_published()[2]['result'] == {'n': None}
    assert ids(closing_hub) == ['first', None]


def test_connection_made_ahead_is_closed_if_nothing_comes(closing_hub):
    ahead = closing_hub.accepted[-1]
    wait_until(lambda: ahead.fileno() == -1, 'the hub to see its end')


def test_no_connection_is_made_ahead_where_they_are_kept(fake_hub, gateway, channel):
    for n in range(3):
        ask(fake_hub, channel, 'x%d' % n)
        fake_hub.wait_response('x%d' % n)
        wait_until(lambda: publisher(gateway)['waiting'] == 0, 'the answer to be taken')
    assert len(fake_hub.accepted) == 2


def test_what_waits_for_a_connection_goes_together(fake_hub, start_gateway, channel):
    gate = threading.Event()

    def slow(sock, _):
        gate.wait(20)
        sock.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}')
    gateway = start_gateway(fake_hub, channel, timing={'publish_connections': 1}).wait_up()
    fake_hub.answers.append(slow)
    ask(fake_hub, channel, 'first')
    wait_until(lambda: fake_hub.posts, 'the first answer')
    for n in range(12):
        ask(fake_hub, channel, 'x%d' % n)
    wait_until(lambda: publisher(gateway)['waiting'] == 13, 'all answers to wait')
    gate.set()
    for n in range(12):
        fake_hub.wait_response('x%d' % n)
    assert [len(body.get('batch', [body])) for _, body in fake_hub.posts] == [1, 10, 2]
    assert '/batch_events?' in fake_hub.posts[1][0]
    assert 'socket_id' in fake_hub.posts[1][1]['batch'][0]


@pytest.mark.parametrize('answer', [('400 Bad Request', 'Invalid channel name'),
                                    ('413 Payload Too Large', ''),
                                    ('422 Unprocessable Content', '{"message":"no"}'),
                                    ('200 OK', '{"error":"no","code":400}')],
                         ids=['400', '413', '422', '200 with 400'])
def test_refused_batch_is_sent_again_one_by_one(fake_hub, start_gateway, channel, answer):
    gateway = start_gateway(fake_hub, channel,
                            timing={'publish_connections': 1, 'backoff_least': '300ms',
                                    'backoff_most': '300ms'}).wait_up()
    others_are_there = threading.Event()
    fake_hub.answers += [busy_after(others_are_there), answer, answer]
    ask(fake_hub, channel, 'a')
    wait_until(lambda: fake_hub.posts, 'the first answer to be on its way')
    for name in 'bc':
        ask(fake_hub, channel, name)
    wait_until(lambda: hub_of(gateway)['remote']['requests'] == 3, 'all answers to be made')
    others_are_there.set()
    records = [fake_hub.wait_published()[2] for _ in range(3 if '413' in str(answer) else 2)]
    assert len({r['id'] for r in records}) == len(records)
    batches = [len(body['batch']) for _, body in fake_hub.posts if 'batch' in body]
    # What says that one was too large may go with another one that waits still.
    assert batches == [3] or ('413' in str(answer) and batches == [3, 2])


def test_answer_too_large_for_the_hub_becomes_an_error(fake_hub, gateway, channel):
    fake_hub.answers.append(('413 Payload Too Large',
                             'The data content of this event exceeds the allowed maximum'))
    ask(fake_hub, channel, 'x')
    record = fake_hub.wait_response('x')
    assert record['result'] is None
    assert (record['error']['code'], record['error']['ran']) == ('too_large', 'yes')
    assert publisher(gateway)['last_status'] in (413, 200)


def test_substitute_refused_as_well_is_the_end_of_it(fake_hub, gateway, channel):
    fake_hub.answers += [('413 Payload Too Large', '')] * 2
    ask(fake_hub, channel, 'x')
    wait_until(lambda: not fake_hub.answers, 'two tries')
    ask(fake_hub, channel, 'y')
    fake_hub.wait_response('y')
    assert ids(fake_hub) == ['x', 'x', 'y']


def test_quota_stops_publishing_until_a_probe_is_taken(fake_hub, gateway, channel):
    fake_hub.answers.append(('403 Forbidden', 'Account is over quota'))
    ask(fake_hub, channel, 'a')
    status = wait_until(lambda: [s for s in [publisher(gateway)] if s['state'] == 'quota'],
                        'the quota')[0]
    assert 'quota' in status['reason'] and status['last_status'] == 403
    assert 4 * 60 < status['until'] - time.time() < 16 * 60
    ask(fake_hub, channel, 'b')
    wait_until(lambda: publisher(gateway)['waiting'] == 2, 'both to wait')
    assert ids(fake_hub) == ['a']
    gateway.send_signal(signal.SIGHUP)      # an operator knows better
    fake_hub.wait_response('a')
    fake_hub.wait_response('b')
    assert publisher(gateway)['state'] == 'running'
    gateway.wait_log('publishing works again')


def test_403_that_does_not_say_why_is_probed_soon(fake_hub, gateway, channel):
    fake_hub.answers.append(('403 Forbidden', 'Forbidden'))
    ask(fake_hub, channel, 'a')
    fake_hub.wait_response('a')
    gateway.wait_log('publishing has stopped: status 403')
    gateway.wait_log('publishing works again')
    assert ids(fake_hub) == ['a', 'a']


def test_connection_that_brought_a_5xx_is_not_used_again(fake_hub, gateway, channel):
    def publish(number):
        """One after the other: what is under way together takes a connection each."""
        ask(fake_hub, channel, number)
        fake_hub.wait_response(number)
        wait_until(lambda: publisher(gateway)['waiting'] == 0, 'the answer to be taken')

    publish('a')
    before = fake_hub.n_http_connections
    fake_hub.answers.append(('503 Service Unavailable', ''))
    for number in 'bcd':
        publish(number)
    assert fake_hub.n_http_connections == before + 1


def test_doctor_says_why_publishing_is_paused(fake_hub, gateway, channel):
    fake_hub.answers.append(('403 Forbidden', 'Account is over quota'))
    ask(fake_hub, channel, 'a')
    wait_until(lambda: publisher(gateway)['state'] == 'quota', 'the quota')
    (check,) = [c for c in gateway.ask('doctor') if c['check'] == 'publishing']
    assert not check['ok'] and 'paused: status 403' in check['text']


def test_doctor_speaks_of_no_pause_when_nothing_waits(fake_hub, start_gateway, channel):
    def publishing():
        return [c for c in gateway.ask('doctor') if c['check'] == 'publishing'][0]

    gateway = start_gateway(fake_hub, channel, timing={
        'publish_grace': '0s', 'backoff_least': '10ms', 'backoff_most': '10ms'}).wait_up()
    fake_hub.answers += [('502 Bad Gateway', '')] * 1000
    ask(fake_hub, channel, 'a', timeout_ms=100)
    wait_until(lambda: publisher(gateway)['failed'], 'its end')
    wait_until(lambda: 'waited too long: status 502' in publishing()['text'], 'its reason')
    assert not publishing()['ok']
    fake_hub.answers.clear()
    ask(fake_hub, channel, 'b')
    fake_hub.wait_response('b')
    wait_until(lambda: publishing()['ok'], 'the doctor to be content')


def test_answer_that_comes_with_its_deadline_is_published_without_grace(fake_hub, start_gateway,
                                                                       channel):
    gateway = start_gateway(fake_hub, channel, timing={'publish_grace': '0s'}).wait_up()
    with gateway.connect() as client:
        client.ask('register', 'slow')
        ask(fake_hub, channel, 'a', api='slow', timeout_ms=50)
        assert fake_hub.wait_response('a')['error']['code'] == 'deadline_exceeded'


def test_event_that_is_always_forbidden_holds_up_no_other(fake_hub, start_gateway, channel):
    gateway = start_gateway(fake_hub, channel, timing={'backoff_least': '10ms'}).wait_up()
    fake_hub.forbidden = 'bad'
    ask(fake_hub, channel, 'bad')
    wait_until(lambda: 'bad' in ids(fake_hub), 'its try')
    for number in 'abcd':
        ask(fake_hub, channel, number)
        fake_hub.wait_response(number)
        wait_until(lambda: publisher(gateway)['waiting'] <= 1, 'the answer to be taken')
        n = ids(fake_hub).count('bad')
        wait_until(lambda: publisher(gateway)['failed'] or ids(fake_hub).count('bad') > n,
                   'the next try')
    gateway.wait_log('it is forbidden while others are taken')
    status = publisher(gateway)
    assert (status['failed'], status['waiting'], status['state']) == (1, 0, 'running')


def test_quota_probe_comes_by_itself(fake_hub, start_gateway, channel):
    gateway = start_gateway(fake_hub, channel, timing={'probe': '100ms'}).wait_up()
    fake_hub.answers += [('403 Forbidden', 'over quota')] * 3
    ask(fake_hub, channel, 'a')
    fake_hub.wait_response('a')
    wait_until(lambda: publisher(gateway)['state'] == 'running', 'the publisher to go on')
    assert ids(fake_hub) == ['a'] * 4


def test_clock_is_taken_from_the_hub_and_the_answer_signed_again(fake_hub, gateway, channel):
    date = time.strftime('%a, %d %b %Y %H:%M:%S GMT', time.gmtime(time.time() + 7200))
    fake_hub.answers.append(('401 Unauthorized',
                             'Timestamp expired: Given timestamp not within 600s of server time',
                             {'Date': date}))
    ask(fake_hub, channel, 'x')
    fake_hub.wait_response('x')
    first, second = [int(re.search(r'auth_timestamp=(\d+)', target).group(1))
                     for target, _ in fake_hub.posts]
    assert 7190 < second - first < 7210
    assert 7190 < publisher(gateway)['clock_offset_s'] < 7210
    gateway.wait_log('clock is -720')


# ---- proof of life ----------------------------------------------------------------------------

def test_proof_of_life_comes_back_and_its_age_is_known(fake_hub, start_gateway, channel):
    fake_hub.is_delivering = True
    gateway = start_gateway(fake_hub, channel, timing={'proof_of_life': '50ms'}).wait_up()
    proof = wait_until(lambda: [p for p in [hub_of(gateway)['proof_of_life']] if p['seen'] >= 3],
                       'proofs')[0]
    assert proof['missed'] == 0 and proof['age_ms'] < 20000
    event = fake_hub.published.get(timeout=5)
    assert event['name'] == 'chapi-alive' and event['channels'] == [channel]
    assert 'socket_id' not in event
    assert json.loads(event['data']).keys() == {'instance', 'number'}
    assert len(fake_hub.sockets) == 1


def test_proof_of_life_is_off_unless_wanted(fake_hub, gateway):
    assert hub_of(gateway)['proof_of_life'] is None


def test_deaf_connection_is_opened_anew(fake_hub, start_gateway, channel):
    gateway = start_gateway(fake_hub, channel,
                            timing={'proof_of_life': '50ms', 'publish_timeout': '200ms'})
    fake_hub.wait_subscribed(channel, after=1)
    gateway.wait_log('did not come back within 200 ms')
    fake_hub.is_delivering = True
    wait_until(lambda: hub_of(gateway)['proof_of_life']['seen'], 'a proof')
    assert hub_of(gateway)['proof_of_life']['missed'] >= 1


def test_proof_that_cannot_be_published_says_nothing_about_the_connection(
        fake_hub, start_gateway, channel):
    fake_hub.answers += [('400 Bad Request', 'no')] * 5
    start_gateway(fake_hub, channel,
                  timing={'proof_of_life': '50ms', 'publish_timeout': '200ms'}).wait_up()
    wait_until(lambda: not fake_hub.answers, 'proofs to be refused')
    assert len(fake_hub.sockets) == 1


# ---- what is waited for -----------------------------------------------------------------------

def test_status_says_what_is_waited_for_and_until_when(start_gateway, fake_hub, channel):
    with socket.create_server(('127.0.0.1', 0)) as s:
        port = s.getsockname()[1]
    gateway = start_gateway(fake_hub, channel, pusher={'port': port, 'http_port': fake_hub.port},
                            timing={'backoff_least': '30s', 'backoff_most': '30s'})
    hub = wait_until(lambda: [h for h in [hub_of(gateway)] if h['state'] == 'waiting'], 'a wait')[0]
    assert hub['waits_for'] == 'the next try to connect'
    assert 10 < hub['until'] - time.time() < 31
    assert 'refused' in hub['reason']


def test_hang_up_signal_tries_at_once(start_gateway, fake_hub, channel):
    gateway = start_gateway(fake_hub, channel, timing={'probe': '10m'}).wait_up()
    fake_hub.sockets[-1].send_close(4003)
    hub = gateway.wait_not_up()
    assert hub['reason'].startswith('4003: the app is disabled') and hub['last_close_code'] == 4003
    gateway.send_signal(signal.SIGHUP)
    gateway.wait_up()


def test_hang_up_signal_begins_a_try_anew_that_hangs(start_gateway, fake_hub, channel):
    with socket.create_server(('127.0.0.1', 0)) as silent:
        silent.settimeout(20)
        gateway = start_gateway(fake_hub, channel, timing={'handshake': '5m'}, pusher={
            'port': silent.getsockname()[1], 'http_port': fake_hub.port})
        first, _ = silent.accept()
        wait_until(lambda: hub_of(gateway)['state'] == 'connecting', 'it to connect')
        gateway.send_signal(signal.SIGHUP)
        second, _ = silent.accept()
        assert hub_of(gateway)['state'] == 'connecting'
        first.close()
        second.close()


def test_certificate_of_another_time_waits_for_the_clock(start_gateway, fake_hub, channel,
                                                         authority):
    certificate, key, ca = authority.issue('old', 'DNS:localhost', expired=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(('127.0.0.1', 0))

    def serve():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            try:
                context.wrap_socket(sock, server_side=True).close()
            except OSError:
                sock.close()
    threading.Thread(target=serve, daemon=True).start()
    gateway = start_gateway(fake_hub, channel,
                            pusher={'host': 'localhost', 'port': listener.getsockname()[1],
                                    'tls': 'yes', 'ca_file': ca})
    hub = wait_until(lambda: [h for h in [hub_of(gateway)] if h['state'] == 'waiting' and
                              h['reason'] and
                              'cannot connect' not in h['reason']],
                     'the refusal')[0]
    listener.close()
    assert "has expired; this machine's clock says 20" in hub['reason'], hub
    assert hub['waits_for'] == 'the clock to be set, or the next try to connect'


# ---- events of local processes ------------------------------------------------------------------

@pytest.mark.parametrize('answer, ran',
                         [(('403 Forbidden', 'over the quota'), 'no'), (silent, 'unknown')],
                         ids=['waits', 'is under way'])
def test_cancel_of_an_event(fake_hub, gateway, encoding, answer, ran):
    fake_hub.answers += [answer]
    n_posts = len(fake_hub.posts)
    with gateway.connect(encoding) as client:
        number = client.request('publish', 'news', 'e', {'a': 1})
        wait_until(lambda: len(fake_hub.posts) > n_posts, 'the event to be sent')
        if ran == 'no':
            wait_until(lambda: publisher(gateway)['state'] == 'quota', 'the hub to say no')
        client.notify('cancel', number)
        with pytest.raises(RpcError) as e:
            client.result(number)
        assert (e.value.code, e.value.ran) == ('cancelled', ran)
        if ran == 'no':
            assert publisher(gateway)['waiting'] == 0
        assert client.quiet()
