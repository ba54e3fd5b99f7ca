# SPDX-License-Identifier: MIT
"""Two hosts in network namespaces, each with a cable to one switch.

The gateway's cable can be cut, and lose packets.

Whatever is started, or connects, within `with net.hub:` or `with net.gateway:` does so on that
host. Needs root, and ip and nft; where that cannot be had, the tests are skipped, and say why.
"""
import asyncio
import ctypes
import os
import shutil
import subprocess
import threading

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Unavailable(Exception):
    pass


def _run(*argv):
    result = subprocess.run(argv, capture_output=True, text=True)
    if result.returncode != 0:
        raise Unavailable('%s: %s' % (' '.join(argv), result.stderr.strip()))


def _enter(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise Unavailable('setns: ' + os.strerror(ctypes.get_errno()))


class Namespace:
    def __init__(self, name):
        self.name = name
        _run('ip', 'netns', 'add', name)

    def run(self, *argv):
        _run('ip', 'netns', 'exec', self.name, *argv)

    def delete(self):
        subprocess.run(['ip', 'netns', 'delete', self.name], capture_output=True)


class Host(Namespace):
    """As a context it is the namespace of the calling thread, and of what the thread starts."""

    def __init__(self, name, address):
        super().__init__(name)
        self.address = address
        self.device = name[-14:] + '0'
        self.outside = None

    def __enter__(self):
        self.outside = os.open('/proc/thread-self/ns/net', os.O_RDONLY | os.O_CLOEXEC)
        fd = os.open('/run/netns/' + self.name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(fd)
        finally:
            os.close(fd)
        return self

    def __exit__(self, *_):
        _enter(self.outside)
        os.close(self.outside)

    def configure(self):
        self.run('ip', 'link', 'set', 'lo', 'up')
        self.run('ip', 'address', 'add', self.address + '/24', 'dev', self.device)
        self.run('ip', 'link', 'set', self.device, 'up')


class Switch(Namespace):
    """Its ports have the names of the devices that are plugged in."""

    def __init__(self, name):
        super().__init__(name)
        self.run('ip', 'link', 'add', 'switch', 'type', 'bridge')
        self.run('ip', 'link', 'set', 'switch', 'up')

    def plug_in(self, host):
        _run('ip', 'link', 'add', host.device, 'netns', self.name, 'type', 'veth', 'peer', 'name',
             host.device, 'netns', host.name)
        self.run('ip', 'link', 'set', host.device, 'master', 'switch')
        self.run('ip', 'link', 'set', host.device, 'up')


class Net:
    """net.hub and net.gateway."""

    def __init__(self):
        if os.geteuid() != 0:
            raise Unavailable('network namespaces need root')
        for command in ('ip', 'nft'):
            if shutil.which(command) is None:
                raise Unavailable(command + ' is missing')
        number = os.urandom(3).hex()
        self.namespaces = []
        try:
            self._make(number)
        except Unavailable:
            self.delete()
            raise

    def _make(self, number):
        self.switch = self._add(Switch('chapis' + number))
        self.hub = self._add(Host('chapih' + number, '10.213.7.1'))
        self.gateway = self._add(Host('chapig' + number, '10.213.7.2'))
        for host in (self.hub, self.gateway):
            self.switch.plug_in(host)
            host.configure()
        self.gateway.run('nft', 'add table inet loss')
        for hook in ('input', 'output'):
            self.gateway.run('nft', 'add chain inet loss %s { type filter hook %s priority 0; }'
                             % (hook, hook))

    def _add(self, namespace):
        self.namespaces.append(namespace)
        return namespace

    def delete(self):
        for namespace in self.namespaces:
            namespace.delete()

    def cut(self):
        """The gateway's cable is out, at the switch. The hub's host sees nothing of it."""
        self.switch.run('ip', 'link', 'set', self.gateway.device, 'down')

    def mend(self):
        self.switch.run('ip', 'link', 'set', self.gateway.device, 'up')

    def lose(self, percent, ways=('input', 'output')):
        """So many of the gateway's packets, on these ways; 0: none."""
        devices = {'input': 'iifname', 'output': 'oifname'}
        chance = 'numgen random mod 100 < %d ' % percent if percent < 100 else ''
        self.gateway.run('nft', 'flush table inet loss')
        for way in ways if percent else ():
            self.gateway.run('nft',
                             'add rule inet loss %s %s != lo %sdrop' % (way, devices[way], chance))

    def move(self, address):
        """The gateway's host has another address from now on."""
        self.gateway.run('ip', 'address', 'flush', 'dev', self.gateway.device)
        self.gateway.address = address
        self.gateway.run('ip', 'address', 'add', address + '/24', 'dev', self.gateway.device)


class Relay:
    """A port of one host that leads to another's, delay_s later in each direction."""

    def __init__(self, host, address, port, delay_s):
        self.target = (address, port)
        self.delay_s = delay_s
        self.port = None
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(host, ready), daemon=True)
        self.thread.start()
        assert ready.wait(10)

    def _run(self, host, ready):
        with host:
            server = self.loop.run_until_complete(asyncio.start_server(self._serve, '127.0.0.1', 0))
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            self.loop.run_forever()
            server.close()
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))

    async def _serve(self, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))

    async def _pass(self, reader, writer):
        try:
            while True:
                data = await reader.read(65536)
                self.loop.call_later(self.delay_s, self._write, writer, data)
                if not data:
                    break
        except OSError:
            self.loop.call_later(self.delay_s, self._write, writer, b'')

    @staticmethod
    def _write(writer, data):
        if data and not writer.is_closing():
            writer.write(data)
        elif not data:
            writer.close()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
