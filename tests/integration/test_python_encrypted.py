# SPDX-License-Identifier: MIT
"""The Python package on an encrypted channel; the official client plays the gateway."""
import base64
import json
import os

import pytest

from lib.limits import LIMIT
from lib.process import Daemon
from lib.python_client import chapi, in_thread, needs_websockets, remote_client
from lib.pusher_client import Remote, payload
from chapi import crypto, parts

pytestmark = [needs_websockets,
              pytest.mark.skipif(crypto.nacl is None,
                                 reason='the Python package PyNaCl is missing')]
KEY = os.urandom(32)


@pytest.fixture
def encrypted_channel():
    return 'private-encrypted-chapi-' + os.urandom(6).hex()


@pytest.fixture
def official(hub):
    """The official client: signs and seals on its own."""
    pusher = pytest.importorskip('pusher')
    return pusher.Pusher(app_id=hub.app_id, key=hub.key, secret=hub.secret, host=hub.host,
                         port=hub.port, ssl=False,
                         encryption_master_key_base64=base64.b64encode(KEY).decode())


def test_call_over_an_encrypted_channel(hub, encrypted_channel, official):
    seal = crypto.Seal(encrypted_channel, KEY)
    with Remote(hub, encrypted_channel) as remote, \
            remote_client(hub, encrypted_channel, encryption_master_key=KEY) as client:
        client.wait_ready(timeout=LIMIT)
        wait = in_thread(client.call, 'f', secret='Zürich')
        data = remote.client.wait_event('request')['data']
        assert 'Zürich' not in data
        request = json.loads(seal.open(data))
        assert request['params'] == {'secret': 'Zürich'}
        remote.send('not sealed', 'response')
        official.trigger(encrypted_channel, 'response',
                         {'id': request['id'], 'api': 'f', 'result': 7, 'error': None})
        assert wait() == 7


def test_large_request_over_an_encrypted_channel(hub, encrypted_channel):
    seal = crypto.Seal(encrypted_channel, KEY)
    value = os.urandom(20000).hex()
    with Remote(hub, encrypted_channel) as remote, \
            remote_client(hub, encrypted_channel, encryption_master_key=KEY) as client:
        client.notify('f', v=value)
        assembly, text = parts.Assembly(), None
        while text is None:
            event = remote.client.wait_event('request-part')
            assert len(event['data']) <= parts.EVENT_MAX
            text = assembly.add(json.loads(seal.open(payload(event))))
        assert json.loads(text)['params'] == {'v': value}


def test_channel_needs_its_key(hub):
    with pytest.raises(ValueError, match='encryption_master_key'):
        remote_client(hub, 'private-encrypted-x')


def test_real_gateway_on_an_encrypted_channel(hub, encrypted_channel, start_gateway,
                                              python_server, folder):
    path, text = os.path.join(folder, 'master-key'), base64.b64encode(KEY).decode()
    Daemon.known_secrets.add(text)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as f:
        f.write(text)
    gateway = start_gateway(hub, encrypted_channel,
                            pusher={'encryption_master_key_file': path}).wait_up()
    python_server(gateway, same=lambda v: v)
    with remote_client(hub, encrypted_channel, encryption_master_key=KEY) as client:
        for value in ('Zürich', os.urandom(30000)):
            assert client.call('same', v=value) == value
    with remote_client(hub, encrypted_channel, encryption_master_key=os.urandom(32)) as stranger:
        with pytest.raises(chapi.DeadlineExceeded):
            stranger.call('same', v=1, timeout=0.05)
