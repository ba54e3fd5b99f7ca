# SPDX-License-Identifier: MIT
"""The socket's file: left-overs of a dead gateway, a live one, paths and rights."""
import os
import shutil
import signal
import socket
import stat
import threading

import pytest

from lib.gateway import Gateway
from lib.process import ORDINARY_UID, as_ordinary_user, environment, program, run


def gateway_command(*arguments):
    return [program('chapi-gw'), '--config', '/dev/null'] + list(arguments)


@pytest.fixture
def path(folder):
    return os.path.join(folder, 'gw.sock')


def test_stale_socket_is_replaced(start_gateway, path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
    with start_gateway().connect() as client:
        assert client.call('chapi.echo', 1) == 1


def test_socket_left_by_a_killed_gateway_is_replaced(start_gateway, path):
    first = start_gateway()
    first.kill()
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    with start_gateway().connect() as client:
        assert client.call('chapi.echo', 1) == 1


def test_live_socket_is_an_error_and_its_owner_notices_nothing(gateway, path):
    with gateway.connect() as client:
        result = run(gateway_command('--socket', path))
        assert result.returncode not in (0, -signal.SIGSEGV, -signal.SIGABRT)
        assert path in result.stderr
        assert client.call('chapi.echo', 1) == 1
    with gateway.connect() as client:
        assert client.call('chapi.echo', 1) == 1


def test_path_too_long_for_a_socket_says_so(folder):
    path = os.path.join(folder, 'x' * 120)
    result = run(gateway_command('--socket', path))
    assert result.returncode > 0
    assert path in result.stderr and '107' in result.stderr
    assert path in result.stderr or 'x' * 40 in result.stderr


def test_longest_path_that_fits_works(daemons, folder):
    gateway = Gateway(folder)
    gateway.socket_path = os.path.join(folder, 'x' * (107 - len(folder) - 1))
    assert len(gateway.socket_path) == 107
    gateway.argv[-1] = gateway.socket_path
    with daemons.start(gateway).connect() as client:
        assert client.call('chapi.echo', 1) == 1


def test_file_that_is_no_socket_is_left_alone(path):
    with open(path, 'w') as f:
        f.write('precious')
    result = run(gateway_command('--socket', path))
    assert result.returncode > 0
    assert path in result.stderr
    with open(path) as f:
        assert f.read() == 'precious'


def test_folder_that_is_not_there_says_so(folder):
    path = os.path.join(folder, 'nowhere', 'gw.sock')
    result = run(gateway_command('--socket', path))
    assert result.returncode > 0
    assert os.path.dirname(path) in result.stderr


def test_socket_goes_with_the_gateway(start_gateway, path):
    gateway = start_gateway()
    gateway.stop()
    assert not os.path.exists(path)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT], ids=['TERM', 'INT'])
def test_gateway_ends_when_it_is_told_to(start_gateway, number):
    gateway = start_gateway()
    with gateway.connect() as client:
        client.ask('hello')
        gateway.send_signal(number)
        assert gateway.wait() == 0
        client.wait_end()


@pytest.mark.parametrize('mode', ['0600', '0660', '0666'])
def test_mode_of_the_socket_is_the_setting(start_gateway, path, mode):
    start_gateway(gateway={'socket_mode': mode})
    assert stat.S_IMODE(os.stat(path).st_mode) == int(mode, 8)


def test_mode_does_not_hang_on_the_umask(daemons, folder, path):
    before = os.umask(0o077)
    try:
        daemons.start(Gateway(folder, gateway={'socket_mode': '0666'}))
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o666


@pytest.mark.skipif(os.geteuid() != 0, reason='needs root: a gateway and a caller of two users')
@pytest.mark.parametrize('mode, allowed', [('0600', False), ('0666', True)])
def test_ordinary_user_comes_in_when_the_mode_lets_him(start_gateway, need, path, mode, allowed):
    need('socat', 'setpriv')
    start_gateway(gateway={'socket_mode': mode})
    result = run(as_ordinary_user(['socat', '-t5', '-', 'UNIX-CONNECT:' + path]),
                 stdin='[0,1,"hello",[]]\n')
    if allowed:
        assert '"uid":%d' % ORDINARY_UID in result.stdout
    else:
        assert result.returncode != 0 and 'ermission' in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason='needs root: a gateway and a provider of two users')
def test_provider_is_told_the_uid_of_its_caller(start_gateway, need, path):
    need('socat', 'setpriv')
    gateway = start_gateway(gateway={'socket_mode': '0666'})
    with gateway.connect() as provider:
        provider.ask('register', 'whoami')
        def answer():
            request = provider.wait_request()
            provider.answer(request, request[3][1]['caller'])
        thread = threading.Thread(target=answer)
        thread.start()
        result = run(as_ordinary_user(['socat', '-t5', '-', 'UNIX-CONNECT:' + path]),
                     stdin='[0,1,"call",["whoami",{}]]\n')
        thread.join()
    assert result.stdout == '[1,1,null,"uid:%d"]\n' % ORDINARY_UID


def test_gateway_runs_as_an_ordinary_user(daemons, folder, need):
    need('setpriv')
    home = os.path.join(folder, 'home')
    os.mkdir(home)
    if os.geteuid() == 0:
        os.chown(home, ORDINARY_UID, ORDINARY_UID)
    # The build may be where others cannot go.
    executable = shutil.copy(program('chapi-gw'), folder)
    gateway = Gateway(folder, env=environment(HOME=home))
    gateway.socket_path = os.path.join(home, 'gw.sock')
    gateway.argv = as_ordinary_user([executable, '--config', '/dev/null',
                                     '--socket', gateway.socket_path])
    with daemons.start(gateway).connect() as client:
        expected = ORDINARY_UID if os.geteuid() == 0 else os.getuid()
        assert os.stat(gateway.socket_path).st_uid == expected
        assert client.ask('hello')['uid'] == os.getuid()
