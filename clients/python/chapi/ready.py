# SPDX-License-Identifier: MIT
"""Whether a connection that is made again and again is there, for those who wait for it."""
from __future__ import annotations

import asyncio
from typing import Optional

from .errors import Error


class Ready:
    """There is a connection, or not now, or never will be: then `refusal` says why."""

    def __init__(self) -> None:
        self.refusal: Optional[Error] = None
        self._event: Optional[asyncio.Event] = None     # set: there is one, or never will be

    def begin(self) -> None:
        """Before Python 3.10 an event belongs to the loop it was made in: so not before this."""
        self._event = asyncio.Event()

    def come(self) -> None:
        """There is a connection now."""
        assert self._event is not None
        self._event.set()

    def go(self) -> None:
        """There is none now."""
        assert self._event is not None
        self._event.clear()

    def refuse(self, error: Error) -> None:
        """There never will be one. Only the first reason counts."""
        self.refusal = self.refusal or error
        if self._event is not None:
            self._event.set()

    async def wait(self, timeout: Optional[float]) -> None:
        """Waits until there is one; timeout in seconds, None for ever.

        Raises the refusal, and asyncio.TimeoutError.
        """
        if self._event is not None and not self._event.is_set():
            await asyncio.wait_for(self._event.wait(), timeout)
        if self.refusal is not None:
            raise self.refusal
