# SPDX-License-Identifier: MIT
"""The Python package's servers: names, their options and states, handlers,
life with the gateway."""
import asyncio
import json
import os
import socket
import sys
import threading

import msgpack
import pytest

from lib.gateway import Gateway
from lib.limits import LIMIT, wait_until
from lib.process import Daemon
from lib.python_client import add, chapi, in_thread, package_environment

def test_docstring_and_hints_become_the_description(server, gateway):
    server.register('add', add, tags=['math'])
    record = gateway.ask('describe', 'add')
    assert (record['summary'], record['description'], record['tags']) == \
        ('Adds two numbers.', 'Whole ones.', ['math'])
    assert record['params'] == {'type': 'object', 'required': ['a'], 'properties': {
        'a': {'type': 'integer'}, 'b': {'type': 'integer', 'default': 1}}}
    assert record['result'] == {'type': 'integer'}


def test_names_change_while_the_server_runs(server, local):
    server.register('f', lambda: 'old', timeout_ms=1000)
    assert local.call('f') == 'old'
    server.update('f', lambda: 'new', summary='better')
    assert local.call('f') == 'new'
    assert server.apis()['f']['summary'] == 'better' and server.apis()['f']['state'] == 'active'
    server.pause('f')
    with pytest.raises(chapi.Paused):
        local.call('f')
    server.resume('f')
    assert local.call('f') == 'new'
    with pytest.raises(chapi.ApiExists):
        server.register('f', lambda: None)
    server.unregister('f')
    with pytest.raises(chapi.ApiNotFound):
        local.call('f')
    with pytest.raises(chapi.ApiNotFound):
        server.unregister('f')
    assert server.apis() == {}


def test_name_of_another_process_is_refused(server, gateway):
    server.register('f', lambda: 1)
    with chapi.Server(socket=gateway.socket_path) as other:
        with pytest.raises(chapi.ApiExists):
            other.register('f', lambda: 2)
        assert other.apis() == {}
    late = chapi.Server(socket=gateway.socket_path)
    late.register('f', lambda: 3)
    with pytest.raises(chapi.ApiExists):
        late.run()


def test_name_taken_by_another_process_is_shown_as_revoked(server, gateway):
    server.register('f', lambda: 1)
    with chapi.Server(socket=gateway.socket_path) as other:
        other.register('f', lambda: 2, policy='replace')
        wait_until(lambda: server.apis()['f']['state'] == 'revoked', 'the server to be told')


def test_handlers_of_a_server_see_requests_and_responses(gateway, local):
    seen, came = [], threading.Event()
    server = chapi.Server(socket=gateway.socket_path)
    server.register('add', add)
    server.add_request_handler(lambda data: seen.append(('request', json.loads(data))))
    server.add_response_handler(lambda data: (seen.append(('response', json.loads(data))),
                                              came.set()))
    server.start(timeout=LIMIT)
    local.call('add', a=1)
    assert came.wait(LIMIT)
    server.stop()
    (_, request), (_, response) = [s for s in seen if s[1]['api'] == 'add']
    assert request['params'] == response['params'] == {'a': 1}
    assert (response['result'], response['error'], request['id']) == (2, None, response['id'])


def test_wait_ready_waits_for_names(gateway, server, local):
    timer = threading.Timer(0.05, server.register, ('late', lambda: 1))
    timer.start()
    local.wait_ready('late', timeout=LIMIT)
    assert local.call('late') == 1
    timer.join()
    with pytest.raises(chapi.DeadlineExceeded):
        local.wait_ready('never', timeout=0.05)


def test_no_gateway_is_an_error_that_says_where(folder):
    path = os.path.join(folder, 'nobody.sock')
    with chapi.Client(socket=path, connect_timeout=0.1) as client:
        with pytest.raises(chapi.ConnectionLost, match=path) as e:
            client.call('f')
    assert e.value.ran == 'no'
    with pytest.raises(chapi.ConnectionLost):
        chapi.Server(socket=path).start(timeout=0.1)


def test_restart_of_the_gateway_is_survived(daemons, start_gateway):
    gateway = start_gateway()
    begun = threading.Event()
    server = chapi.Server(socket=gateway.socket_path)
    server.register('f', lambda: 'here')
    server.register('hang', lambda: begun.set() or chapi.current_call().wait_cancelled(LIMIT))
    server.register('rest', lambda: 1)
    server.start(timeout=LIMIT, worker_num=2)
    server.pause('rest')
    with chapi.Client(socket=gateway.socket_path) as client:
        lost = []

        def hang():
            try:
                client.call('hang')
            except chapi.Error as e:
                lost.append(e)
        thread = threading.Thread(target=hang)
        thread.start()
        assert begun.wait(LIMIT)
        gateway.kill()
        thread.join(LIMIT)
        assert [(type(e), e.ran) for e in lost] == [(chapi.ConnectionLost, 'unknown')]
        gateway.start()
        client.wait_ready('f', timeout=LIMIT)
        assert client.call('f') == 'here'
        client.wait_ready('rest', timeout=LIMIT)
        wait_until(lambda: server.apis()['rest']['state'] != 'offline', 'all names to be back')
        with pytest.raises(chapi.Paused):
            client.call('rest')
    gateway.status = 0
    server.stop()


