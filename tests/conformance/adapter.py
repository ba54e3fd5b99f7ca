# SPDX-License-Identifier: MIT
"""clients/python as the conformance tests want it: does what it is told, a line of JSON each, and
reports.
"""
import asyncio
import sys

import chapi
from chapi.values import from_json, to_json

CONNECT_TIMEOUT = 0.3
POLL = 0.005    # how often is looked at what has become of names


class Adapter:
    def __init__(self):
        self.client = None          # as a caller
        self.server = None          # as a provider
        self.requests = []          # (future of its outcome, call)
        self.calls = {}             # tag -> task
        self.states = {}
        self.watch = None
        self.events = None

    def report(self, what):
        print(to_json(what), flush=True)

    # -- life

    async def connect(self, socket, role, app_key=None):
        self.__init__()
        if role == 'caller':
            self.client = chapi.AsyncClient(socket=socket, connect_timeout=CONNECT_TIMEOUT)
            await self.client.start()
            await self.client.wait_ready(timeout=10)
        else:
            key = ({'app_id': '1', 'key': app_key, 'secret': 'none', 'cluster': 'eu'}
                   if app_key else {})
            self.server = chapi.AsyncServer(socket=socket, **key)
            await self.server.start(timeout=10)
            self.watch = asyncio.ensure_future(self.watch_names())
        return True

    async def ready(self):
        await self.client.wait_ready(timeout=10)
        return True

    async def lost(self):
        while self.client._transport._link.connection is not None:
            await asyncio.sleep(POLL)
        return True

    async def close(self):
        if self.watch is not None:
            self.watch.cancel()
        for future, _ in self.requests:
            future.cancel()
        await (self.client or self.server).stop()
        return True

    async def watch_names(self):
        """The library tells of granted and revoked names in apis() only."""
        while True:
            await asyncio.sleep(POLL)
            for name, record in self.server.apis().items():
                before, now = self.states.get(name), record['state']
                if (before, now) == ('standby', 'active'):
                    self.report({'granted': name})
                elif (before, now) == ('active', 'revoked'):
                    self.report({'revoked': name, 'reason': 'replaced'})
                self.states[name] = now

    # -- as a caller

    async def call(self, tag, api, params, timeout_ms=None, progress=False, oneway=False):
        timeout = None if timeout_ms is None else timeout_ms / 1000
        if oneway:
            return await self.client.notify(api, params)
        on_progress = (lambda value: self.report({'as': tag, 'progress': value})) \
            if progress else None
        try:
            return await self.client.call(api, params, timeout=timeout, on_progress=on_progress)
        except asyncio.CancelledError:
            raise chapi.Cancelled('the task was cancelled') from None

    def cancel(self, call):
        self.calls[call].cancel()

    async def list(self, pattern):
        return await self.client.apis(pattern)

    async def describe(self, name):
        return await self.client.describe(name)

    async def status(self):
        return await self.client.status()

    async def wait(self, names):
        return await self.client.wait_ready(*names)

    async def publish(self, channel, event, data):
        return await self.client.publish(channel, event, data)

    async def monitor(self, kinds, apis, bodies):
        self.events = await self.client.monitor(kinds, apis, bodies)
        self.watch = asyncio.ensure_future(self.watch_events())

    async def watch_events(self):
        async for event in self.events:
            self.report({'event': event})

    # -- as a provider

    async def register(self, name, options):
        async def function(**params):
            return await self.serve(name, params)
        granted = await self.server.register(name, function, **{'params': None, **options})
        self.states[name] = granted['state']
        return granted

    async def serve(self, name, params):
        outcome = asyncio.get_running_loop().create_future()
        self.requests.append((outcome, chapi.current_call()))
        number = len(self.requests)
        self.report({'request': name, 'number': number, 'params': params})
        try:
            return await asyncio.shield(outcome)
        except asyncio.CancelledError:
            if not outcome.cancelled():
                self.report({'cancelled': number})
            return await outcome

    def answer(self, number, result=None, error=None):
        outcome = self.requests[number - 1][0]
        if error is None:
            outcome.set_result(result)
        else:
            outcome.set_exception(chapi.Error(**error))

    def progress(self, number, value):
        self.requests[number - 1][1].progress(value)

    async def update(self, name, options):
        return await self.server.update(name, **options)

    async def unregister(self, name):
        return await self.server.unregister(name)

    async def pause(self, name):
        return await self.server.pause(name)

    async def resume(self, name):
        return await self.server.resume(name)

    async def drain(self, name):
        return await self.server.drain(name)

    # -- commands

    def take(self, command):
        tag = command.pop('as', None)
        method = getattr(self, command.pop('do'))
        if method == self.call:
            command['tag'] = tag
        result = method(**command)
        if tag is not None:
            self.calls[tag] = asyncio.ensure_future(self.outcome(tag, result))

    async def outcome(self, tag, result):
        try:
            self.report({'as': tag, 'result': await result})
        except chapi.Error as e:
            self.report({'as': tag, 'error': e.to_record()})


async def main():
    reader = asyncio.StreamReader(limit=1 << 26)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    adapter = Adapter()
    adapter.report({'ready': True, 'monitors_apart': True})
    while True:
        line = await reader.readline()
        if not line:
            return
        adapter.take(from_json(line.decode()))


asyncio.run(main())
