# SPDX-License-Identifier: MIT
"""What is around the gateway: a proxy, names that lead elsewhere, hubs that take only so much."""
import contextlib
import os
import socket
import threading

import pytest

from lib.hosts import Hosts
from lib.hubs import HUBS, FaultyHub, free_port_of
from lib.ipc import RpcError
from lib.limits import wait_until
from lib.proxy import Proxy
from lib.pusher_client import PusherClient, Remote, payload


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


LONG = 'ann:' + 'hush-long'.ljust(86, '1')


@pytest.mark.parametrize('written, login', [
    ('ann:hush-proxy', 'ann:hush-proxy'), (LONG, LONG), ('ann', 'ann:'),
    ('ann:p%40ss%3A%2f%25', 'ann:p@ss:/%'), ('ann:p@ss/100%?#', 'ann:p@ss/100%?#')],
                         ids=['short', 'long', 'user', 'encoded', 'as-it-is'])
def test_login_of_the_proxy_is_sent_by_both(proxy, tls_hub, start_gateway, channel, written, login):
    """Also one of 90 bytes, the most that the setting allows: libwebsockets has little room."""
    url = 'http://%s@%s:%d' % (written, proxy.host, proxy.port)
    start_gateway(tls_hub, channel, pusher={'proxy': url}).wait_up()
    with Remote(tls_hub, channel) as remote:
        assert remote.call('chapi.echo', 1)['result'] == 1
    assert len(proxy.logins) >= 2   # WebSocket and HTTP
    assert set(proxy.logins) == {login}


# An address of its own among those of loopback: a port that is given would be taken elsewhere.
def test_proxy_that_names_no_port_has_3128_for_all(tls_hub, start_gateway, channel):
    pid = os.getpid()
    proxy = Proxy('127.31.%d.%d' % (pid >> 8 & 255, pid & 255), 3128)
    try:
        start_gateway(tls_hub, channel, pusher={'proxy': 'http://' + proxy.host}).wait_up()
        with Remote(tls_hub, channel) as remote:
            assert remote.call('chapi.echo', 1)['result'] == 1
    finally:
        proxy.stop()
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


def test_proxy_that_wants_a_password_gets_no_connection_ahead(proxy, tls_hub, start_gateway,
                                                              channel):
    """It is libcurl that closes after a 407: that says nothing of the server."""
    gateway = start_gateway(tls_hub, channel, pusher={'proxy': proxy.url()}).wait_up()
    proxy.refusal = '407 Proxy Authentication Required'
    before = proxy.accepted
    with gateway.connect() as client:
        with pytest.raises(RpcError):
            client.ask('publish', 'news', 'x', {})
    gateway.ask('status')       # so whatever comes of the 407 has been done
    with socket.create_connection((proxy.host, proxy.port), timeout=10) as own:
        own.sendall(b'CONNECT own:1 HTTP/1.1\r\n\r\n')
        assert b' 407 ' in own.recv(4096)   # it came after any other
    assert proxy.accepted == before + 2


def test_proxy_that_refuses_the_websocket_is_named(proxy, tls_hub, start_gateway, channel):
    proxy.refusal = '407 Proxy Authentication Required'
    gateway = start_gateway(tls_hub, channel, pusher={'proxy': proxy.url()})
    gateway.wait_log('the proxy 127.0.0.1 port %d makes no connection to localhost; is it allowed '
                     'to, and are user and password in the setting proxy right?' % proxy.port)
    proxy.refusal = None
    gateway.wait_up()


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
def hosts(folder):
    return Hosts(folder)


def test_name_of_the_hub_is_looked_up_for_each_try(hosts, start_gateway, folder, channel):
    """It moves to another address: the WebSocket follows, and so does what is published."""
    hub = FaultyHub(folder)
    hub.start()
    hosts.lead(hub=['127.0.0.1'])
    gateway = start_gateway(hub, channel, executable=hosts.executable, pusher={'host': 'hub.test'})
    gateway.wait_up()
    with Remote(hub, channel) as remote:
        assert remote.call('chapi.echo', 1)['result'] == 1
    hub.stop()
    gateway.wait_not_up()
    hub.host = '127.0.0.2'
    hub.options += ['--listen', '127.0.0.2:%d' % hub.port]
    try:
        hub.start()
        hosts.lead(hub=['127.0.0.2'])
        gateway.wait_up()
        with Remote(hub, channel) as remote:
            for n in range(3):
                assert remote.call('chapi.echo', n)['result'] == n
    finally:
        hub.stop()


