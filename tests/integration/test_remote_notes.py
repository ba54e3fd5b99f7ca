# SPDX-License-Identifier: MIT
"""Cancel and progress over a hub; two gateways of one name."""
import json
import subprocess

import pytest

from lib.gateway import Provider
from lib.limits import wait_until
from lib.process import program
from lib.pusher_client import payload


@pytest.fixture
def provider(remote_gateway):
    with remote_gateway.connect() as client:
        yield Provider(client, 'lights.on')


@pytest.mark.parametrize('over_socket', [False, True], ids=['cancel', 'client-cancel'])
def test_cancel_reaches_the_provider(remote, provider, over_socket):
    number = remote.request('lights.on', {})
    request = provider.client.wait_request()
    if over_socket:
        remote.client.send('client-cancel', {'id': number}, remote.channel)
    else:
        remote.send({'id': number}, event='cancel')
    assert provider.client.wait_notification('cancel')[2] == [request[1]]
    error = remote.response(number)['error']
    assert (error['code'], error['ran']) == ('cancelled', 'unknown')
    provider.client.answer(request, 'too late')
    remote.call('chapi.ping')
    assert remote.is_quiet()


def test_cancel_of_what_is_over_does_nothing(remote, provider):
    number = remote.request('lights.on', {})
    provider.serve_one(lambda params: 'on')
    assert remote.response(number)['result'] == 'on'
    for event in (number, 'never heard of'):
        remote.send({'id': event}, event='cancel')
    assert remote.call('chapi.echo', 1)['result'] == 1
    assert remote.is_quiet()


def progress_of(remote, number):
    return payload(remote.client.wait_event('progress', lambda e: payload(e)['id'] == number))


def test_progress_comes_before_the_answer(remote, provider):
    number = remote.request('lights.on', {}, progress=True)
    request = provider.client.wait_request()
    assert request[3][1]['progress'] is True
    for seq in range(2):
        provider.client.notify('progress', request[1], {'percent': 40 * seq, 'bytes': b'\0'})
        assert progress_of(remote, number) == {'id': number, 'seq': seq,
                                               'value': {'percent': 40 * seq,
                                                         'bytes': {'$bin': 'AA=='}}}
    provider.client.answer(request, 'done')
    assert remote.response(number)['result'] == 'done'


def test_many_steps_are_few_events_and_the_latest_counts(remote, provider):
    number = remote.request('lights.on', {}, progress=True)
    request = provider.client.wait_request()
    for step in range(200):
        provider.client.notify('progress', request[1], step)
    seen = [progress_of(remote, number)]
    while seen[-1]['value'] != 199:
        seen.append(progress_of(remote, number))
    assert [s['seq'] for s in seen] == list(range(len(seen)))
    assert len(seen) < 100
    provider.client.answer(request, 'done')
    remote.response(number)


def test_progress_that_nobody_asked_for_is_not_published(remote, provider):
    number = remote.request('lights.on', {})
    request = provider.client.wait_request()
    assert not request[3][1].get('progress')
    provider.client.notify('progress', request[1], 50)
    provider.client.answer(request, 'done')
    remote.response(number)
    remote.client.round_trip()
    assert not [e for e in remote.client.events if e['event'] == 'progress']


# ---- two gateways of one name -----------------------------------------------------------------

def ctl(gateway, *arguments):
    return subprocess.run([program('chapi-ctl'), '-s', gateway.socket_path, *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)


def test_another_gateway_of_our_name_is_told_of(remote, remote_gateway):
    status = remote_gateway.ask('status')['hub']['remote']
    assert status['name_conflict'] is None
    assert 'name conflict' not in ctl(remote_gateway, 'status').stdout
    mine = remote.call('chapi.ping')
    for n in range(5):
        remote.send(dict(mine, id='x%d' % n, instance='0123abcd'), event='response')

    def seen():
        conflict = remote_gateway.ask('status')['hub']['remote']['name_conflict']
        return conflict if conflict and conflict['seen'] == 5 else None
    conflict = wait_until(seen, 'the conflict to be seen')
    assert conflict['instance'] == '0123abcd'
    assert conflict['age_ms'] >= 0
    check = {c['check']: c for c in remote_gateway.ask('doctor')}['name']
    assert not check['ok'] and 'name_conflict' in check['text'] and 'name' in check['hint']
    words = ' '.join(ctl(remote_gateway, 'status').stdout.split())
    assert '(instance 0123abcd) answers by this name too, seen 5 times; give one of' in words
    doctor = ctl(remote_gateway, 'doctor', '--json')
    assert not {c['check']: c['ok'] for c in json.loads(doctor.stdout)}['name']
    assert remote_gateway.log().count('0123abcd') == 1


def test_answers_of_others_are_no_conflict(remote, remote_gateway):
    mine = remote.call('chapi.ping')
    remote.send(dict(mine, id='x', gateway='another', instance='0123abcd'), event='response')
    remote.send(dict(mine, id='y'), event='response')
    remote.send('no record', event='response')
    remote.call('chapi.ping')
    assert remote_gateway.ask('status')['hub']['remote']['name_conflict'] is None
    assert {c['check']: c['ok'] for c in remote_gateway.ask('doctor')}['name']
