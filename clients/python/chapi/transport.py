# SPDX-License-Identifier: MIT
"""What a client needs of the way to a gateway; `local` and `remote` are the two ways."""
from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Protocol, Sequence

from .records import Response

Progress = Callable[[Any], None]


class EventMonitor(Protocol):
    """Events as they come, until it is stopped."""

    async def next(self) -> Optional[Dict[str, Any]]:
        """The next event; None after `stop`. Raises ConnectionLost when the gateway has gone."""

    async def stop(self) -> None:
        """Ends it."""


class Transport(Protocol):
    """Times are in seconds. Errors on the way are raised; that of a call is in its response."""

    def start(self) -> None:
        """Begins to connect, in the background. A second call does nothing."""

    async def stop(self) -> None:
        """Ends the connection for good; calls under way get ConnectionLost."""

    async def wait_ready(self, timeout: Optional[float]) -> None:
        """Waits until requests can be sent and their answers received."""

    async def wait_apis(self, apis: Sequence[str]) -> None:
        """Waits until there are functions of all these names."""

    async def send(self, api: str, params: Any, number: str, timeout: float,
                   to: Optional[str]) -> None:
        """Sends a request without waiting for its answer."""

    async def perform(self, api: str, params: Any, number: str, timeout: float, to: Optional[str],
                      on_progress: Optional[Progress], retry: Optional[str] = None) -> Response:
        """A whole call; retry as of `AsyncClient.perform`. A task that is cancelled cancels it."""

    async def request(self, api: str, params: Dict[str, Any], number: str) -> None:
        """Sends a request whose response goes to the handlers of raw events."""

    async def ask(self, method: str, **params: Any) -> Any:
        """Asks the gateway itself, by a method that it serves as `chapi.METHOD` too."""

    async def publish(self, channel: str, event: str, data: Any) -> None:
        """Publishes an event through the hub; back when the hub has it."""

    async def monitor(self, options: Dict[str, Any]) -> EventMonitor:
        """Begins to watch the gateway; options as of its method `monitor`."""