@contextlib.contextmanager
def sick_beside(hub, hosts, folder, script):
    """The first address of two.test leads to a hub that plays the script, the second to hub."""
    hosts.lead(two=['127.0.0.1', '127.0.0.2'])
    first, hub.host = hosts.addresses('two')
    hub.port = free_port_of([first, hub.host])
    hub.start()
    os.mkdir(folder + '/sick')
    sick = FaultyHub(folder + '/sick', script=script)
    sick.secret, sick.secret_file = hub.secret, hub.secret_file
    sick.options += ['--listen', '%s:%d' % (first, hub.port)]
    sick.host = first
    sick.start()
    try:
        yield sick
    finally:
        sick.stop()


def up_beside_sick(hosts, hub, start_gateway, folder, channel, script, **pusher):
    """It is up, whatever the first address does."""
    with sick_beside(hub, hosts, folder, script):
        start_gateway(hub, channel, executable=hosts.executable,
                      pusher=dict(pusher, host='two.test')).wait_up()


def test_address_that_greets_nobody_is_left_for_the_next(hosts, own_hub, start_gateway, folder,
                                                         channel):
    """Behind the first address is a server that accepts connections and closes them again."""
    up_beside_sick(hosts, own_hub, start_gateway, folder, channel, 'on accept all do close 4200\n')


def test_address_that_greets_and_then_is_silent_is_left_for_the_next(hosts, own_hub, start_gateway,
                                                                     folder, channel):
    """Behind the first address is a server that answers no subscribe."""
    up_beside_sick(hosts, own_hub, start_gateway, folder, channel,
                   'on receive pusher:subscribe all do freeze\n',
                   ping_interval='200ms', pong_timeout='300ms')


def test_address_that_refuses_costs_no_try(hosts, own_hub, start_gateway, channel):
    """As where a name has an address of IPv6 first, and the hub listens on the other."""
    hosts.lead(two=['127.0.0.1', '127.0.0.2'])
    first, own_hub.host = hosts.addresses('two')
    own_hub.port = free_port_of([first, own_hub.host])
    own_hub.start()
    gateway = start_gateway(own_hub, channel, executable=hosts.executable,
                            pusher={'host': 'two.test'}).wait_up()
    assert gateway.ask('status')['hub']['connects'] == 1


class Refusing:
    """Answers whoever comes to one of these addresses with the same words; counts them."""

    def __init__(self, addresses, words):
        self.words = words
        self.n = 0
        self.port = free_port_of(addresses)
        self.listeners = [socket.create_server((address, self.port)) for address in addresses]
        for listener in self.listeners:
            threading.Thread(target=self.serve, args=(listener,), daemon=True).start()

    def serve(self, listener):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                with contextlib.suppress(OSError), sock:
                    while b'\r\n\r\n' not in sock.recv(4096):
                        pass
                    self.n += 1
                    sock.sendall(self.words.encode())

    def stop(self):
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


@contextlib.contextmanager
def refusing(hosts, words):
    hosts.lead(two=['127.0.0.1', '127.0.0.2'])
    server = Refusing(hosts.addresses('two'), words)
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize('status, header, least_s', [
    ('429 Too Many Requests', 'Retry-After: 30\r\n', 30),
    ('503 Service Unavailable', 'Retry-After: Tue, 14 Nov 2023 22:14:20 GMT\r\n'
                                'Date: Tue, 14 Nov 2023 22:13:50 GMT\r\n', 30),
    ('429 Too Many Requests', '', 1)], ids=['seconds', 'date', 'without'])
