# SPDX-License-Identifier: MIT
"""chapi-hub itself: options and statuses, HTTP and WebSocket as its clients meet them, its end.

What it makes of messages and requests is in the unit tests test-hub-app and test-hub-http.
"""
import json
import os
import signal
import socket
import stat

import pytest

from lib.hubs import HUBS
from lib.limits import wait_until
from lib.process import Daemon, as_ordinary_user, program, run
from lib.pusher_client import HttpApi, PusherClient, channel_auth, signed_target
from lib.websocket import BINARY, TEXT, Closed, WebSocket, read_head

EX_USAGE, EX_NOINPUT, EX_UNAVAILABLE, EX_CONFIG = 64, 66, 69, 78


@pytest.fixture
def chapi_hub(folder):
    hub = HUBS['chapi-hub'](folder).start()
    yield hub
    hub.stop()


@pytest.fixture
def secret_file(folder):
    path = os.path.join(folder, 'secret')
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as f:
        f.write('hush\n')
    return path


@pytest.fixture
def start_hub(daemons, secret_file):
    """start_hub(OPTION...): at any free port, its .port; and what clients need of a hub."""
    def start(*options):
        daemon = daemons.start(Daemon('chapi-hub', [
            program('chapi-hub'), '--listen', '127.0.0.1:0', '--app', '1:k',
            '--secret-file', secret_file, *options]))
        daemon.host, daemon.tls = '127.0.0.1', None
        daemon.key, daemon.secret, daemon.app_id = 'k', 'hush', '1'
        daemon.port = int(daemon.wait_log('listening on 127.0.0.1:').rsplit(':', 1)[1])
        return daemon
    return start


# ---- options ----------------------------------------------------------------------------------

def test_help_and_version_go_to_standard_output():
    for option in ('--help', '-h'):
        result = run([program('chapi-hub'), option])
        assert (result.returncode, result.stderr) == (0, '')
        assert '--listen-anywhere' in result.stdout and 'Exit status' in result.stdout
    result = run([program('chapi-hub'), '--version'])
    assert (result.returncode, result.stdout.split()[0]) == (0, 'chapi-hub')


@pytest.mark.parametrize('options', [
    ['--frobnicate'], ['surplus'], ['--listen'], ['--listen', 'localhost:6001'],
    ['--listen', '127.0.0.1'], ['--listen', '127.0.0.1:65536'], ['--listen', '127.0.0.1:x'],
    ['--listen', '127.0.0.1:'], ['--listen', '0.0.0.0:0'], ['--listen', '192.0.2.1:0'],
    ['--app', 'x'], ['--app', ':k'], ['--app', '1:'], ['--app', '1:k:x'], ['--app', 'a/b:k'],
    ['--tls-cert', '/dev/null'], ['--tls-key', '/dev/null'], ['--pong-timeout', '5'],
    ['--pong-timeout', '0s'], ['--activity-timeout', '-1s'], ['--http-timeout', '2d'],
    ['--activity-timeout', '99999m'], ['--max-event-bytes', '0'], ['--max-event-bytes', '1M'],
    ['--log-level', 'loud'],
], ids=' '.join)
def test_wrong_usage_is_said(secret_file, options):
    result = run([program('chapi-hub'), '--listen', '127.0.0.1:0', '--app', '1:k',
                  '--secret-file', secret_file, *options])
    assert (result.returncode, result.stdout) == (EX_USAGE, '')
    assert '--help' in result.stderr


@pytest.mark.parametrize('missing', ['--app', '--secret-file'])
def test_app_and_secret_are_needed(secret_file, missing):
    options = {'--app': '1:k', '--secret-file': secret_file}
    del options[missing]
    result = run([program('chapi-hub'), *sum(options.items(), ())])
    assert result.returncode == EX_USAGE and missing in result.stderr


