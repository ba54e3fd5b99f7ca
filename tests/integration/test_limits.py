# SPDX-License-Identifier: MIT
"""Fairness and limits: floods, those who do not read, many connections, much at once."""
import contextlib
import os
import resource
import select
import signal
import socket

import pytest

from lib.gateway import Provider
from lib.ipc import RpcError
from lib.limits import wait_until


def test_a_flooding_caller_does_not_starve_another(gateway):
    with gateway.connect() as provider, gateway.connect() as flood, gateway.connect() as other:
        Provider(provider, 'f')
        for n in range(3000):
            flood.request('call', 'f', {'n': n})
        for n in range(20):
            assert other.call('chapi.echo', {'n': n}) == {'n': n}
        number = other.request('call', 'f', {'mine': True})
        while True:
            request = provider.wait_request()
            provider.answer(request, request[3][0])
            if request[3][0] == {'mine': True}:
                break
        assert other.result(number) == {'mine': True}


def heavy_lists(provider):
    """Small questions that make the gateway look at each of its names."""
    for n in range(1000):
        provider.ask('register', 'n%d.%s' % (n, 'ab' * 50))
    return ['list', '*%sc*d*' % ('ab' * 40)]


def heavy_calls(provider):
    """Params of a few bytes that are held against thousands of choices."""
    choices = ['%05d' % n for n in range(6000)]
    provider.ask('register', 'f', {'params': {'items': {'enum': choices}}})
    return ['call', 'f', [choices[-1], choices[-2], 'none of them']]


@pytest.mark.parametrize('heavy', [heavy_lists, heavy_calls])
def test_hard_work_for_one_does_not_keep_another_waiting(gateway, heavy, encoding):
    """What is asked for is the count of requests that were handled before that of the other."""
    with gateway.connect() as provider, gateway.connect(encoding) as hard, \
            gateway.connect() as other:
        method, *params = heavy(provider)
        before = other.ask('status')['counters']['requests']
        gateway.send_signal(signal.SIGSTOP)
        hard.send_raw(b''.join(hard.encode([0, number, method, params]) for number in range(150)))
        status = other.request('status')
        gateway.send_signal(signal.SIGCONT)
        handled = other.result(status)['counters']['requests'] - before
        assert handled < 75, 'the other had to wait for %d requests' % handled
        for number in range(150):
            message = hard.wait_response(number)
            assert message[2] is None or message[2]['code'] == 'invalid_argument'


def test_calls_of_one_connection_are_limited(start_gateway, encoding):
    gateway = start_gateway(limits={'calls_per_peer': 3})
    with gateway.connect(encoding) as provider, gateway.connect(encoding) as caller:
        Provider(provider, 'f')
        numbers = [caller.request('call', 'f') for _ in range(4)]
        with pytest.raises(RpcError) as e:
            caller.result(numbers[3])
        assert (e.value.code, e.value.ran) == ('busy', 'no')
        provider.answer(provider.wait_request(), 1)
        assert caller.result(numbers[0]) == 1


def test_a_provider_with_too_many_abandoned_calls_is_closed(connect):
    most = 1024
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    for n in range(most + 1):
        if n == most:
            assert caller.ask('status')['calls']['abandoned'] == most
        number = caller.request('call', 'f')
        caller.notify('cancel', number)
        assert caller.wait_response(number)[2]['code'] == 'cancelled'
    provider.wait_end()
    assert caller.wait_response(caller.request('call', 'f'))[2]['code'] == 'api_not_found'


def test_names_of_one_connection_are_limited(start_gateway, encoding):
    gateway = start_gateway(limits={'names_per_peer': 2})
    with gateway.connect(encoding) as provider:
        Provider(provider, 'a', 'b')
        with pytest.raises(RpcError) as e:
            provider.ask('register', 'c')
        assert e.value.code == 'busy'


def test_connections_are_limited(start_gateway):
    gateway = start_gateway(limits={'peers': 2})
    with gateway.connect() as first:
        wait_until(lambda: first.ask('status')['peers'] == 1, 'whoever saw it start to be gone')
        with gateway.connect('json') as second:
            assert second.call('chapi.echo', 1) == 1
            with gateway.connect('json') as third:
                _, number, error, _ = third.wait_message()
                assert (number, error['code'], error['ran']) == (None, 'busy', 'no')
                assert error['details']['retry_after_ms'] > 0
                third.wait_end()
        # A place is free when the turn is over in which its holder left.
        wait_until(lambda: is_served(gateway), 'the place of the second to be free')


