# SPDX-License-Identifier: MIT
"""Server: the blocking form of AsyncServer, and the older library's class."""
from __future__ import annotations

import asyncio
from typing import Any, Callable, Coroutine, Dict, Optional, TypeVar

from .aserver import AsyncServer
from .pusher import Handlers, Pusher
from .workers import Background

F = TypeVar('F', bound=Callable[..., Any])
T = TypeVar('T')


class Server(Pusher):
    """Serves functions to local and remote callers, through the gateway of this machine.

        server = Server()

        @server.api('add')
        def add(a: int, b: int) -> int:
            '''Adds two numbers.'''
            return a + b

        server.run()

    It connects again by itself when the gateway was away, and registers its names again. All
    methods may be called from any thread, before and while it runs. Coroutines can be served too.

    Args:
        app_id, key, secret, cluster: of the hub's app. Only the key is used, to make sure that the
            gateway belongs to the same app; the secret is not kept.
        name: a label for people.
        socket: path of the gateway's socket; None: $CHAPI_SOCKET, else the usual places.
    """

    def __init__(self, app_id: Optional[str] = None, key: Optional[str] = None,
                 secret: Optional[str] = None, cluster: Optional[str] = None,
                 name: str = 'server', *, socket: Optional[str] = None) -> None:
        handlers = Handlers()
        super().__init__(handlers)
        self._server = AsyncServer(app_id, key, secret, cluster, name, socket=socket,
                                   handlers=handlers)
        self._background: Optional[Background] = None

    # -- life

    def run(self, worker_num: int = 1) -> None:
        """Serves until Ctrl-C, or `stop` from another thread; blocks.

        Waits for the gateway if that does not run yet.

        Args:
            worker_num: threads for functions.

        Raises:
            FailedPrecondition: the gateway belongs to another app.
            Error: a name was refused; ApiExists, PermissionDenied, InvalidArgument, ...
        """
        self._begin(worker_num)
        try:
            self._do(self._server.run())
        except KeyboardInterrupt:
            pass
        finally:
            self.stop()

    def start(self, worker_num: int = 1, timeout: Optional[float] = None) -> None:
        """Serves in the background; returns when callers can call.

        Args:
            worker_num: threads for functions.
            timeout: how long to wait for the gateway, in seconds; None: for ever.

        Raises as `run`, and ConnectionLost when no gateway came.
        """
        self._begin(worker_num)
        try:
            self._do(self._server.start(timeout))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends the connection: all names are free, callers still waiting get ProviderGone.

        For good: what would ask the gateway afterwards raises ConnectionLost.
        """
        background, self._background = self._background, None
        if background is not None:
            background.run(self._server.stop())
            background.stop()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _begin(self, worker_num: int) -> None:
        if self._background is not None:
            raise RuntimeError('this server runs already')
        self._server.worker_num = worker_num
        self._background = Background()

    def _do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Before the start nothing waits, so any loop will do."""
        background = self._background
        return background.run(coroutine) if background else asyncio.run(coroutine)

    # -- names

    def api(self, name: Optional[str] = None, **options: Any) -> Callable[[F], F]:
        """Decorator: serves the function under name (None: its own); otherwise as `register`."""
        def decorate(function: F) -> F:
            self.register(name or function.__name__, function, **options)
            return function
        return decorate

    def register(self, name: str, function: Callable[..., Any], **options: Any) -> Dict[str, Any]:
        """Serves function(**params) under name.

        Args:
            options: policy ('exclusive', 'replace', 'share', 'standby'), concurrency, queue,
                timeout_ms, timeout_max_ms, visibility ('local', 'remote'), idempotent, version,
                tags; summary, description, params and result default to what docstring and type
                hints say.

        Returns the record of `apis`. Raises ApiExists, PermissionDenied, InvalidArgument, ...;
        before the start `run` and `start` raise what the gateway refuses.
        """
        return self._do(self._server.register(name, function, **options))

    def unregister(self, name: str) -> None:
        """Gives the name up; running calls of it finish. Raises ApiNotFound."""
        self._do(self._server.unregister(name))

    def update(self, name: str, function: Optional[Callable[..., Any]] = None,
               **options: Any) -> Dict[str, Any]:
        """Changes the options of a name, and its function if one is given. Raises ApiNotFound."""
        return self._do(self._server.update(name, function, **options))

    def pause(self, name: str) -> None:
        """New calls of the name get Paused, if nobody else serves it, until `resume`."""
        self._do(self._server.pause(name))

    def resume(self, name: str) -> None:
        """Undoes `pause` and `drain`."""
        self._do(self._server.resume(name))

    def drain(self, name: str, timeout: Optional[float] = None) -> None:
        """Takes no new calls of the name, and returns when those that came before have ended.

        timeout is in seconds; None: no limit. `resume` undoes it. Raises DeadlineExceeded; the
        name takes no calls then either.
        """
        self._do(self._server.drain(name, timeout))

    def apis(self) -> Dict[str, Dict[str, Any]]:
        """The functions by name: options, and `state`: 'active', 'standby', 'revoked' (taken by
        another process) or 'offline' (the gateway does not know of it now)."""
        return self._server.apis()
