# SPDX-License-Identifier: MIT
"""The Python package's forms for asyncio."""
import asyncio
import threading

import pytest

from lib.limits import LIMIT
from lib.python_client import chapi

def test_async_forms(gateway):
    async def main():
        cancelled = asyncio.Event()
        server = chapi.AsyncServer(socket=gateway.socket_path)

        @server.api('count')
        async def count(n: int):
            for i in range(n):
                chapi.current_call().progress(i)
                await asyncio.sleep(0)
            return n

        @server.api()
        async def hang():
            chapi.current_call().progress('begun')
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        @server.api()
        def plain():
            return threading.current_thread() is threading.main_thread()
        async with server, chapi.AsyncClient(socket=gateway.socket_path) as client:
            seen = []
            assert await client.call('count', n=3, on_progress=seen.append) == 3
            assert seen == [0, 1, 2]
            assert await client.call('plain') is False, 'functions that block run in a worker'
            assert await asyncio.gather(*[client.call('count', n=i) for i in range(50)]) == \
                list(range(50))
            begun = asyncio.Event()
            call = asyncio.ensure_future(client.call('hang', on_progress=lambda _: begun.set()))
            await asyncio.wait_for(begun.wait(), LIMIT)
            call.cancel()
            await asyncio.wait_for(cancelled.wait(), LIMIT)
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await client.call('count', n=1) == 1
    asyncio.run(asyncio.wait_for(main(), LIMIT))