def is_served(gateway):
    with gateway.connect('json') as another:      # refused before it has said how it speaks
        try:
            return another.call('chapi.echo', 1) == 1
        except (EOFError, OSError):
            return False


def test_what_waits_is_charged_to_who_caused_it(start_gateway):
    gateway = start_gateway(limits={'pinned_per_peer': '100K'})
    with gateway.connect() as provider, gateway.connect() as caller, gateway.connect() as other:
        Provider(provider, 'f')
        caller.request('call', 'f', 'x' * 60000)
        number = caller.request('call', 'f', 'x' * 60000)
        with pytest.raises(RpcError) as e:
            caller.result(number)
        assert (e.value.code, e.value.ran) == ('busy', 'no')
        number = other.request('call', 'f', 'x' * 60000)
        provider.answer(provider.wait_request())
        provider.answer(provider.wait_request())
        assert other.result(number) is None


def test_what_a_caller_leaves_behind_is_charged_to_all(start_gateway, encoding):
    gateway = start_gateway(limits={'pinned_total': '100K'})
    with gateway.connect(encoding) as provider, gateway.connect(encoding) as other:
        provider.ask('register', 'f', {'concurrency': 1})
        with gateway.connect(encoding) as caller:
            for text in ('small', 'x' * 90000):
                caller.call('f', text, oneway=True)
        wait_until(lambda: other.ask('status')['peers'] == 2, 'the caller to be gone')
        with pytest.raises(RpcError) as e:
            other.call('f', 'x' * 20000)
        assert (e.value.code, e.value.ran) == ('busy', 'no')
        assert e.value.details == {'retry_after_ms': 100}
        provider.answer(provider.wait_request())
        provider.wait_request()
        assert other.ask('status')['pinned'] < 5000


def test_a_small_caller_goes_on_when_others_fill_the_total(start_gateway, encoding):
    gateway = start_gateway(limits={'pinned_total': '1M'})
    with gateway.connect(encoding) as provider, gateway.connect(encoding) as large:
        provider.ask('register', 'f', {'concurrency': 1, 'queue': 1000})
        for size in (100000, 10000, 2000):
            error = None
            while error is None:
                large.request('call', 'f', 'x' * size)
                large.request('call', 'chapi.ping', {})
                large.result(large.last_id)
                error = next((m[2] for m in large.inbox if m[0] == 1), None)
                large.inbox.clear()
            assert error['code'] == 'busy' and 'pinned_total' in error['message']
        with gateway.connect(encoding) as small:
            number = small.request('call', 'f', 'x' * 800)
            assert small.quiet()
            large.close()
            provider.answer(provider.wait_request())
            request = provider.take(lambda m: m[0] == 0 and m[3][0] == 'x' * 800, 'the small call')
            provider.answer(request, 'done')
            assert small.result(number) == 'done'


def test_output_that_is_not_read_is_charged(start_gateway, encoding):
    """A socket of its own may hold a part of it, so what is asked for is about the rest."""
    gateway = start_gateway(limits={'pinned_per_peer': '1M'})
    with gateway.connect(encoding) as slow, gateway.connect(encoding) as other:
        for n in range(1, 7):
            slow.send(0, n, 'call', ['chapi.echo', 'x' * 500000])
        slow.send(0, 7, 'wait', ['never'])
        wait_until(lambda: other.ask('status')['pinned'] > 1000000, 'the answers to wait')
        error = slow.wait_response(7)[2]
        assert (error['code'], error['ran']) == ('busy', 'no')
        for n in range(1, 7):
            assert slow.result(n) == 'x' * 500000
        assert other.ask('status')['pinned'] < 5000


def test_output_of_all_together_is_limited(start_gateway, encoding):
    gateway = start_gateway(limits={'pinned_total': '1M'})
    with contextlib.ExitStack() as stack, gateway.connect(encoding) as other:
        slow = [stack.enter_context(gateway.connect(encoding)) for _ in range(5)]
        for client in slow:
            for n in range(1, 4):
                client.send(0, n, 'call', ['chapi.echo', 'x' * 500000])
        wait_until(lambda: other.ask('status')['counters']['calls'] == 15, 'all to be answered')
        assert 500000 < other.ask('status')['pinned'] < 3 << 19
        codes = [e and (e['code'], e['ran']) for client in slow for n in range(1, 4)
                 for e in [client.wait_response(n)[2]]]
        assert set(codes) == {None, ('too_large', 'yes')}
        assert slow[4].call('chapi.echo', 'x' * 500000) == 'x' * 500000


