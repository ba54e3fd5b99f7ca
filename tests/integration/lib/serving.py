# SPDX-License-Identifier: MIT
"""What the tests of chapi-serve share."""
import pytest

from .ipc import RpcError
from .limits import wait_until
from .process import Daemon, environment, program


def start(daemons, gateway, *arguments, names, env=None):
    """chapi-serve until the test ends; back when all names are there."""
    env = env or environment(CHAPI_SOCKET=gateway.socket_path)
    daemon = daemons.start(Daemon('chapi-serve', [program('chapi-serve')] + list(arguments),
                                  env=env))
    with gateway.connect() as client:
        for name in names:
            wait_until(lambda name=name: client.ask('list', name) or not daemon.is_running(),
                       name + ' to be registered')
    assert daemon.is_running(), daemon.log()
    return daemon


def shell(script, *arguments):
    return ['/bin/sh', '-c', script, 'sh'] + list(arguments)


def failure(client, name, params=None, **options):
    with pytest.raises(RpcError) as e:
        client.call(name, params, **options)
    return e.value


def values(thing):
    """All plain values within, as texts."""
    if isinstance(thing, dict):
        return [x for v in thing.values() for x in values(v)]
    if isinstance(thing, list):
        return [x for v in thing for x in values(v)]
    return [thing]
