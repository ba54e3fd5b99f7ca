# SPDX-License-Identifier: MIT
"""AsyncClient: calls functions, through the local gateway or over the hub.

The core of `Client` too.
"""
from __future__ import annotations

import asyncio
import math
import uuid
from typing import Any, Dict, List, Optional, Sequence

from .app import App, MasterKey, Tls
from .errors import DeadlineExceeded, InvalidArgument
from .local import LocalTransport
from .monitor import AsyncMonitor, monitor_options
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
        encryption_master_key: for a channel private-encrypted-...: 32 bytes, or their base64 text.
        name: a label for people.
        connect_timeout: how long a call waits for the connection, in seconds.
        handlers: those of another object, to be shared.

    Raises:
        ValueError: credentials that are not complete, or an encrypted channel without its key.
        ImportError: calls over a hub need the package websockets, encrypted channels PyNaCl.
    """

    def __init__(self, app_id: Optional[str] = None, key: Optional[str] = None,
                 secret: Optional[str] = None, cluster: Optional[str] = None, *,
                 channel: Optional[str] = None, host: Optional[str] = None,
                 port: Optional[int] = None, tls: Tls = True,
                 encryption_master_key: Optional[MasterKey] = None,
                 socket: Optional[str] = None, name: str = 'client',
                 connect_timeout: float = CONNECT_TIMEOUT,
                 handlers: Optional[Handlers] = None) -> None:
        super().__init__(handlers)
        self._transport: Transport
        if app_id and key and secret:
            app = App(app_id, key, secret, cluster, host=host, port=port, tls=tls,
                      encryption_master_key=encryption_master_key)
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
        """Ends the connection, for good; calls under way, and later ones, get ConnectionLost."""
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
            ApiNotFound, InvalidArgument, Busy, DeadlineExceeded, ...: one class for each code,
                all of them `Error`; its `ran` says whether the function was started.
        """
        response = await self.perform(api, merge_params(params, more), timeout=timeout,
                                      on_progress=on_progress)
        return response.value()

    async def perform(self, api: str, params: Any = None, *, timeout: Optional[float] = None,
                      to: Optional[str] = None, id: Optional[str] = None,
                      retry: Optional[str] = None,
                      on_progress: Optional[Progress] = None) -> Response:
        """Calls a function and returns the whole `Response`, which may hold an error.

        Args:
            api, timeout, on_progress: as of `call`.
            params: any value; None: {}.
            to: the name of the gateway that is meant, for others than the nearest one.
            id: the call's id, 1 to 64 printable ASCII characters; None: a random one. Over the hub
                a repeated id is not run again: it gets the answer of the first call.
            retry: this is a repeat over the hub: the `Response.instance` of the gateway that the
                first try went to, '' if that is not known. A gateway that has started since then
                answers FailedPrecondition (ran: unknown) instead of running it.

        Raises the `Error` that kept the call from being answered at all; that of a repeat never
        says ran: no, as the first try may have run.
        """
        return await self._transport.perform(
            api, {} if params is None else params, id or uuid.uuid4().hex,
            _checked(timeout), to, on_progress, retry)

    async def notify(self, api: str, params: Any = None, /, **more: Any) -> None:
        """Calls a function without waiting for it: returns when the request is handed over.

        Raises the `Error` that kept it from that; ran: unknown, if that is in doubt.
        """
        await self._transport.send(api, merge_params(params, more), uuid.uuid4().hex, TIMEOUT, None)

    async def request(self, api: str, /, **params: Any) -> str:
        """Sends a request; the response goes to the handlers of `add_response_handler`.

        Returns the request's id. Raises HubDown and the like when the hub does not take it.
        """
        number = uuid.uuid4().hex
        await self._transport.request(api, params, number)
        return number

    # -- what else a gateway does

    async def apis(self, pattern: str = '*') -> List[Dict[str, Any]]:
        """The functions there are, sorted by name: name, summary, state, policy, visibility, ..."""
        records: List[Dict[str, Any]] = await self._transport.ask('list', pattern=pattern)
        return records

    async def describe(self, name: str) -> Dict[str, Any]:
        """All about one function: description, params and result too. Raises ApiNotFound."""
        record: Dict[str, Any] = await self._transport.ask('describe', name=name)
        return record

    async def status(self) -> Dict[str, Any]:
        """How the gateway is: version, uptime, calls, counters, the connection to the hub, ..."""
        record: Dict[str, Any] = await self._transport.ask('status')
        return record

    async def publish(self, channel: str, event: str, data: Any) -> None:
        """Publishes an event of one's own through the hub; back when the hub has it.

        A text as data goes out as it is, any other value as JSON. It is never tried again.

        Raises:
            InvalidArgument: a name that is the hub's own, or data that JSON cannot express.
            PermissionDenied: the local gateway's policy.
            HubDown, FailedPrecondition, ...: the hub cannot be reached, or refuses it.
        """
        await self._transport.publish(channel, event, data)

    async def monitor(self, kinds: Optional[Sequence[str]] = None, apis: Optional[str] = None,
                      bodies: bool = False) -> AsyncMonitor:
        """Watches the gateway of this machine; from the return on, nothing is missed.

            async with await client.monitor(['request', 'response']) as events:
                async for event in events:
                    print(event['kind'], event['api'])

        Args:
            kinds: of 'request', 'response', 'api', 'peer', 'hub'; None: all.
            apis: a pattern of names, such as 'lights.*'; None: all.
            bodies: with params and results.

        Raises FailedPrecondition for a client that goes over the hub, and PermissionDenied.
        """
        return AsyncMonitor(await self._transport.monitor(monitor_options(kinds, apis, bodies)))


def _checked(timeout: Optional[float]) -> float:
    """The seconds that a call has."""
    if timeout is None:
        return TIMEOUT
    if not 0 <= timeout < math.inf:
        raise InvalidArgument('timeout is to be a number of seconds, not %r' % timeout)
    return timeout


def merge_params(params: Any, more: Dict[str, Any]) -> Any:
    """The params of a call given as a value, as keyword arguments, or as a dict and more."""
    if not more:
        return {} if params is None else params
    if params is not None and not isinstance(params, dict):
        raise TypeError('keyword arguments go together with a dict only')
    return {**(params or {}), **more}
