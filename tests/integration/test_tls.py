# SPDX-License-Identifier: MIT
"""wss and https with a certificate authority of one's own: verified, or refused and said."""
import contextlib
import os
import signal
import threading

import pytest

from lib.gateway import write_config
from lib.hubs import HUBS, FaultyHub
from lib.limits import LIMIT, wait_until
from lib.process import program, run
from lib.pusher_client import Remote
from lib.stopped import SILENCE, only_the_new_one_runs


@pytest.fixture
def tls_hub(hub_name, folder, authority):
    """tls_hub(ALTERNATIVES): a hub with a certificate for these names."""
    hubs = []

    def start(alternatives):
        hubs.append(HUBS[hub_name](folder, authority.issue('hub', alternatives)))
        return hubs[-1].start()
    yield start
    for hub in hubs:
        hub.stop()


def refusal(gateway):
    """What the status says; the log has to say it too. A name may have an address where
    nobody listens."""
    with gateway.connect() as client:
        hub = wait_until(lambda: [h for h in [client.ask('status')['hub']]
                                  if h['reason'] and 'cannot connect' not in h['reason']],
                         'a reason')[0]
        assert hub['state'] != 'up'
        assert client.call('chapi.echo', 1) == 1
    wait_until(lambda: 'certificate' in gateway.log().lower(), 'the log to name the certificate')
    return hub['reason'].lower()


def test_certificate_of_the_own_authority_is_trusted(tls_hub, start_gateway, channel):
    hub = tls_hub('DNS:localhost,IP:127.0.0.1')
    start_gateway(hub, channel).wait_up()
    with Remote(hub, channel) as remote:
        assert remote.call('chapi.echo', {'a': 1})['result'] == {'a': 1}


def test_certificate_for_an_address_is_trusted(tls_hub, start_gateway, channel):
    hub = tls_hub('DNS:localhost,IP:127.0.0.1')
    start_gateway(hub, channel, pusher={'host': '127.0.0.1'}).wait_up()
    with Remote(hub, channel) as remote:
        assert remote.call('chapi.echo', {'a': 1})['result'] == {'a': 1}


def test_unknown_authority_is_refused_and_said(tls_hub, start_gateway, channel):
    hub = tls_hub('DNS:localhost,IP:127.0.0.1')
    gateway = start_gateway(hub, channel, pusher={'ca_file': None})
    reason = refusal(gateway)
    assert 'certificate' in reason or 'verif' in reason, reason


@pytest.mark.parametrize('host, names',
                         [('localhost', 'DNS:hub.example'), ('127.0.0.1', 'DNS:hub.example'),
                          ('127.0.0.1', 'IP:127.0.0.2'), ('localhost', 'DNS:*.localhost')],
                         ids=['name', 'address without', 'another address', 'wildcard'])
def test_certificate_for_another_name_is_refused_and_said(tls_hub, start_gateway, channel,
                                                          host, names):
    hub = tls_hub(names)
    gateway = start_gateway(hub, channel, pusher={'host': host})
    reason = refusal(gateway)
    assert 'certificate' in reason or 'verif' in reason or 'mismatch' in reason, reason


def test_http_side_is_verified_too(tls_hub, start_gateway, channel, folder):
    """The WebSocket may come up by an address; answers must not go to a server of another name."""
    hub = tls_hub('DNS:localhost')
    gateway = start_gateway(hub, channel, pusher={'http_host': '127.0.0.1'}).wait_up()
    with Remote(hub, channel) as remote:
        remote.request('chapi.echo', 1)
        wait_until(lambda: 'certificate' in gateway.log().lower(),
                   'the log to name the certificate')
        assert remote.is_quiet()


def test_plain_connection_to_a_tls_hub_is_refused_and_said(tls_hub, start_gateway, channel):
    hub = tls_hub('DNS:localhost')
    gateway = start_gateway(hub, channel, pusher={'tls': 'no', 'ca_file': None})
    with gateway.connect() as client:
        assert wait_until(lambda: client.ask('status')['hub']['reason'], 'a reason')
        assert client.ask('status')['hub']['state'] != 'up'


