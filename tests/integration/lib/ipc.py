# SPDX-License-Identifier: MIT
"""Local clients of the gateway in both encodings, independent of the project's own library.

The socket as chapi-ipc(7) describes it: MessagePack-RPC, or the same arrays as lines of JSON.
Both classes have the same methods, so that a test runs with either.
"""
import json
import socket
import struct

import msgpack

from .limits import Deadline
from .process import Daemon, texts_in

REQUEST, RESPONSE, NOTIFICATION = 0, 1, 2


class RpcError(Exception):
    """An error answer: {code, message, ran, details?}."""

    def __init__(self, error):
        super().__init__('%s' % (error,))
        self.error = error
        self.code = error.get('code')
        self.ran = error.get('ran')
        self.message = error.get('message')
        self.details = error.get('details') or {}


class Client:
    """A connection. What was read and not asked for yet waits in self.inbox."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # A time-out of Python's makes the socket non-blocking, and a full backlog an error.
        limit = struct.pack('ll', int(Deadline().limit), 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self.socket.connect(path)
        self.socket.settimeout(Deadline().limit)
        self.inbox = []
        self.last_id = 0
        self.at_end = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # -- sending

    def send_raw(self, data):
        self.socket.settimeout(Deadline().limit)
        self.socket.sendall(data)

    def send(self, *message):
        self.send_raw(self.encode(list(message)))

    def request(self, method, *params):
        """Sends a request and returns its id."""
        if method == 'call':
            Daemon.known_params |= texts_in(params[1:2])
        self.last_id += 1
        self.send(REQUEST, self.last_id, method, list(params))
        return self.last_id

    def notify(self, method, *params):
        self.send(NOTIFICATION, method, list(params))

    def answer(self, request, result=None, error=None):
        """request: what wait_request() gave, or an id."""
        number = request[1] if isinstance(request, list) else request
        Daemon.known_params |= texts_in(result)
        self.send(RESPONSE, number, error, result)

    # -- receiving

    def _fill(self, deadline, what):
        """Reads once; False at the end of the connection."""
        self.socket.settimeout(deadline.left(what))
        try:
            data = self.socket.recv(1 << 20)
        except socket.timeout:
            raise TimeoutError('%s: not within %g s' % (what, deadline.limit)) from None
        except ConnectionResetError:
            data = b''
        if not data:
            self.at_end = True
            return False
        self.inbox.extend(self.decode(data))
        return True

    def take(self, wanted, what, limit=None):
        """The first message that fits; the others stay."""
        deadline = Deadline(limit)
        while True:
            for i, message in enumerate(self.inbox):
                if wanted(message):
                    return self.inbox.pop(i)
            if not self._fill(deadline, what):
                raise EOFError('%s: the gateway closed the connection' % what)

    def wait_message(self, limit=None):
        return self.take(lambda m: True, 'a message', limit)

    def wait_response(self, number, limit=None):
        """The response as it came: [1, id, error, result]."""
        return self.take(lambda m: m[0] == RESPONSE and m[1] == number,
                         'the answer to request %r' % number, limit)

    def wait_request(self, name=None, limit=None):
        """A request of the gateway: [0, id, name, [params, meta]]."""
        return self.take(lambda m: m[0] == REQUEST and name in (None, m[2]),
                         'a request to %s' % name, limit)

    def wait_notification(self, method, limit=None):
        return self.take(lambda m: m[0] == NOTIFICATION and m[1] == method,
                         'notification %s' % method, limit)

    def result(self, number, limit=None):
        _, _, error, result = self.wait_response(number, limit)
        if error is not None:
            raise RpcError(error)
        return result

    def ask(self, method, *params):
        """Request and result; RpcError for an error."""
        return self.result(self.request(method, *params))

    def call(self, api, params=None, **options):
        args = [api, {} if params is None else params]
        return self.ask('call', *(args + [options] if options else args))

    def wait_end(self, limit=None):
        """The gateway closes; what it sent before is in the inbox."""
        deadline = Deadline(limit)
        while self._fill(deadline, 'the end of the connection'):
            pass

    def quiet(self):
        """Everything that was sent before now has arrived, and nothing of it is left over.

        A round trip: the gateway writes to a connection in order.
        """
        self.ask('call', 'chapi.ping', {})
        return not self.inbox


class MessagePackClient(Client):
    encoding = 'msgpack'

    def __init__(self, path):
        super().__init__(path)
        self.unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=1 << 28)

    @staticmethod
    def encode(message):
        return msgpack.packb(message, use_bin_type=True)

    def decode(self, data):
        self.unpacker.feed(data)
        return list(self.unpacker)


class JsonClient(Client):
    encoding = 'json'

    def __init__(self, path):
        super().__init__(path)
        self.rest = b''

    @staticmethod
    def encode(message):
        return json.dumps(message, ensure_ascii=False, separators=(',', ':')).encode() + b'\n'

    def decode(self, data):
        *lines, self.rest = (self.rest + data).split(b'\n')
        return [json.loads(line) for line in lines]


CLIENTS = {'msgpack': MessagePackClient, 'json': JsonClient}