def test_server_may_start_before_the_gateway(daemons, folder, start_gateway):
    gateway = Gateway(folder)
    server = chapi.Server(socket=gateway.socket_path)
    server.register('f', lambda: 'here')
    thread = threading.Thread(target=server.start, kwargs={'timeout': LIMIT})
    thread.start()
    daemons.start(gateway)
    thread.join(LIMIT)
    with chapi.Client(socket=gateway.socket_path) as client:
        assert client.call('f') == 'here'
    server.stop()


def test_keyboard_interrupt_ends_the_server_cleanly(daemons, gateway, write_program):
    path = write_program('server.py', '''
        from chapi import Server
        server = Server()
        server.register('f', lambda: 1)
        server.run(worker_num=2)
        print('ended')
    ''')
    server = daemons.start(Daemon('server', [sys.executable, path],
                                  env=package_environment(gateway)))
    gateway.ask('wait', ['f'], {'timeout_ms': int(LIMIT * 1000)})
    server.send_signal(2)
    assert server.wait() == 0
    assert server.log() == 'ended'


def test_drain_waits_for_the_calls_that_came_before(server, local, gateway):
    begun, go = threading.Event(), threading.Event()
    server.register('f', lambda: begun.set() or go.wait(LIMIT))
    call = in_thread(local.call, 'f')
    assert begun.wait(LIMIT)
    with pytest.raises(chapi.DeadlineExceeded):
        server.drain('f', timeout=0.02)
    drained = in_thread(server.drain, 'f')
    wait_until(lambda: gateway.ask('describe', 'f')['state'] == 'draining', 'the drain to begin')
    with chapi.Client(socket=gateway.socket_path) as other:
        with pytest.raises(chapi.Paused):
            other.call('f')
    go.set()
    assert (call(), drained()) == (True, None)
    server.resume('f')
    assert local.call('f') is True
    with pytest.raises(chapi.ApiNotFound):
        server.drain('nobody.has.this')


class PlayedGateway:
    """Plays the gateway to a server that connects."""

    def __init__(self, listener):
        self.socket = listener.accept()[0]
        self.socket.settimeout(LIMIT)
        self.unpacker = msgpack.Unpacker()

    def receive(self):
        while True:
            for message in self.unpacker:
                return message
            data = self.socket.recv(1 << 16)
            assert data, 'the server ended the connection'
            self.unpacker.feed(data)

    def send(self, *messages):
        self.socket.sendall(b''.join(msgpack.packb(m) for m in messages))

    def accept(self, method):
        request = self.receive()
        assert request[2] == method
        self.send([1, request[1], None, {}])


@pytest.fixture
def listener(folder):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.join(folder, 'gw.sock'))
        listener.listen()
        yield listener


async def cancel_when(asked, coroutine):
    """Cancels it when the gateway has been asked, and has not answered."""
    task = asyncio.ensure_future(coroutine)
    await asyncio.get_running_loop().run_in_executor(None, asked.wait, LIMIT)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_name_that_is_granted_too_late_is_given_back(listener):
    """To the gateway, which takes requests in order; and it can be registered again."""
    asked = threading.Event()

    async def main():
        async with chapi.AsyncServer(socket=listener.getsockname()) as server:
            await cancel_when(asked, server.register('f', lambda: 1))
            assert server.apis() == {}
            await server.register('f', lambda: 2)
            assert server.apis()['f']['state'] == 'active'
    served = in_thread(asyncio.run, main())
    peer = PlayedGateway(listener)
    peer.accept('hello')
    late = peer.receive()
    assert late[2] == 'register'
    asked.set()
    assert peer.receive() == [2, 'cancel', [late[1]]]
    back, again = peer.receive(), peer.receive()
    assert (back[2:], again[2]) == (['unregister', ['f']], 'register')
    peer.send([1, late[1], None, {'state': 'active'}], [1, back[1], None, None],
              [1, again[1], None, {'state': 'active'}])
    assert served() is None
    peer.socket.close()


def test_name_is_given_back_also_when_nobody_waits_for_that(listener):
    asked = threading.Event()

    async def main():
        server = chapi.AsyncServer(socket=listener.getsockname())
        server.add('f', lambda: 1)
        async with server:
            await cancel_when(asked, server.unregister('f'))
            assert server.apis() == {}
    served = in_thread(asyncio.run, main())
    peer = PlayedGateway(listener)
    peer.accept('hello')
    peer.accept('register')
    assert peer.receive()[2:] == ['unregister', ['f']]
    asked.set()
    assert served() is None
    peer.socket.close()


