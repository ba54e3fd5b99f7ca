# SPDX-License-Identifier: MIT
"""AsyncServer: registers functions at the local gateway. The core of `Server` too.

What becomes of a call of them is for `serving`, what handlers of raw events see for `raw_events`.
"""
from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, TypeVar

from . import schema
from .errors import ApiExists, ApiNotFound, ConnectionLost, Error
from .ipc import Connection, socket_path
from .link import Link
from .pusher import Handlers, Pusher
from .raw_events import RawEvents
from .serving import Serving
from .tasks import end_task

F = TypeVar('F', bound=Callable[..., Any])
RETRY = 2.0             # seconds between attempts to get names back after a reconnect
log = logging.getLogger('chapi')


@dataclass
class _Api:
    """A function of this server, and what the gateway on `connection` said about it."""
    name: str
    function: Callable[..., Any]
    options: Dict[str, Any]
    is_paused: bool = False
    is_revoked: bool = False
    connection: Optional[Connection] = None
    granted: Dict[str, Any] = field(default_factory=dict)
    error: Optional[Error] = None

    def record(self) -> Dict[str, Any]:
        record = {**self.options, **self.granted, 'name': self.name}
        record.setdefault('state', 'offline')
        return record


class AsyncServer(Pusher):
    """Serves functions to local and remote callers, through the gateway of this machine.

        server = AsyncServer()

        @server.api('add')
        async def add(a: int, b: int) -> int:
            '''Adds two numbers.'''
            return a + b

        asyncio.run(server.run())

    It connects again by itself when the gateway was away, and registers its names again.

    Args:
        app_id, key, secret, cluster: of the hub's app. Only the key is used, to make sure that the
            gateway belongs to the same app; the secret is not kept.
        name: a label for people.
        socket: path of the gateway's socket; None: $CHAPI_SOCKET, else the usual places.
        worker_num: threads for functions that are no coroutines.
        handlers: those of another object, to be shared.
    """

    def __init__(self, app_id: Optional[str] = None, key: Optional[str] = None,
                 secret: Optional[str] = None, cluster: Optional[str] = None,
                 name: str = 'server', *, socket: Optional[str] = None,
                 worker_num: int = 1, handlers: Optional[Handlers] = None) -> None:
        super().__init__(handlers)
        self.name = name
        self.worker_num = worker_num
        self._apis: Dict[str, _Api] = {}
        self._serving = Serving(self._function)
        self._raw_events = RawEvents(self._handlers)
        self._getting_back: Optional[asyncio.Task[None]] = None
        self._is_started = False
        self._is_stopped = False        # by its user
        self._link = Link(socket_path(socket), name, key, on_request=self._serving.take,
                          on_notification=self._take_notification, on_up=self._come_up)

    # -- life

    async def start(self, timeout: Optional[float] = None) -> None:
        """Connects and registers what was added; returns when callers can call.

        Args:
            timeout: how long to wait for the gateway, in seconds; None: for ever.

        Raises:
            ConnectionLost: no gateway came.
            FailedPrecondition: the gateway belongs to another app.
            Error: a name was refused; ApiExists, PermissionDenied, InvalidArgument, ...
        """
        self._is_started = True
        self._serving.start(self.worker_num)
        try:
            await self._link.wait(timeout)
            for api in self._apis.values():
                if api.error is not None:
                    raise api.error
        except BaseException:
            await self._end()
            raise

    async def run(self) -> None:
        """Starts, and serves until it is cancelled or `stop` is called. Raises as `start` does."""
        was_stopped = self._is_stopped
        try:
            await self.start()
            await self._link.wait_ended()
        except ConnectionLost:
            if was_stopped or not self._is_stopped:
                raise               # else it was stopped while it started
        finally:
            await self._end()

    async def stop(self) -> None:
        """Ends the connection: all names are free, callers still waiting get ProviderGone.

        For good: what would ask the gateway afterwards raises ConnectionLost.
        """
        self._is_stopped = True
        await self._end()

    async def _end(self) -> None:
        await self._link.stop()
        await end_task(self._getting_back)
        self._serving.stop()
        self._handlers.stop()

    async def __aenter__(self) -> AsyncServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # -- names

    def api(self, name: Optional[str] = None, **options: Any) -> Callable[[F], F]:
        """Decorator: serves the function under name (None: its own), from `start` on.

        For options see `register`. To add a function to a running server use `register`.
        """
        def decorate(function: F) -> F:
            self.add(name or function.__name__, function, **options)
            return function
        return decorate

    def add(self, name: str, function: Callable[..., Any], **options: Any) -> None:
        """Adds a function that `start` will register; options as of `register`.

        Raises ApiExists when this server has the name already.
        """
        if name in self._apis:
            raise ApiExists('this server has %s already; use update' % name)
        self._apis[name] = _Api(name, function, {**schema.describe(function), **options})

    async def register(self, name: str, function: Callable[..., Any],
                       **options: Any) -> Dict[str, Any]:
        """Serves function(**params) under name. The function may be a coroutine.

        Args:
            options: policy ('exclusive', 'replace', 'share', 'standby'), concurrency, queue,
                timeout_ms, timeout_max_ms, visibility ('local', 'remote'), idempotent, version,
                tags; summary, description, params and result default to what docstring and type
                hints say.

        Returns the record of `apis`. Raises ApiExists, PermissionDenied, InvalidArgument, ...
        Whatever it raises, and when its task is cancelled, the name is not held.
        """
        self.add(name, function, **options)
        api = self._apis[name]
        if self._is_started:
            try:
                await self._take(api)
            except BaseException:
                self._give_back(api)
                raise
        return api.record()

    async def unregister(self, name: str) -> None:
        """Gives the name up; running calls of it finish. Raises ApiNotFound.

        Whatever it raises, and when its task is cancelled, the name is not held any more.
        """
        api = self._find(name)
        try:
            await self._ask('unregister', name)
        except BaseException:
            self._give_back(api)
            raise
        del self._apis[name]

    async def update(self, name: str, function: Optional[Callable[..., Any]] = None,
                     **options: Any) -> Dict[str, Any]:
        """Changes the options of a name, and its function if one is given. Raises ApiNotFound."""
        api = self._find(name)
        changes = {**(schema.describe(function) if function else {}), **options}
        granted = await self._ask('update', name, changes)
        api.options.update(changes)
        api.granted = granted or {}
        api.function = function or api.function
        return api.record()

    async def pause(self, name: str) -> None:
        """New calls of the name get Paused, if nobody else serves it, until `resume`.

        Whatever it raises, and when its task is cancelled, the name takes calls as before.
        """
        await self._set_paused(self._find(name), True)

    async def resume(self, name: str) -> None:
        """Undoes `pause` and `drain`. Whatever it raises, it has changed nothing."""
        await self._set_paused(self._find(name), False)

    async def drain(self, name: str, timeout: Optional[float] = None) -> None:
        """Takes no new calls of the name, and returns when those that came before have ended.

        timeout is in seconds; None: no limit. `resume` undoes it. Raises DeadlineExceeded; the
        name takes no calls then either.
        """
        api = self._find(name)
        api.is_paused = True            # after a reconnect there is nothing left to wait for
        options = {} if timeout is None else {'timeout_ms': max(1, int(timeout * 1000))}
        await self._ask('drain', name, options)

    def apis(self) -> Dict[str, Dict[str, Any]]:
        """The functions by name: options, and `state`: 'active', 'standby', 'revoked' (taken by
        another process) or 'offline' (the gateway does not know of it now)."""
        return {name: api.record() for name, api in self._apis.items()}

    async def _set_paused(self, api: _Api, is_paused: bool) -> None:
        try:
            await self._ask('pause' if is_paused else 'resume', api.name)
        except asyncio.CancelledError:
            # The gateway may do it yet: what is asked behind that undoes it.
            if api.connection is not None:
                api.connection.tell('pause' if api.is_paused else 'resume', api.name)
            raise
        api.is_paused = is_paused

    def _function(self, name: str) -> Optional[Callable[..., Any]]:
        return self._apis[name].function if name in self._apis else None

    def _find(self, name: str) -> _Api:
        if name not in self._apis:
            raise ApiNotFound('this server has no %s' % name)
        return self._apis[name]

    async def _ask(self, method: str, *params: Any) -> Any:
        """Before the start there is nobody to be told."""
        if not self._is_started:
            return None
        connection = await self._link.wait()
        return await connection.request(method, *params)

    async def _take(self, api: _Api) -> None:
        connection = await self._link.wait()
        if api.connection is not connection:
            await self._register(connection, api)
        if api.error is not None:
            raise api.error

    def _give_back(self, api: _Api) -> None:
        """Nobody waits any more for what the gateway says, which may yet grant the name.

        It takes requests in order: an `unregister` behind undoes that.
        """
        del self._apis[api.name]
        if api.connection is not None and api.error is None:
            api.connection.tell('unregister', api.name)

    # -- the connection

    async def _come_up(self, connection: Connection) -> None:
        self._serving.cancel_others(connection)     # nobody waits for those any more
        await self._raw_events.watch(connection)
        for api in self._apis.values():
            api.granted, api.connection = {}, None
        while True:
            waiting = [a for a in self._apis.values()
                       if a.connection is not connection and not a.is_revoked]
            if not waiting:
                break
            for api in waiting:
                await self._register(connection, api)
        if self._link.has_been_up:
            await end_task(self._getting_back)
            self._getting_back = asyncio.ensure_future(self._get_back(connection))

    async def _register(self, connection: Connection, api: _Api) -> None:
        if self._apis.get(api.name) is not api:
            return          # given back while others were registered
        api.connection, api.error = connection, None
        try:
            api.granted = await connection.request('register', api.name, api.options)
            if api.is_paused:
                await connection.request('pause', api.name)
        except Error as e:
            api.error = e

    async def _get_back(self, connection: Connection) -> None:
        """After a reconnect a name may be held by another process, or by what is left of us."""
        while self._link.connection in (None, connection):
            refused = [a for a in self._apis.values() if a.error is not None]
            if not refused:
                return
            log.warning('not registered again yet: %s',
                        '; '.join('%s: %s' % (a.name, a.error) for a in refused))
            await asyncio.sleep(RETRY)
            for api in refused:
                if self._link.connection is connection:
                    await self._register(connection, api)

    def _take_notification(self, connection: Connection, method: str, params: List[Any]) -> None:
        if method == 'event':
            self._raw_events.take(params[0])
        elif method == 'cancel':
            self._serving.cancel(connection, params[0])
        elif method in ('granted', 'revoked') and params[0] in self._apis:
            api = self._apis[params[0]]
            api.is_revoked = method == 'revoked'
            api.granted['state'] = 'revoked' if api.is_revoked else 'active'
            log.warning('%s: %s', api.name, ' '.join([method] + [str(p) for p in params[1:]]))
