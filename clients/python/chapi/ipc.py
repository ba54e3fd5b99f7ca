# SPDX-License-Identifier: MIT
"""One connection to the local gateway: MessagePack-RPC over a Unix socket.

Knows nothing of calls or names; what a message is about is for `local` and `provider`.
A connection that ended stays ended: `link` makes the next one.
"""
from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

import msgpack

from .errors import BadReply, ConnectionLost, Error, InvalidArgument
from .values import pack

REQUEST, RESPONSE, NOTIFICATION = 0, 1, 2
READ_SIZE = 1 << 18
MESSAGE_MAX = 1 << 27       # more than any gateway lets through
VALUE_ERRORS = (TypeError, ValueError, OverflowError)


@dataclass(frozen=True)
class Incoming:
    """A request of the gateway. `problem` says why its params cannot be read."""
    connection: Connection
    number: int
    name: str
    params: Any
    meta: Dict[str, Any]
    problem: Optional[str]


RequestHandler = Callable[[Incoming], None]
NotificationHandler = Callable[['Connection', str, List[Any]], None]


def socket_path(path: Optional[str] = None) -> str:
    """Where the gateway listens: the argument, else $CHAPI_SOCKET, else the usual places."""
    path = path or os.environ.get('CHAPI_SOCKET')
    if path:
        return path
    own = os.path.join(os.environ.get('XDG_RUNTIME_DIR') or '/nonexistent', 'chapi', 'gw.sock')
    return own if os.path.exists(own) else '/run/chapi/gw.sock'


class Messages:
    """Cuts a stream of bytes into messages.

    A value that Python cannot hold costs its message only, as whoever sent it is not the gateway:
    so the ends of messages are found first, and each one is decoded by itself.
    """

    def __init__(self) -> None:
        self._scanner = msgpack.Unpacker(max_buffer_size=MESSAGE_MAX)
        self._bytes = bytearray()
        self._start = 0

    def feed(self, data: bytes) -> List[bytes]:
        """The messages that are whole now. Raises ValueError for what is no MessagePack."""
        self._scanner.feed(data)
        self._bytes += data
        messages: List[bytes] = []
        while True:
            try:
                self._scanner.skip()
            except msgpack.OutOfData:
                return messages
            end = self._scanner.tell()
            messages.append(bytes(self._bytes[:end - self._start]))
            del self._bytes[:end - self._start]
            self._start = end


def read_message(message: bytes) -> Tuple[List[Any], Optional[str]]:
    """The parts of a message, up to one that cannot be read, and why not."""
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, timestamp=3,
                                max_buffer_size=MESSAGE_MAX)
    unpacker.feed(message)
    parts: List[Any] = []
    try:
        for _ in range(unpacker.read_array_header()):
            parts.append(unpacker.unpack())
    except VALUE_ERRORS as e:
        return parts, '%s: %s' % (type(e).__name__, e)
    return parts, None


@dataclass
class _Asked:
    answer: asyncio.Future[Any]
    on_progress: Optional[Callable[[Any], None]]


