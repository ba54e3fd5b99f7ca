# SPDX-License-Identifier: MIT
"""Gateway to gateway over a hub."""
import json
import os
import signal
import subprocess

import pytest

from lib import serving
from lib.gateway import Gateway
from lib.limits import wait_until
from lib.process import program
from lib.pusher_client import PusherClient, Remote


@pytest.fixture
def names():
    """Names of gateways that no other test uses."""
    return ['%s-%s' % (name, os.urandom(4).hex()) for name in ('pi', 'attic')]


@pytest.fixture
def two(daemons, folder, hub, names):
    """Two gateways on one hub."""
    gateways = []
    for i, name in enumerate(names):
        os.mkdir(os.path.join(folder, str(i)))
        gateways.append(daemons.start(Gateway(os.path.join(folder, str(i)), hub,
                                              gateway={'name': name})))
    return [g.wait_up() for g in gateways]


def ctl(gateway, *arguments):
    return subprocess.run([program('chapi-ctl'), '-s', gateway.socket_path, *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)


# ---- beacons ----------------------------------------------------------------------------------

def seen(gateway, names):
    return [g for g in gateway.ask('gateways') if g['name'] in names]


def test_gateways_see_each_other(two, names):
    expected = [{'name': n, 'self': n == names[0]} for n in sorted(names)]
    wait_until(lambda: seen(two[0], names) == expected, 'both beacons to be there')
    lines = ctl(two[0], 'gateways').stdout.splitlines()
    assert lines[0].split() == ['NAME']
    assert [line.split() for line in lines if names[0] in line] == [[names[0], 'this', 'one']]
    assert [line.split() for line in lines if names[1] in line] == [[names[1]]]
    assert [g for g in json.loads(ctl(two[0], 'gateways',
                                      '--json').stdout) if g['name'] in names] == expected


def test_gateway_that_has_left_is_not_seen(two, names):
    wait_until(lambda: len(seen(two[0], names)) == 2, 'both beacons to be there')
    two[1].stop()
    wait_until(lambda: len(seen(two[0], names)) == 1, 'the beacon to be gone')


def test_gateway_without_a_hub_sees_nobody(gateway):
    result = ctl(gateway, 'gateways')
    assert result.returncode == 78
    assert 'no' in result.stderr and 'pusher' in result.stderr


def test_hub_that_cannot_be_asked_is_told(own_hub, start_gateway, channel):
    own_hub.start()
    gateway = start_gateway(own_hub, channel).wait_up()
    own_hub.stop()
    with gateway.connect() as client:
        error = client.wait_response(client.request('gateways'))[2]
    assert (error['code'], error['ran']) == ('hub_down', 'no')


# ---- calls ------------------------------------------------------------------------------------

def test_call_reaches_the_other_gateway(two, names):
    with two[1].connect() as there, two[0].connect() as here:
        there.ask('register', 'lights.on')
        number = here.request('call', 'lights.on', {'room': 'küche', 'data': b'\0'},
                              {'to': names[1]})
        request = there.wait_request()
        params, meta = request[3]
        assert params == {'room': 'küche', 'data': b'\0'}
        assert meta['origin'] == 'remote' and meta['caller'].startswith('claimed:uid:')
        assert 0 < meta['timeout_ms'] <= 30000
        there.answer(request, {'on': True})
        assert here.result(number) == {'on': True}


def test_error_comes_back_as_it_is(two, names):
    with two[1].connect() as there, two[0].connect() as here:
        there.ask('register', 'f')
        number = here.request('call', 'f', 1, {'to': names[1]})
        there.answer(there.wait_request(), None,
                     {'code': 'bulb_broken', 'message': 'broken', 'details': {'n': 3}})
        error = here.wait_response(number)[2]
        assert (error['code'], error['ran'], error['message']) == ('api_error', 'yes', 'broken')
        assert error['details']['code'] == 'bulb_broken'
        error = here.wait_response(here.request('call', 'nobody.has.it', {}, {'to': names[1]}))[2]
        assert (error['code'], error['ran']) == ('api_not_found', 'no')


def test_record_is_of_the_gateway_that_answered(two, names):
    with two[0].connect() as here:
        record = here.call('chapi.echo', [1, 2.5], to=names[1], full=True, id='my label')
        assert (record['id'], record['api'], record['result'], record['error']) == \
            ('my label', 'chapi.echo', [1, 2.5], None)
        assert record['gateway'] == names[1]
        assert record['instance'] == two[1].ask('hello')['instance']


@pytest.mark.parametrize('script, status, out, err', [
    (r'printf "{\n \"a\":  1.50}\n"; echo said >&2', 0, b'{\n "a":  1.50}\n', b'said\n'),
    (r'printf "\377\0"; exit 3', 3, b'\xff\0', b''),
], ids=['good', 'fails'])
def test_command_elsewhere_is_as_here(daemons, two, names, script, status, out, err):
    """chapi-call -x: what the command wrote, byte for byte, also over the hub."""
    serving.start(daemons, two[1], 'command', '--', *serving.shell(script), names=['command'])
    result = subprocess.run([program('chapi-call'), '-s', two[0].socket_path, '-x',
                             '--to', names[1], 'command'],
                            stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (status, out, err)


@pytest.mark.parametrize('size, status', [(300000, 3), (1200000, 255)], ids=['parts', 'too large'])
def test_long_output_of_a_command_elsewhere(daemons, two, names, size, status):
    """Of one that fails: all of it, in parts; what no hub carries is our failure, and said."""
    serving.start(daemons, two[1], '--max-output', '4M', 'command', '--', *serving.shell(
        r'head -c %d /dev/zero | tr "\0" "\377"; exit 3' % size), names=['command'])
    result = subprocess.run([program('chapi-call'), '-s', two[0].socket_path, '-x',
                             '--to', names[1], 'command'], stdin=subprocess.DEVNULL,
                            capture_output=True, timeout=60)
    assert (result.returncode, result.stdout) == (status, b'\377' * size if status == 3 else b'')
    assert result.stderr == b'' if status == 3 else b'too_large; it ran' in result.stderr


def test_own_name_goes_over_the_hub_as_well(two, names):
    with two[0].connect() as provider, two[0].connect() as here:
        provider.ask('register', 'f')
        number = here.request('call', 'f', 'to myself', {'to': names[0]})
        request = provider.wait_request()
        assert request[3][1]['origin'] == 'remote'
        provider.answer(request, request[3][0])
        assert here.result(number) == 'to myself'


def conflict_of(gateway):
    return gateway.ask('status')['hub']['remote']['name_conflict']


def test_two_of_the_name_that_is_called_are_told(daemons, folder, hub, two, names):
    """Both run what is meant for one, and their answers go where neither looks."""
    os.mkdir(os.path.join(folder, 'twin'))
    twin = daemons.start(Gateway(os.path.join(folder, 'twin'), hub,
                                 gateway={'name': names[1]})).wait_up()
    with two[0].connect() as here:
        assert [here.call('chapi.echo', n, to=names[1]) for n in range(10)] == list(range(10))
    both = two[1], twin
    wait_until(lambda: all(conflict_of(g) for g in both), 'each to have seen the other')
    wait_until(lambda: all(g.ask('status')['hub']['publisher']['waiting'] == 0 for g in both),
               'all to be published')
    for one, other in both, both[::-1]:
        instance = other.ask('status')['instance']
        assert (conflict_of(one)['instance'], conflict_of(one)['seen']) == (instance, 1)
        line = "another gateway (instance %s) answers as '%s' too: give one of them another name"
        one.wait_log(line % (instance, names[1]))
        assert one.log().count(line % (instance, names[1])) == 1
        assert not {c['check']: c['ok'] for c in one.ask('doctor')}['name']
        assert '\nchapi_hub_name_conflicts_total 1\n' in ctl(one, 'metrics').stdout
        assert one.ask('status')['hub']['publisher']['published'] == 10 + 1, 'not one for each call'
    assert conflict_of(two[0]) is None
    assert '\nchapi_hub_name_conflicts_total 0\n' in ctl(two[0], 'metrics').stdout


def test_channel_may_be_named_instead_of_a_gateway(two, names):
    with two[0].connect() as here:
        assert here.call('chapi.echo', 1, to='private-chapi-' + names[1]) == 1


def test_json_connection_calls_elsewhere_too(two, names):
    with two[0].connect('json') as here:
        value = {'a': [1, None, 'ü']}
        assert here.call('chapi.echo', value, to=names[1]) == value


def test_many_calls_each_get_their_answer(two, names):
    with two[0].connect() as here:
        numbers = [here.request('call', 'chapi.echo', n, {'to': names[1]}) for n in range(40)]
        assert [here.result(number) for number in numbers] == list(range(40))


def test_large_answer_comes_in_parts(two, names):
    with two[1].connect() as there, two[0].connect() as here:
        there.ask('register', 'f')
        large = [os.urandom(20).hex() for _ in range(2000)]
        number = here.request('call', 'f', {}, {'to': names[1]})
        there.answer(there.wait_request(), large)
        assert here.result(number) == large


@pytest.mark.parametrize('size', [9000, 11000, 100000, 1000000], ids=str)
def test_large_request_goes_in_parts_and_so_does_its_answer(two, names, size):
    params = {'bytes': os.urandom(size * 3 // 4)}
    with two[0].connect() as here:
        assert here.call('chapi.echo', params, to=names[1]) == params


def test_request_beyond_max_record_is_refused_before_it_is_sent(two, names):
    with two[0].connect() as here:
        number = here.request('call', 'chapi.echo', 'x' * (1 << 20), {'to': names[1]})
        error = here.wait_response(number)[2]
        assert (error['code'], error['ran']) == ('too_large', 'no')
        assert error['details']['limit'] == 1 << 20
        assert error['details']['size'] > 1 << 20


def test_max_record_of_such_calls_is_reloaded(two, names):
    with two[0].connect() as here:
        assert here.call('chapi.echo', 'x' * 30000, to=names[1]) == 'x' * 30000
        with open(two[0].config, 'a') as f:
            f.write('[remote]\nmax_record = 20000\n')
        two[0].send_signal(signal.SIGHUP)
        wait_until(lambda: refusal_of(here, 'x' * 30000, names[1]) == ('too_large', 'no'),
                   'the new limit to hold')
        # An answer that is larger is told at once, and may have run.
        with two[1].connect() as there:
            there.ask('register', 'f')
            number = here.request('call', 'f', 1, {'to': names[1]})
            there.answer(there.wait_request(), 'x' * 30000)
            error = here.wait_response(number)[2]
            assert (error['code'], error['ran']) == ('too_large', 'unknown')
            assert error['details']['limit'] == 20000


def test_encrypted_channel_of_a_gateway_is_called_encrypted(daemons, folder, hub, names,
                                                            master_key):
    """The requests, their answers and progress: nothing of it is in clear."""
    channel = 'private-encrypted-chapi-' + names[1]
    gateways = []
    for name, listens in zip(names, (None, channel)):
        os.mkdir(os.path.join(folder, name))
        gateways.append(daemons.start(Gateway(os.path.join(folder, name), hub, listens,
                                              gateway={'name': name},
                                              pusher=master_key.settings())))
    here, there = [g.wait_up().connect() for g in gateways]
    with here, there, PusherClient(hub) as spy:
        spy.establish()
        spy.subscribe('private-encrypted-chapi-%s@reply' % names[0])
        there.ask('register', 'f')
        number = here.request('call', 'f', {'secret': 'of mine'}, {'to': channel, 'progress': True})
        request = there.wait_request()
        assert request[3][0] == {'secret': 'of mine'}
        there.notify('progress', request[1], 'half')
        assert here.wait_notification('progress')[2] == [number, 'half']
        there.answer(request, 'an answer of mine')
        assert here.result(number) == 'an answer of mine'
        seen = spy.wait_event('response')
        assert 'ciphertext' in seen['data'] and 'of mine' not in seen['data']
        large = {'bytes': os.urandom(40000)}
        assert here.call('chapi.echo', large, to=channel) == large


def test_encrypted_channel_needs_a_key(two):
    with two[0].connect() as here:
        number = here.request('call', 'f', 1, {'to': 'private-encrypted-chapi-x'})
        error = here.wait_response(number)[2]
        assert (error['code'], error['ran']) == ('failed_precondition', 'no')
        assert 'encryption_master_key_file' in error['message']


def refusal_of(client, params, to):
    error = client.wait_response(client.request('call', 'chapi.echo', params, {'to': to}))[2]
    return error and (error['code'], error['ran'])


def test_progress_and_cancel_travel(two, names):
    with two[1].connect() as there, two[0].connect() as here:
        there.ask('register', 'f')
        number = here.request('call', 'f', {}, {'to': names[1], 'progress': True})
        request = there.wait_request()
        assert request[3][1]['progress'] is True
        there.notify('progress', request[1], {'percent': 40})
        assert here.wait_notification('progress')[2] == [number, {'percent': 40}]
        here.notify('cancel', number)
        error = here.wait_response(number)[2]
        assert (error['code'], error['ran']) == ('cancelled', 'unknown')
        assert there.wait_notification('cancel')[2] == [request[1]]
    wait_until(lambda: two[0].ask('status')['hub']['elsewhere']['ignored'] == 1,
               'what the other gateway says of the cancelled call')
    assert 'is ignored' not in two[0].log(), 'an ordinary day is in the log as a fault'


def test_channel_of_answers_takes_no_requests(two, names, hub):
    with two[0].connect() as here:
        here.call('chapi.ping', {}, to=names[1])
    before = two[0].ask('status')['hub']['remote']
    with Remote(hub, 'private-chapi-%s@reply' % names[0]) as remote:
        remote.request('chapi.ping')
        remote.request_over_socket('chapi.ping', {})
        wait_until(lambda: two[0].ask('status')['hub']['remote']['ignored'] ==
                   before['ignored'] + 2, 'both to be counted')
        assert remote.is_quiet()
    assert two[0].ask('status')['hub']['remote']['requests'] == before['requests']


def test_caller_that_leaves_cancels(two, names):
    with two[1].connect() as there:
        there.ask('register', 'f')
        with two[0].connect() as here:
            here.request('call', 'f', {}, {'to': names[1]})
            request = there.wait_request()
        assert there.wait_notification('cancel')[2] == [request[1]]
    assert two[0].ask('status')['hub']['elsewhere']['waiting'] == 0


def test_one_way_call_is_handed_over(two, names):
    with two[1].connect() as there, two[0].connect() as here:
        there.ask('register', 'f')
        assert here.call('f', 'no answer', to=names[1], oneway=True) is None
        request = there.wait_request()
        assert request[3][0] == 'no answer'
        there.answer(request, 1)


def test_nobody_there_is_gateway_not_found(two, names):
    with two[0].connect() as here:
        error = here.wait_response(here.request('call', 'f', {},
                                                {'to': 'nobody-' + names[1], 'timeout_ms': 400}))[2]
        assert (error['code'], error['ran']) == ('gateway_not_found', 'unknown')
    assert two[0].ask('status')['hub']['elsewhere']['repeated'] == 1


def test_no_answer_from_one_that_is_there_is_a_deadline(hub, names, channel, daemons, folder):
    """It listens on another channel than that of its name, but its beacon is there."""
    gateway = daemons.start(Gateway(folder, hub, channel, gateway={'name': names[0]})).wait_up()
    wait_until(lambda: seen(gateway, names), 'the beacon to be there')
    with gateway.connect() as here:
        numbers = [here.request('call', 'f', {}, {'to': to, 'timeout_ms': 100})
                   for to in (names[0], 'private-other')]
        for number in numbers:
            error = here.wait_response(number)[2]
            assert (error['code'], error['ran']) == ('deadline_exceeded', 'unknown')


def test_time_is_up_at_the_other_gateway(two, names):
    with two[1].connect() as there, two[0].connect() as here:
        there.ask('register', 'f')
        number = here.request('call', 'f', {}, {'to': names[1], 'timeout_ms': 600})
        request = there.wait_request()
        assert request[3][1]['timeout_ms'] <= 600
        assert there.wait_notification('cancel')[2] == [request[1]]
        error = here.wait_response(number)[2]
        assert (error['code'], error['ran']) == ('deadline_exceeded', 'unknown')
        assert here.call('chapi.echo', 1, to=names[1]) == 1
        assert not [m for m in there.inbox if m[0] == 0], 'the repeat was not run'


@pytest.mark.parametrize('to', ['a b', 'a/b', 'private-a b', '#', 'x' * 165])
def test_what_is_no_gateway_is_refused(two, to):
    with two[0].connect() as here:
        error = here.wait_response(here.request('call', 'f', {}, {'to': to}))[2]
        assert (error['code'], error['ran']) == ('invalid_argument', 'no')


def test_hub_that_is_down_is_told_at_once(own_hub, start_gateway, channel):
    own_hub.start()
    gateway = start_gateway(own_hub, channel).wait_up()
    own_hub.stop()
    gateway.wait_not_up()
    with gateway.connect() as here:
        error = here.wait_response(here.request('call', 'f', {}, {'to': 'attic'}))[2]
        assert (error['code'], error['ran']) == ('hub_down', 'no')


def test_gateway_without_a_hub_calls_nobody(gateway):
    with gateway.connect() as here:
        error = here.wait_response(here.request('call', 'f', {}, {'to': 'attic'}))[2]
        assert (error['code'], error['ran']) == ('failed_precondition', 'no')


def test_right_outgoing_decides_by_gateway_and_name(hub, channel, start_gateway):
    gateway = start_gateway(hub, channel, policy={'outgoing': '* gw-of-the-tests/chapi.e*'},
                            remote={'channel': channel +
                                    ' private-chapi-gw-of-the-tests'}).wait_up()
    with gateway.connect() as here:
        assert here.call('chapi.echo', 1, to='gw-of-the-tests') == 1
        for to, name in (('gw-of-the-tests', 'chapi.ping'), ('attic', 'chapi.echo'),
                         ('private-chapi-attic', 'chapi.echo')):
            error = here.wait_response(here.request('call', name, {}, {'to': to}))[2]
            assert (error['code'], error['ran']) == ('permission_denied', 'no')


def test_chapi_call_to_another_gateway(two, names):
    result = subprocess.run([program('chapi-call'), '-s', two[0].socket_path,
                             '--to', names[1], 'chapi.echo', 'a:=1'],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (result.returncode, json.loads(result.stdout)) == (0, {'a': 1})
    result = subprocess.run([program('chapi-call'), '-s', two[0].socket_path,
                             '--to', 'nobody-' + names[1], '-t', '300ms', 'chapi.ping'],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert result.returncode == 68, result.stderr


def test_chapi_call_waits_for_what_its_gateway_says_of_the_other(two, names):
    """Which waits itself, for an answer that is on its way."""
    two[1].send_signal(signal.SIGSTOP)
    try:
        result = subprocess.run([program('chapi-call'), '-s', two[0].socket_path,
                                 '--to', names[1], '-t', '100ms', 'f'],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                timeout=60)
    finally:
        two[1].send_signal(signal.SIGCONT)
    assert result.returncode == 124 and '(deadline_exceeded; it may have run)' in result.stderr


@pytest.mark.parametrize('is_idempotent', [True, False])
def test_chapi_call_tries_again_what_is_idempotent_at_another_gateway(two, names, is_idempotent):
    """Its provider goes away in the middle of the call, and another one takes over."""
    options = {'idempotent': is_idempotent}
    first, second = two[1].connect(), two[1].connect()
    with first, second:
        first.ask('register', 'f', options)
        second.ask('register', 'f', dict(options, policy='standby'))
        process = subprocess.Popen([program('chapi-call'), '-s', two[0].socket_path,
                                    '--to', names[1], '--retry', '3', 'f'],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first.wait_request()
        first.close()
        if is_idempotent:
            second.answer(second.wait_request(), 'second')
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == ((0, '"second"\n') if is_idempotent else (70, '')), err
        assert is_idempotent or not [m for m in second.inbox if m[0] == 0]