def test_beyond_loopback_it_listens_only_when_told_so(daemons, secret_file):
    hub = daemons.start(Daemon('chapi-hub',
                               [program('chapi-hub'), '--listen', '0.0.0.0:0', '--listen-anywhere',
                                '--app', '1:k', '--secret-file', secret_file]))
    port = int(hub.wait_log('listening on 0.0.0.0:').rsplit(':', 1)[1])
    socket.create_connection(('127.0.0.1', port)).close()


def start_in_vain(secret_file, *options):
    return run([program('chapi-hub'), '--listen', '127.0.0.1:0', '--app', '1:k',
                '--secret-file', secret_file, *options])


@pytest.mark.parametrize('mode', [0o644, 0o604, 0o602], ids=oct)
def test_secret_file_that_others_may_read_is_refused(secret_file, mode):
    os.chmod(secret_file, mode)
    result = start_in_vain(secret_file)
    assert result.returncode == EX_CONFIG and secret_file in result.stderr and \
        'chmod' in result.stderr


@pytest.mark.parametrize('text', ['', '\n', 'two words', 'two\nlines', 'x' * 513, 'x' * 5000],
                         ids=lambda t: ascii(t[:10]))
def test_what_is_no_secret_is_refused(secret_file, text):
    with open(secret_file, 'w') as f:
        f.write(text)
    result = start_in_vain(secret_file)
    assert result.returncode == EX_CONFIG and secret_file in result.stderr


def test_files_that_cannot_be_read_are_no_input(folder, secret_file, authority):
    certificate, key, _ = authority.issue('hub', 'DNS:localhost')
    nowhere = folder + '/nowhere'
    for result in (start_in_vain(nowhere),
                   start_in_vain(secret_file, '--tls-cert', nowhere, '--tls-key', key),
                   start_in_vain(secret_file, '--tls-cert', certificate, '--tls-key', nowhere)):
        assert result.returncode == EX_NOINPUT and nowhere in result.stderr


def test_certificate_that_is_none_is_refused(secret_file, authority):
    certificate, key, _ = authority.issue('hub', 'DNS:localhost')
    for cert_file, key_file in ((key, key), (certificate, certificate)):
        result = start_in_vain(secret_file, '--tls-cert', cert_file, '--tls-key', key_file)
        assert (result.returncode, result.stdout) == (EX_CONFIG, '')
        assert 'certificate' in result.stderr


def test_port_that_is_taken_is_said(chapi_hub, secret_file):
    result = start_in_vain(secret_file, '--listen', '127.0.0.1:%d' % chapi_hub.port)
    assert (result.returncode, result.stdout) == (EX_UNAVAILABLE, '')
    assert 'in use' in result.stderr and str(chapi_hub.port) in result.stderr


def test_address_that_is_not_ours_is_said(secret_file):
    result = start_in_vain(secret_file, '--listen', '192.0.2.1:6001', '--listen-anywhere')
    assert result.returncode == EX_UNAVAILABLE and '192.0.2.1' in result.stderr


def test_hub_runs_as_an_ordinary_user(daemons, folder, secret_file, need):
    need('setpriv')
    os.chown(secret_file, 65534 if os.geteuid() == 0 else -1, -1)
    hub = daemons.start(Daemon('chapi-hub', as_ordinary_user([
        program('chapi-hub'), '--listen', '127.0.0.1:0', '--app', '1:k',
        '--secret-file', secret_file])))
    assert stat.S_IMODE(os.stat(secret_file).st_mode) == 0o600
    hub.wait_log('listening on')


# ---- HTTP -------------------------------------------------------------------------------------