@pytest.mark.parametrize('method, undone_by', [('pause', 'resume'), ('resume', 'pause')])
def test_pause_or_resume_that_nobody_waits_for_is_undone(listener, method, undone_by):
    """The gateway may do it yet; it takes requests in order."""
    asked = threading.Event()

    async def main():
        server = chapi.AsyncServer(socket=listener.getsockname())
        server.add('f', lambda: 1)
        async with server:
            if method == 'resume':
                await server.pause('f')
            await cancel_when(asked, getattr(server, method)('f'))
    served = in_thread(asyncio.run, main())
    peer = PlayedGateway(listener)
    peer.accept('hello')
    peer.accept('register')
    if method == 'resume':
        peer.accept('pause')
    late = peer.receive()
    assert late[2] == method
    asked.set()
    assert peer.receive() == [2, 'cancel', [late[1]]]
    assert peer.receive()[2:] == [undone_by, ['f']]
    assert served() is None
    peer.socket.close()


def test_after_stop_there_is_an_error_and_no_waiting(server, gateway):
    server.register('f', lambda: 1)
    server.stop()
    for ask in (lambda: server.register('g', lambda: 1), lambda: server.pause('f'),
                lambda: server.start(timeout=LIMIT), server.run):
        with pytest.raises(chapi.ConnectionLost, match='stop') as e:
            ask()
        assert e.value.ran == 'no'
    assert list(server.apis()) == ['f']


def test_stop_is_told_to_who_waits_for_the_gateway(folder):
    async def main():
        server = chapi.AsyncServer(socket=os.path.join(folder, 'nobody.sock'))
        starting = asyncio.ensure_future(server.start())
        registering = asyncio.ensure_future(server.register('f', lambda: 1))
        await asyncio.sleep(0)
        await server.stop()
        for waiting in (starting, registering):
            with pytest.raises(chapi.ConnectionLost, match='stop'):
                await asyncio.wait_for(waiting, LIMIT)
        assert server.apis() == {}
    asyncio.run(main())


def test_stop_ends_run(gateway, local):
    server = chapi.Server(socket=gateway.socket_path)
    server.register('f', lambda: 1)
    ran = in_thread(server.run)
    local.wait_ready('f', timeout=LIMIT)
    server.stop()
    assert ran() is None


def test_stop_ends_run_that_waits_for_the_gateway(folder):
    async def main():
        server = chapi.AsyncServer(socket=os.path.join(folder, 'nobody.sock'))
        running = asyncio.ensure_future(server.run())
        await asyncio.sleep(0)
        await server.stop()
        assert await asyncio.wait_for(running, LIMIT) is None
    asyncio.run(main())


def test_calls_after_stop_are_errors_at_once(gateway):
    async def main(client):
        await client.start()
        await client.stop()
        with pytest.raises(chapi.ConnectionLost, match='stop') as e:
            await client.call('chapi.ping')
        assert e.value.ran == 'no'
    asyncio.run(main(chapi.AsyncClient(socket=gateway.socket_path, connect_timeout=LIMIT)))
    asyncio.run(main(chapi.AsyncClient('1', 'key', 'secret', 'http://127.0.0.1:1',
                                       connect_timeout=LIMIT)))


def test_blocking_client_that_is_stopped_meanwhile_lets_nobody_wait(gateway):
    """From several threads: each call ends, with its result or with an error of chapi."""
    client = chapi.Client(socket=gateway.socket_path, connect_timeout=LIMIT)
    events = client.monitor(['peer'])
    began = threading.Event()

    def ask():
        while True:
            client.call('chapi.ping', timeout=LIMIT)
            began.set()
    def watch():
        for _ in events:
            pass
    asking = [in_thread(ask) for _ in range(4)]
    watching = in_thread(watch)
    assert began.wait(LIMIT)
    client.stop()
    for ended in asking:
        assert isinstance(ended(), chapi.ConnectionLost)
    said = watching()
    assert said is None or isinstance(said, chapi.ConnectionLost)
    events.stop()


@pytest.mark.parametrize('kind', ['function', 'coroutine'])
def test_call_cancelled_as_soon_as_it_comes_has_its_answer(folder, kind):
    """Also before the last name is registered, as the first is served by then."""
    ran = []
    path = os.path.join(folder, 'gw.sock')
    server = chapi.Server(socket=path)

    async def coroutine(n):
        ran.append(n)
    server.register('first', coroutine if kind == 'coroutine' else lambda n: ran.append(n))
    server.register('second', lambda: 1)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        started = in_thread(server.start, timeout=LIMIT)
        peer = PlayedGateway(listener)
        peer.accept('hello')
        peer.accept('register')
        second = peer.receive()
        peer.send([0, 7, 'first', [{'n': 1}, {}]], [2, 'cancel', [7]])
        answer = peer.receive()
        assert (answer[1], answer[2]['code']) == (7, 'cancelled')
        peer.send([0, 8, 'first', [{'n': 2}, {}]])
        assert peer.receive() == [1, 8, None, None]
        peer.send([1, second[1], None, {}])
        assert started() is None
        server.stop()
        peer.socket.close()
    assert ran == [2]
