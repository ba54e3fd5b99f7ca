# SPDX-License-Identifier: MIT
"""WebSocket frames (RFC 6455) for both ends, as far as the tests need them.

No extensions. The receiver answers pings by itself and puts fragments together.
"""
import base64
import hashlib
import os
import socket
import struct

from .limits import Deadline

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'


class Closed(Exception):
    """The other side ended the connection; code 0: without a close frame, or one without a code."""

    def __init__(self, code, reason=''):
        super().__init__('closed with %d %s' % (code, reason))
        self.code = code
        self.reason = reason


def accept_key(key):
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def mask(data, key):
    """XOR with the repeated key; whole integers, as a megabyte byte by byte is slow."""
    n = len(data)
    long_key = (key * (n // 4 + 1))[:n]
    return (int.from_bytes(data, 'big') ^ int.from_bytes(long_key, 'big')).to_bytes(n, 'big')


def read_head(sock, limit=None):
    """Header lines of HTTP up to the empty one, and what came after them."""
    deadline = Deadline(limit)
    data = b''
    while b'\r\n\r\n' not in data:
        sock.settimeout(deadline.left('an HTTP head'))
        more = sock.recv(65536)
        if not more:
            raise Closed(0, 'within the HTTP head: %r' % data)
        data += more
    head, rest = data.split(b'\r\n\r\n', 1)
    first, *lines = head.decode('latin-1').split('\r\n')
    headers = {}
    for line in lines:
        name, _, value = line.partition(':')
        headers[name.strip().lower()] = value.strip()
    return first, headers, rest


class WebSocket:
    def __init__(self, sock, rest=b'', masks=True):
        self.socket = sock
        self.buffer = rest
        self.masks = masks      # a client has to, a server must not
        self.pings = 0          # control frames seen
        self.sent_close = False

    @classmethod
    def connect(cls, host, port, path, tls=None, server_name=None, limit=None):
        sock = socket.create_connection((host, port), Deadline(limit).limit)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            sock = tls.wrap_socket(sock, server_hostname=server_name or host)
        key = base64.b64encode(os.urandom(16)).decode()
        sock.sendall(('GET %s HTTP/1.1\r\nHost: %s:%d\r\n'
                      'Upgrade: websocket\r\nConnection: Upgrade\r\n'
                      'Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n'
                      % (path, host, port, key)).encode())
        first, headers, rest = read_head(sock, limit)
        if ' 101 ' not in first + ' ':
            sock.close()
            raise Closed(0, first)
        assert headers.get('sec-websocket-accept') == accept_key(key), headers
        return cls(sock, rest)

    @classmethod
    def accept(cls, sock, headers, rest=b''):
        """The server's part, after the request's head has been read."""
        sock.sendall(('HTTP/1.1 101 Switching Protocols\r\n'
                      'Upgrade: websocket\r\nConnection: Upgrade\r\n'
                      'Sec-WebSocket-Accept: %s\r\n\r\n'
                      % accept_key(headers['sec-websocket-key'])).encode())
        return cls(sock, rest, masks=False)

    def close(self):
        self.socket.close()

    # -- sending

    def send_frame(self, opcode, payload, fin=True):
        n = len(payload)
        head = bytes([(0x80 if fin else 0) | opcode])
        bit = 0x80 if self.masks else 0
        if n < 126:
            head += bytes([bit | n])
        elif n < 65536:
            head += bytes([bit | 126]) + struct.pack('!H', n)
        else:
            head += bytes([bit | 127]) + struct.pack('!Q', n)
        if self.masks:
            key = os.urandom(4)
            head += key
            payload = mask(payload, key)
        self.socket.settimeout(Deadline().limit)
        self.socket.sendall(head + payload)

    def send_text(self, text):
        self.send_frame(TEXT, text.encode() if isinstance(text, str) else text)

    def send_close(self, code=1000, reason=''):
        self.sent_close = True
        self.send_frame(CLOSE, struct.pack('!H', code) + reason.encode() if code else b'')

    # -- receiving

    def _read(self, n, deadline):
        while len(self.buffer) < n:
            self.socket.settimeout(deadline.left('a WebSocket frame'))
            try:
                more = self.socket.recv(1 << 16)
            except socket.timeout:
                raise TimeoutError('a WebSocket frame: not within %g s' % deadline.limit) from None
            except ConnectionResetError:
                more = b''
            if not more:
                raise Closed(0)
            self.buffer += more
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def _frame(self, deadline):
        head = self._read(2, deadline)
        n = head[1] & 0x7f
        if n >= 126:
            n = int.from_bytes(self._read(2 if n == 126 else 8, deadline), 'big')
        key = self._read(4, deadline) if head[1] & 0x80 else None
        data = self._read(n, deadline)
        return head[0] & 0x80, head[0] & 0x0f, mask(data, key) if key and n else data

    def receive(self, limit=None):
        """The next whole message: (opcode, bytes). Raises Closed and TimeoutError."""
        deadline = Deadline(limit)
        kind, parts = 0, []
        while True:
            fin, opcode, data = self._frame(deadline)
            if opcode == PING:
                self.pings += 1
                self.send_frame(PONG, data)
            elif opcode == CLOSE:
                code = struct.unpack('!H', data[:2])[0] if len(data) >= 2 else 0
                if not self.sent_close:
                    self.send_frame(CLOSE, data[:2])
                raise Closed(code, data[2:].decode('utf-8', 'replace'))
            elif opcode != PONG:
                kind = kind or opcode
                parts.append(data)
                if fin:
                    return kind, b''.join(parts)
