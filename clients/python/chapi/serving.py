# SPDX-License-Identifier: MIT
"""The calls that a server serves: every request of the gateway gets exactly one answer.

Coroutines run in the loop, other functions in worker threads. Whose function has which name is
for `aserver`.
"""
from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Tuple

from .calls import Call, set_current_call
from .errors import Cancelled, Error, InvalidArgument
from .ipc import Connection, Incoming
from .records import Request
from .workers import Workers

log = logging.getLogger('chapi')


@dataclass
class _Running:
    """A call being served: by a coroutine of ours, or by a job of a worker."""
    call: Call
    task: Optional[asyncio.Task[None]] = None
    job: Optional[Future[Any]] = None
    is_begun: bool = False      # a task that is cancelled before it begins would never answer

    def cancel(self) -> None:
        """A function that a worker has begun is told only: it has to end by itself."""
        self.call.cancel()
        if self.job is not None:
            self.job.cancel()
        elif self.task is not None and self.is_begun:
            self.task.cancel()


class Serving:
    """find(name) gives the function of that name, or None."""

    def __init__(self, find: Callable[[str], Optional[Callable[..., Any]]]) -> None:
        self._find = find
        self._workers: Optional[Workers] = None
        self._running: Dict[Tuple[Connection, int], _Running] = {}

    def start(self, worker_num: int) -> None:
        """A second call does nothing."""
        self._workers = self._workers or Workers(worker_num, 'chapi-worker')

    def stop(self) -> None:
        """Cancels what runs; a function that a worker has begun has to end by itself."""
        for running in list(self._running.values()):
            running.cancel()
            if running.task is not None:
                running.task.cancel()
        if self._workers is not None:
            self._workers.stop()
            self._workers = None

    def cancel(self, connection: Connection, number: int) -> None:
        """Cancels the call that has this number on this connection, if it runs."""
        running = self._running.get((connection, number))
        if running is not None:
            running.cancel()

    def cancel_others(self, connection: Connection) -> None:
        """Cancels what came over another connection than this one."""
        for (before, _), running in list(self._running.items()):
            if before is not connection:
                running.cancel()

    def take(self, incoming: Incoming) -> None:
        """Serves a request of the gateway, in the background."""
        request = Request.from_meta(incoming.name, incoming.params, incoming.meta)
        loop = asyncio.get_running_loop()

        def send_progress(value: Any) -> None:
            data = incoming.connection.pack_notification('progress', incoming.number, value)
            loop.call_soon_threadsafe(incoming.connection.write, data)

        running = _Running(Call(request, send_progress if incoming.meta.get('progress') else None))
        key = (incoming.connection, incoming.number)
        self._running[key] = running
        running.task = asyncio.ensure_future(self._serve(incoming, running))
        running.task.add_done_callback(lambda _: self._running.pop(key, None))

    async def _serve(self, incoming: Incoming, running: _Running) -> None:
        """Every request gets one answer, whatever the function does."""
        error: Optional[Dict[str, Any]] = None
        result = None
        running.is_begun = True
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
        if running.call.cancelled:
            raise asyncio.CancelledError
        function = self._find(incoming.name)
        if function is None:
            raise Error('this process no longer has %s' % incoming.name, code='api_not_found')
        params = _read_params(function, incoming)
        set_current_call(running.call)
        if inspect.iscoroutinefunction(function):
            return await function(**params)
        assert self._workers is not None
        running.job = self._workers.submit(functools.partial(function, **params))
        return await asyncio.wrap_future(running.job)


def _read_params(function: Callable[..., Any], incoming: Incoming) -> Dict[str, Any]:
    params = {} if incoming.params is None else incoming.params
    if incoming.problem is not None:
        raise InvalidArgument('params that Python cannot hold: %s' % incoming.problem)
    if not isinstance(params, dict) or not all(isinstance(key, str) for key in params):
        raise InvalidArgument(
            'params of %s have to be a map: they are keyword arguments' % incoming.name)
    try:
        inspect.signature(function).bind(**params)
    except TypeError as e:
        raise InvalidArgument('%s: %s' % (incoming.name, e)) from None
    return params
