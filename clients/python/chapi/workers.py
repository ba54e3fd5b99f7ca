# SPDX-License-Identifier: MIT
"""Threads: those that run functions, and the one with the event loop of the blocking classes."""
from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from concurrent.futures import CancelledError, Future
from typing import Any, Callable, Coroutine, Optional, Tuple, TypeVar

from .errors import ConnectionLost

T = TypeVar('T')
_Job = Tuple['Future[Any]', Callable[[], Any]]

_LINGER = 1         # second, for what is about to end by itself


class Workers:
    """A fixed number of threads that take jobs in order.

    They are daemon threads, other than those of concurrent.futures: a function that hangs does
    not keep the program from ending.
    """

    def __init__(self, n: int, name: str) -> None:
        if n < 1:
            raise ValueError('at least one worker is needed, not %r' % n)
        self._jobs: queue.SimpleQueue[Optional[_Job]] = queue.SimpleQueue()
        self._n = n
        for i in range(n):
            threading.Thread(target=self._work, name='%s-%d' % (name, i), daemon=True).start()

    def submit(self, function: Callable[[], Any]) -> Future[Any]:
        """Has function() run in the context of the caller. A job not begun can be cancelled."""
        future: Future[Any] = Future()
        context = contextvars.copy_context()
        self._jobs.put((future, lambda: context.run(function)))
        return future

    def stop(self) -> None:
        """The threads end when the jobs so far are done."""
        for _ in range(self._n):
            self._jobs.put(None)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            future, function = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except BaseException as e:
                future.set_exception(e)
            del job, future, function       # an idle thread keeps nothing alive


class Background:
    """An event loop in a thread of its own, for the classes whose methods block."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._loop.run_forever, name='chapi', daemon=True)
        self._thread.start()

    def start(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Runs a coroutine in the loop; returns at once. Raises ConnectionLost after `stop`."""
        with self._lock:
            if not self._is_stopped:
                return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        coroutine.close()
        raise ConnectionLost('it was stopped', ran='no')

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine in the loop and returns its result. Ctrl-C cancels it."""
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError(
                'this would wait for itself; use AsyncServer and AsyncClient in coroutines')
        future = self.start(coroutine)
        try:
            return future.result()
        except CancelledError:
            if not self._is_stopped:
                raise
            raise ConnectionLost('it was stopped') from None
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """Ends the loop and its thread."""
        with self._lock:
            self._is_stopped = True
            ending = asyncio.run_coroutine_threadsafe(_end_others(), self._loop)
        ending.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _end_others() -> None:
    """Whoever has been told of the end comes to an own one; what then still waits is cancelled."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        _, late = await asyncio.wait(others, timeout=_LINGER)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
