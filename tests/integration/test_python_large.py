# SPDX-License-Identifier: MIT
"""The Python package and the gateway: large values both ways, in clear and encrypted."""
import base64
import os
import threading

import pytest

from lib.gateway import Gateway, Provider
from lib.limits import LIMIT, wait_until
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
            client.call('chapi.echo', value='x' * 30000)    # deflated the request is small
        assert caught.value.ran == 'no'


@pytest.mark.skipif(crypto.nacl is None, reason='the Python package PyNaCl is missing')
def test_encrypted_there_and_back(hub, start_gateway, master_key):
    channel = 'private-encrypted-chapi-' + os.urandom(6).hex()
    start_gateway(hub, channel, pusher=master_key.settings()).wait_up()
    value = base64.b64encode(os.urandom(40000)).decode()
    with remote_client(hub, channel,
                       encryption_master_key=base64.b64decode(master_key.text)) as client:
        client.wait_ready(timeout=LIMIT)
        assert client.call('chapi.echo', secret='Zürich') == {'secret': 'Zürich'}
        assert client.call('chapi.echo', value=value) == {'value': value}


def test_parts_for_one_gateway_are_nothing_to_others_on_its_channel(daemons, folder, hub, channel):
    """What those say of a record that is too large for them would be taken for its answer."""
    little, enough = ['%s-%s' % (name, os.urandom(4).hex()) for name in ('pi', 'attic')]
    for name, most in (little, '20K'), (enough, '1M'):
        os.mkdir(os.path.join(folder, name))
        daemons.start(Gateway(os.path.join(folder, name), hub, channel, gateway={'name': name},
                              remote={'max_record': most})).wait_up()
    value = base64.b64encode(os.urandom(30000)).decode()
    with remote_client(hub, channel) as client:
        client.wait_ready(timeout=LIMIT)
        asked = client.perform('chapi.echo', {'value': value}, to=enough, timeout=LIMIT)
        assert (asked.value(), asked.gateway) == ({'value': value}, enough)
        with pytest.raises(chapi.TooLarge):
            client.perform('chapi.echo', {'value': value}, to=little, timeout=LIMIT).value()


def test_part_of_a_request_that_is_lost_comes_with_the_repeat(faulty_hub, channel, start_gateway):
    start_gateway(faulty_hub, channel).wait_up()
    value = base64.b64encode(os.urandom(30000)).decode()
    with remote_client(faulty_hub, channel) as client:
        client.wait_ready(timeout=LIMIT)
        faulty_hub.control.do('on deliver request-part 2 do swallow')
        assert client.call('chapi.echo', timeout=2, value=value) == {'value': value}


def test_large_request_does_not_run_again_after_a_restart(faulty_hub, channel, start_gateway):
    """Its answer got lost, and the gateway started anew: the repeat says that it is one."""
    gateway = start_gateway(faulty_hub, channel).wait_up()
    value = base64.b64encode(os.urandom(30000)).decode()
    outcome = []

    def call():
        with pytest.raises(chapi.FailedPrecondition) as caught:
            client.call('once', timeout=8, value=value)
        outcome.append(caught.value)

    with remote_client(faulty_hub, channel) as client:
        client.wait_ready(timeout=LIMIT)
        faulty_hub.control.do('on deliver response all do swallow')
        calling = threading.Thread(target=call, daemon=True)
        calling.start()
        with gateway.connect() as local:
            Provider(local, 'once').serve_one(lambda params: len(params['value']))
        wait_until(lambda: gateway.ask('status')['hub']['publisher']['published'] > 0,
                   'the answer to be out')
        gateway.kill()
        gateway.start().wait_up()
        faulty_hub.control.do('forget')
        with gateway.connect() as local:
            local.ask('register', 'once')
            calling.join(LIMIT)
            assert local.quiet()
        assert (outcome[0].ran, outcome[0].details['reason']) == ('unknown', 'restarted')
