# SPDX-License-Identifier: MIT
"""Keeps a connection to the local gateway: opens it, says hello, opens it again when it is gone."""
from __future__ import annotations

import asyncio
import logging
import random
from typing import Any, Awaitable, Callable, Dict, Optional

from .errors import ConnectionLost, Error, FailedPrecondition, VersionMismatch
from .ipc import Connection, NotificationHandler, RequestHandler
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
        # Set: there is a connection, or never will be.
        self._settled: Optional[asyncio.Event] = None
        self._connection: Optional[Connection] = None
        self._refusal: Optional[Error] = None
        self._why_not = 'not tried yet'
        self.has_been_up = False         # before the present connection

    def start(self) -> None:
        """Begins to connect, in the background. A second call does nothing."""
        if self._task is None:
            self._settled = asyncio.Event()
            self._task = asyncio.ensure_future(self._keep())

    async def stop(self) -> None:
        """Ends the connection for good."""
        await end_task(self._task)

    @property
    def connection(self) -> Optional[Connection]:
        """The connection, or None while there is none."""
        return self._connection

    async def wait(self, timeout: Optional[float] = None) -> Connection:
        """Waits for a connection; timeout in seconds, None for ever.

        Raises ConnectionLost (ran: no) when none comes, and what the gateway said when it
        refused the hello.
        """
        self.start()
        assert self._settled is not None
        try:
            if not self._settled.is_set():
                await asyncio.wait_for(self._settled.wait(), timeout)
        except asyncio.TimeoutError:
            raise ConnectionLost('no gateway at %s: %s' % (self._path, self._why_not),
                                 ran='no') from None
        if self._refusal is not None:
            raise self._refusal
        assert self._connection is not None
        return self._connection

    async def wait_ended(self) -> None:
        """Waits until the gateway refuses us, and raises what it said."""
        self.start()
        assert self._task is not None
        await asyncio.shield(self._task)
        if self._refusal is not None:
            raise self._refusal

    async def _keep(self) -> None:
        delay = BACKOFF_LEAST
        while True:
            try:
                await self._live()
                delay = BACKOFF_LEAST
            except (FailedPrecondition, VersionMismatch) as e:
                self._refuse(e)
                return
            except (OSError, Error) as e:
                if self._why_not != str(e):
                    log.warning('no gateway at %s: %s; trying again', self._path, e)
                self._why_not = str(e)
            await asyncio.sleep(delay * random.uniform(0.5, 1))
            delay = min(delay * 2, BACKOFF_MOST)

    async def _live(self) -> None:
        """The life of one connection; raises what kept it from coming up."""
        assert self._settled is not None
        connection = await Connection.open(self._path, self._on_request, self._on_notification)
        reading = asyncio.ensure_future(connection.read())
        try:
            await connection.request('hello', self._hello)
            await self._on_up(connection)
            self._connection = connection
            self._why_not = 'it went away'
            self._settled.set()
            self.has_been_up = True
            await reading
            log.warning('the gateway at %s went away; connecting again', self._path)
        finally:
            self._connection = None
            self._settled.clear()
            connection.close()
            await asyncio.wait([reading])

    def _refuse(self, error: Error) -> None:
        assert self._settled is not None
        self._refusal = error
        self._settled.set()
