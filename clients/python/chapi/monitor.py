# SPDX-License-Identifier: MIT
"""Monitors: what a gateway tells of the calls, names, processes and hub that it deals with."""
from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Any, Deque, Dict, List, Optional, Sequence

from .errors import ConnectionLost
from .ipc import Connection, Incoming
from .tasks import end_task
from .transport import EventMonitor
from .workers import Background

WAITING_MAX = 1024      # events; then nothing more is read, and the gateway counts what is lost


def monitor_options(kinds: Optional[Sequence[str]], apis: Optional[str],
                    bodies: bool) -> Dict[str, Any]:
    """The options of the gateway's method `monitor`."""
    options: Dict[str, Any] = {'bodies': bodies}
    if kinds is not None:
        options['kinds'] = list(kinds)
    if apis is not None:
        options['apis'] = apis
    return options


class LocalMonitor:
    """See `EventMonitor`. It has a connection of its own, whose end is its own too."""

    def __init__(self) -> None:
        self._events: Deque[Dict[str, Any]] = deque()
        self._changed = asyncio.Event()
        self._connection: Optional[Connection] = None
        self._reading: Optional[asyncio.Task[None]] = None
        self._is_stopped = False

    @classmethod
    async def open(cls, path: str, options: Dict[str, Any]) -> LocalMonitor:
        """Raises ConnectionLost when nobody listens at path, and what the gateway refuses."""
        monitor = cls()
        try:
            monitor._connection = await Connection.open(path, monitor._ignore_request,
                                                        monitor._take)
        except OSError as e:
            raise ConnectionLost('no gateway at %s: %s' % (path, e), ran='no') from e
        monitor._reading = asyncio.ensure_future(monitor._connection.read())
        monitor._reading.add_done_callback(lambda _: monitor._changed.set())
        try:
            await monitor._connection.request('monitor', options)
        except BaseException:
            await monitor.stop()
            raise
        return monitor

    async def stop(self) -> None:
        self._is_stopped = True
        self._changed.set()
        await end_task(self._reading)

    async def next(self) -> Optional[Dict[str, Any]]:
        while not self._events:
            if self._is_stopped:
                return None
            if self._reading is None or self._reading.done():
                raise ConnectionLost('the gateway went away')
            self._changed.clear()
            await self._changed.wait()
        event = self._events.popleft()
        if self._connection is not None and len(self._events) <= WAITING_MAX // 2:
            self._connection.may_read.set()
        return event

    def _take(self, _: Connection, method: str, params: List[Any]) -> None:
        if method != 'event':
            return
        self._events.append(params[0])
        self._changed.set()
        if self._connection is not None and len(self._events) >= WAITING_MAX:
            self._connection.may_read.clear()

    @staticmethod
    def _ignore_request(incoming: Incoming) -> None:
        """A monitor holds no names, so none comes."""


class AsyncMonitor:
    """Events as an asynchronous iterator, until `stop`. Each is a dict, as the gateway sent it:

    kind ('request', 'response', 'api', 'peer', 'hub'; 'lost' with a count, when they were not taken
    fast enough), time, and what the kind has: id, api, params, result, error, ...

    The iteration raises ConnectionLost when the gateway goes away: what happened meanwhile
    nobody could tell.
    """

    def __init__(self, monitor: EventMonitor) -> None:
        self._monitor = monitor

    async def stop(self) -> None:
        """Ends it, and the iteration."""
        await self._monitor.stop()

    async def next(self) -> Optional[Dict[str, Any]]:
        """The next event; None after `stop`."""
        return await self._monitor.next()

    def __aiter__(self) -> AsyncMonitor:
        return self

    async def __anext__(self) -> Dict[str, Any]:
        event = await self._monitor.next()
        if event is None:
            raise StopAsyncIteration
        return event

    async def __aenter__(self) -> AsyncMonitor:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class Monitor:
    """The blocking form of `AsyncMonitor`: an iterator, which `stop` ends from any thread."""

    def __init__(self, monitor: AsyncMonitor, background: Background) -> None:
        self._monitor = monitor
        self._background = background

    def stop(self) -> None:
        """Ends it, and the iteration. Its client's `stop` has done so already."""
        with contextlib.suppress(ConnectionLost):
            self._background.run(self._monitor.stop())

    def __iter__(self) -> Monitor:
        return self

    def __next__(self) -> Dict[str, Any]:
        event = self._background.run(self._monitor.next())
        if event is None:
            raise StopIteration
        return event

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
