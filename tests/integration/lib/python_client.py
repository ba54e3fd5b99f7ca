# SPDX-License-Identifier: MIT
"""The package in clients/python: found, imported, and what several of its tests are made with.

A plugin of pytest, as conftest.py says: its fixtures are there for all tests.
"""
import importlib.util
import os
import sys
import textwrap
import threading

import pytest

from .limits import LIMIT
from .process import environment, is_sanitized, top_srcdir

PACKAGE = os.path.join(top_srcdir, 'clients/python')
sys.path.insert(0, PACKAGE)
import chapi                        # noqa: E402

needs_websockets = pytest.mark.skipif(importlib.util.find_spec('websockets') is None,
                                      reason='the Python package websockets is missing')


def package_environment(gateway=None, **more):
    """For programs that import the package; gateway: the one that they find."""
    return environment(PYTHONPATH=PACKAGE, PYTHONUNBUFFERED='1', PYTHONDONTWRITEBYTECODE='1',
                       CHAPI_SOCKET=gateway and gateway.socket_path, **more)


def remote_client(hub, channel, secret=None, **more):
    return chapi.Client(hub.app_id, hub.key, secret or hub.secret, channel=channel,
                        host=hub.host, port=hub.port, tls=False, **more)


def in_thread(function, *arguments, **more):
    """Starts function; returns what waits for its result, or for the error that it raised."""
    outcome = []

    def target():
        try:
            outcome.append(function(*arguments, **more))
        except chapi.Error as e:
            outcome.append(e)
    thread = threading.Thread(target=target)
    thread.start()

    def wait():
        thread.join(LIMIT)
        assert outcome, 'no end of it within the limit'
        return outcome[0]
    return wait


def add(a: int, b: int = 1) -> int:
    """Adds two numbers.

    Whole ones.
    """
    return a + b


@pytest.fixture
def once():
    """For what uses no program of the build: once in ./check, with the plain one, is enough."""
    if is_sanitized():
        pytest.skip('done with the build that has no sanitizers')


@pytest.fixture
def write_program(folder):
    """write_program(name, text, word=...): the file's path; words are filled in as by format()."""
    def write(name, text, **words):
        path = os.path.join(folder, name)
        with open(path, 'w') as f:
            f.write(textwrap.dedent(text).format(**words) if words else textwrap.dedent(text))
        return path
    return write


@pytest.fixture
def server(gateway):
    server = chapi.Server(socket=gateway.socket_path)
    server.start(worker_num=2, timeout=LIMIT)
    yield server
    server.stop()


@pytest.fixture
def local(gateway):
    with chapi.Client(socket=gateway.socket_path) as client:
        yield client


@pytest.fixture
def python_server(daemons):
    """python_server(gateway, name=function, ...): a server until the test ends."""
    servers = []

    def start(gateway, **functions):
        server = chapi.Server(socket=gateway.socket_path)
        for name, function in functions.items():
            server.register(name, function)
        server.start(timeout=LIMIT)
        servers.append(server)
        return server
    yield start
    for server in servers:
        server.stop()