def test_tls_connection_to_a_plain_hub_is_refused_and_said(hub, start_gateway, channel):
    """soketi may keep waiting for more of what it does not understand: the gateway does not."""
    gateway = start_gateway(hub, channel, pusher={'tls': 'yes'}, timing={'handshake': '500ms'})
    with gateway.connect() as client:
        assert wait_until(lambda: client.ask('status')['hub']['reason'], 'a reason')
        assert client.ask('status')['hub']['state'] != 'up'


def hurry(gateway, is_there):
    """Until is_there(hub's status). localhost may have a second address, at which nobody listens:
    so whenever the gateway waits, it is told to try again."""
    def look():
        hub = gateway.ask('status')['hub']
        if not is_there(hub) and hub['state'] == 'waiting':
            gateway.send_signal(signal.SIGHUP)
        return [hub] if is_there(hub) else None
    return wait_until(look, 'what was waited for')[0]


def is_up(hub):
    return hub['state'] == 'up'


def test_certificate_of_later_is_said_and_waits_for_the_clock(folder, authority,
                                                              start_gateway, channel):
    """The hub presents another certificate to a gateway whose clock would be behind;
    later the right one."""
    good = authority.issue('hub', 'DNS:localhost')
    later = authority.issue_for_later('later', 'DNS:localhost')
    hub = FaultyHub(folder, good).start()
    try:
        gateway = start_gateway(hub, channel,
                                timing={'backoff_least': '60s', 'backoff_most': '60s'})
        hurry(gateway, is_up)
        hub.control.do(['now', 'certificate', later[0], later[1]], 'now client chapi-gw close 4200')
        words = "is not yet valid; this machine's clock says 20"
        status = hurry(gateway, lambda hub: words in hub['reason'])
        gateway.wait_log(words)
        assert status['state'] == 'waiting'
        assert status['waits_for'] == 'the clock to be set, or the next try to connect' and \
            status['until']
        hub.control.do(['now', 'certificate', good[0], good[1]])
        assert gateway.ask('status')['hub']['state'] == 'waiting'
        gateway.send_signal(signal.SIGHUP)
        hurry(gateway, is_up)
    finally:
        hub.stop()


def test_thread_that_is_busy_does_not_disturb_the_end(fake_hub, start_gateway, channel,
                                                      folder, authority):
    """It reads authorities without end, so nobody can wait for it when the gateway goes."""
    path = os.path.join(folder, 'authorities')
    os.mkfifo(path)
    with open(authority.certificate, 'rb') as f:
        certificates = f.read() * 20
    gateway = start_gateway(fake_hub, channel, pusher={'tls': 'yes', 'ca_file': path})

    def feed():
        with contextlib.suppress(BrokenPipeError), open(path, 'wb', buffering=0) as f:
            while True:
                f.write(certificates)
                fed.set()
    fed = threading.Event()
    thread = threading.Thread(target=feed)
    thread.start()
    assert fed.wait(LIMIT)
    gateway.stop()
    thread.join(LIMIT)
    assert not thread.is_alive()


def test_missing_ca_file_is_a_wrong_configuration(folder, fake_hub):
    path = write_config(folder + '/gw.conf', {'pusher': dict(fake_hub.settings(), tls='yes',
                                                             ca_file=folder + '/no.pem')})
    result = run([program('chapi-gw'), '--check-config', '--config', path])
    assert result.returncode == 78
    assert folder + '/no.pem' in result.stderr


@pytest.mark.parametrize('size', [10, 6000])
def test_request_that_waited_behind_a_pong_is_not_run(tls_hub, start_gateway, channel, size):
    """With TLS the first read ends with it."""
    hub = tls_hub('DNS:localhost,IP:127.0.0.1')
    gateway = start_gateway(hub, channel, pusher=SILENCE).wait_up()

    def let_a_ping_wait():
        hub.daemon.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: gateway.ask('status')['hub']['waits_for'], 'a ping to be out')
        finally:
            gateway.send_signal(signal.SIGSTOP)
            hub.daemon.send_signal(signal.SIGCONT)

    with Remote(hub, channel) as remote:
        only_the_new_one_runs(gateway, remote, size, before=let_a_ping_wait)
