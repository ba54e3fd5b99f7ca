# SPDX-License-Identifier: MIT
"""AsyncClient: calls functions, through the local gateway or over the hub. The core of `Client` too."""
from __future__ import annotations

import asyncio
import uuid
from typing import Any, Dict, Optional

from .app import App, Tls
from .errors import DeadlineExceeded
from .local import LocalTransport
from .pusher import Handlers, Pusher
from .records import Response
from .remote import RemoteTransport, default_channel
from .transport import Progress, Transport

TIMEOUT = 30.0          # seconds, for a call that names none
CONNECT_TIMEOUT = 5.0


class AsyncClient(Pusher):
    """Calls functions of other processes.

        async with chapi.AsyncClient() as client:
            print(await client.call('add', a=1, b=2))

    Without credentials it speaks to the gateway of this machine; with credentials it goes over the
    hub, as a phone or a laptop does. It connects by itself, and again after a loss.

    Args:
        app_id, key, secret: of the hub's app, to go over the hub.
        cluster: such as 'eu', or the address of a hub of one's own: 'http://192.168.1.5:6001'.
        channel: the gateway's channel; None: $CHAPI_CHANNEL, else 'chapi'.
        host, port, tls: a hub of one's own; tls: True, False or an ssl.SSLContext.
        socket: path of the local gateway's socket; None: $CHAPI_SOCKET, else the usual places.
        name: a label for people.
        connect_timeout: how long a call waits for the connection, in seconds.
        handlers: those of another object, to be shared.

    Raises:
        ValueError: credentials that are not complete, or an encrypted channel.
        ImportError: calls over a hub need the package websockets.
    """

    def __init__(self, app_id: Optional[str] = None, key: Optional[str] = None, secret: Optional[str] = None,
                 cluster: Optional[str] = None, *, channel: Optional[str] = None, host: Optional[str] = None,
                 port: Optional[int] = None, tls: Tls = True,
                 socket: Optional[str] = None, name: str = 'client', connect_timeout: float = CONNECT_TIMEOUT,
                 handlers: Optional[Handlers] = None) -> None:
        super().__init__(handlers)
        self._transport: Transport
        if app_id and key and secret:
            app = App(app_id, key, secret, cluster, host=host, port=port, tls=tls)
            self._transport = RemoteTransport(
                app, default_channel(channel), name, self._handlers, connect_timeout)
        elif app_id or key or secret:
            raise ValueError('app_id, key and secret are needed to go over the hub')
        else:
            self._transport = LocalTransport(socket, name, self._handlers, connect_timeout)

    # -- life

    async def start(self) -> None:
        """Begins to connect, in the background. Calls do that too."""
        self._transport.start()

    async def stop(self) -> None:
        """Ends the connection; calls under way get ConnectionLost."""
        await self._transport.stop()
        self._handlers.stop()

    async def __aenter__(self) -> AsyncClient:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def wait_ready(self, *apis: str, timeout: Optional[float] = None) -> None:
        """Waits until calls can be made and, if names are given, until all of them are there.

        Args:
            timeout: in seconds; None: for ever.

        Raises:
            ConnectionLost, HubDown: no connection came about in time.
            DeadlineExceeded: a name did not come in time.
            FailedPrecondition, Unauthenticated: the hub refuses the app or the channel.
        """
        try:
            await self._transport.wait_ready(timeout)
            if apis:
                await asyncio.wait_for(self._transport.wait_apis(apis), timeout)
        except asyncio.TimeoutError:
            raise DeadlineExceeded('%s: not there in time' % ', '.join(apis), ran='no') from None

    # -- calls

    async def call(self, api: str, params: Any = None, /, *, timeout: Optional[float] = None,
                   on_progress: Optional[Progress] = None, **more: Any) -> Any:
        """Calls a function and returns its result. A task that is cancelled cancels the call.

        Args:
            api: the function's name.
            params: its params as a dict, for those that are no names in Python or mean something
                else here; usually they are given as keyword arguments.
            timeout: in seconds; None: 30.
            on_progress: on_progress(value) is called with what the function says meanwhile.

        Raises:
            ApiError: the function failed.
            ApiNotFound, InvalidArgument, Busy, DeadlineExceeded, ...: one class for each code, all of
                them `Error`; its `ran` says whether the function was started.
        """
        return (await self.perform(api, merge_params(params, more), timeout=timeout, on_progress=on_progress)).value()

    async def perform(self, api: str, params: Any = None, *, timeout: Optional[float] = None,
                      to: Optional[str] = None, id: Optional[str] = None,
                      on_progress: Optional[Progress] = None) -> Response:
        """Calls a function and returns the whole `Response`, which may hold an error.

        Args:
            api, timeout, on_progress: as of `call`.
            params: any value; None: {}.
            to: the name of the gateway that is meant, for others than the nearest one.
            id: the call's id, 1 to 64 printable ASCII characters; None: a random one. A gateway
                that keeps answers does not run a repeated id twice.

        Raises the `Error` that kept the call from being answered at all.
        """
        return await self._transport.perform(api, {} if params is None else params, id or uuid.uuid4().hex,
                                             TIMEOUT if timeout is None else timeout, to, on_progress)

    async def notify(self, api: str, params: Any = None, /, **more: Any) -> None:
        """Calls a function without waiting for it: returns when the request is handed over."""
        await self._transport.send(api, merge_params(params, more), uuid.uuid4().hex, TIMEOUT, None)

    async def request(self, api: str, /, **params: Any) -> str:
        """Sends a request; the response goes to the handlers of `add_response_handler`.

        Returns the request's id. Raises HubDown and the like when the hub does not take it.
        """
        number = uuid.uuid4().hex
        await self._transport.request(api, params, number)
        return number


def merge_params(params: Any, more: Dict[str, Any]) -> Any:
    """The params of a call given as a value, as keyword arguments, or as a dict and more."""
    if not more:
        return {} if params is None else params
    if params is not None and not isinstance(params, dict):
        raise TypeError('keyword arguments go together with a dict only')
    return {**(params or {}), **more}