class Http:
    """A plain connection on which answers are read one by one."""

    def __init__(self, hub):
        self.hub = hub
        self.socket = socket.create_connection((hub.host, hub.port))
        self.socket.settimeout(10)
        self.rest = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def post(self, body, headers='', path='events'):
        path = '/apps/%s/%s' % (self.hub.app_id, path)
        return 'POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n' % (
            signed_target('POST', path, self.hub.key, self.hub.secret, body), len(body), headers)

    def get(self, headers='', path='channels'):
        path = '/apps/%s/%s' % (self.hub.app_id, path)
        return 'GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n' % (
            signed_target('GET', path, self.hub.key, self.hub.secret), headers)

    def answer(self):
        """(status, headers, body)"""
        first, headers, rest = read_head(With(self.socket, self.rest))
        while len(rest) < int(headers['content-length']):
            rest += self.socket.recv(65536)
        length = int(headers['content-length'])
        body, self.rest = rest[:length], rest[length:]
        return int(first.split()[1]), headers, body.decode()

    def is_over(self):
        try:
            return self.rest == b'' and self.socket.recv(1) == b''
        except ConnectionResetError:
            return True


class With:
    """A socket of which some bytes have been read already."""

    def __init__(self, sock, rest):
        self.sock, self.rest = sock, rest

    def settimeout(self, limit):
        self.sock.settimeout(limit)

    def recv(self, n):
        data, self.rest = self.rest, b''
        return data or self.sock.recv(n)


EVENT = json.dumps({'name': 'e', 'channel': 'one', 'data': 'x'}).encode()


def test_connection_is_kept_for_further_requests(chapi_hub):
    with Http(chapi_hub) as http:
        for _ in range(3):
            http.send(http.post(EVENT).encode() + EVENT)
            status, headers, body = http.answer()
            assert (status, body, headers['connection']) == (200, '{}', 'keep-alive')
            http.send(http.get())
            assert http.answer()[0] == 200


def test_requests_may_come_one_behind_the_other(chapi_hub):
    with Http(chapi_hub) as http:
        http.send(http.get() * 5)
        for _ in range(5):
            assert http.answer()[2] == '{"channels":{}}'


def test_bodies_one_behind_the_other_harm_nobody_else(chapi_hub):
    """libwebsockets cannot read them, see http_side.c: it is the matter of that connection only."""
    with Http(chapi_hub) as http, Http(chapi_hub) as other:
        http.send((http.post(EVENT).encode() + EVENT) * 3)
        for _ in range(3):
            other.send(other.get())
            assert other.answer()[0] == 200
        wait_until(lambda: chapi_hub.daemon.is_idle(), 'the hub to rest')


def test_request_may_come_byte_by_byte(chapi_hub):
    with Http(chapi_hub) as http:
        http.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in http.post(EVENT).encode() + EVENT:
            http.send(bytes([byte]))
        assert http.answer()[0] == 200


def test_connection_is_closed_when_the_client_wants_so(chapi_hub):
    with Http(chapi_hub) as http:
        http.send(http.get('Connection: close\r\n'))
        status, headers, _ = http.answer()
        assert (status, headers['connection']) == (200, 'close')
        assert http.is_over()


def test_large_body_reaches_its_answer(chapi_hub):
    body = json.dumps({'batch': [{'name': 'e', 'channel': 'one',
                                  'data': 'x' * 10240}] * 10}).encode()
    with Http(chapi_hub) as http:
        http.send(http.post(body, path='batch_events').encode() + body)
        assert http.answer()[0] == 200


def test_body_beyond_the_limit_is_refused_before_it_is_there(chapi_hub):
    with Http(chapi_hub) as http:
        http.send(http.post(b' ' * (1 << 20) + EVENT))
        status, _, text = http.answer()
        assert status == 413 and str(1 << 20) in text


@pytest.mark.parametrize('request_text, status', [
    ('PUT /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n', 405),
    ('DELETE /apps/1/events HTTP/1.1\r\nHost: x\r\n\r\n', 405),
    ('POST /apps/1/events HTTP/1.1\r\nHost: x\r\n\r\n', 411),
    ('POST /apps/1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'
     '2\r\n{}\r\n0\r\n\r\n', 411),
    ('POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n', 400),
    ('GET / HTTP/1.1\r\nHost: x\r\n\r\n', 404),
    ('GET /?%s HTTP/1.1\r\nHost: x\r\n\r\n' % '&'.join('a=%d' % i for i in range(40)), 400),
    ('GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n', 400),
    ('GET / HTTP/1.1\r\nHost: x\r\nUpgrade: smoke\r\nConnection: Upgrade\r\n\r\n', 403),
], ids=lambda v: v[:40].replace('\r\n', ' ') if isinstance(v, str) else '')
def test_request_that_is_not_served_is_answered(chapi_hub, request_text, status):
    with Http(chapi_hub) as http:
        http.send(request_text)
        assert http.answer()[0] == status
    with Http(chapi_hub) as http:
        http.send(http.get())
        assert http.answer()[0] == 200


