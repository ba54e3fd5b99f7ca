# SPDX-License-Identifier: MIT
"""Who may: the rules of [policy], for ordinary users too; reading the files again; stopping."""
import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from lib.gateway import Provider, write_config
from lib.ipc import RpcError
from lib.limits import wait_until
from lib.process import ORDINARY_UID, as_ordinary_user, die_with_parent
from lib.pusher_client import PusherClient, payload

ASK = '''
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(sys.argv[1])
f = s.makefile('rw', encoding='utf-8')
for n, text in enumerate(sys.argv[2:]):
    method, params = json.loads(text)
    f.write(json.dumps([0, n, method, params]) + '\\n')
    f.flush()
    print(f.readline(), end='', flush=True)
'''


def ask_as_ordinary_user(gateway, *requests):
    """Each request's error (or None) and result, one after the other on one connection."""
    os.chmod(gateway.socket_path, 0o666)
    done = subprocess.run(as_ordinary_user([sys.executable, '-c', ASK, gateway.socket_path] +
                                           [json.dumps(r) for r in requests]),
                          capture_output=True, text=True, timeout=30, preexec_fn=die_with_parent)
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)[2:]) for line in done.stdout.splitlines()]


def code(answer):
    return answer[0] and answer[0]['code']


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason='only root can become another user')


def test_a_call_that_no_rule_allows_is_denied(start_gateway, encoding):
    gateway = start_gateway(policy={'call': 'user:%d light.*' % os.getuid()})
    with gateway.connect(encoding) as client:
        Provider(client, 'light.on', 'door')
        client.request('call', 'light.on')
        client.answer(client.wait_request(), 1)
        with pytest.raises(RpcError) as e:
            client.call('door')
        assert (e.value.code, e.value.ran) == ('permission_denied', 'no')
        with pytest.raises(RpcError) as e:
            client.call('chapi.ping')
        assert e.value.code == 'permission_denied'


def test_what_one_may_not_list_is_not_there(start_gateway, encoding):
    gateway = start_gateway(policy={'call': 'user:4294967 *', 'list': '* public.*'})
    with gateway.connect(encoding) as client:
        Provider(client, 'hidden', 'public.a')
        assert [e['name'] for e in client.ask('list')] == ['public.a']
        for method, params in (('call', ['hidden']), ('describe', ['hidden']),
                               ('stats', ['hidden'])):
            with pytest.raises(RpcError) as e:
                client.ask(method, *params)
            assert e.value.code == 'api_not_found', method
        with pytest.raises(RpcError) as e:
            client.call('public.a')
        assert e.value.code == 'permission_denied'


def test_register_needs_its_right(start_gateway, encoding):
    gateway = start_gateway(policy={'register': '* mine.*'})
    with gateway.connect(encoding) as client:
        Provider(client, 'mine.a')
        with pytest.raises(RpcError) as e:
            client.ask('register', 'other')
        assert e.value.code == 'permission_denied'


@needs_root
def test_ordinary_users_have_the_defaults(gateway):
    with gateway.connect() as root:
        Provider(root, 'f')
        answers = ask_as_ordinary_user(
            gateway, ['list', []], ['register', ['own']], ['reload', []],
            ['log_level', ['debug']], ['doctor', []], ['pause', ['f']],
            ['register', ['f', {'policy': 'replace'}]], ['monitor', [{'kinds': ['peer']}]],
            ['publish', ['notices', 'e', {}]], ['call', ['chapi.ping']])
        assert [code(a) for a in answers] == [None, None] + ['permission_denied'] * 7 + [None]


@needs_root
def test_groups_count_supplementary_ones_too(start_gateway):
    gateway = start_gateway(policy={'call': 'group:%d *' % ORDINARY_UID})
    with gateway.connect() as root:
        with pytest.raises(RpcError) as e:
            root.call('chapi.ping')
        assert e.value.code == 'permission_denied'
    assert [code(a) for a in ask_as_ordinary_user(gateway, ['call', ['chapi.ping']])] == [None]
    os.chmod(gateway.socket_path, 0o666)
    argv = ['setpriv', '--reuid=12345', '--regid=12345', '--groups=%d' % ORDINARY_UID,
            sys.executable, '-c', ASK, gateway.socket_path, json.dumps(['call', ['chapi.ping']])]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    assert json.loads(done.stdout)[2] is None, done


# ---- reading the files again --------------------------------------------------------------------

