# SPDX-License-Identifier: MIT
"""A request to a gateway as it goes over the hub: the first time as it is, then as a repeat, which
says so and for how long the first one has been out.

What is said of time is written when it is sent: an older one tells too little. How it is
published, and when again, is `remote`.
"""
from __future__ import annotations

import functools
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from . import parts
from .errors import DeadlineExceeded, InvalidArgument, TooLarge
from .values import to_json

ANY_AGE_MS = 2 ** 53    # of a first try that may have been made at any time
Write = Callable[[], str]   # the text of an event, when it is sent


class Since:
    """How long ago it was made. The even clock stands still while the machine sleeps, and the other
    one may be set: the one that shows more counts.
    """

    def __init__(self) -> None:
        self._even, self._date = time.monotonic(), time.time()

    def seconds(self) -> float:
        return max(time.monotonic() - self._even, time.time() - self._date)


class Again:
    """What a repeat says.

    begun: when the first try went out, None if that is not known. end: of its time, on the even
    clock, None of one that is the first for us.
    """

    def __init__(self, instance: str, begun: Optional[Since] = None,
                 end: Optional[float] = None) -> None:
        self.instance, self.begun, self.end = instance, begun, end

    def fields(self) -> Dict[str, Any]:
        return {'retry': self.instance,
                'retry_ms': ANY_AGE_MS if self.begun is None else milliseconds(self.begun.seconds())}

    def timeout(self) -> Dict[str, int]:
        """What is left."""
        if self.end is None:
            return {}
        if time.monotonic() >= self.end:
            raise DeadlineExceeded('its time is over', ran='unknown')
        return {'timeout_ms': milliseconds(self.end - time.monotonic())}


class Request:
    """A request as JSON; its params are those of the time when it was made. Raises InvalidArgument
    or TooLarge.
    """

    def __init__(self, head: Dict[str, Any], params: Any) -> None:
        self.number, self.api, self._head = head['id'], head['api'], head
        try:
            self._params = to_json(params)
            size = len(self.text().encode())
        except (TypeError, ValueError) as e:
            raise InvalidArgument('params that JSON cannot express: %s' % e) from e
        if size > parts.RECORD_MAX:
            raise TooLarge('a request of %d bytes; at most %d go over a hub'
                           % (size, parts.RECORD_MAX),
                           details={'size': size, 'limit': parts.RECORD_MAX})

    def text(self, **more: Any) -> str:
        return '%s,"params":%s}' % (to_json({**self._head, **more})[:-1], self._params)

    def write(self, event_max: int, again: Optional[Again]) -> Tuple[str, List[Write]]:
        """The name of its events, and what writes them. Parts stay as they were but for what a
        repeat says, so that those of both times make up for each other.
        """
        text = self.text()
        if len(text.encode()) + parts.AGAIN_MAX > event_max:
            pieces = parts.split(self.number, text, event_max, self._head.get('to'))
            return 'request-part', [functools.partial(_part, p, again) for p in pieces]
        return 'request', [functools.partial(self._whole, again)]

    def _whole(self, again: Optional[Again]) -> str:
        return self.text() if again is None else self.text(**again.timeout(), **again.fields())


def _part(text: str, again: Optional[Again]) -> str:
    return text if again is None else parts.say_again(text, {**again.timeout(), **again.fields()})


def milliseconds(seconds: float) -> int:
    """As a record has a time: above 0."""
    return max(1, int(seconds * 1000))