@pytest.mark.parametrize('junk', [b'\x16\x03\x01\x02\x00\x01\x00', b'\x00' * 100,
                                  b'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n', b'hello\r\n\r\n',
                                  b'GET / HTTP/1.1\r\nX: ' + b'x' * 10000 + b'\r\n\r\n'],
                         ids=lambda j: ascii(j[:8]))
def test_what_is_no_request_ends_its_connection(chapi_hub, junk):
    with Http(chapi_hub) as http, Http(chapi_hub) as other:
        try:
            http.send(junk)
            http.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass        # ended already
        while not http.is_over():
            pass
        other.send(other.get())
        assert other.answer()[0] == 200


def test_body_that_does_not_come_is_a_timeout(start_hub):
    hub = start_hub('--http-timeout', '100ms')
    with Http(hub) as http:
        http.send(http.post(EVENT))
        assert http.answer()[0] == 408
        assert http.is_over()


def test_data_limit_is_an_option(start_hub):
    api = HttpApi(start_hub('--max-event-bytes', '20'))
    assert api.trigger('one', 'e', 'x' * 20) == {}
    with pytest.raises(Exception, match='20 bytes'):
        api.trigger('one', 'e', 'x' * 21)


def test_semicolon_in_a_parameter_is_part_of_it(chapi_hub):
    with PusherClient(chapi_hub) as client:
        client.establish()
        client.subscribe('a;b')
        path = '/apps/%s/channels' % chapi_hub.app_id
        target = signed_target('GET', path, chapi_hub.key, chapi_hub.secret,
                               query={'filter_by_prefix': 'a;b'})
        assert HttpApi(chapi_hub).raw('GET', target) == (200, '{"channels":{"a;b":{}}}')


# ---- WebSocket --------------------------------------------------------------------------------

@pytest.mark.parametrize('target, code', [
    ('/', 4005), ('/apps/1/events', 4005), ('/app/KEY', 4008), ('/app/KEY?protocol=99', 4007),
    ('/app/KEY?protocol=7&version=x', 4006), ('/app/other?protocol=7', 4001),
    ('/app/KEY?protocol=7&version=' + '1' * 1000, 4006),
])
def test_wrong_hello_is_told_its_code(chapi_hub, target, code):
    socket = WebSocket.connect(chapi_hub.host, chapi_hub.port, target.replace('KEY', chapi_hub.key))
    assert json.loads(socket.receive()[1])['data']['code'] == code
    with pytest.raises(Closed) as closed:
        socket.receive()
    assert closed.value.code == code and closed.value.reason
    socket.close()


def test_connection_may_be_upgraded_after_a_request(chapi_hub):
    with Http(chapi_hub) as http:
        http.send(http.post(EVENT).encode() + EVENT)
        assert http.answer()[0] == 200
        http.send('GET /app/%s?protocol=7 HTTP/1.1\r\nHost: x\r\n'
                  'Upgrade: websocket\r\nConnection: Upgrade\r\n'
                  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n'
                  % chapi_hub.key)
        first, _, rest = read_head(http.socket)
        assert ' 101 ' in first
        assert json.loads(WebSocket(http.socket, rest).receive()[1])['event'] == \
            'pusher:connection_established'


def test_message_may_come_in_fragments(chapi_hub):
    with PusherClient(chapi_hub) as client:
        client.establish()
        for i, part in enumerate([b'{"event":', b'"pusher:ping"', b',"data":"' + b'x' * 70000,
                                  b'"}']):
            client.socket.send_frame(0 if i else TEXT, part, fin=i == 3)
        client.wait_event('pusher:pong')


