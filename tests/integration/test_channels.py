# SPDX-License-Identifier: MIT
"""Several channels at once: public, private and encrypted."""
import os

import pytest

from lib.limits import wait_until
from lib.process import program, run
from lib.gateway import write_config
from lib.pusher_client import Remote

@pytest.fixture
def names():
    token = os.urandom(5).hex()
    return {kind: kind + 'chapi-' + token for kind in ('', 'private-', 'private-encrypted-')}


@pytest.fixture
def gateway(start_gateway, hub, names, master_key):
    return start_gateway(hub, ' '.join(names.values()), pusher=master_key.settings()).wait_up()


def ignored(gateway):
    remote = gateway.ask('status')['hub']['remote']
    return remote['ignored'] + remote['unreadable']


def test_answer_goes_to_the_channel_of_its_request(hub, names, gateway):
    with Remote(hub, names['']) as public, Remote(hub, names['private-']) as private:
        assert public.call('chapi.echo', 1)['result'] == 1
        assert private.call('chapi.echo', 2)['result'] == 2
        for remote in (public, private):
            remote.client.round_trip()
            assert remote.is_quiet()


def test_status_names_all_channels(names, gateway):
    hub = gateway.ask('status')['hub']
    assert hub['channels'] == list(names.values())
    assert hub['subscribed'] == hub['wanted'] == 3


@pytest.mark.parametrize('event', ['client-request', 'client-request-part', 'client-cancel'])
def test_client_events_count_on_private_channels_only(hub, names, gateway, event):
    """Where the hub relays one on another channel, it is ignored and counted."""
    record = {'id': 'i', 'api': 'chapi.echo', 'params': 1}
    with Remote(hub, names['']) as public, Remote(hub, names['private-']) as private:
        before = ignored(gateway)
        for kind in ('', 'private-encrypted-'):
            if kind:
                public.client.subscribe(names[kind])
            public.client.send(event, record, names[kind])
        public.client.round_trip()
        assert private.call('chapi.ping')['error'] is None
        if hub.name == 'soketi':    # it relays them
            wait_until(lambda: ignored(gateway) == before + 2, 'both to be counted')
        number = private.request_over_socket('chapi.echo', 3)
        assert private.response(number)['result'] == 3
        assert public.is_quiet()
        assert gateway.ask('status')['hub']['remote']['requests'] == 2


def test_what_is_not_understood_is_logged_now_and_then(hub, names, gateway):
    with Remote(hub, names['private-']) as remote:
        before = ignored(gateway)
        for nonsense in ('[]', '{"api":7}', 'no JSON'):
            remote.send(nonsense)
        wait_until(lambda: ignored(gateway) == before + 3, 'all to be counted')
        line = "event 'request' on %s is ignored" % names['private-']
        gateway.wait_log(line)
        assert gateway.log().count(line) == 1


@pytest.mark.parametrize('channel, why', [
    ('cache-x', 'a cache channel would repeat old requests'),
    ('private-cache-x', 'a cache channel would repeat old requests'),
    ('private-encrypted-cache-x', 'a cache channel would repeat old requests'),
    ('presence-x', 'presence channels cannot be used'),
    ('chapi private-encrypted-x', 'channel private-encrypted-x is encrypted'),
])
def test_channel_that_cannot_be_is_a_fault_of_the_configuration(hub, folder, channel, why):
    path = write_config(os.path.join(folder, 'bad.conf'),
                        {'pusher': hub.settings(), 'remote': {'channel': channel}})
    result = run([program('chapi-gw'), '--config', path, '--check-config'])
    assert result.returncode == 78
    assert why in result.stderr and path + ':' in result.stderr
