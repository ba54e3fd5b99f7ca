# SPDX-License-Identifier: MIT
"""Threads: those that run functions, and the one with the event loop of the blocking classes."""
from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from concurrent.futures import Future
from typing import Any, Callable, Coroutine, Optional, Tuple, TypeVar

T = TypeVar('T')
_Job = Tuple['Future[Any]', Callable[[], Any]]


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
        self._thread = threading.Thread(target=self._loop.run_forever, name='chapi', daemon=True)
        self._thread.start()

    def start(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Runs a coroutine in the loop; returns at once."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine in the loop and returns its result. Ctrl-C cancels it."""
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError(
                'this would wait for itself; use AsyncServer and AsyncClient in coroutines')
        future = self.start(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """Ends the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
