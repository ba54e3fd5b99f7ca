# SPDX-License-Identifier: MIT
"""Client: the blocking form of AsyncClient, and the older library's class."""
from __future__ import annotations

import atexit
import queue
from typing import Any, Dict, List, Optional, Sequence

from .aclient import CONNECT_TIMEOUT, AsyncClient, merge_params
from .app import MasterKey, Tls
from .monitor import Monitor
from .pusher import Handlers, Pusher
from .records import Response
from .transport import Progress
from .workers import Background

_END = object()         # follows the last progress of a call


class Client(Pusher):
    """Calls functions of other processes. Its methods block, and may be called from any thread.

        client = chapi.Client()
        print(client.call('add', a=1, b=2))

    Without credentials it speaks to the gateway of this machine; with credentials it goes over the
    hub, as a phone or a laptop does. It connects when it is made, and again after a loss.

    Args, and what is raised: as of `AsyncClient`.
    """

    def __init__(self, app_id: Optional[str] = None, key: Optional[str] = None,
                 secret: Optional[str] = None, cluster: Optional[str] = None, *,
                 channel: Optional[str] = None, host: Optional[str] = None,
                 port: Optional[int] = None, tls: Tls = True,
                 encryption_master_key: Optional[MasterKey] = None,
                 socket: Optional[str] = None, name: str = 'client',
                 connect_timeout: float = CONNECT_TIMEOUT) -> None:
        handlers = Handlers()
        super().__init__(handlers)
        self._client = AsyncClient(
            app_id, key, secret, cluster, channel=channel, host=host, port=port, tls=tls,
            encryption_master_key=encryption_master_key, socket=socket, name=name,
            connect_timeout=connect_timeout, handlers=handlers)
        self._is_stopped = False
        self._background = Background()
        self._background.run(self._client.start())
        atexit.register(self.stop)

    def stop(self) -> None:
        """Ends the connection, for good; calls under way, and later ones, get ConnectionLost.

        A second call of it does nothing.
        """
        was_stopped, self._is_stopped = self._is_stopped, True
        if not was_stopped:
            atexit.unregister(self.stop)
            self._background.run(self._client.stop())
            self._background.stop()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_ready(self, *apis: str, timeout: Optional[float] = None) -> None:
        """Waits until calls can be made and, if names are given, until all of them are there.

        timeout is in seconds, None for ever. Raises as `AsyncClient.wait_ready`.
        """
        self._background.run(self._client.wait_ready(*apis, timeout=timeout))

    def call(self, api: str, params: Any = None, /, *, timeout: Optional[float] = None,
             on_progress: Optional[Progress] = None, **more: Any) -> Any:
        """Calls a function and returns its result. Ctrl-C cancels the call.

        Args:
            api: the function's name.
            params: its params as a dict, for those that are no names in Python or mean something
                else here; usually they are given as keyword arguments.
            timeout: in seconds; None: 30.
            on_progress: on_progress(value) is called, in this thread, with what the function says
                meanwhile.

        Raises:
            ApiError: the function failed.
            ApiNotFound, InvalidArgument, Busy, DeadlineExceeded, ...: one class for each code, all
                of them `Error`; its `ran` says whether the function was started.
        """
        merged = merge_params(params, more)
        return self.perform(api, merged, timeout=timeout, on_progress=on_progress).value()

    def perform(self, api: str, params: Any = None, *, timeout: Optional[float] = None,
                to: Optional[str] = None, id: Optional[str] = None, retry: Optional[str] = None,
                on_progress: Optional[Progress] = None) -> Response:
        """Calls a function and returns the whole `Response`, which may hold an error.

        Arguments, and what is raised: as of `AsyncClient.perform`.
        """
        if on_progress is None:
            return self._background.run(self._client.perform(
                api, params, timeout=timeout, to=to, id=id, retry=retry))
        values: queue.SimpleQueue[Any] = queue.SimpleQueue()
        future = self._background.start(self._client.perform(
            api, params, timeout=timeout, to=to, id=id, retry=retry, on_progress=values.put))
        future.add_done_callback(lambda _: values.put(_END))
        try:
            for value in iter(values.get, _END):
                on_progress(value)
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def notify(self, api: str, params: Any = None, /, **more: Any) -> None:
        """Calls a function without waiting for it: returns when the request is handed over."""
        self._background.run(self._client.notify(api, params, **more))

    def request(self, api: str, /, **params: Any) -> str:
        """Sends a request; the response goes to the handlers of `add_response_handler`.

        Returns the request's id. Raises HubDown and the like when the hub does not take it.
        """
        return self._background.run(self._client.request(api, **params))

    def apis(self, pattern: str = '*') -> List[Dict[str, Any]]:
        """The functions there are, sorted by name: name, summary, state, policy, visibility, ..."""
        return self._background.run(self._client.apis(pattern))

    def describe(self, name: str) -> Dict[str, Any]:
        """All about one function: description, params and result too. Raises ApiNotFound."""
        return self._background.run(self._client.describe(name))

    def status(self) -> Dict[str, Any]:
        """How the gateway is: version, uptime, calls, counters, the connection to the hub, ..."""
        return self._background.run(self._client.status())

    def publish(self, channel: str, event: str, data: Any) -> None:
        """Publishes an event of one's own through the hub; back when the hub has it.

        Arguments, and what is raised: as of `AsyncClient.publish`.
        """
        self._background.run(self._client.publish(channel, event, data))

    def monitor(self, kinds: Optional[Sequence[str]] = None, apis: Optional[str] = None,
                bodies: bool = False) -> Monitor:
        """Watches the gateway of this machine; from the return on, nothing is missed.

            with client.monitor(['request', 'response']) as events:
                for event in events:
                    print(event['kind'], event['api'])

        Arguments, and what is raised: as of `AsyncClient.monitor`.
        """
        events = self._background.run(self._client.monitor(kinds, apis, bodies))
        return Monitor(events, self._background)
