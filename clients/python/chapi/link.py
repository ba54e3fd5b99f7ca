# SPDX-License-Identifier: MIT
"""Keeps a connection to the local gateway: opens it, says hello, opens it again when it is gone."""
from __future__ import annotations

import asyncio
import logging
import random
from typing import Any, Awaitable, Callable, Dict, Optional

from .errors import ConnectionLost, Error, FailedPrecondition, VersionMismatch
from .ipc import Connection, NotificationHandler, RequestHandler
from .ready import Ready
from .tasks import end_task
from .version import PROTOCOL, VERSION

BACKOFF_LEAST = 0.05        # seconds
BACKOFF_MOST = 3.0
log = logging.getLogger('chapi')


class Link:
    """`on_up` is awaited with each new connection, before anybody else gets it."""

    def __init__(self, path: str, client: str, app_key: Optional[str], *,
                 on_request: RequestHandler, on_notification: NotificationHandler,
                 on_up: Callable[[Connection], Awaitable[None]]) -> None:
        self._path = path
        self._hello: Dict[str, Any] = {'client': client, 'version': VERSION, 'protocol': PROTOCOL}
        if app_key:
            self._hello['app_key'] = app_key
        self._on_request = on_request
        self._on_notification = on_notification
        self._on_up = on_up
        self._task: Optional[asyncio.Task[None]] = None
        self._ready = Ready()
        self._connection: Optional[Connection] = None
        self._why_not = 'not tried yet'
        self.has_been_up = False         # before the present connection

    def start(self) -> None:
        """Begins to connect, in the background. A second call does nothing.

        Nor does one after `stop`.
        """
        if self._task is None and self._ready.refusal is None:
            self._ready.begin()
            self._task = asyncio.ensure_future(self._keep())

    async def stop(self) -> None:
        """Ends the connection for good: whoever waits for one, or will, gets ConnectionLost."""
        await end_task(self._task)
        self._ready.refuse(ConnectionLost('the connection to %s was ended by stop(); make another '
                                          'object for a new one' % self._path, ran='no'))

    @property
    def connection(self) -> Optional[Connection]:
        """The connection, or None while there is none."""
        return self._connection

    async def wait(self, timeout: Optional[float] = None) -> Connection:
        """Waits for a connection; timeout in seconds, None for ever.

        Raises ConnectionLost (ran: no) when none comes or after `stop`, and what the gateway said
        when it refused the hello.
        """
        self.start()
        try:
            while self._connection is None:
                await self._ready.wait(timeout)
        except asyncio.TimeoutError:
            raise ConnectionLost('no gateway at %s: %s' % (self._path, self._why_not),
                                 ran='no') from None
        return self._connection

    async def wait_ended(self) -> None:
        """Returns after `stop`. When the gateway refuses us, raises what it said.

        For after `wait`.
        """
        assert self._task is not None
        await asyncio.wait([self._task])
        if self._task.cancelled():
            return
        self._task.result()         # a mistake of ours is raised too
        if self._ready.refusal is not None:
            raise self._ready.refusal

    async def _keep(self) -> None:
        delay = BACKOFF_LEAST
        while True:
            try:
                await self._live()
                delay = BACKOFF_LEAST
            except (FailedPrecondition, VersionMismatch) as e:
                self._ready.refuse(e)
                return
            except (OSError, Error) as e:
                if self._why_not != str(e):
                    log.warning('no gateway at %s: %s; trying again', self._path, e)
                self._why_not = str(e)
            await asyncio.sleep(delay * random.uniform(0.5, 1))
            delay = min(delay * 2, BACKOFF_MOST)

    async def _live(self) -> None:
        """The life of one connection; raises what kept it from coming up."""
        connection = await Connection.open(self._path, self._on_request, self._on_notification)
        reading = asyncio.ensure_future(connection.read())
        try:
            await connection.request('hello', self._hello)
            await self._on_up(connection)
            self._connection = connection
            self._why_not = 'it went away'
            self._ready.come()
            self.has_been_up = True
            await reading
            log.warning('the gateway at %s went away; connecting again', self._path)
        finally:
            self._connection = None
            self._ready.go()
            connection.close()
            await asyncio.wait([reading])
