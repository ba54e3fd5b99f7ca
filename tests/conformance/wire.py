# SPDX-License-Identifier: MIT
"""One end of a connection that speaks the local protocol, for the driver: messages out as the
bytes that a case says, messages in as values. Numbers of requests are put in place of those that
the case has.
"""
import array
import fcntl
import json
import socket
import threading
import time

import msgpack

from values import decode, encode

REQUEST, RESPONSE, NOTIFICATION = 0, 1, 2
ABOUT_CALLS = ('cancel', 'progress')    # notifications whose first parameter is a number
TIOCOUTQ = 0x5411


class Failed(AssertionError):
    """What a case says did not happen."""


def split(data):
    """The elements of an array, as bytes."""
    unpacker = msgpack.Unpacker(raw=True, strict_map_key=False)
    unpacker.feed(data)
    n = unpacker.read_array_header()
    ends = [unpacker.tell()]
    for _ in range(n):
        unpacker.skip()
        ends.append(unpacker.tell())
    return [data[a:b] for a, b in zip(ends, ends[1:])]


def join(parts):
    return msgpack.Packer().pack_array_header(len(parts)) + b''.join(parts)


class Messages:
    """Cuts a stream of MessagePack into messages."""

    def __init__(self):
        self.scanner = msgpack.Unpacker(raw=True, strict_map_key=False, max_buffer_size=1 << 28)
        self.data = b''
        self.start = 0

    def feed(self, data):
        self.scanner.feed(data)
        self.data += data
        messages = []
        while True:
            try:
                self.scanner.skip()
            except msgpack.OutOfData:
                return messages
            end = self.scanner.tell()
            messages.append(decode(self.data[:end - self.start]))
            self.data = self.data[end - self.start:]
            self.start = end


class Lines:
    """Cuts a stream of JSON into messages, a line each."""

    def __init__(self):
        self.data = b''

    def feed(self, data):
        *lines, self.data = (self.data + data).split(b'\n')
        return [json.loads(line) for line in lines]


class Wire:
    """on_hello: answers each hello, None: they are messages as all others."""

    def __init__(self, sock, encoding, limit, on_hello=None):
        self.socket = sock
        self.encoding = encoding
        self.limit = limit
        self.on_hello = on_hello
        self.cut = None             # bytes written at once; None: all
        self.numbers = {}           # (who asked, number of the case) -> number on the wire
        self.full = {}              # numbers on the wire of calls that want the whole record -> api
        self.inbox = []
        self.changed = threading.Condition()
        self.at_end = False
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def close(self):
        """At once, whatever the other side does."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.reader.join(self.limit)
        self.socket.close()

    # -- out

    def send(self, message):
        """A message of a case: its JSON, or the bytes that it gives for MessagePack."""
        if self.encoding == 'json':
            data = json.dumps(self._renumbered(message['json']),
                              ensure_ascii=False).encode() + b'\n'
        else:
            data = self._renumbered_bytes(bytes.fromhex(message['msgpack']), message['json'])
        self.send_bytes(data)

    def send_bytes(self, data):
        size = self.cut or len(data)
        for at in range(0, len(data), size):
            self.socket.sendall(data[at:at + size])
            if self.cut:
                self.wait_taken()

    def wait_taken(self):
        """Until the other side has read what was written."""
        left = array.array('i', [1])
        end = time.monotonic() + self.limit
        while left[0]:
            fcntl.ioctl(self.socket, TIOCOUTQ, left)
            if time.monotonic() > end:
                raise Failed('what was written is not read')

    def _renumbered(self, message):
        message = list(message)
        if message[0] == RESPONSE:
            message[1] = self._number('theirs', message[1])
            message[2:] = self._as_record(message[1], *message[2:])
        elif message[0] == NOTIFICATION and message[1] in ABOUT_CALLS:
            message[2] = [self._about(message[1], message[2][0])] + message[2][1:]
        return message

    def _renumbered_bytes(self, data, message):
        parts = split(data)
        if message[0] == RESPONSE:
            number = self._number('theirs', message[1])
            parts[1] = encode(number)
            if number in self.full:
                parts[2:] = [encode(None), self._record_bytes(number, *parts[2:])]
        elif message[0] == NOTIFICATION and message[1] in ABOUT_CALLS:
            inner = split(parts[2])
            parts[2] = join([encode(self._about(message[1], message[2][0]))] + inner[1:])
        return join(parts)

    def _about(self, method, number):
        """Progress goes to who asked, cancel comes from there."""
        return self._number('theirs' if method == 'progress' else 'ours', number)

    def _number(self, who, number):
        return self.numbers.get((who, number), number)

    def _as_record(self, number, error, result):
        if number not in self.full:
            return [error, result]
        return [None, dict(RECORD, id='c-1', api=self.full[number], error=error, result=result)]

    def _record_bytes(self, number, error, result):
        fields = {k: encode(v) for k, v in dict(RECORD, id='c-1', api=self.full[number]).items()}
        fields.update(error=error, result=result)
        return msgpack.Packer().pack_map_header(len(fields)) + b''.join(
            encode(k) + v for k, v in fields.items())

    # -- in

    def _read(self):
        messages = None
        while True:
            try:
                data = self.socket.recv(1 << 16)
            except OSError:
                data = b''
            if not data:
                break
            if messages is None:
                messages = Lines() if data[:1] in b'[ \t\r\n' else Messages()
            for message in messages.feed(data):
                self._keep(message)
        with self.changed:
            self.at_end = True
            self.changed.notify_all()

    def _keep(self, message):
        if self.on_hello is not None and message[0] == REQUEST and message[2] == 'hello':
            self.on_hello(self, message[1])
            return
        with self.changed:
            self.inbox.append(message)
            self.changed.notify_all()

    def take(self, fits, what):
        """The first message that fits(message) finds nothing wrong with (None)."""
        end = time.monotonic() + self.limit
        with self.changed:
            while True:
                for i, message in enumerate(self.inbox):
                    if fits(message) is None:
                        return self.inbox.pop(i)
                left = end - time.monotonic()
                if self.at_end or left <= 0:
                    raise Failed('%s: %s; there is: %s' % (
                        what, 'the connection ended' if self.at_end else 'did not come',
                        [(m, fits(m)) for m in self.inbox]))
                self.changed.wait(left)

    def wait_end(self):
        self.reader.join(self.limit)
        if self.reader.is_alive():
            raise Failed('the other side did not close the connection')


# Of an answer that was asked for with the option `full`; see chapi-ipc(7).
RECORD = {'request_time': 1700000000.5, 'response_time': 1700000000.75,
          'queue_ms': 0.0, 'run_ms': 250.0, 'gateway': 'conformance', 'instance': '00'}
