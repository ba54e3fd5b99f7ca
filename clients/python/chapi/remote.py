# SPDX-License-Identifier: MIT
"""Calls over the hub: requests are published through its HTTP API, responses come over a WebSocket.

A hub delivers at most once, a connection that was lost has lost what went over it meanwhile, and
of what the hub was to publish it may not say whether it did. So a call is repeated, with its id:
when that is in doubt, when the connection is back, and when half of its time is gone. The gateway
does not run it again, and gives once more the answer that it gave already.
"""
from __future__ import annotations

import asyncio
import functools
import json
import logging
import os
import re
import time
import uuid
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Set

from . import parts
from .app import BATCH_MAX, PUBLISH_TIMEOUT, App
from .crypto import is_encrypted, text_max
from .errors import (ApiNotFound, Busy, ConnectionLost, DeadlineExceeded, Error,
                     FailedPrecondition, HubDown, InvalidArgument, RateLimited)
from .hub import Hub
from .pusher import Handlers
from .records import Response
from .request import Request, milliseconds
from .tasks import end_task
from .transport import EventMonitor, Progress
from .values import from_json, to_json
from .workers import Workers

ANSWER_WAIT = 2.0       # seconds beyond the call's timeout: its answer has a way to go
PUBLISHERS = 4          # requests to the hub's HTTP API at a time
PUBLISH_AGAIN = 0.5     # seconds after a try that the hub did not take, or may not have
BACK_AGAIN = 2.0        # seconds after the repeat that follows a reconnect: one more
POLL = 1.0              # seconds between questions whether a function is there
ASK_TIMEOUT = 10.0
GATEWAYS_MAX = 64
INSTANCE = re.compile('[ -~]{1,64}')
CANNOT_SAY = (Busy, DeadlineExceeded, HubDown, RateLimited)     # whether a function is there
RESERVED = ('pusher:', 'pusher_internal:', 'client-')
Write = Callable[[], List[str]]     # the texts of events, when they are sent
log = logging.getLogger('chapi')


def default_channel(channel: Optional[str]) -> str:
    """The argument, else $CHAPI_CHANNEL, else the one that the older library used."""
    return channel or os.environ.get('CHAPI_CHANNEL') or 'chapi'


@dataclass
class _Waiting:
    """A call whose answer has not come yet."""
    answer: asyncio.Future[Response]
    on_progress: Optional[Progress]
    assembly: parts.Assembly
    is_back: asyncio.Event      # the connection was lost, and is there again