def test_hub_that_wants_fewer_connections_is_obeyed(hosts, fake_hub, start_gateway, channel,
                                                    status, header, least_s):
    """None of its other addresses is tried in its place."""
    words = 'HTTP/1.1 %s\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n' % (status, header)
    with refusing(hosts, words) as server:
        gateway = start_gateway(fake_hub, channel, executable=hosts.executable,
                                pusher={'host': 'two.test', 'port': server.port},
                                timing={'backoff_least': '20s', 'backoff_most': '20s'})
        gateway.wait_log('not connected: the hub cannot be reached: two.test answered with HTTP '
                         'status ' + status[:3])
        hub = gateway.ask('status')['hub']
        assert hub['state'] == 'waiting' and server.n == 1
        assert least_s < hub['next_try_in_ms'] / 1000 < least_s + 21.1


def test_server_that_has_a_fault_is_left_for_the_next(hosts, fake_hub, start_gateway, channel):
    words = 'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
    with refusing(hosts, words) as server:
        gateway = start_gateway(fake_hub, channel, executable=hosts.executable,
                                pusher={'host': 'two.test', 'port': server.port},
                                timing={'backoff_least': '20s', 'backoff_most': '20s'})
        gateway.wait_log('not connected')
        assert server.n == 2


def test_trouble_that_turns_with_the_addresses_is_logged_once(hosts, fake_hub, start_gateway,
                                                              channel):
    two = ['127.0.0.1', '127.0.0.2']
    hosts.lead(two=two)
    gateway = start_gateway(fake_hub, channel, executable=hosts.executable,
                            pusher={'host': 'two.test', 'port': free_port_of(two)},
                            timing={'backoff_least': '10ms', 'backoff_most': '10ms'})
    gateway.wait_log('not connected')
    for addresses in (two[:1], two[1:], two[:1], two[1:]):
        hosts.lead(two=addresses)
        wait_until(lambda: addresses[0] in gateway.ask('status')['hub']['reason'], 'its turn')
    for address in two:
        assert gateway.log().count('not connected: the hub cannot be reached: cannot connect to '
                                   + address) == 1


def test_address_that_takes_no_event_is_left_for_another(hosts, own_hub, start_gateway, folder,
                                                         channel):
    """The WebSocket stays where it is, and what is published finds the other way."""
    with sick_beside(own_hub, hosts, folder, 'on post all do answer 503\n') as sick:
        gateway = start_gateway(own_hub, channel, executable=hosts.executable,
                                pusher={'host': 'two.test'}).wait_up()
        with Remote(sick, channel) as remote:
            remote.request_over_socket('chapi.echo', 1)
            wait_until(lambda: gateway.ask('status')['hub']['publisher']['published'] == 1,
                       'the answer to be published')


def test_publishing_needs_no_websocket(faulty_hub, start_gateway, channel):
    """Policy of reconnecting: the queue of what is published is independent of the socket."""
    faulty_hub.control.do('on accept client chapi-gw all do close 4100')
    gateway = start_gateway(faulty_hub, channel)
    with PusherClient(faulty_hub) as client, gateway.connect() as local:
        client.establish()
        client.subscribe('news')
        assert local.ask('publish', 'news', 'x', {'a': 1}) is None
        assert payload(client.wait_event('x')) == {'a': 1}
        assert local.ask('status')['hub']['state'] != 'up'


def test_http_host_that_is_none_is_said(faulty_hub, start_gateway, channel):
    gateway = start_gateway(faulty_hub, channel, pusher={'http_host': '1:2:3'}).wait_up()
    with Remote(faulty_hub, channel) as remote:
        remote.request('chapi.echo', 1)
        wait_until(lambda: 'cannot publish: URL' in gateway.log(), 'the log to name the URL')


def test_hub_that_wants_fewer_requests_gets_them_later(folder, start_gateway, channel):
    """soketi's own limit: 429, with Retry-After, in an answer that says 200."""
    why = HUBS['soketi'].why_not()
    if why:
        pytest.skip(why)
    hub = HUBS['soketi'](folder)
    hub.app = {'maxBackendEventsPerSecond': 1}
    hub.start()
    try:
        gateway = start_gateway(hub, channel, timing={'batch': 1}).wait_up()
        with Remote(hub, channel) as remote:
            numbers = [remote.request_over_socket('chapi.echo', n) for n in range(3)]
            assert [remote.response(number)['result'] for number in numbers] == [0, 1, 2]
        publisher = gateway.ask('status')['hub']['publisher']
        assert publisher['repeated'] > 0 and publisher['failed'] == 0
    finally:
        hub.stop()