def change(daemon, **sections):
    settings = {'gateway': {'name': 'gw-of-the-tests'}}
    for section, more in sections.items():
        settings.setdefault(section, {}).update(more)
    write_config(daemon.config, settings)


def test_reload_puts_rules_and_limits_into_force(start_gateway, encoding):
    gateway = start_gateway()
    with gateway.connect(encoding) as client:
        Provider(client, 'f', 'g')
        change(gateway, policy={'register': '* g'}, limits={'names_per_peer': 7},
               gateway={'max_message': '1M'})
        changes = client.ask('reload')
        assert 'limits.names_per_peer' in changes['changed']
        assert any('max_message' in key for key in changes['restart'])
        assert client.wait_notification('revoked')[2] == ['f', 'reload']
        assert client.ask('hello')['limits']['names_per_peer'] == 7
        assert [e['name'] for e in client.ask('list')] == ['g']


def test_more_output_per_peer_holds_for_who_is_there(start_gateway, encoding):
    """Twice what a socket may hold, so that the rest has to wait in the gateway."""
    small = {'max_message': '64K'}
    gateway = start_gateway(gateway=small, limits={'output_per_peer': '128K'})
    with gateway.connect(encoding) as client:
        client.ask('list')
        change(gateway, gateway=small, limits={'output_per_peer': '4M'})
        assert 'limits.output_per_peer' in client.ask('reload')['changed']
        for n in range(1000, 1020):
            client.send(0, n, 'call', ['chapi.echo', 'x' * 60000])
        wait_until(lambda: gateway.ask('status')['counters']['calls'] == 20, 'all to be answered')
        assert [client.result(n) for n in range(1000, 1020)] == ['x' * 60000] * 20


def test_hangup_reloads_and_names_what_needs_a_restart(start_gateway):
    gateway = start_gateway()
    change(gateway, gateway={'max_message': '2M', 'log_level': 'debug'})
    gateway.send_signal(signal.SIGHUP)
    gateway.wait_log('max_message')
    with gateway.connect() as client:
        assert client.ask('hello')['limits']['max_message'] == 4 << 20


def test_a_bad_file_leaves_everything_as_it_was(start_gateway, encoding):
    gateway = start_gateway(limits={'names_per_peer': 5})
    with gateway.connect(encoding) as client:
        change(gateway, limits={'names_per_peer': 'many'})
        with pytest.raises(RpcError) as e:
            client.ask('reload')
        assert e.value.code == 'failed_precondition' and 'names_per_peer' in e.value.message
        assert client.ask('hello')['limits']['names_per_peer'] == 5


def test_the_log_level_can_be_set(gateway, encoding):
    with gateway.connect(encoding) as client:
        client.ask('log_level', 'debug')
        gateway.connect().close()
        gateway.wait_log('has connected')
        with pytest.raises(RpcError) as e:
            client.ask('log_level', 'loud')
        assert e.value.code == 'invalid_argument'


# ---- stopping -----------------------------------------------------------------------------------

def test_stop_lets_running_calls_finish(start_gateway, encoding):
    gateway = start_gateway()
    with gateway.connect(encoding) as provider, gateway.connect(encoding) as caller:
        provider.ask('register', 'f', {'concurrency': 1})
        numbers = [caller.request('call', 'f', {'n': n}) for n in range(2)]
        request = provider.wait_request()
        gateway.send_signal(signal.SIGTERM)
        gateway.wait_log('stopping')
        with pytest.raises(RpcError) as e:
            caller.call('f')
        assert (e.value.code, e.value.ran) == ('paused', 'no')
        assert not os.path.exists(gateway.socket_path)
        provider.answer(request, 0)
        provider.answer(provider.wait_request(), 1)
        assert [caller.result(n) for n in numbers] == [0, 1]
        assert gateway.wait() == 0


def test_what_still_runs_at_the_end_is_cancelled(start_gateway, encoding):
    gateway = start_gateway(gateway={'stop_timeout': '50ms'})
    with gateway.connect(encoding) as provider, gateway.connect(encoding) as caller:
        provider.ask('register', 'f', {'concurrency': 1})
        numbers = [caller.request('call', 'f') for _ in range(2)]
        provider.wait_request()
        gateway.send_signal(signal.SIGTERM)
        for number, ran in zip(numbers, ('unknown', 'no')):
            with pytest.raises(RpcError) as e:
                caller.result(number)
            assert (e.value.code, e.value.ran) == ('cancelled', ran)
        assert gateway.wait() == 0


