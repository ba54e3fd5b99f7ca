# SPDX-License-Identifier: MIT
"""When a hub that does not take an event wants the next one: Retry-After, of HTTP.

It holds for all that a client publishes. Who waits for how long, and who gives up, is `remote`.
"""
from __future__ import annotations

import email.utils
import threading
import time
from typing import Optional

from .errors import Error

MOST = 86400        # seconds: a hub that says more is not believed


def retry_after(text: str, date: str) -> int:
    """Seconds until the next try, 86400 at most; 0: at once, or text does not say.

    text, date: the headers Retry-After and Date of a refusal, '' for one that is not there. A date
    counts by the hub's own clock, if it says what that shows: ours may be wrong.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), MOST)
    then = date_of(text)
    if then is None:
        return 0
    now = date_of(date)
    return int(max(0, min(then - (time.time() if now is None else now), MOST)))


def date_of(text: str) -> Optional[float]:
    """Seconds since 1970 of a date of HTTP; None: it is none."""
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (IndexError, OverflowError, TypeError, ValueError):
        return None


class Pause:
    """Until when nothing is published, and why. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end = 0.0
        self._why: Optional[Error] = None

    def begin(self, seconds: float, why: Error) -> None:
        """From now on. One that lasts longer already stays as it is.

        why: what the hub refused the event with.
        """
        with self._lock:
            end = time.monotonic() + seconds
            if end > self._end:
                self._end, self._why = end, why

    @property
    def left(self) -> float:
        """Seconds; 0: there is none."""
        return max(0.0, self._end - time.monotonic())

    def refusal(self) -> Error:
        """For what cannot wait until its end, and was not sent: of the class of why (ran: no)."""
        with self._lock:
            why, left = self._why, self.left
        assert why is not None
        return type(why)('not sent, as the hub takes nothing for another %.1f s: %s' % (
            left, why.message), ran='no', details={'retry_after_ms': int(left * 1000) + 1})
