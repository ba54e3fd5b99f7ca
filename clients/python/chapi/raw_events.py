# SPDX-License-Identifier: MIT
"""What the handlers of a server see: events of the gateway, as the older library had them."""
from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Any, Dict, List

from .ipc import Connection
from .pusher import Handler, Handlers
from .values import to_json

ASKED_MAX = 1024        # requests whose params are kept for the handlers of responses
log = logging.getLogger('chapi')


class RawEvents:
    """Turns events of the gateway into what the handlers get."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._asked: OrderedDict[str, Any] = OrderedDict()

    async def watch(self, connection: Connection) -> None:
        """Asks the gateway for events, if there is a handler."""
        if self._handlers.of_requests or self._handlers.of_responses:
            await connection.request('monitor', {'kinds': ['request', 'response'], 'bodies': True})

    def take(self, event: Dict[str, Any]) -> None:
        """An event becomes the record that the older library's handlers read."""
        kind = event.pop('kind', None)
        event['timestamp'] = event.pop('time', None)
        if kind == 'request':
            event.setdefault('params', None)
            self._remember(event)
            self._hand_out(self._handlers.of_requests, event)
        elif kind == 'response':
            event.setdefault('result', None)
            event['params'] = self._asked.pop(event.get('id', ''), None)
            self._hand_out(self._handlers.of_responses, event)
        elif kind == 'lost':
            log.warning('%s events were lost: the handlers are too slow', event.get('count'))

    def _remember(self, event: Dict[str, Any]) -> None:
        if self._handlers.of_responses:
            self._asked[str(event.get('id', ''))] = event['params']
            if len(self._asked) > ASKED_MAX:
                self._asked.popitem(last=False)

    def _hand_out(self, handlers: List[Handler], event: Dict[str, Any]) -> None:
        try:
            data = to_json(event)
        except (TypeError, ValueError) as e:
            log.warning('an event of %s that JSON cannot express: %s', event.get('api'), e)
        else:
            self._handlers.hand_out(handlers, data)
