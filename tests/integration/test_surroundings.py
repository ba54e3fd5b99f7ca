# SPDX-License-Identifier: MIT
"""What stands between the gateway and the hub: a proxy, and names that lead elsewhere."""
import os
import subprocess

import pytest

from lib.hubs import FaultyHub
from lib.ipc import RpcError
from lib.process import program
from lib.proxy import Proxy
from lib.pusher_client import Remote


@pytest.fixture
def proxy():
    proxy = Proxy()
    yield proxy
    proxy.stop()


@pytest.fixture
def tls_hub(folder, authority):
    hub = FaultyHub(folder, authority.issue('hub', 'DNS:localhost,IP:127.0.0.1')).start()
    yield hub
    hub.stop()


def test_all_goes_through_the_proxy(proxy, tls_hub, start_gateway, channel):
    start_gateway(tls_hub, channel, pusher={'proxy': proxy.url()}).wait_up()
    with Remote(tls_hub, channel) as remote:
        assert remote.call('chapi.echo', 1)['result'] == 1
    assert set(proxy.asked) == {'localhost:%d' % tls_hub.port}
    assert len(proxy.asked) >= 2    # WebSocket and HTTP


def test_proxy_that_wants_a_password_is_not_asked_until_the_deadline(proxy, tls_hub, start_gateway,
                                                                     channel):
    gateway = start_gateway(tls_hub, channel, pusher={'proxy': proxy.url()}).wait_up()
    proxy.refusal = '407 Proxy Authentication Required'
    before = len(proxy.asked)
    with gateway.connect() as client:
        with pytest.raises(RpcError) as refused:
            client.ask('publish', 'news', 'x', {})
        assert len(proxy.asked) == before + 1
        assert 'the proxy wants another user and password' in refused.value.message
        assert (refused.value.code, refused.value.ran) == ('failed_precondition', 'no')
        proxy.refusal = None
        assert client.ask('publish', 'news', 'x', {}) is None


def test_proxy_that_is_out_of_order_is_tried_again(proxy, tls_hub, start_gateway, channel):
    gateway = start_gateway(tls_hub, channel, pusher={'proxy': proxy.url()}).wait_up()
    with gateway.connect() as client, Remote(tls_hub, channel) as remote:
        proxy.refusal = '503 Service Unavailable'
        number = remote.request_over_socket('chapi.echo', 1)
        client.call('chapi.ping')
        gateway.wait_log('cannot publish')
        proxy.refusal = None
        assert remote.response(number)['result'] == 1


@pytest.fixture
def start_with_hosts(start_gateway, folder, channel):
    """The gateway with an /etc/hosts of its own, a file of the test."""
    hosts = os.path.join(folder, 'hosts')
    script = os.path.join(folder, 'gw-with-hosts')
    with open(script, 'w') as f:
        f.write('#!/bin/sh\nexec unshare --mount sh -c \''
                'mount --bind "$1" /etc/hosts && shift && exec "$@"\' '
                'sh "%s" "%s" "$@"\n' % (hosts, program('chapi-gw')))
    os.chmod(script, 0o755)
    with open(hosts, 'w'):
        pass
    probe = subprocess.run(['unshare', '--mount', 'mount', '--bind', hosts, '/etc/hosts'],
                           capture_output=True, text=True)
    if probe.returncode != 0:
        pytest.skip('no mount namespaces here: ' + probe.stderr.strip())

    def start(hub, **more):
        return start_gateway(hub, channel, executable=script, **more)
    start.hosts = hosts
    return start


def lead(start, address):
    with open(start.hosts, 'w') as f:
        f.write('%s hub.test\n' % address)


def test_name_of_the_hub_is_looked_up_for_each_try(start_with_hosts, folder, channel):
    """It moves to another address: the WebSocket follows, and so does what is published."""
    hub = FaultyHub(folder)
    hub.start()
    lead(start_with_hosts, '127.0.0.1')
    gateway = start_with_hosts(hub, pusher={'host': 'hub.test'}).wait_up()
    with Remote(hub, channel) as remote:
        assert remote.call('chapi.echo', 1)['result'] == 1
    hub.stop()
    gateway.wait_not_up()
    hub.host = '127.0.0.2'
    hub.options += ['--listen', '127.0.0.2:%d' % hub.port]
    try:
        hub.start()
        lead(start_with_hosts, '127.0.0.2')
        gateway.wait_up()
        with Remote(hub, channel) as remote:
            for n in range(3):
                assert remote.call('chapi.echo', n)['result'] == n
    finally:
        hub.stop()
