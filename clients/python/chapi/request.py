# SPDX-License-Identifier: MIT
"""A request to a gateway as it goes over the hub: the first time as it is, then as a repeat, which
says so and for how long the first one has been out.

What is said of time is written when it is sent: an older one tells too little. How it is
published, and when again, is `remote`.
"""
from __future__ import annotations

import time
from typing import Any, Dict, List, Optional

from . import parts
from .errors import InvalidArgument, TooLarge
from .values import to_json

ANY_AGE_MS = 2 ** 53    # of a first try that may have been made at any time


class Since:
    """How long ago it was made. The even clock stands still while the machine sleeps, and the other
    one may be set: the one that shows more counts.
    """

    def __init__(self) -> None:
        self._even, self._date = time.monotonic(), time.time()

    def seconds(self) -> float:
        return max(time.monotonic() - self._even, time.time() - self._date)


class Request:
    """A request as JSON; its params are those of the time when it was made. Raises InvalidArgument
    or TooLarge.

    event_max: bytes of an event's text; what has more goes in parts.
    """

    def __init__(self, head: Dict[str, Any], params: Any, event_max: int) -> None:
        self.api, self._head = head['api'], head
        self.is_repeat = False
        self._instance = ''
        self._begun: Optional[Since] = None
        self._end = 0.0
        try:
            self._params = to_json(params)
            text = self._text()
        except (TypeError, ValueError) as e:
            raise InvalidArgument('params that JSON cannot express: %s' % e) from e
        is_whole = len(_checked(text)) + parts.AGAIN_MAX <= event_max
        self._parts = None if is_whole else parts.split(head['id'], text, event_max, head.get('to'))

    def begin(self, timeout: float, instance: str, retry: Optional[str] = None) -> None:
        """It goes out now, and has timeout seconds.

        instance: of the gateway that it goes to, as far as known: one that was started since must
        not run what is a repeat. retry: it is a repeat from the first on, of one that went to that
        instance, at a time that is not known.
        """
        self.is_repeat = retry is not None
        self._instance = instance if retry is None else retry
        self._begun = Since() if retry is None else None
        self._end = time.monotonic() + timeout

    @property
    def left(self) -> float:
        """Seconds until its time is over; below 0 since then."""
        return self._end - time.monotonic()

    @property
    def event(self) -> str:
        """The name of its events."""
        return 'request' if self._parts is None else 'request-part'

    def __len__(self) -> int:
        """How many events it is."""
        return 1 if self._parts is None else len(self._parts)

    def write(self, i: int, n: int) -> List[str]:
        """The texts of n events from the i-th on, or of those there are, as they are now.

        Parts stay as they were but for what a repeat says, so that those of both times make up for
        each other.
        """
        if self._parts is None:
            return [self._text(**self._again()) if self.is_repeat else self._text()]
        pieces = self._parts[i:i + n]
        return [parts.say_again(p, self._again()) for p in pieces] if self.is_repeat else pieces

    def _text(self, **more: Any) -> str:
        return '%s,"params":%s}' % (to_json({**self._head, **more})[:-1], self._params)

    def _again(self) -> Dict[str, Any]:
        return {'retry': self._instance,
                'retry_ms': ANY_AGE_MS if self._begun is None
                else milliseconds(self._begun.seconds()),
                'timeout_ms': milliseconds(self.left)}


def _checked(text: str) -> bytes:
    data = text.encode()
    if len(data) > parts.RECORD_MAX:
        raise TooLarge('a request of %d bytes; at most %d go over a hub'
                       % (len(data), parts.RECORD_MAX),
                       details={'size': len(data), 'limit': parts.RECORD_MAX})
    return data


def milliseconds(seconds: float) -> int:
    """As a record has a time: above 0."""
    return max(1, int(seconds * 1000))
