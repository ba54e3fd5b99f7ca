# SPDX-License-Identifier: MIT
"""Ending tasks of asyncio."""
from __future__ import annotations

import asyncio
from typing import Any, Optional

AGAIN = 0.5     # seconds


async def end_task(task: Optional[asyncio.Task[Any]]) -> None:
    """Cancels a task and waits for its end.

    More than once if need be: before Python 3.12 wait_for() loses a cancellation that comes
    together with what it waits for.
    """
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=AGAIN)
