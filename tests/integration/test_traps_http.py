# SPDX-License-Identifier: MIT
"""Traps into which clients of such hubs have fallen, as reported in public: publishing over HTTP.

See test_traps_socket.py. Of 23 to 38 none does not concern us.
"""
import json
import time
from email.utils import formatdate

import pytest

from lib.gateway import Provider
from lib.hubs import FaultyHub
from lib.ipc import RpcError
from lib.pusher_client import Remote, payload
from lib.trap import Trap


@pytest.fixture
def trap(faulty_hub, start_gateway, channel):
    return Trap(faulty_hub, start_gateway, channel)


@pytest.fixture
def remote(trap):
    with Remote(trap.hub, trap.channel) as remote:
        yield remote


def publisher(trap):
    return trap.status()['publisher']


def answer(remote, value):
    return remote.call('chapi.echo', value)


def test_trap_23_size_is_counted_in_bytes_of_text(trap, remote):
    """An answer of as many bytes as an event may have is one event, one more is not;
    characters are far fewer."""
    trap.start()
    with trap.gateway.connect() as client:
        provider = Provider(client, 'f')

        def size_of_answer(value):
            number = remote.request('f', {})
            provider.serve_one(lambda params: value)
            event = remote.client.wait_event('response', lambda e: payload(e)['id'] == number)
            return len(event['data'].encode())
        empty = size_of_answer('')
        assert 10240 - 40 < size_of_answer('\u20ac' * ((10240 - empty - 20) // 3)) <= 10240
        before = publisher(trap)['published']
        remote.request('f', {})
        provider.serve_one(lambda params: '\u20ac' * (10240 // 3))
        trap.wait_status(lambda s: s['publisher']['published'] > before,
                         'an answer of another sort')
    assert publisher(trap)['failed'] == 0 and publisher(trap)['last_status'] == 200


def test_trap_24_limit_of_an_event_is_a_setting(start_gateway, channel, folder):
    hub = FaultyHub(folder)
    hub.options += ['--max-event-bytes', '20480']
    hub.start()
    try:
        trap = Trap(hub, start_gateway, channel)
        trap.start(remote={'max_event_bytes': '20K'})
        with Remote(hub, channel) as remote:
            assert answer(remote, 'x' * 18000)['result'] == 'x' * 18000
    finally:
        hub.stop()


def test_trap_25_request_is_no_larger_than_the_server_takes(fake_hub, start_gateway, channel):
    """Some count the whole request, head and all: batches stay below."""
    gateway = start_gateway(fake_hub, channel, remote={'max_request_bytes': '10000'},
                            timing={'publish_connections': 1}).wait_up()
    fake_hub.answers += [('503 Busy', '')]
    for n in range(8):
        fake_hub.send_event(channel, 'request',
                            {'id': 'x%d' % n, 'api': 'chapi.echo', 'params': 'y' * 3000})
    assert {fake_hub.wait_published()[2]['id'] for _ in range(8)} == {'x%d' % n for n in range(8)}
    assert max(len(target) + len(json.dumps(body, separators=(',', ':')))
               for target, body in fake_hub.posts) < 10000
    assert gateway.ask('status')['hub']['publisher']['failed'] == 0


@pytest.mark.parametrize('shift', ['+1h', '-1h'])
def test_trap_26_wrong_clock_is_corrected_by_the_hubs(trap, remote, shift):
    trap.start()
    trap.play('now clock ' + shift)
    # the caller's own clock is wrong by now, too: over the WebSocket
    number = remote.request_over_socket('chapi.echo', 1)
    assert remote.response(number)['result'] == 1
    assert abs(abs(publisher(trap)['clock_offset_s']) - 3600) < 60


@pytest.mark.parametrize('form', ['seconds', 'date'])
def test_trap_26_time_to_come_again_is_by_the_hubs_clock(trap, remote, form):
    """That is an hour ahead of ours: in two seconds of its time, not in an hour and two seconds."""
    trap.start()
    when = '1' if form == 'seconds' else formatdate(time.time() + 3600 + 2, usegmt=True)
    trap.play('now clock +1h', ['on', 'post', 'do', 'answer', '429', '', 'Retry-After: ' + when])
    began = time.monotonic()
    number = remote.request_over_socket('chapi.echo', 1)
    assert remote.response(number)['result'] == 1
    assert time.monotonic() - began > 0.9 and publisher(trap)['failed'] == 0


def test_trap_27_wrong_key_over_http_is_said(fake_hub, start_gateway, channel):
    gateway = start_gateway(fake_hub, channel).wait_up()
    fake_hub.answers.append(('400 Bad Request', 'Unknown auth_key'))
    fake_hub.send_event(channel, 'request', {'id': 'x', 'api': 'chapi.echo', 'params': 1})
    assert 'Unknown auth_key' in gateway.wait_log('the key may be of another app or cluster')


def test_trap_28_data_is_a_text_always(fake_hub, start_gateway, channel):
    start_gateway(fake_hub, channel).wait_up()
    for n, value in enumerate((None, 1, [1], {'a': None}, 'x')):
        fake_hub.send_event(channel, 'request',
                            {'id': 'x%d' % n, 'api': 'chapi.echo', 'params': value})
        fake_hub.wait_response('x%d' % n)
    assert all(isinstance(e['data'], str) and isinstance(e['name'], str)
               for _, body in fake_hub.posts for e in body.get('batch', [body]))


@pytest.mark.parametrize('line',
                         ['on post 1-2 do reset', 'on post 1-2 do cut', 'on posted all do hang-up',
                          'on posted all do say-close',
                          "on post 1-2 do answer 500 'no' 'Connection: close'",
                          "on post 1 do answer 418 'tea'"])
def test_trap_29_connection_of_http_that_is_of_no_use_is_left(trap, line):
    trap.start()
    with Remote(trap.hub, trap.channel) as remote:
        number = remote.request_over_socket('chapi.echo', 0)
        remote.response(number)
        trap.play(line)
        if '418' in line:       # no status that we know: not taken, and the end of that answer
            remote.request_over_socket('chapi.echo', 0)
            trap.wait_status(lambda s: s['publisher']['failed'] == 1, 'an answer to be given up')
        for n in range(4):
            number = remote.request_over_socket('chapi.echo', n)
            assert remote.response(number)['result'] == n
    assert publisher(trap)['failed'] == ('418' in line)


@pytest.mark.parametrize('status', [502, 503, 504])
def test_traps_30_and_31_page_of_a_proxy_is_waited_out(trap, status):
    trap.start()
    with Remote(trap.hub, trap.channel) as remote:
        trap.play("on post 1-3 do answer %d '<html><h1>Bad gateway</h1>'" % status)
        assert remote.response(remote.request_over_socket('chapi.echo', 1))['result'] == 1
    assert publisher(trap)['repeated'] == 3 and publisher(trap)['failed'] == 0


def test_trap_31_page_that_says_200_is_no_answer_of_the_hub(trap):
    trap.start()
    with Remote(trap.hub, trap.channel) as remote:
        trap.play("on post 1-2 do answer 200 '<html>Please log in</html>'")
        assert remote.response(remote.request_over_socket('chapi.echo', 1))['result'] == 1


def test_trap_32_who_publishes_is_told_that_it_failed(trap):
    trap.start()
    trap.play("on post 1 do answer 400 'Invalid event name'", "on post 2 do answer 502 ''")
    with trap.gateway.connect() as client:
        with pytest.raises(RpcError) as refused:
            client.ask('publish', 'news', 'x', {})
        with pytest.raises(RpcError) as doubtful:
            client.ask('publish', 'news', 'x', {})
        assert client.ask('publish', 'news', 'x', {}) is None
    assert (refused.value.ran, doubtful.value.ran) == ('no', 'unknown')
    assert 'Invalid event name' in refused.value.message
    assert publisher(trap)['failed'] == 2


def test_trap_35_200_with_an_error_in_its_body_is_the_error(trap):
    trap.start()
    with Remote(trap.hub, trap.channel) as remote:
        trap.play("on post 1 do answer 200 '{\"error\":\"too large\",\"code\":413}'")
        error = remote.response(remote.request_over_socket('chapi.echo', 'x'))['error']
    assert error['code'] == 'too_large'


@pytest.mark.parametrize('line', ['on posted 1-2 do reset', 'on posted 1-2 do delay 600ms'])
def test_trap_38_repeat_of_an_answer_has_its_id_and_the_function_ran_once(trap, line):
    """The hub has taken it, and did not say so: it comes again, and is known by its id."""
    trap.start(timing={'publish_timeout': '300ms'})
    with trap.gateway.connect() as client, Remote(trap.hub, trap.channel) as remote:
        provider = Provider(client, 'motor.on')
        trap.play(line)
        number = remote.request_over_socket('motor.on', {})
        provider.serve_one(lambda params: 'on')
        first = remote.response(number)
        assert remote.response(number) == first
        remote.request_over_socket('chapi.ping', {})
        assert client.quiet()
    assert trap.control.published().count(number) >= 2


def test_trap_38_answers_that_overtake_each_other_are_told_apart(trap):
    trap.start()
    with trap.gateway.connect() as client, Remote(trap.hub, trap.channel) as remote:
        client.ask('register', 'f')
        trap.play('on deliver response client test 1 do delay 300ms')
        numbers = [remote.request_over_socket('f', n) for n in range(3)]
        for request in [client.wait_request() for _ in numbers]:
            client.answer(request, request[3][0])
        for n in (2, 1, 0):
            assert remote.response(numbers[n])['result'] == n
