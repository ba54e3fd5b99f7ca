# SPDX-License-Identifier: MIT
"""An HTTP proxy that only makes tunnels (CONNECT), and can refuse to."""
import asyncio
import base64
import re
import threading


class Proxy:
    """refusal: the rest of a status line, '407 Who are you', while no tunnel is made; or None."""

    def __init__(self, host='127.0.0.1', port=0):
        self.refusal = None
        self.accepted = 0           # connections, those on which nothing came too
        self.asked = []             # what tunnels were asked for, HOST:PORT
        self.logins = []            # for each of them USER:PASSWORD; or None
        self.host = host
        self.port = port            # 0: any
        self.loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def url(self):
        return 'http://%s:%d' % (self.host, self.port)

    def _run(self):
        serving = asyncio.start_server(self._serve, self.host, self.port)
        server = self.loop.run_until_complete(serving)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self.loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    async def _serve(self, reader, writer):
        self.accepted += 1
        try:
            head = (await reader.readuntil(b'\r\n\r\n')).decode('ascii')
            method, target, _ = head.split(' ', 2)
            assert method == 'CONNECT', head
            self.asked.append(target)
            self.logins.append(self._login(head))
            if self.refusal:
                writer.write(('HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n' % self.refusal).encode())
                await writer.drain()
            else:
                await self._tunnel(target, reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    @staticmethod
    def _login(head):
        found = re.search(r'^Proxy-Authorization: Basic (\S+)\r$', head, re.I | re.M)
        return found and base64.b64decode(found[1], validate=True).decode()

    async def _tunnel(self, target, reader, writer):
        host, port = target.rsplit(':', 1)
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b'HTTP/1.1 200 Connection established\r\n\r\n')
        try:
            await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))
        finally:
            far_writer.close()

    @staticmethod
    async def _pass(reader, writer):
        while True:
            data = await reader.read(65536)
            writer.write(data)
            if not data:
                writer.close()
                return
            await writer.drain()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