class Connection:
    """Use `open`, then run `read` as a task: it ends with the connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                 on_request: RequestHandler, on_notification: NotificationHandler) -> None:
        self._reader = reader
        self._writer = writer
        self._on_request = on_request
        self._on_notification = on_notification
        self._asked: Dict[int, _Asked] = {}
        self._last_number = 0
        self._draining = asyncio.Lock()
        self._is_open = True
        self.may_read = asyncio.Event()     # cleared: what comes waits at the gateway
        self.may_read.set()

    @classmethod
    async def open(cls, path: str, on_request: RequestHandler,
                   on_notification: NotificationHandler) -> Connection:
        """Raises OSError when nobody listens at path."""
        return cls(*await asyncio.open_unix_connection(path), on_request, on_notification)

    def close(self) -> None:
        """Ends it; `read` returns."""
        self._writer.close()

    # -- sending

    async def request(self, method: str, *params: Any,
                      on_progress: Optional[Callable[[Any], None]] = None) -> Any:
        """Asks and returns the result; raises the `Error` answered, or ConnectionLost.

        When the task is cancelled, the gateway is told so.
        """
        number = self._next_number()
        try:
            data = pack([REQUEST, number, method, list(params)])
        except VALUE_ERRORS as e:
            raise InvalidArgument('params that MessagePack cannot express: %s' % e) from e
        asked = _Asked(asyncio.get_running_loop().create_future(), on_progress)
        if not self._is_open:
            raise ConnectionLost('the connection to the gateway has ended', ran='no')
        self._asked[number] = asked
        try:
            await self._send(data)
            return await asked.answer
        except asyncio.CancelledError:
            self.notify('cancel', number)
            raise
        except OSError:
            return await asked.answer       # `read` finds the end too, and says so to all

    def tell(self, method: str, *params: Any) -> None:
        """Asks, whatever the answer is; nothing happens after the end of the connection."""
        self.write(pack([REQUEST, self._next_number(), method, list(params)]))

    async def answer(self, number: int, error: Optional[Dict[str, Any]], result: Any) -> None:
        """Answers a request; a result that cannot be expressed becomes an error."""
        try:
            data = pack([RESPONSE, number, error, result])
        except VALUE_ERRORS as e:
            problem = BadReply('a result that MessagePack cannot express: %s' % e)
            data = pack([RESPONSE, number, problem.to_record(), None])
        try:
            await self._send(data)
        except OSError:
            pass        # the gateway has told the caller that the provider is gone

    def notify(self, method: str, *params: Any) -> None:
        """Sends a notification; nothing happens after the end of the connection."""
        self.write(self.pack_notification(method, *params))

    @staticmethod
    def pack_notification(method: str, *params: Any) -> bytes:
        """The notification's bytes. Raises TypeError and the like for what has no form."""
        return pack([NOTIFICATION, method, list(params)])

    def write(self, data: bytes) -> None:
        """Sends a message that is packed; nothing happens after the end of the connection."""
        if self._is_open:
            self._writer.write(data)

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        async with self._draining:      # before Python 3.11 one waiter at a time
            await self._writer.drain()

    def _next_number(self) -> int:
        self._last_number = (self._last_number + 1) & 0xffffffff
        while self._last_number in self._asked:
            self._last_number = (self._last_number + 1) & 0xffffffff
        return self._last_number

    # -- receiving

    async def read(self) -> None:
        """Takes what comes until the connection ends; then fails what is not answered."""
        messages = Messages()
        try:
            while True:
                await self.may_read.wait()
                data = await self._reader.read(READ_SIZE)
                if not data:
                    return
                for message in messages.feed(data):
                    self._take(*read_message(message))
        except (OSError, ValueError, msgpack.UnpackException):
            pass        # as good as its end
        finally:
            self._end()

    def _end(self) -> None:
        self._is_open = False
        self._writer.close()
        asked, self._asked = self._asked, {}
        for each in asked.values():
            if not each.answer.done():
                each.answer.set_exception(ConnectionLost('the gateway went away'))

    def _take(self, parts: List[Any], problem: Optional[str]) -> None:
        if parts[:1] == [RESPONSE] and len(parts) >= 2:
            self._take_response(parts, problem)
        elif parts[:1] == [REQUEST] and len(parts) >= 3:
            arguments = parts[3] if problem is None else []
            params, meta = (list(arguments) + [None, None])[:2]
            self._on_request(Incoming(self, parts[1], parts[2], params, meta or {}, problem))
        elif parts[:1] == [NOTIFICATION] and len(parts) >= 3:
            self._take_notification(parts[1], parts[2])

    def _take_response(self, parts: List[Any], problem: Optional[str]) -> None:
        asked = self._asked.pop(parts[1], None)
        if asked is None or asked.answer.done():
            return
        if problem is not None:
            asked.answer.set_exception(BadReply('an answer that Python cannot hold: %s' % problem))
        elif parts[2] is not None:
            asked.answer.set_exception(Error.from_record(parts[2]))
        else:
            asked.answer.set_result(parts[3])

    def _take_notification(self, method: str, params: List[Any]) -> None:
        if method != 'progress':
            self._on_notification(self, method, params)
            return
        asked = self._asked.get(params[0])
        if asked is not None and asked.on_progress is not None and not asked.answer.done():
            asked.on_progress(params[1])
