# SPDX-License-Identifier: MIT
"""The Python package and the gateway: large values both ways, in clear and encrypted."""
import base64
import os

import pytest

from lib.limits import LIMIT
from lib.python_client import chapi, needs_websockets, remote_client
from chapi import crypto

pytestmark = needs_websockets


def test_half_a_mebibyte_there_and_back(hub, channel, remote_gateway):
    value = base64.b64encode(os.urandom(400000)).decode()
    with remote_client(hub, channel) as client:
        client.wait_ready(timeout=LIMIT)
        assert client.call('chapi.echo', value=value) == {'value': value}


def test_answer_beyond_the_limit_is_too_large(hub, channel, start_gateway):
    gateway = start_gateway(hub, channel, remote={'max_record': '20K'}).wait_up()
    assert gateway.is_running()
    with remote_client(hub, channel) as client:
        client.wait_ready(timeout=LIMIT)
        with pytest.raises(chapi.TooLarge) as caught:
            client.call('chapi.echo', value='x' * 30000)    # the request is small where it is deflated
        assert caught.value.ran == 'no'


@pytest.mark.skipif(crypto.nacl is None, reason='the Python package PyNaCl is missing')
def test_encrypted_there_and_back(hub, start_gateway, master_key):
    channel = 'private-encrypted-chapi-' + os.urandom(6).hex()
    start_gateway(hub, channel, pusher=master_key.settings()).wait_up()
    value = base64.b64encode(os.urandom(40000)).decode()
    with remote_client(hub, channel, encryption_master_key=base64.b64decode(master_key.text)) as client:
        client.wait_ready(timeout=LIMIT)
        assert client.call('chapi.echo', secret='Zürich') == {'secret': 'Zürich'}
        assert client.call('chapi.echo', value=value) == {'value': value}
