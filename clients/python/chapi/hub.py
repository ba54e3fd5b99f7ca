# SPDX-License-Identifier: MIT
"""One channel of a hub: the WebSocket, its subscription, and both again after a loss.

How a connection ended says when to try again: 4000 to 4099 never with the same settings (4004,
too many connections, after a minute), 4200 to 4299 at once, all else with growing waits.
"""
from __future__ import annotations

import asyncio
import json
import logging
import random
from typing import Any, Callable, Dict, Optional

from .app import App
from .crypto import Seal, is_encrypted
from .errors import ConnectionLost, Error, FailedPrecondition, HubDown, Unauthenticated
from .ready import Ready
from .tasks import end_task

try:
    import websockets
except ImportError:
    websockets = None       # type: ignore[assignment]

PING_MOST = 30.0            # seconds between pings; the hub may ask for less
PONG_WAIT = 20.0            # seconds of silence after a ping that end the connection
OPEN_TIMEOUT = 15.0         # seconds until connected, and again until subscribed
BACKOFF_LEAST = 0.5
BACKOFF_MOST = 30.0
QUOTA_WAIT = 60.0
FRAME_MAX = 1 << 20
OVER_QUOTA = 4004
REFUSALS = ('pusher:error', 'pusher:subscription_error', 'pusher_internal:subscription_error')
log = logging.getLogger('chapi')


