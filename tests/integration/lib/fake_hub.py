# SPDX-License-Identifier: MIT
"""A hub that says whatever a test wants said, for what no real server would ever send.

One port for WebSocket and HTTP API, a thread for each connection. It accepts every
subscription after checking its signature, keeps what is published, and sends raw frames.
"""
import json
import os
import queue
import secrets
import socket
import threading

from .hubs import APP_ID, KEY
from .limits import LIMIT, wait_until
from .pusher_client import channel_auth
from .websocket import Closed, WebSocket, read_head


class FakeHub:
    name = 'fake hub'
    host = '127.0.0.1'
    tls = None

    def __init__(self, folder, port=0):
        self.app_id = APP_ID
        self.key = KEY
        self.secret = 'hush-' + secrets.token_hex(12)
        self.secret_file = folder + '/fake-hub-secret'
        with open(os.open(self.secret_file, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as f:
            f.write(self.secret)
        self.lock = threading.Lock()
        self.sockets = []               # WebSockets, the newest last
        self.targets = []               # request lines of WebSockets
        self.subscribed = []            # (number of the connection, channel)
        self.refused = []               # subscriptions with a wrong signature
        self.published = queue.Queue()  # bodies of POST .../events, and the events of batches
        # Scripted HTTP answers, else 200 {}: (status line, body), (status line, body, headers), or
        # f(sock, body), which may do what it likes: raising OSError closes the connection.
        self.answers = []
        self.forbidden = None           # the id of events that are answered with a bare 403
        self.posts = []                 # all requests of HTTP: (target, body decoded)
        self.n_http_connections = 0
        self.n_split = 0                # requests whose head came without the whole body
        self.is_closing = False         # closes the connection after each answer
        self.is_saying_so = False       # in the answer, as an honest server does
        self.accepted = []              # connections of all sorts
        self.is_delivering = False      # what is published comes to the newest WebSocket
        self.heard = []                 # events that came over WebSockets
        self.is_silent = False          # never established
        self.is_deaf = False            # no pong
        self.listener = socket.create_server((self.host, port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def settings(self):
        return {'app_id': self.app_id, 'key': self.key, 'secret_file': self.secret_file,
                'host': self.host, 'port': self.port, 'tls': 'no'}

    def stop(self):
        self.listener.close()
        self.drop()

    # -- what tests use

    def wait_subscribed(self, channel, after=0, limit=None):
        """Until a subscription of the channel beyond the first `after` ones."""
        def there():
            with self.lock:
                return [s for s in self.subscribed if s[1] == channel][after:]
        return wait_until(there, 'a subscription of ' + channel, limit)

    def send_raw(self, frame):
        """One text frame on the newest connection."""
        with self.lock:
            ws = self.sockets[-1]
        ws.send_text(frame)

    def send_event(self, channel, event, data):
        """data goes out as JSON text within JSON, as servers do."""
        self.send_raw(json.dumps({'event': event, 'channel': channel,
                                  'data': data if isinstance(data, str) else json.dumps(data)}))

    def wait_published(self, limit=None):
        """The next event published over HTTP: (channel, name, data decoded)."""
        try:
            body = self.published.get(timeout=LIMIT if limit is None else limit)
        except queue.Empty:
            raise TimeoutError('nothing was published within the limit') from None
        channel = body['channels'][0] if 'channels' in body else body['channel']
        return channel, body['name'], json.loads(body['data'])

    def wait_response(self, number, limit=None):
        """The response with that id; anything before it is a failure."""
        channel, name, record = self.wait_published(limit)
        assert (name, record.get('id')) == ('response', number), record
        return record

    def drop(self):
        """Cuts all WebSockets."""
        with self.lock:
            for ws in self.sockets:
                try:
                    ws.socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    # -- the server

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.accepted.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        rest = b''
        number = 0
        try:
            while not self.is_closing or number == 0:
                number += 1
                sock.settimeout(None)
                first, headers, rest = read_head(SockWith(sock, rest), 3600)
                if headers.get('upgrade', '').lower() == 'websocket':
                    return self._serve_websocket(sock, first, headers, rest)
                with self.lock:
                    self.n_http_connections += number == 1
                length = int(headers.get('content-length', 0))
                with self.lock:
                    self.n_split += len(rest) < length
                while len(rest) < length:
                    rest += sock.recv(1 << 16)
                self._answer_http(sock, first, rest[:length])
                rest = rest[length:]
        except (OSError, Closed, TimeoutError):
            pass
        sock.close()

    def _answer_http(self, sock, first, body):
        answer = ('200 OK', '{}')
        with self.lock:
            self.posts.append((first.split(' ')[1], json.loads(body)))
            if self.answers:
                answer = self.answers.pop(0)
            elif self.forbidden and self.forbidden.encode() in body:
                answer = ('403 Forbidden', '')
            else:
                self._publish(first, json.loads(body))
        if callable(answer):
            return answer(sock, json.loads(body))
        status, text = answer[:2]
        headers = dict({'Content-Type': 'application/json', 'Content-Length': len(text)},
                       **dict(*answer[2:]))
        if self.is_saying_so:
            headers['Connection'] = 'close'
        sock.sendall(('HTTP/1.1 %s\r\n%s\r\n%s'
                      % (status, ''.join('%s: %s\r\n' % h for h in headers.items()),
                         text)).encode())

    def _publish(self, first, body):
        for event in (body['batch'] if '/batch_events?' in first else
                      [body] if '/events?' in first else []):
            self.published.put(event)
            if self.is_delivering and 'socket_id' not in event:
                self.sockets[-1].send_text(json.dumps(
                    {'event': event['name'], 'data': event['data'],
                     'channel': event['channels'][0] if 'channels' in event else event['channel']}))

    def _serve_websocket(self, sock, first, headers, rest):
        ws = WebSocket.accept(sock, headers, rest)
        with self.lock:
            self.sockets.append(ws)
            self.targets.append(first.split(' ')[1])
            number = len(self.sockets)
        socket_id = '%d.%d' % (number, secrets.randbelow(10 ** 6))
        if not self.is_silent:
            self._say(ws, 'pusher:connection_established',
                      json.dumps({'socket_id': socket_id, 'activity_timeout': 120}))
        while True:
            event = json.loads(ws.receive(3600)[1])
            with self.lock:
                self.heard.append(event)
            if event['event'] == 'pusher:ping' and not self.is_deaf:
                self._say(ws, 'pusher:pong', {})
            elif event['event'] == 'pusher:subscribe':
                self._subscribe(ws, number, socket_id, event['data'])

    def _subscribe(self, ws, number, socket_id, data):
        channel = data['channel']
        if channel.startswith('private-') and \
                data.get('auth') != channel_auth(self.key, self.secret, socket_id, channel):
            self.refused.append(channel)
            return
        ws.send_text(json.dumps({'event': 'pusher_internal:subscription_succeeded',
                                 'channel': channel, 'data': '{}'}))
        with self.lock:
            self.subscribed.append((number, channel))

    @staticmethod
    def _say(ws, event, data):
        ws.send_text(json.dumps({'event': event, 'data': data}))


class SockWith:
    """A socket of which some bytes have been read already."""

    def __init__(self, sock, rest):
        self.sock, self.rest = sock, rest

    def settimeout(self, limit):
        self.sock.settimeout(limit)

    def recv(self, n):
        data, self.rest = self.rest, b''
        return data or self.sock.recv(n)