def test_an_abandoned_call_is_not_waited_for(start_gateway, encoding):
    """It has its answer. A call that waits for its place has none yet."""
    gateway = start_gateway(gateway={'stop_timeout': '1h'})
    with gateway.connect(encoding) as provider, gateway.connect(encoding) as caller:
        provider.ask('register', 'f', {'concurrency': 1})
        numbers = [caller.request('call', 'f', n) for n in range(2)]
        requests = [provider.wait_request()]
        caller.notify('cancel', numbers[0])
        with pytest.raises(RpcError) as e:
            caller.result(numbers[0])
        assert e.value.code == 'cancelled'
        gateway.send_signal(signal.SIGTERM)
        gateway.wait_log('stopping')
        assert caller.ask('status')['calls'] == {'running': 0, 'queued': 1, 'abandoned': 1}
        provider.answer(requests[0])
        requests.append(provider.wait_request())
        caller.notify('cancel', numbers[1])
        with pytest.raises(RpcError) as e:
            caller.result(numbers[1])
        assert gateway.wait() == 0


def test_a_large_answer_of_a_call_that_finishes_in_time_arrives_whole(start_gateway, encoding):
    gateway = start_gateway()
    with gateway.connect(encoding) as provider, gateway.connect(encoding) as caller:
        Provider(provider, 'f')
        number = caller.request('call', 'f')
        request = provider.wait_request()
        gateway.send_signal(signal.SIGTERM)
        gateway.wait_log('stopping')
        provider.answer(request, 'x' * 3000000)
        assert caller.result(number) == 'x' * 3000000
        assert gateway.wait() == 0


def test_whoever_waits_is_told_of_the_stop(start_gateway, encoding):
    gateway = start_gateway()
    with gateway.connect(encoding) as client:
        number = client.request('wait', ['never'])
        client.ask('list')
        gateway.send_signal(signal.SIGTERM)
        with pytest.raises(RpcError) as e:
            client.result(number)
        assert (e.value.code, e.value.ran) == ('cancelled', 'no')
        assert gateway.wait() == 0


def test_a_second_signal_ends_the_wait(start_gateway, encoding):
    gateway = start_gateway(gateway={'stop_timeout': '1h'})
    with gateway.connect(encoding) as provider, gateway.connect(encoding) as caller:
        Provider(provider, 'f')
        number = caller.request('call', 'f')
        provider.wait_request()
        gateway.send_signal(signal.SIGTERM)
        gateway.wait_log('stopping')
        gateway.send_signal(signal.SIGTERM)
        with pytest.raises(RpcError) as e:
            caller.result(number)
        assert (e.value.code, e.value.ran) == ('cancelled', 'unknown')
        assert gateway.wait() == 0


def test_a_half_closed_caller_has_its_answer_in_a_stop(start_gateway, encoding):
    gateway = start_gateway()
    with gateway.connect(encoding) as provider, gateway.connect(encoding) as caller:
        Provider(provider, 'f')
        number = caller.request('call', 'f')
        caller.socket.shutdown(socket.SHUT_WR)
        request = provider.wait_request()
        gateway.send_signal(signal.SIGTERM)
        gateway.wait_log('stopping')
        provider.answer(request, 'done')
        assert caller.result(number) == 'done'
        assert gateway.wait() == 0


def test_who_does_not_read_holds_up_no_stop(start_gateway, encoding):
    """A monitor and a caller with megabytes to read; what is asked meanwhile is answered."""
    gateway = start_gateway(gateway={'stop_timeout': '200ms'})
    with gateway.connect(encoding) as monitor, gateway.connect(encoding) as slow, \
            gateway.connect() as client:
        monitor.ask('monitor', {'bodies': True})
        for n in range(1, 7):
            slow.send(0, n, 'call', ['chapi.echo', 'x' * 500000])
        wait_until(lambda: gateway.ask('status')['pinned'] > 2000000, 'the answers to wait')
        gateway.send_signal(signal.SIGTERM)
        gateway.wait_log('stopping')
        number = client.request('wait', ['never'])
        assert gateway.wait() == 0
        error = client.wait_response(number)[2]
        assert (error['code'], error['ran']) == ('cancelled', 'no')


def test_stop_while_the_hub_says_nothing(start_gateway, fake_hub, channel):
    fake_hub.is_silent = True
    gateway = start_gateway(fake_hub, channel, gateway={'stop_timeout': '1h'})
    wait_until(lambda: fake_hub.targets, 'the gateway to connect')
    gateway.send_signal(signal.SIGTERM)
    assert gateway.wait() == 0


