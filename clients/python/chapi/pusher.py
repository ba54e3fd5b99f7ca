# SPDX-License-Identifier: MIT
"""What servers and clients have in common: handlers of raw events, as in the older library."""
from __future__ import annotations

import functools
import logging
from typing import Callable, List, Optional

from .workers import Workers

Handler = Callable[[str], object]
log = logging.getLogger('chapi')


class Handlers:
    """The handlers of one server or client, and the thread that runs them, one after the other."""

    def __init__(self) -> None:
        self.of_requests: List[Handler] = []
        self.of_responses: List[Handler] = []
        self._thread: Optional[Workers] = None

    def hand_out(self, handlers: List[Handler], data: str) -> None:
        """Has each of the handlers called with data; returns at once."""
        if handlers and self._thread is None:
            self._thread = Workers(1, 'chapi-handlers')
        for handler in handlers:
            assert self._thread is not None
            self._thread.submit(functools.partial(self._guard, handler, data))

    def stop(self) -> None:
        """What was handed out before is still handled."""
        if self._thread is not None:
            self._thread.stop()
            self._thread = None

    @staticmethod
    def _guard(handler: Handler, data: str) -> None:
        try:
            handler(data)
        except Exception:
            log.exception('a handler failed')


class Pusher:
    """Base of all servers and clients: handlers that see requests and responses as JSON text.

    Handlers run one after the other in a thread of their own, so they may call and wait; an
    exception in one is logged. Add them to a server before it starts.

    What a server's handlers see is up to the gateway: the requests and responses of the server's
    functions and, without params, requests to functions that do not exist; all requests and
    responses when its user has the right `monitor`. A remote client's handlers see what goes over
    the channel, a local client's the responses to its `request`.
    """

    def __init__(self, handlers: Optional[Handlers] = None) -> None:
        self._handlers = handlers or Handlers()

    def add_request_handler(self, handler: Handler) -> None:
        """handler(data) is called for each request seen; data is the JSON text of its record:
        'api', 'params' (null where the gateway does not show them), 'request_time', ...
        """
        self._handlers.of_requests.append(handler)

    def add_response_handler(self, handler: Handler) -> None:
        """handler(data) is called for each response seen; data is the JSON text of its record:
        'api', 'params', 'result', 'error' (null, or {code, message, ran}), 'response_time', ...
        """
        self._handlers.of_responses.append(handler)