class _Lost(Exception):
    """The connection ended; code 1006: without saying why."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__('closed with %d %s' % (code, reason))
        self.code = code


class Hub:
    """on_event(event, data) gets the channel's events; data as it came, mostly JSON text.

    on_up() is called at each subscription.
    """

    def __init__(self, app: App, channel: str, on_event: Callable[[str, Any], None],
                 on_up: Callable[[], None]) -> None:
        if websockets is None:
            raise ImportError('the package websockets is needed for calls over a hub: '
                              'pip install chapi[remote]')
        self.app = app
        self.channel = channel
        self._on_event = on_event
        self._on_up = on_up
        self._seal = Seal(channel, app.encryption_master_key) if is_encrypted(channel) else None
        self._task: Optional[asyncio.Task[None]] = None
        self._ready = Ready()                            # subscribed
        self._why_not = 'not tried yet'
        self.socket_id: Optional[str] = None             # None: not subscribed

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
        self._ready.refuse(ConnectionLost('the connection to the hub was ended by stop(); make '
                                          'another object for a new one', ran='no'))

    async def wait(self, timeout: Optional[float] = None) -> None:
        """Waits until the channel is subscribed; timeout in seconds, None for ever.

        Raises HubDown (ran: no) when that does not come about, ConnectionLost (ran: no) after
        `stop`, and FailedPrecondition or Unauthenticated when the hub refused the app or the
        channel.
        """
        self.start()
        try:
            await self._ready.wait(timeout)
        except asyncio.TimeoutError:
            raise HubDown('no connection to the hub: %s' % self._why_not) from None

    # -- connections, one after the other

    async def _keep(self) -> None:
        delay = BACKOFF_LEAST
        while True:
            wait = delay
            try:
                await self._live()
            except Error as e:
                self._refuse(e)
                return
            except _Lost as e:
                self._note(e)
                if e.code == OVER_QUOTA:
                    wait = QUOTA_WAIT
                elif 4000 <= e.code < 4100:
                    self._refuse(FailedPrecondition('the hub refuses the connection: %s' % e))
                    return
                elif 4200 <= e.code < 4300:
                    wait = min(delay, 2 * BACKOFF_LEAST)
            except (OSError, asyncio.TimeoutError, websockets.WebSocketException) as e:
                self._note(e)
            delay = BACKOFF_LEAST if self.socket_id is not None else min(delay * 2, BACKOFF_MOST)
            self._go_down()
            await asyncio.sleep(wait * random.uniform(0.5, 1))

    def _note(self, why: BaseException) -> None:
        text = str(why) or type(why).__name__
        if text != self._why_not:
            log.warning('the connection to the hub: %s; connecting again', text)
        self._why_not = text

    def _go_down(self) -> None:
        self.socket_id = None
        self._ready.go()

    def _refuse(self, error: Error) -> None:
        log.error('%s', error)
        self.socket_id = None
        self._ready.refuse(error)

    async def _live(self) -> None:
        """The life of one connection; ends with an exception."""
        ws = await websockets.connect(
            self.app.socket_url, ssl=self.app.ssl_context, compression=None, max_size=FRAME_MAX,
            ping_interval=None, open_timeout=OPEN_TIMEOUT, close_timeout=1)
        pinging: Optional[asyncio.Task[None]] = None
        try:
            socket_id, interval = await asyncio.wait_for(self._establish(ws), OPEN_TIMEOUT)
            pinging = asyncio.ensure_future(self._ping(ws, interval))
            await asyncio.wait_for(self._subscribe(ws, socket_id), OPEN_TIMEOUT)
            self._come_up(socket_id)
            while True:
                event = await asyncio.wait_for(self._receive(ws), interval + PONG_WAIT)
                await self._take(ws, event)
        finally:
            if pinging is not None:
                pinging.cancel()
            await ws.close()

    def _come_up(self, socket_id: str) -> None:
        self.socket_id = socket_id
        self._why_not = 'it went away'
        self._ready.come()
        self._on_up()

    async def _establish(self, ws: Any) -> Any:
        """(socket_id, seconds between pings). An error before it counts as the connection's end."""
        while True:
            event = await self._receive(ws)
            data = _protocol_data(event)
            if event['event'] == 'pusher:error':
                raise _Lost(data.get('code') or 1006, str(data.get('message', '')))
            if event['event'] == 'pusher:connection_established':
                interval = data.get('activity_timeout') or PING_MOST
                return str(data['socket_id']), min(PING_MOST, interval)

    async def _subscribe(self, ws: Any, socket_id: str) -> None:
        data = {'channel': self.channel}
        if self.channel.startswith('private-'):
            data['auth'] = self.app.channel_auth(socket_id, self.channel)
        await _send(ws, 'pusher:subscribe', data)
        while True:
            event = await self._receive(ws)
            if event['event'] == 'pusher_internal:subscription_succeeded':
                return
            if event['event'] in REFUSALS:
                raise Unauthenticated(
                    'the hub refuses channel %s: %s' % (self.channel, event.get('data')))
            await self._take(ws, event)

    async def _ping(self, ws: Any, interval: float) -> None:
        """Whatever else goes over the connection: some servers count nothing but this."""
        while True:
            await asyncio.sleep(interval)
            try:
                await _send(ws, 'pusher:ping', {})
            except websockets.WebSocketException:
                return      # the reader finds the end too

    async def _receive(self, ws: Any) -> Dict[str, Any]:
        """The next event; what is none is passed over."""
        while True:
            try:
                event = json.loads(await ws.recv())
            except websockets.ConnectionClosed as e:
                code, reason = (e.rcvd.code, e.rcvd.reason) if e.rcvd else (1006, 'without a word')
                raise _Lost(code, reason) from e
            except ValueError:
                continue
            if isinstance(event, dict) and isinstance(event.get('event'), str):
                return event

    async def _take(self, ws: Any, event: Dict[str, Any]) -> None:
        name = event['event']
        if name == 'pusher:ping':
            await _send(ws, 'pusher:pong', {})
        elif name == 'pusher:error':
            log.warning('the hub says: %s', event.get('data'))
        elif name.startswith(('pusher:', 'pusher_internal:')):
            return
        elif event.get('channel') == self.channel:
            self._hand_on(name, event.get('data'))

    def _hand_on(self, name: str, data: Any) -> None:
        if self._seal is not None:
            try:
                data = self._seal.open(data)
            except ValueError as e:
                log.warning('an event on %s that cannot be read: %s', self.channel, e)
                return
        self._on_event(name, data)


async def _send(ws: Any, event: str, data: Dict[str, Any]) -> None:
    await ws.send(json.dumps({'event': event, 'data': data}))


def _protocol_data(event: Dict[str, Any]) -> Dict[str, Any]:
    """Servers differ in whether data of their own events is an object or its text."""
    data = event.get('data')
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError:
            data = None
    return data if isinstance(data, dict) else {}
