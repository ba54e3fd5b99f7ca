# SPDX-License-Identifier: MIT
"""What the gateway is to a service manager: what it tells, and the socket that it is handed."""
import os
import signal
import socket
import subprocess
import sys

import pytest

from lib.gateway import Gateway
from lib.limits import LIMIT, wait_until
from lib.process import environment


class Manager:
    """The socket that a service manager listens at."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name.replace('@', '\0') if name.startswith('@') else name)
        self.socket.settimeout(LIMIT)
        self.name = name

    def take(self):
        return self.socket.recv(4096).decode()

    def take_until(self, beginning):
        """The first message that begins so."""
        while True:
            text = self.take()
            if text.startswith(beginning):
                return text


@pytest.fixture(params=['path', 'abstract'])
def manager(request, folder):
    manager = Manager(os.path.join(folder, 'notify') if request.param == 'path' else '@' + folder)
    yield manager
    manager.socket.close()


@pytest.fixture
def start_told(start_gateway, manager):
    def start(*args, **more):
        return start_gateway(*args, env=environment(NOTIFY_SOCKET=manager.name,
                                                    **more.pop('env', {})), **more)
    return start


def test_manager_is_told_ready_when_the_socket_serves(start_told, manager, folder):
    start_told()
    assert manager.take() == 'STATUS=Local calls only: no [pusher] section\n'
    assert manager.take() == 'READY=1\n'
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(os.path.join(folder, 'gw.sock'))


def test_manager_is_told_the_state_of_the_hub(start_told, manager, own_hub, channel):
    own_hub.start()
    gateway = start_told(own_hub, channel)
    wait_until(lambda: manager.take().startswith('STATUS=Hub 127.0.0.1: up'),
               'the manager to hear of the hub')
    own_hub.stop()
    assert '127.0.0.1' in manager.take_until('STATUS=Hub 127.0.0.1: waiting: ')
    assert gateway.is_running()


def test_manager_is_told_of_a_reload(start_told, manager):
    gateway = start_told()
    manager.take_until('READY=1')
    gateway.process.send_signal(signal.SIGHUP)
    reloading = manager.take().splitlines()
    assert reloading[0] == 'RELOADING=1' and reloading[1].startswith('MONOTONIC_USEC=')
    assert manager.take() == 'READY=1\n'


def test_manager_is_told_the_end_of_a_reload_that_failed(start_told, manager):
    gateway = start_told()
    manager.take_until('READY=1')
    with open(gateway.config, 'a') as f:
        f.write('nonsense\n')
    gateway.process.send_signal(signal.SIGHUP)
    assert manager.take().startswith('RELOADING=1\n')
    assert manager.take() == 'READY=1\n'


def test_manager_is_told_of_the_end(start_told, manager):
    gateway = start_told()
    manager.take_until('READY=1')
    gateway.process.send_signal(signal.SIGTERM)
    assert manager.take() == 'STOPPING=1\n'
    gateway.wait()


def test_watchdog_is_fed(start_told, manager):
    start_told(env={'WATCHDOG_USEC': '40000'})
    manager.take_until('READY=1')
    assert [manager.take() for _ in range(3)] == ['WATCHDOG=1\n'] * 3


# ---- the socket that is handed over -----------------------------------------------------------

# The number of the process is known only once it runs: a program sets it and becomes the gateway.
HAND_OVER = """import os, sys
fd, pid, n = int(sys.argv[1]), sys.argv[2] or str(os.getpid()), sys.argv[3]
os.dup2(fd, 3)
os.environ.update(LISTEN_PID=pid, LISTEN_FDS=n)
os.execv(sys.argv[4], sys.argv[4:])
"""


def hand_over(gateway, fd, pid='', n='1'):
    gateway.argv = [sys.executable, '-c', HAND_OVER, str(fd), pid, n] + gateway.argv
    gateway.pass_fds = (fd,)
    return gateway


@pytest.fixture
def listening(folder):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(os.path.join(folder, 'gw.sock'))
        s.listen(8)
        yield s


def test_socket_that_is_handed_over_is_served(daemons, folder, listening):
    with socket.socket(socket.AF_UNIX) as early:
        early.settimeout(LIMIT)
        early.connect(os.path.join(folder, 'gw.sock'))
        early.sendall(b'[0,1,"call",["chapi.echo",{"a":1}]]\n')
        daemons.start(hand_over(Gateway(folder), listening.fileno()))
        assert early.recv(1000) == b'[1,1,null,{"a":1}]\n'


def test_socket_that_was_handed_over_stays(daemons, folder, listening):
    for _ in range(2):
        gateway = daemons.start(hand_over(Gateway(folder), listening.fileno()))
        assert gateway.ask('call', 'chapi.echo', {'a': 1}) == {'a': 1}
        gateway.stop()
        assert os.path.exists(gateway.socket_path)


def test_socket_at_another_path_is_served_and_told(daemons, folder):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(os.path.join(folder, 'other.sock'))
        s.listen(8)
        gateway = hand_over(Gateway(folder), s.fileno())
        gateway.socket_path = os.path.join(folder, 'other.sock')
        daemons.start(gateway)
        assert gateway.ask('call', 'chapi.echo', 1) == 1
        gateway.wait_log('listens at %s, and [gateway] socket is %s' %
                         (gateway.socket_path, os.path.join(folder, 'gw.sock')))


def ends_at_once(folder, fd, n='1'):
    gateway = hand_over(Gateway(folder), fd, n=n)
    result = subprocess.run(gateway.argv, env=gateway.env, pass_fds=gateway.pass_fds, timeout=LIMIT,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return result.returncode, result.stdout


def test_what_is_no_listening_socket_is_refused(folder):
    with socket.socket(socket.AF_INET) as s:
        assert ends_at_once(folder, s.fileno()) == (
            69, 'socket: error: the service manager handed over something that is no Unix stream '
            'socket; the .socket unit has to say ListenStream=/PATH\n')


def test_two_sockets_are_refused(folder, listening):
    status, log = ends_at_once(folder, listening.fileno(), '2')
    assert status == 69 and '2 sockets, and one is expected' in log


def test_socket_for_another_process_does_not_count(daemons, folder, listening):
    gateway = hand_over(Gateway(folder), listening.fileno(), pid='1')
    os.unlink(gateway.socket_path)
    daemons.start(gateway)
    gateway.stop()
    assert not os.path.exists(gateway.socket_path)