class RemoteTransport:
    """See `Transport`. connect_timeout: how long a call waits for the hub, in seconds."""

    def __init__(self, app: App, channel: str, label: str, handlers: Handlers,
                 connect_timeout: float) -> None:
        self._hub = Hub(app, channel, self._take_event, self._come_back)
        self._event_max = text_max(parts.EVENT_MAX) if is_encrypted(channel) else parts.EVENT_MAX
        self._instances: Dict[str, str] = {}    # of the gateways heard of, by name
        self._label = label
        self._handlers = handlers
        self._connect_timeout = connect_timeout
        self._publishers: Optional[Workers] = None
        self._is_stopped = False
        self._stopping: Optional[asyncio.Event] = None  # made where there is a loop
        self._waiting: Dict[str, _Waiting] = {}
        self._cancels: Set[asyncio.Task[None]] = set()

    def start(self) -> None:
        if not self._is_stopped:
            self._publishers = self._publishers or Workers(PUBLISHERS, 'chapi-publisher')
            self._stopping = self._stopping or asyncio.Event()
        self._hub.start()

    async def stop(self) -> None:
        for waiting in self._waiting.values():
            if not waiting.answer.done():
                waiting.answer.set_exception(ConnectionLost('the client was stopped'))
        if self._cancels:
            await asyncio.wait(self._cancels, timeout=self._connect_timeout)
        await self._hub.stop()
        self._is_stopped = True
        if self._publishers is not None:
            self._publishers.stop()
            self._publishers = None
        if self._stopping is not None:
            self._stopping.set()

    async def wait_ready(self, timeout: Optional[float]) -> None:
        self.start()
        await self._hub.wait(timeout)

    async def wait_apis(self, apis: Sequence[str]) -> None:
        for api in apis:
            while not await self._is_there(api):
                await asyncio.sleep(POLL)

    async def _is_there(self, api: str) -> bool:
        try:
            response = await self.perform('chapi.describe', {'name': api}, uuid.uuid4().hex,
                                          ASK_TIMEOUT, None, None)
        except CANNOT_SAY:
            return False
        return not isinstance(response.error, (ApiNotFound, *CANNOT_SAY))

    async def send(self, api: str, params: Any, number: str, timeout: float,
                   to: Optional[str]) -> None:
        request = self._make(api, params, number, timeout, to)
        await self.wait_ready(self._connect_timeout)
        request.begin(timeout, self._instance(to))
        await self._deliver(request)

    async def request(self, api: str, params: Dict[str, Any], number: str) -> None:
        request = self._make(api, params, number, echo=True)
        await self.wait_ready(self._connect_timeout)
        request.begin(PUBLISH_TIMEOUT, '')
        for i in range(0, len(request), BATCH_MAX):
            await self._publish_some(request, i)

    async def ask(self, method: str, **params: Any) -> Any:
        return (await self.perform('chapi.' + method, params, uuid.uuid4().hex, ASK_TIMEOUT, None,
                                   None)).value()

    async def publish(self, channel: str, event: str, data: Any) -> None:
        if event.startswith(RESERVED):
            raise InvalidArgument(
                '%s: names that begin with %s are not for users' % (event, ', '.join(RESERVED)))
        try:
            text = data if isinstance(data, str) else to_json(data)
        except (TypeError, ValueError) as e:
            raise InvalidArgument('data that JSON cannot express: %s' % e) from e
        await self._publish(channel, event, lambda: [text], None, _since_now(PUBLISH_TIMEOUT))

    async def monitor(self, options: Dict[str, Any]) -> EventMonitor:
        raise FailedPrecondition('only the gateway of this machine can be monitored, '
                                 'by Client() without credentials')

    async def perform(self, api: str, params: Any, number: str, timeout: float, to: Optional[str],
                      on_progress: Optional[Progress], retry: Optional[str] = None) -> Response:
        if number in self._waiting:
            raise InvalidArgument('a call with id %s waits already' % number,
                                  ran='no' if retry is None else 'unknown')
        progress = {} if on_progress is None else {'progress': True}
        request = self._make(api, params, number, timeout, to, **progress)
        waiting = _Waiting(asyncio.get_running_loop().create_future(), on_progress,
                           parts.Assembly(), asyncio.Event())
        self._waiting[number] = waiting
        asking = asyncio.ensure_future(self._keep_asking(request, waiting, timeout, to, retry))
        asking.add_done_callback(_pass_over)
        try:
            either: Set[asyncio.Future[Any]] = {asking, waiting.answer}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.answer.done():
                await asking
            return await waiting.answer
        except asyncio.CancelledError:
            self._cancel(number)
            raise
        except Error as e:
            if retry is not None and e.ran == 'no':
                e.ran = 'unknown'       # that it did not run is known of this try only
            raise
        finally:
            del self._waiting[number]
            await end_task(asking)

    async def _keep_asking(self, request: Request, waiting: _Waiting, timeout: float,
                           to: Optional[str], retry: Optional[str]) -> None:
        """Until its answer ends it, or raises what the call ends with.

        What the hub may have taken may be answered, whatever it said: that is waited for.
        """
        await self.wait_ready(self._connect_timeout)
        request.begin(timeout, self._instance(to), retry)
        failure: Error = DeadlineExceeded('no answer came over the hub in time')
        waiting.is_back.clear()
        try:
            await self._deliver(request)
            await self._repeat(request, waiting.is_back)
        except Error as e:
            if e.ran == 'no':
                raise
            failure = e
        await asyncio.sleep(request.left + ANSWER_WAIT)
        raise failure

    async def _repeat(self, request: Request, is_back: asyncio.Event) -> None:
        """Asks again when half of the time is gone, and when the connection is back.

        Then it does so twice, as the gateway may have lost its own and needs longer.
        """
        now = time.monotonic
        half, end = now() + request.left / 2, now() + request.left
        again = half
        request.is_repeat = True
        while True:
            was_back = await _is_set_before(is_back, again - now())
            if now() >= end:
                return
            is_back.clear()
            await self._deliver_again(request)
            again = now() + BACK_AGAIN if was_back else half if half > now() else end

    async def _deliver_again(self, request: Request) -> None:
        try:
            await self.wait_ready(min(self._connect_timeout, request.left))
            await self._deliver(request)
        except Error as e:
            log.warning('%s could not be asked for again: %s', request.api, e)

    def _instance(self, to: Optional[str]) -> str:
        """Of the gateway that a request went to; empty if it was not heard of yet."""
        if to is None and len(self._instances) == 1:
            return next(iter(self._instances.values()))
        return self._instances.get(to or '', '')

    def _come_back(self) -> None:
        for waiting in self._waiting.values():
            waiting.is_back.set()

    # -- out

    def _make(self, api: str, params: Any, number: str, timeout: Optional[float] = None,
              to: Optional[str] = None, **more: Any) -> Request:
        head = {'id': number, 'api': api, 'request_time': time.time(),
                'caller': self._label, **more}
        if timeout is not None:
            head['timeout_ms'] = milliseconds(timeout)
        if to is not None:
            head['to'] = to
        return Request(head, params, self._event_max)

    async def _deliver(self, request: Request) -> None:
        """Until the hub has taken all of it, within its time; no sooner than the hub wants.

        After a try in doubt it goes on as a repeat, although it may be none: the gateway may have
        got it, and may be another one by now.
        """
        i, is_doubtful = 0, False
        while i < len(request):
            try:
                await self._publish_some(request, i)
                i += BATCH_MAX
            except Error as e:
                is_doubtful = is_doubtful or e.ran != 'no'
                if is_doubtful:
                    request.is_repeat, e.ran = True, 'unknown'
                wait = max(PUBLISH_AGAIN, self._hub.app.pause.left)
                if not isinstance(e, (HubDown, RateLimited)) or request.left < wait:
                    raise
                await self._sleep(wait)

    async def _publish_some(self, request: Request, i: int) -> None:
        await self._send(request.event, lambda: request.write(i, BATCH_MAX),
                         _since_now(request.left))

    async def _send(self, event: str, write: Write, end: float) -> None:
        """What goes out on our channel does not come back, unless a handler wants to see it."""
        await self._publish(self._hub.channel, event, write,
                            None if self._handlers.of_requests else self._hub.socket_id, end)

    async def _publish(self, channel: str, event: str, write: Write, socket_id: Optional[str],
                       end: float) -> None:
        """Once the hub wants events. end: when it is of no use any more, on the even clock.

        Raises ConnectionLost (ran: no) after `stop`.
        """
        self.start()
        is_taken = False
        while not is_taken:
            await self._wait_pause(end)
            if self._publishers is None:
                raise ConnectionLost('the client was stopped', ran='no')
            is_taken = await asyncio.wrap_future(self._publishers.submit(functools.partial(
                self._publish_now, channel, event, write, socket_id, end)))

    async def _wait_pause(self, end: float) -> None:
        pause = self._hub.app.pause
        while pause.left > 0 and self._publishers is not None:
            if time.monotonic() + pause.left > end:
                raise pause.refusal()
            await self._sleep(pause.left)

    async def _sleep(self, seconds: float) -> None:
        """Until `stop` at most: then there are no publishers any more."""
        assert self._stopping is not None
        await _is_set_before(self._stopping, seconds)

    def _publish_now(self, channel: str, event: str, write: Write, socket_id: Optional[str],
                     end: float) -> bool:
        """In a thread, whenever there is one for it. False: it has to wait for a pause that began
        meanwhile.
        """
        if self._hub.app.pause.left > 0:
            return False
        texts, left = write(), end - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded('its time was over before the hub had taken all of it', ran='no')
        self._hub.app.publish(channel, event, texts, socket_id, left)
        return True

    def _cancel(self, number: str) -> None:
        text = to_json({'id': number})
        task = asyncio.ensure_future(
            self._send('cancel', lambda: [text], _since_now(PUBLISH_TIMEOUT)))
        self._cancels.add(task)
        task.add_done_callback(self._cancel_done)

    def _cancel_done(self, task: asyncio.Task[None]) -> None:
        self._cancels.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning('a call could not be cancelled: %s', task.exception())

    # -- in

    def _take_event(self, event: str, data: Any) -> None:
        text = data if isinstance(data, str) else json.dumps(data)
        if event == 'request':
            self._handlers.hand_out(self._handlers.of_requests, text)
        elif event == 'response':
            self._take_response(text)
        elif event in ('response-part', 'progress'):
            self._take_piece(event, text)

    def _find(self, record: Any) -> Optional[_Waiting]:
        """The call that a record is about, if it is ours and not answered."""
        waiting = self._waiting.get(str(record.get('id'))) if isinstance(record, dict) else None
        return None if waiting is None or waiting.answer.done() else waiting

    def _take_response(self, text: str) -> None:
        self._handlers.hand_out(self._handlers.of_responses, text)
        try:
            record = json.loads(text)
            self._note_instance(record)
            waiting = self._find(record)
            if waiting is not None:
                waiting.answer.set_result(Response.from_record(from_json(text)))
        except (TypeError, ValueError) as e:
            log.warning('a response that cannot be read: %s', e)

    def _note_instance(self, record: Any) -> None:
        if isinstance(record, dict) and INSTANCE.fullmatch(str(record.get('instance') or '')):
            self._instances[str(record.get('gateway'))] = str(record['instance'])
            if len(self._instances) > GATEWAYS_MAX:
                del self._instances[next(iter(self._instances))]

    def _take_piece(self, event: str, text: str) -> None:
        """A part of a response, or progress: looked at if the call is ours."""
        try:
            piece = json.loads(text)
            waiting = self._find(piece)
            if waiting is None:
                return
            if event == 'progress':
                if waiting.on_progress is not None:
                    waiting.on_progress(from_json(text).get('value'))
                return
            whole = waiting.assembly.add(piece)
        except (TypeError, ValueError) as e:
            log.warning('a piece of a response that cannot be read: %s', e)
        else:
            if whole is not None:
                self._take_response(whole)


def _pass_over(task: asyncio.Task[None]) -> None:
    """Its failure is nobody's affair once the answer is there."""
    if not task.cancelled():
        task.exception()


def _since_now(seconds: float) -> float:
    """A time on the even clock."""
    return time.monotonic() + seconds


async def _is_set_before(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), max(0, seconds))
    except asyncio.TimeoutError:
        return False
    return True
