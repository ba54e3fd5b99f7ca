# SPDX-License-Identifier: MIT
"""Calls through the gateway of this machine."""
from __future__ import annotations

import asyncio
import weakref
from typing import Any, Dict, List, Optional, Sequence, Set

from .errors import Error
from .ipc import Connection, Incoming, socket_path
from .link import Link
from .monitor import LocalMonitor
from .pusher import Handlers
from .records import Response
from .transport import EventMonitor, Progress
from .values import to_json

WAIT_MOST_MS = 24 * 3600 * 1000


class LocalTransport:
    """See `Transport`. connect_timeout: how long a call waits for the gateway, in seconds."""

    def __init__(self, socket: Optional[str], label: str, handlers: Handlers,
                 connect_timeout: float) -> None:
        self._handlers = handlers
        self._connect_timeout = connect_timeout
        self._requests: Set[asyncio.Task[None]] = set()
        self._monitors: weakref.WeakSet[LocalMonitor] = weakref.WeakSet()
        self._path = socket_path(socket)
        self._link = Link(self._path, label, None, on_request=self._ignore_request,
                          on_notification=self._take_notification, on_up=self._watch)

    def start(self) -> None:
        self._link.start()

    async def stop(self) -> None:
        for task in self._requests:
            task.cancel()
        for monitor in list(self._monitors):
            await monitor.stop()
        await self._link.stop()

    async def wait_ready(self, timeout: Optional[float]) -> None:
        await self._link.wait(timeout)

    async def wait_apis(self, apis: Sequence[str]) -> None:
        await self._ask('wait', list(apis), {'timeout_ms': WAIT_MOST_MS})

    async def send(self, api: str, params: Any, number: str, timeout: float,
                   to: Optional[str]) -> None:
        await self._ask('call', api, params, {**_options(number, timeout, to), 'oneway': True})

    async def perform(self, api: str, params: Any, number: str, timeout: float, to: Optional[str],
                      on_progress: Optional[Progress], retry: Optional[str] = None) -> Response:
        options = {**_options(number, timeout, to), 'full': True,
                   'progress': on_progress is not None}
        return Response.from_record(await self._ask('call', api, params, options,
                                                    on_progress=on_progress))

    async def ask(self, method: str, **params: Any) -> Any:
        return await self._ask(method, *params.values())

    async def publish(self, channel: str, event: str, data: Any) -> None:
        await self._ask('publish', channel, event, data)

    async def monitor(self, options: Dict[str, Any]) -> EventMonitor:
        await self._link.wait(self._connect_timeout)
        monitor = await LocalMonitor.open(self._path, options)
        self._monitors.add(monitor)
        return monitor

    async def request(self, api: str, params: Dict[str, Any], number: str) -> None:
        task = asyncio.ensure_future(self._answer_handlers(api, params, number))
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)

    async def _answer_handlers(self, api: str, params: Dict[str, Any], number: str) -> None:
        try:
            record = await self._ask('call', api, params, {'id': number, 'full': True})
        except Error as e:
            record = {'id': number, 'api': api, 'result': None, 'error': e.to_record()}
        self._handlers.hand_out(self._handlers.of_responses, to_json({**record, 'params': params}))

    async def _ask(self, method: str, *params: Any, on_progress: Optional[Progress] = None) -> Any:
        connection = await self._link.wait(self._connect_timeout)
        return await connection.request(method, *params, on_progress=on_progress)

    async def _watch(self, connection: Connection) -> None:
        if self._handlers.of_requests:
            await connection.request('monitor', {'kinds': ['request'], 'bodies': True})

    @staticmethod
    def _ignore_request(incoming: Incoming) -> None:
        """A client holds no names, so none comes."""

    def _take_notification(self, _: Connection, method: str, params: List[Any]) -> None:
        if method == 'event' and params[0].get('kind') == 'request':
            self._handlers.hand_out(self._handlers.of_requests,
                                    to_json({'params': None, **params[0]}))


def _options(number: str, timeout: float, to: Optional[str]) -> Dict[str, Any]:
    options: Dict[str, Any] = {'id': number, 'timeout_ms': max(1, int(timeout * 1000))}
    if to is not None:
        options['to'] = to
    return options