def test_an_event_that_waits_for_the_hub_is_taken_back_by_a_stop(start_gateway, fake_hub,
                                                                 channel, encoding):
    fake_hub.answers += [('403 Forbidden', 'over the quota')]
    gateway = start_gateway(fake_hub, channel, gateway={'stop_timeout': '200ms'})
    gateway.wait_up()
    with gateway.connect(encoding) as client:
        number = client.request('publish', 'news', 'e', {})
        gateway.wait_log('quota')
        gateway.send_signal(signal.SIGTERM)
        error = client.wait_response(number)[2]
        assert (error['code'], error['ran']) == ('cancelled', 'no')
        assert gateway.wait() == 0


def test_an_idle_gateway_stops_at_once(start_gateway):
    gateway = start_gateway(gateway={'stop_timeout': '1h'})
    with gateway.connect() as client:
        client.ask('register', 'f')
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait() == 0
        client.wait_end()


# ---- publishing ---------------------------------------------------------------------------------

def test_publish_without_a_hub_says_so(client):
    with pytest.raises(RpcError) as e:
        client.ask('publish', 'notices', 'news', {'a': 1})
    assert e.value.code == 'failed_precondition'


@pytest.mark.parametrize('channel, event', [
    ('notices', 'pusher:ping'), ('notices', 'client-x'), ('notices', 'pusher_internal:x'),
    ('no channel', 'e'), ('', 'e'), ('notices', '')])
def test_names_that_cannot_be_published(client, channel, event):
    with pytest.raises(RpcError) as e:
        client.ask('publish', channel, event, {})
    assert e.value.code == 'invalid_argument'


def test_publish_reaches_the_hub(hub, start_gateway, channel):
    gateway = start_gateway(hub, channel, policy={'publish': '* notices-*'}).wait_up()
    with PusherClient(hub) as listener, gateway.connect() as client:
        listener.establish()
        listener.subscribe('notices-a')
        assert client.ask('publish', 'notices-a', 'news', {'a': [1, 'ü']}) is None
        assert payload(listener.wait_event('news')) == {'a': [1, 'ü']}
        assert client.ask('publish', 'notices-a', 'news', 'as it is') is None
        assert listener.wait_event('news')['data'] == 'as it is'
        with pytest.raises(RpcError) as e:
            client.ask('publish', 'private-chapi-x', 'news', {})
        assert e.value.code == 'permission_denied'


def test_an_event_that_the_hub_refuses_is_not_sent_again(fake_hub, start_gateway):
    gateway = start_gateway(fake_hub, 'private-x').wait_up()
    fake_hub.answers = [('413 Payload Too Large', 'too large')]
    with gateway.connect() as client:
        with pytest.raises(RpcError) as e:
            client.ask('publish', 'notices', 'news', {'a': 1})
        assert e.value.ran == 'no'
        assert client.ask('publish', 'notices', 'other', {}) is None
    assert fake_hub.wait_published()[1] == 'other'
    assert fake_hub.published.empty()


@pytest.mark.parametrize('answers, code, ran', [
    ([('429 Too Many Requests', '')] * 50, 'hub_down', 'no'),
    ([('403 Forbidden', 'over quota')] * 50, 'failed_precondition', 'no'),
    ([('401 Unauthorized', 'Timestamp expired', {'Date': 'Mon, 05 Jan 2026 00:00:00 GMT'})] * 2,
     'failed_precondition', 'no'),
    ([('502 Bad Gateway', '')], 'hub_down', 'unknown'),
], ids=['429', 'quota', 'clock', '502'])
def test_an_event_that_was_surely_not_taken_is_told_so(fake_hub, start_gateway, answers, code, ran):
    gateway = start_gateway(fake_hub, 'private-x', timing={
        'publish_timeout': '200ms', 'publish_grace': '300ms', 'probe': '50ms'}).wait_up()
    fake_hub.answers = list(answers)
    with gateway.connect() as client:
        with pytest.raises(RpcError) as e:
            client.ask('publish', 'notices', 'news', {'a': 1})
        assert (e.value.code, e.value.ran) == (code, ran), e.value


def test_hub_changes_are_shown_to_monitors(fake_hub, start_gateway):
    gateway = start_gateway(fake_hub, 'private-x').wait_up()
    with gateway.connect() as watcher:
        watcher.ask('monitor', {'kinds': ['hub']})
        fake_hub.drop()
        event = watcher.wait_notification('event')[2][0]
        assert event['kind'] == 'hub' and event['state'] != 'up' and event['reason']