def test_a_provider_that_does_not_read_queues_then_busy(start_gateway):
    """Nobody else is slower, and when it reads again the calls that wait are run."""
    gateway = start_gateway(gateway={'max_message': '64K'}, limits={'output_per_peer': '128K'})
    with gateway.connect() as provider, gateway.connect() as caller, gateway.connect() as other:
        provider.ask('register', 'f', {'queue': 4})
        Provider(other, 'g')
        numbers = [caller.request('call', 'f', {'n': n, 'body': 'x' * 20000}) for n in range(100)]
        refused = set()
        while True:
            message = caller.take(lambda m: m[0] == 1, 'a refusal')
            assert message[2]['code'] == 'busy' and message[2]['ran'] == 'no'
            refused.add(message[1])
            if message[1] == numbers[-1]:
                break
        number = caller.request('call', 'g')
        other.answer(other.wait_request(), 'quick')
        assert caller.result(number) == 'quick'
        accepted = [n for n in numbers if n not in refused]
        assert 4 < len(accepted) < 100
        for _ in accepted:
            request = provider.wait_request()
            provider.answer(request, request[3][0]['n'])
        assert sorted(caller.result(n) for n in accepted) == \
            sorted(numbers.index(n) for n in accepted)


def test_a_caller_that_does_not_read_is_not_read_from_and_cut_off(start_gateway):
    gateway = start_gateway(gateway={'max_message': '64K'},
                            limits={'output_per_peer': '128K', 'stalled_after': '1s'})
    with gateway.connect() as slow, gateway.connect() as other:
        data = b''.join(slow.encode([0, n, 'call', ['chapi.echo', 'x' * 30000]])
                        for n in range(1000))
        slow.socket.setblocking(False)
        sent = 0
        with contextlib.suppress(ConnectionError):      # cut off in the midst of it
            while sent < len(data) and select.select([], [slow.socket], [], 0.5)[1]:
                sent += slow.socket.send(data[sent:])
        assert sent < len(data)
        for n in range(20):
            assert other.call('chapi.echo', n) == n
        wait_until(lambda: other.ask('status')['peers'] == 1, 'the slow caller to be cut off')


