# SPDX-License-Identifier: MIT
"""A call as the function that serves it sees it."""
from __future__ import annotations

import contextvars
import threading
from typing import Any, Callable, Optional

from .records import Request


class Call:
    """A call that is being served; `current_call()` gives it to the function that serves it.

    Attributes:
        request: who asks for what, a `Request`.
    """

    def __init__(self, request: Request, send_progress: Optional[Callable[[Any], None]]) -> None:
        self.request = request
        self._send_progress = send_progress
        self._cancelled = threading.Event()

    def progress(self, value: Any) -> None:
        """Tells the caller how far it is: any value. Does nothing for a caller that did not ask."""
        if self._send_progress is not None:
            self._send_progress(value)

    @property
    def cancelled(self) -> bool:
        """Whether the caller has gone or its time has passed: nobody waits for the result.

        A function that takes long looks at it now and then. Coroutines need not: they are
        cancelled.
        """
        return self._cancelled.is_set()

    def wait_cancelled(self, timeout: Optional[float] = None) -> bool:
        """Sleeps for timeout seconds, or until the call is cancelled; then True."""
        return self._cancelled.wait(timeout)

    def cancel(self) -> None:
        """Marks it as cancelled; for the library."""
        self._cancelled.set()


_current: contextvars.ContextVar[Call] = contextvars.ContextVar('chapi_call')


def current_call() -> Call:
    """The call that the running function serves. Raises LookupError outside of one."""
    return _current.get()


def set_current_call(call: Call) -> None:
    """For the library, in the context that the function will run in."""
    _current.set(call)
