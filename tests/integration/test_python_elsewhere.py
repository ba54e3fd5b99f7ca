# SPDX-License-Identifier: MIT
"""The Python package: calls through the gateway of this machine to that of another."""
import os

import pytest

from lib.gateway import Gateway
from lib.limits import LIMIT
from lib.python_client import chapi


@pytest.fixture
def two(daemons, folder, hub):
    """Two gateways on one hub, and the name of the second."""
    name = 'attic-' + os.urandom(4).hex()
    gateways = []
    for each in ('pi-' + os.urandom(4).hex(), name):
        os.mkdir(os.path.join(folder, each))
        gateways.append(daemons.start(Gateway(os.path.join(folder, each), hub,
                                              gateway={'name': each})))
    return gateways[0].wait_up(), gateways[1].wait_up(), name


def test_call_to_another_gateway(two, python_server):
    here, there, name = two
    python_server(there, who=lambda: chapi.current_call().request.origin)
    with chapi.Client(socket=here.socket_path) as client:
        response = client.perform('who', to=name, timeout=LIMIT)
        assert (response.value(), response.gateway) == ('remote', name)
        with pytest.raises(chapi.ApiNotFound):
            client.perform('who', timeout=LIMIT).value()
        with pytest.raises(chapi.ApiNotFound):
            client.perform('nobody', to=name, timeout=LIMIT).value()


def test_gateway_that_is_not_there(two):
    with chapi.Client(socket=two[0].socket_path) as client:
        with pytest.raises(chapi.GatewayNotFound) as e:
            client.perform('who', to='nobody-' + os.urandom(4).hex(), timeout=0.5).value()
        assert e.value.ran == 'unknown'
