# SPDX-License-Identifier: MIT
"""AsyncServer: registers functions at the local gateway and answers the calls of them.

The core of `Server` too. Functions that are no coroutines run in worker threads.
"""
from __future__ import annotations

import asyncio
import inspect
import logging
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Set, Tuple, TypeVar

from . import schema
from .calls import Call, set_current_call
from .errors import ApiExists, ApiNotFound, Cancelled, Error, InvalidArgument
from .ipc import Connection, Incoming, socket_path
from .link import Link
from .pusher import Handler, Handlers, Pusher
from .records import Request
from .values import to_json
from .workers import Workers

F = TypeVar('F', bound=Callable[..., Any])
RETRY = 2.0             # seconds between attempts to get names back after a reconnect
ASKED_MAX = 1024        # requests whose params are kept for the handlers of responses
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


@dataclass
class _Running:
    """A call being served: by a coroutine of ours, or by a job of a worker."""
    call: Call
    task: Optional[asyncio.Task[None]] = None
    job: Optional[Future[Any]] = None

    def cancel(self) -> None:
        """A function that a worker has begun is told only: it has to end by itself."""
        self.call.cancel()
        if self.job is not None:
            self.job.cancel()
        elif self.task is not None:
            self.task.cancel()


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
        self._workers: Optional[Workers] = None
        self._apis: Dict[str, _Api] = {}
        self._running: Dict[Tuple[Connection, int], _Running] = {}
        self._tasks: Set[asyncio.Task[None]] = set()
        self._asked: OrderedDict[str, Any] = OrderedDict()
        self._is_started = False
        self._link = Link(socket_path(socket), name, key, on_request=self._take_request,
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
        self._workers = self._workers or Workers(self.worker_num, 'chapi-worker')
        try:
            await self._link.wait(timeout)
            for api in self._apis.values():
                if api.error is not None:
                    raise api.error
        except BaseException:
            await self.stop()
            raise

    async def run(self) -> None:
        """Starts, and serves until it is cancelled. Raises as `start` does."""
        await self.start()
        try:
            await self._link.wait_ended()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Ends the connection: all names are free, callers still waiting get ProviderGone."""
        await self._link.stop()
        for running in list(self._running.values()):
            running.cancel()
        for task in self._tasks:
            task.cancel()
        if self._workers is not None:
            self._workers.stop()
            self._workers = None
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
        """
        self.add(name, function, **options)
        api = self._apis[name]
        if self._is_started:
            connection = await self._link.wait()
            if api.connection is not connection:
                await self._register(connection, api)
            if api.error is not None:
                del self._apis[name]
                raise api.error
        return api.record()

    async def unregister(self, name: str) -> None:
        """Gives the name up; running calls of it finish. Raises ApiNotFound."""
        self._find(name)
        await self._ask('unregister', name)
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
        """New calls of the name get Paused, if nobody else serves it, until `resume`."""
        api = self._find(name)
        await self._ask('pause', name)
        api.is_paused = True

    async def resume(self, name: str) -> None:
        """Undoes `pause`."""
        api = self._find(name)
        await self._ask('resume', name)
        api.is_paused = False

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

    # -- the connection

    async def _come_up(self, connection: Connection) -> None:
        for (before, _), running in list(self._running.items()):
            if before is not connection:    # nobody waits for it any more
                running.cancel()
        await self._watch(connection)
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
            self._spawn(self._get_back(connection))

    async def _register(self, connection: Connection, api: _Api) -> None:
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

    def _take_notification(self, method: str, params: List[Any]) -> None:
        if method == 'event':
            self._take_event(params[0])
        elif method == 'cancel':
            for (connection, number), running in self._running.items():
                if number == params[0] and connection is self._link.connection:
                    running.cancel()
        elif method in ('granted', 'revoked') and params[0] in self._apis:
            api = self._apis[params[0]]
            api.is_revoked = method == 'revoked'
            api.granted['state'] = 'revoked' if api.is_revoked else 'active'
            log.warning('%s: %s', api.name, ' '.join([method] + [str(p) for p in params[1:]]))

    def _spawn(self, coroutine: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # -- calls

    def _take_request(self, incoming: Incoming) -> None:
        request = Request.from_meta(incoming.name, incoming.params, incoming.meta)
        loop = asyncio.get_running_loop()

        def send_progress(value: Any) -> None:
            loop.call_soon_threadsafe(
                incoming.connection.notify, 'progress', incoming.number, value)
        running = _Running(Call(request, send_progress if incoming.meta.get('progress') else None))
        key = (incoming.connection, incoming.number)
        self._running[key] = running
        running.task = self._spawn(self._serve(incoming, running))
        running.task.add_done_callback(lambda _: self._running.pop(key, None))

    async def _serve(self, incoming: Incoming, running: _Running) -> None:
        """Every request gets one answer, whatever the function does."""
        error: Optional[Dict[str, Any]] = None
        result = None
        try:
            result = await self._run_function(incoming, running)
        except asyncio.CancelledError:
            error = Cancelled('the call was cancelled').to_record()
        except Error as e:
            error = e.to_record()
        except Exception as e:
            log.exception('%s failed', incoming.name)
            error = {'code': type(e).__name__, 'message': str(e) or type(e).__name__}
        await incoming.connection.answer(incoming.number, error, result)

    async def _run_function(self, incoming: Incoming, running: _Running) -> Any:
        api = self._apis.get(incoming.name)
        if api is None:
            raise Error('this process no longer has %s' % incoming.name, code='api_not_found')
        params = self._read_params(api, incoming)
        set_current_call(running.call)
        if inspect.iscoroutinefunction(api.function):
            return await api.function(**params)
        assert self._workers is not None
        running.job = self._workers.submit(lambda: api.function(**params))
        return await asyncio.wrap_future(running.job)

    @staticmethod
    def _read_params(api: _Api, incoming: Incoming) -> Dict[str, Any]:
        params = {} if incoming.params is None else incoming.params
        if incoming.problem is not None:
            raise InvalidArgument('params that Python cannot hold: %s' % incoming.problem)
        if not isinstance(params, dict) or not all(isinstance(key, str) for key in params):
            raise InvalidArgument(
                'params of %s have to be a map: they are keyword arguments' % api.name)
        try:
            inspect.signature(api.function).bind(**params)
        except TypeError as e:
            raise InvalidArgument('%s: %s' % (api.name, e)) from None
        return params

    # -- what the handlers of raw events see

    async def _watch(self, connection: Connection) -> None:
        if self._handlers.of_requests or self._handlers.of_responses:
            await connection.request('monitor', {'kinds': ['request', 'response'], 'bodies': True})

    def _take_event(self, event: Dict[str, Any]) -> None:
        """Events become the records that the older library's handlers read."""
        kind = event.pop('kind', None)
        event['timestamp'] = event.pop('time', None)
        if kind == 'request':
            event.setdefault('params', None)
            self._remember(event)
            self._hand_event(self._handlers.of_requests, event)
        elif kind == 'response':
            event.setdefault('result', None)
            event['params'] = self._asked.pop(event.get('id', ''), None)
            self._hand_event(self._handlers.of_responses, event)
        elif kind == 'lost':
            log.warning('%s events were lost: the handlers are too slow', event.get('count'))

    def _remember(self, event: Dict[str, Any]) -> None:
        if self._handlers.of_responses:
            self._asked[str(event.get('id', ''))] = event['params']
            if len(self._asked) > ASKED_MAX:
                self._asked.popitem(last=False)

    def _hand_event(self, handlers: List[Handler], event: Dict[str, Any]) -> None:
        try:
            data = to_json(event)
        except (TypeError, ValueError) as e:
            log.warning('an event of %s that JSON cannot express: %s', event.get('api'), e)
        else:
            self._handlers.hand_out(handlers, data)