def test_5000_idle_connections(start_gateway):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    n = min(5000, hard - 200)
    if n < 1000:
        pytest.skip('only %d files may be open here' % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clients = []
    try:
        gateway = start_gateway()
        with gateway.connect() as first:
            first.call('chapi.ping')
            before = gateway.rss_anon_kb()
            for _ in range(n):
                clients.append(gateway.connect())
            wait_until(lambda: first.ask('status')['peers'] == n + 1,
                       'all connections to be there', 30)
            assert clients[n // 2].call('chapi.echo', 1) == 1
            per_peer_kb = (gateway.rss_anon_kb() - before) / n
            assert per_peer_kb < 8, '%.1f KB for each' % per_peer_kb
            while clients:
                clients.pop().close()
            wait_until(lambda: first.ask('status')['peers'] == 1, 'all connections to be gone', 30)
    finally:
        for client in clients:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize('provider_encoding', ['msgpack', 'json'])
def test_64_times_64_kilobytes_at_once(gateway, provider_encoding):
    with gateway.connect(provider_encoding) as provider, gateway.connect() as caller:
        Provider(provider, 'f')
        bodies = [os.urandom(32 * 1024).hex() for _ in range(64)]
        numbers = [caller.request('call', 'f', {'n': n, 'body': body})
                   for n, body in enumerate(bodies)]
        requests = [provider.wait_request() for _ in numbers]
        for request in reversed(requests):
            provider.answer(request, request[3][0])
        for n, number in enumerate(numbers):
            assert caller.result(number) == {'n': n, 'body': bodies[n]}


def test_a_slow_consumer_is_cut_off_while_others_do_not_notice(start_gateway):
    gateway = start_gateway(gateway={'max_message': '64K'},
                            limits={'output_per_peer': '128K', 'stalled_after': '1s'})
    with gateway.connect() as slow, gateway.connect() as provider, gateway.connect() as caller:
        Provider(slow, 'slow')
        Provider(provider, 'f')
        numbers = [caller.request('call', 'slow', 'x' * 30000) for _ in range(20)]
        for n in range(50):
            number = caller.request('call', 'f', n)
            provider.answer(provider.wait_request(), n)
            assert caller.result(number) == n
        for number in numbers:
            with pytest.raises(RpcError) as e:
                caller.result(number)
            assert e.value.code in ('provider_gone', 'busy')
        assert gateway.ask('status')['apis'] == 1


def test_memory_is_back_when_everybody_has_left(gateway):
    with gateway.connect() as watcher:
        for _ in range(3):
            with gateway.connect() as provider, gateway.connect('json') as caller:
                provider.ask('register', 'f', {'concurrency': 1, 'queue': 500})
                for n in range(300):
                    caller.request('call', 'f', {'n': n})
                caller.request('wait', ['never'])
                caller.ask('monitor', {})
                provider.wait_request()
            wait_until(lambda: watcher.ask('status')['peers'] == 1, 'both to be gone')
            status = watcher.ask('status')
            assert status['pinned'] == 0
            assert status['calls'] == {'running': 0, 'queued': 0, 'abandoned': 0}
            assert status['apis'] == 0


# ---- what grows on its way into JSON -------------------------------------------------------------

GROWS = '\x01' * 1600000    # six times as long in JSON, more than a connection's output may be


def test_a_request_that_never_fits_is_refused_and_nobody_else_waits(gateway):
    with gateway.connect('json') as provider, gateway.connect() as caller, \
            gateway.connect() as other:
        Provider(provider, 'f')
        numbers = [caller.request('call', 'f', 'x' * 300000) for _ in range(5)]
        large = caller.request('call', 'f', {'p': GROWS})
        caller.quiet()
        assert other.call('chapi.echo', 1) == 1
        for _ in numbers:
            provider.answer(provider.wait_request(), 'ok')
        assert [caller.result(n) for n in numbers] == ['ok'] * 5
        with pytest.raises(RpcError) as e:
            caller.result(large)
        assert (e.value.code, e.value.ran) == ('invalid_argument', 'no')
        assert other.call('chapi.echo', 2) == 2


def test_an_answer_that_never_fits_is_too_large(gateway):
    with gateway.connect() as provider, gateway.connect('json') as caller:
        Provider(provider, 'f')
        number = caller.request('call', 'f')
        provider.answer(provider.wait_request(), GROWS)
        with pytest.raises(RpcError) as e:
            caller.result(number)
        assert (e.value.code, e.value.ran) == ('too_large', 'yes')
        assert e.value.details == {'size': 6 * len(GROWS) + 2, 'waiting': 0,
                                   'output_per_peer': 8 << 20}
        assert caller.call('chapi.echo', 1) == 1


def test_an_error_that_never_fits_is_too_large(gateway):
    with gateway.connect() as provider, gateway.connect('json') as caller:
        Provider(provider, 'f')
        number = caller.request('call', 'f')
        provider.answer(provider.wait_request(), None,
                        {'code': 'jammed', 'details': {'why': GROWS}})
        with pytest.raises(RpcError) as e:
            caller.result(number)
        assert (e.value.code, e.value.ran) == ('too_large', 'yes')
        assert caller.call('chapi.echo', 1) == 1


def test_answers_for_which_there_is_no_room_are_too_large(start_gateway, encoding):
    gateway = start_gateway(gateway={'max_message': '64K'}, limits={'output_per_peer': '128K'})
    with gateway.connect() as provider, gateway.connect(encoding) as caller:
        Provider(provider, 'f')
        numbers = [caller.request('call', 'f', n) for n in range(60)]
        for _ in numbers:
            request = provider.wait_request()
            provider.answer(request, [request[3][0], 'x' * 30000])
        provider.quiet()
        codes = []
        for n, number in enumerate(numbers):
            try:
                assert caller.result(number) == [n, 'x' * 30000]
            except RpcError as e:
                codes.append((e.code, e.ran))
                assert e.details['size'] + e.details['waiting'] > 64 << 10
        assert 0 < len(codes) < len(numbers)
        assert set(codes) == {('too_large', 'yes')}
        assert caller.call('chapi.echo', 1) == 1


# ---- half-closed connections ------------------------------------------------------------------

def test_a_half_closed_monitor_sees_events(gateway, encoding):
    with gateway.connect(encoding) as watcher, gateway.connect() as caller:
        watcher.request('monitor', {'kinds': ['response']})
        watcher.socket.shutdown(socket.SHUT_WR)
        watcher.wait_response(1)
        caller.call('chapi.ping')
        assert watcher.wait_notification('event')[2][0]['api'] == 'chapi.ping'


def test_half_closed_connections_that_die_are_noticed(gateway):
    with gateway.connect() as first:
        for method, params in (('wait', [['never']]), ('monitor', [])):
            for _ in range(5):
                client = gateway.connect()
                client.request(method, *params)
                client.socket.shutdown(socket.SHUT_WR)
                client.close()
        wait_until(lambda: first.ask('status')['peers'] == 1, 'them to be gone')
