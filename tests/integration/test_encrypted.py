# SPDX-License-Identifier: MIT
"""Encrypted channels: the hub cannot read what passes. The official library plays the caller."""
import base64
import json
import os
import shutil

import pytest

from lib.gateway import Provider
from lib.limits import wait_until
from lib.process import environment, run
from lib.pusher_client import HttpApi, PusherClient, payload

HERE = os.path.dirname(os.path.abspath(__file__))


def node_client(deps):
    pusher_js = os.path.join(deps, 'node_modules/pusher-js')
    if shutil.which('node') is None or not os.path.isdir(pusher_js):
        pytest.skip('node or pusher-js is missing')
    return [shutil.which('node'), os.path.join(HERE, 'node/encrypted.js')]


def python_client(deps):
    python = os.path.join(deps, 'venv/bin/python3')
    if not os.path.exists(python) or run([python, '-c', 'import pusher, nacl']).returncode != 0:
        pytest.skip('pusher for Python is missing')
    return [python, '-B', os.path.join(HERE, 'official_encrypted.py')]


COMMANDS = {'node': node_client, 'python': python_client}


@pytest.fixture
def deps():
    folder = os.environ.get('SOKETI_DIR')
    if not folder:
        pytest.skip('SOKETI_DIR is not set (tests/integration/setup.sh installs the clients)')
    return folder


@pytest.fixture
def channel():
    return 'private-encrypted-chapi-' + os.urandom(6).hex()


@pytest.fixture
def gateway(start_gateway, hub, channel, master_key):
    return start_gateway(hub, channel, pusher=master_key.settings()).wait_up()


@pytest.fixture
def official(deps, hub, channel, master_key):
    """official(*records, language='python'): {step: value} of an official client with the key."""
    def start(*records, language='python'):
        argv = COMMANDS[language](deps)
        result = run([*argv, str(hub.port), hub.app_id, hub.key, hub.secret_file, channel,
                      master_key.text, *[json.dumps(r) for r in records]], cwd=deps, limit=30,
                     env=environment(PYTHONPATH=None))
        assert result.returncode == 0, result.stdout + result.stderr
        return dict(json.loads(line) for line in result.stdout.splitlines())
    return start


@pytest.fixture
def watcher(hub, channel):
    """Sees what the hub sees."""
    with PusherClient(hub) as client:
        client.establish()
        client.subscribe(channel)
        yield client


def box(event):
    """The data of an encrypted event: nothing else in it."""
    data = payload(event)
    assert sorted(data) == ['ciphertext', 'nonce']
    return data


def test_official_client_for_node_calls_and_reads_the_answer(official, gateway, watcher):
    said = official(language='node')
    assert said['call'] == {'secret': 'Zürich'}
    assert said['large'] == 20000
    for event in watcher.events:
        if event['event'] in ('request', 'response', 'response-part', 'request-part'):
            box(event)
            assert len(event['data']) <= 10240
            assert 'Zürich' not in event['data'] and 'chapi.echo' not in event['data']


def test_trap_09_official_client_for_python_calls(official, gateway, watcher):
    with gateway.connect() as client:
        provider = Provider(client, 'f')
        official({'id': 'x', 'api': 'f', 'params': {'a': 'ü'}})
        provider.serve_one(lambda params: params)
        first = box(watcher.wait_event('response'))
        # The same again is closed with another nonce: nobody sees that it is the same.
        official({'id': 'x', 'api': 'f', 'params': {'a': 'ü'}})
        assert box(watcher.wait_event('response')) != first


def test_client_events_and_what_is_not_encrypted_are_ignored_and_counted(
        hub, channel, gateway, watcher):
    record = {'id': 'i', 'api': 'chapi.echo', 'params': 1}
    for name in ('client-request', 'client-request-part', 'client-cancel'):
        watcher.send(name, record, channel)
    HttpApi(hub).trigger(channel, 'request', record)
    HttpApi(hub).trigger(channel, 'request', {'nonce': base64.b64encode(bytes(24)).decode(),
                                              'ciphertext': base64.b64encode(bytes(40)).decode()})
    watcher.round_trip()
    HttpApi(hub).trigger(channel, 'news', 'x')
    with gateway.connect() as client:

        wait_until(lambda: client.ask('status')['hub']['remote']['unreadable'] >= 3,
                   'the events to be counted')
        status = client.ask('status')['hub']
    assert (status['remote']['requests'], status['remote']['responses'], status['state']) == \
        (0, 0, 'up')
    assert not [e for e in watcher.events if e['event'] == 'response']


def test_event_of_a_local_process_is_encrypted(hub, channel, gateway, watcher):
    with gateway.connect() as client:
        client.ask('publish', channel, 'news', {'secret': 1})
        box(watcher.wait_event('news'))


def test_local_event_on_an_encrypted_channel_without_a_key_is_refused(hub, channel, start_gateway):
    with start_gateway(hub, 'private-chapi-' + os.urandom(4).hex()).wait_up().connect() as client:
        number = client.request('publish', channel, 'news', 1)
        error = client.wait_response(number)[2]
        assert error['code'] == 'failed_precondition' and \
            'encryption_master_key_file' in error['message']


def test_encrypted_request_is_not_answered_in_clear(official, hub, gateway, watcher):
    reply = 'private-chapi-x@reply'
    with PusherClient(hub) as clear:
        clear.establish()
        clear.subscribe(reply)
        official({'id': 'x', 'api': 'chapi.echo', 'reply_to': reply})
        box(watcher.wait_event('response'))
        clear.round_trip()
        assert not [e for e in clear.events if e['event'] == 'response']
        answered = 'private-encrypted-chapi-x@reply'
        clear.subscribe(answered)
        official({'id': 'y', 'api': 'chapi.echo', 'reply_to': answered})
        event = clear.wait_event('response')
        assert event['channel'] == answered
        box(event)


def test_proof_of_life_on_an_encrypted_channel(hub, channel, start_gateway, master_key):
    gateway = start_gateway(hub, channel, pusher=master_key.settings(),
                            timing={'proof_of_life': '50ms'}).wait_up()

    with gateway.connect() as client:
        wait_until(lambda: client.ask('status')['hub']['proof_of_life']['seen'] >= 2,
                   'the proof to come back')