def test_binary_message_is_an_error_only(chapi_hub):
    with PusherClient(chapi_hub) as client:
        client.establish()
        client.socket.send_frame(BINARY, b'{"event":"pusher:ping"}')
        assert 'binary' in client.wait_event('pusher:error')['data']['message']
        client.round_trip()


def test_message_that_is_too_large_ends_the_connection(chapi_hub):
    with PusherClient(chapi_hub) as client, PusherClient(chapi_hub) as other:
        client.establish()
        try:
            client.socket.send_frame(TEXT, b'x' * (1 << 20))
        except OSError:
            pass        # it may be gone already
        with pytest.raises(Closed) as closed:
            client.receive()
        assert closed.value.code in (1009, 0)
        other.establish()
        other.round_trip()


def test_client_that_does_not_read_is_cut_off_and_nobody_else(chapi_hub, channel):
    with PusherClient(chapi_hub) as deaf, PusherClient(chapi_hub) as other:
        for client in (deaf, other):
            client.establish()
            client.subscribe(channel)
        api = HttpApi(chapi_hub)

        def flood():
            for _ in range(50):
                api.trigger(channel, 'e', 'x' * 10000)
                other.wait_event('e')
            return 'cut off' in chapi_hub.daemon.log()
        wait_until(flood, 'the deaf client to be cut off', 30)
        other.round_trip()


def test_quiet_client_is_pinged_and_closed(start_hub):
    hub = start_hub('--activity-timeout', '60ms', '--pong-timeout', '50ms')
    with PusherClient(hub) as client:
        assert client.establish()['activity_timeout'] == 1      # whole seconds, rounded up
        assert json.loads(client.socket.receive()[1])['event'] == 'pusher:ping'
        with pytest.raises(Closed) as closed:
            client.socket.receive()
        assert closed.value.code == 4201


def test_client_that_answers_pings_stays(start_hub):
    with PusherClient(start_hub('--activity-timeout', '60ms', '--pong-timeout', '5s')) as client:
        client.establish()
        for _ in range(3):
            client.wait_event('pusher:ping')        # receive() answers it


def test_wrong_signature_is_an_error_only(chapi_hub, channel):
    with PusherClient(chapi_hub) as client:
        client.establish()
        client.send('pusher:subscribe', {
            'channel': channel,
            'auth': channel_auth(chapi_hub.key, 'another', client.socket_id, channel)})
        error = client.wait_event('pusher:error')['data']
        assert error['code'] is None and channel in error['message']
        client.subscribe(channel)


# ---- its end ----------------------------------------------------------------------------------

@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT], ids=['TERM', 'INT'])
def test_clients_are_asked_to_come_back(start_hub, number):
    hub = start_hub()
    with PusherClient(hub) as client, PusherClient(hub) as other, Http(hub):
        for c in (client, other):
            c.establish()
        hub.send_signal(number)
        for c in (client, other):
            with pytest.raises(Closed) as closed:
                c.receive()
            assert closed.value.code == 4200
        assert hub.wait() == 0


def test_client_that_says_no_goodbye_does_not_keep_it(start_hub):
    hub = start_hub()
    with PusherClient(hub) as client:
        client.establish()
        hub.send_signal(signal.SIGTERM)
        assert hub.wait(5) == 0


def test_second_signal_ends_it_at_once(start_hub):
    hub = start_hub('--log-level', 'debug')
    with PusherClient(hub) as client:
        client.establish()
        hub.send_signal(signal.SIGTERM)
        hub.wait_log('stopping')
        hub.send_signal(signal.SIGTERM)
        assert hub.wait() == 0


def test_port_can_be_had_again_at_once(folder):
    hub = HUBS['chapi-hub'](folder).start()
    with PusherClient(hub) as client:
        client.establish()
        hub.stop()
        hub.start()
    with PusherClient(hub) as client:
        client.establish()
    hub.stop()
