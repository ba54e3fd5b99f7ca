# SPDX-License-Identifier: MIT
"""Bad input on the local socket: a clear error for the one concerned, nothing for anybody else.

Each test has bystanders, a provider and a caller with a call under way, who must notice
nothing, and the last ones repeat what is bad until a leak would show.
"""
import pytest

from lib.gateway import Provider
from lib.ipc import RpcError
from lib.limits import wait_until
from lib.process import is_sanitized

# What a run of repeats may leave behind, in KiB of anonymous memory.
TOLERANCE_KB = 512
SANITIZED_TOLERANCE_KB = 16384


class Bystanders:
    """A call that is under way while something bad happens elsewhere."""

    def __init__(self, connect):
        self.provider, self.caller = connect(), connect()
        Provider(self.provider, 'bystander')
        self.number = self.caller.request('call', 'bystander', {'n': 1})
        self.request = self.provider.wait_request()

    def check(self):
        """Nothing has come to either, the call goes on, and new ones work."""
        assert self.provider.quiet() and self.caller.quiet()
        self.provider.answer(self.request, 'undisturbed')
        assert self.caller.result(self.number) == 'undisturbed'
        number = self.caller.request('call', 'bystander', {'n': 2})
        self.provider.answer(self.provider.wait_request(), 'again')
        assert self.caller.result(number) == 'again'


@pytest.fixture
def bystanders(connect):
    bystanders = Bystanders(connect)
    yield bystanders
    bystanders.check()


def refusal(client, *params):
    """The error of a request that must fail."""
    with pytest.raises(RpcError) as e:
        client.ask(*params)
    assert e.value.message and '\n' not in e.value.message
    return e.value


# ---- malformed --------------------------------------------------------------------------------

MALFORMED_JSON = {
    'not json': b'[0,1,"call",\n',
    'word': b'[hello]\n',
    'empty array': b'[]\n',
    'type': b'[7,1,"call",[]]\n',
    'type as text': b'["0",1,"call",[]]\n',
    'too short': b'[0,1]\n',
    'too long': b'[0,1,"call",[],1]\n',
    'method': b'[0,1,5,[]]\n',
    'params': b'[0,1,"call",{"a":1}]\n',
    'negative number': b'[0,-1,"call",[]]\n',
    'number too large': b'[0,4294967296,"call",[]]\n',
    'fraction': b'[0,1.5,"call",[]]\n',
    'number as text': b'[0,"1","call",[]]\n',
    'two values': b'[0,1,"hello",[]] 1\n',
    'utf-8': b'[0,1,"call",["chapi.echo","\xff"]]\n',
    'deep': b'[' * 100000 + b'\n',
}


@pytest.mark.parametrize('line', MALFORMED_JSON.values(), ids=MALFORMED_JSON.keys())
def test_malformed_json_costs_that_line(gateway, bystanders, line):
    with gateway.connect('json') as client:
        client.send_raw(line)
        kind, number, error, result = client.wait_message()
        assert (kind, number, result) == (1, None, None)
        assert (error['code'], error['ran']) == ('bad_message', 'no')
        assert error['message']
        assert client.call('chapi.echo', 1) == 1
        assert not client.inbox


# What an answer is cut down to, and whether it is JSON at all.
BAD_ANSWERS = {
    'not json': ('[1,%d,null,{]\n', False),
    'cut short': ('[1,%d,null\n', False),
    'too long': ('[1,%d,null,1,1]\n', False),
    'no form': ('[1,%d,null,{"$bin":"!"}]\n', True),
    'keys': ('[1,%d,null,{"a":1,"a":2}]\n', True),
}


@pytest.mark.parametrize('line, is_json', BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
def test_malformed_answer_is_a_bad_reply(gateway, bystanders, line, is_json):
    """Its caller need not wait; who sent it is told if nobody could read it."""
    with gateway.connect('json') as provider, gateway.connect() as caller:
        Provider(provider, 'f')
        number = caller.request('call', 'f')
        provider.send_raw((line % provider.wait_request()[1]).encode())
        with pytest.raises(RpcError) as e:
            caller.result(number)
        assert (e.value.code, e.value.ran) == ('bad_reply', 'yes')
        if not is_json:
            kind, number, error, _ = provider.wait_message()
            assert (kind, number, error['code']) == (1, None, 'bad_message')
        assert provider.quiet()


MALFORMED_MSGPACK = {
    'empty array': b'\x90',
    'type': b'\x94\x07\x01\xa4call\x90',
    'too short': b'\x92\x00\x01',
    'too long': b'\x95\x00\x01\xa4call\x90\x01',
    'method': b'\x94\x00\x01\x05\x90',
    'params': b'\x94\x00\x01\xa4call\x80',
    'number': b'\x94\x00\xff\xa4call\x90',
    'never used byte': b'\x94\x00\x01\xa4call\xc1',
    'no array': b'\x93\x02\xa1x\x90\xa4oops',
    'deep': b'\x94\x00\x01\xa4call' + b'\x91' * 100000 + b'\xc0',
    'huge array': b'\x94\x00\x01\xa4call\xdd\xff\xff\xff\xff' + b'\xc1' * 16,
}


@pytest.mark.parametrize('data', MALFORMED_MSGPACK.values(), ids=MALFORMED_MSGPACK.keys())
def test_malformed_msgpack_costs_the_connection(gateway, bystanders, data):
    with gateway.connect('msgpack') as client:
        client.send_raw(data)
        client.wait_end()
        kind, number, error, result = client.inbox.pop()
        assert (kind, result, error['code'], error['ran']) == (1, None, 'bad_message', 'no')
        assert number in (None, 1)
        assert error['message']


@pytest.mark.parametrize('end', [b'\xdd', b'\xdd\xff\xff\xff\xff',
                                 b'\x94\x00\x01\xdb\xff\xff', b'[0,1,"call",["x'],
                         ids=['head', 'huge count', 'huge text', 'json'])
def test_connection_that_ends_within_a_message_is_forgotten(gateway, bystanders, end):
    n_fds = gateway.n_fds()
    with gateway.connect() as client:
        client.send_raw(end)
    with gateway.connect() as client:
        assert client.quiet()
        assert client.ask('status')['peers'] == 3
    wait_until(lambda: gateway.n_fds() <= n_fds + 1, 'file descriptors to be as few as before')


def test_message_over_the_limit_costs_one_call(start_gateway, encoding):
    gateway = start_gateway(gateway={'max_message': '64K'})
    with gateway.connect(encoding) as client, gateway.connect(encoding) as other:
        number = client.request('call', 'chapi.echo', 'x' * 100000)
        error = client.wait_response(number)[2]
        assert (error['code'], error['ran']) == ('too_large', 'no')
        sizes = sorted(v for v in error['details'].values() if isinstance(v, int))
        assert sizes[0] == 65536 and 100000 < sizes[1] < 100100
        assert client.call('chapi.echo', 'x' * 60000) == 'x' * 60000
        assert other.quiet()


def test_answer_over_the_limit_costs_one_call(start_gateway, encoding):
    gateway = start_gateway(gateway={'max_message': '64K'})
    with gateway.connect(encoding) as provider, gateway.connect(encoding) as caller:
        Provider(provider, 'f')
        number = caller.request('call', 'f', {})
        provider.answer(provider.wait_request(), 'x' * 100000)
        error = caller.wait_response(number)[2]
        assert (error['code'], error['ran']) == ('too_large', 'yes')
        number = caller.request('call', 'f', {})
        provider.answer(provider.wait_request(), 'small')
        assert caller.result(number) == 'small'


def test_message_far_over_the_limit_ends_the_connection(start_gateway, encoding):
    gateway = start_gateway(gateway={'max_message': '1K'})
    with gateway.connect(encoding) as client, gateway.connect(encoding) as other:
        try:
            client.request('call', 'chapi.echo', 'x' * 200000)
        except (BrokenPipeError, ConnectionResetError):
            pass
        client.wait_end()
        assert [m[2]['code'] for m in client.inbox] in ([], ['too_large'], ['bad_message'])
        assert other.quiet()


# ---- wrong requests ---------------------------------------------------------------------------

def test_unknown_method_is_an_invalid_argument(client, bystanders):
    error = refusal(client, 'frobnicate', 1)
    assert (error.code, error.ran) == ('invalid_argument', 'no')
    assert 'frobnicate' in error.message
    assert client.quiet()


@pytest.mark.parametrize('method, params', [
    ('call', []), ('call', [5, {}]), ('call', [None]), ('call', ['chapi.echo', {}, 'options']),
    ('call', ['chapi.echo', {}, {}, 1]),
    ('register', []), ('register', [7]), ('register', ['f', 'options']), ('unregister', []),
    ('unregister', [{}]), ('list', [5]), ('hello', ['me']), ('status', [{}, 1, 2]),
], ids=lambda v: str(v) if isinstance(v, list) else v)
def test_request_with_wrong_types_is_an_invalid_argument(client, bystanders, method, params):
    if (method, params) in (('status', [{}, 1, 2]), ('call', ['chapi.echo', {}, {}, 1])):
        number = client.request(method, *params)     # more than is known: ignored or refused
        error = client.wait_response(number)[2]
        assert error is None or error['code'] == 'invalid_argument'
    else:
        error = refusal(client, method, *params)
        assert (error.code, error.ran) == ('invalid_argument', 'no')
    assert client.quiet()


BAD_NAMES = ['', 'x' * 129, '.a', '-a', ':a', 'a b', 'a/b', 'ü', 'a\n', 'a\u0000b', '*']


@pytest.mark.parametrize('name', BAD_NAMES, ids=ascii)
def test_name_out_of_the_grammar_cannot_be_registered(client, bystanders, name):
    error = refusal(client, 'register', name)
    assert (error.code, error.ran) == ('invalid_argument', 'no')
    assert client.quiet()


@pytest.mark.parametrize('name', BAD_NAMES, ids=ascii)
def test_name_out_of_the_grammar_cannot_be_called(client, bystanders, name):
    error = refusal(client, 'call', name, {})
    assert error.code in ('invalid_argument', 'api_not_found') and error.ran == 'no'
    assert client.quiet()


def test_call_to_a_name_nobody_has_is_not_found(client, bystanders):
    error = refusal(client, 'call', 'nobody.has.it', {})
    assert (error.code, error.ran) == ('api_not_found', 'no')
    assert 'nobody.has.it' in error.message
    error = refusal(client, 'call', 'chapi.nothing', {})
    assert error.code == 'api_not_found'
    assert client.quiet()


def test_number_used_twice_at_once_ends_the_connection(connect, bystanders):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    caller.send(0, 5, 'call', ['f', {}])
    request = provider.wait_request()
    caller.send(0, 5, 'call', ['f', {}])
    caller.wait_end()
    assert 'bad_message' in [m[2]['code'] for m in caller.inbox if m[2]]
    assert provider.wait_notification('cancel')[2] == [request[1]]


def test_unknown_notification_is_ignored(client, bystanders):
    client.notify('frobnicate', 1, {'a': 2})
    client.notify('cancel', 12345)
    client.notify('cancel', 'x')
    client.notify('progress', 12345, 1)
    assert client.quiet()


# ---- providers --------------------------------------------------------------------------------

def test_provider_that_dies_in_a_call(connect, bystanders):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f', {})
    provider.wait_request()
    provider.close()
    error = caller.wait_response(number)[2]
    assert (error['code'], error['ran']) == ('provider_gone', 'unknown')
    assert caller.quiet()


def test_provider_that_answers_twice(connect, bystanders):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f', {})
    request = provider.wait_request()
    provider.answer(request, 'first')
    provider.answer(request, 'second')
    provider.answer(request, None, 'third')
    assert caller.result(number) == 'first'
    assert provider.quiet() and caller.quiet()


def test_provider_that_answers_what_it_was_never_asked(connect, bystanders):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f', {})
    request = provider.wait_request()
    for other in (request[1] + 1, 0, 4294967295):
        provider.answer(other, 'not mine')
    assert provider.quiet() and caller.quiet()
    provider.answer(request, 'mine')
    assert caller.result(number) == 'mine'


def test_connection_cannot_answer_the_calls_of_another(connect, bystanders):
    """Numbers of calls are guessed easily; they must be of no use to others."""
    stranger = connect()
    for number in range(50):
        stranger.answer(number, 'forged')
    stranger.answer(bystanders.request, 'forged')
    assert stranger.quiet()


def test_ignored_messages_are_counted(client):
    def ignored():
        counters = client.ask('status')['counters']
        return sum(v for k, v in counters.items() if 'ignored' in k)
    before = ignored()
    client.answer(12345, 'x')
    client.notify('frobnicate')
    assert ignored() == before + 2


def test_caller_that_leaves_in_a_call(connect, bystanders):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    caller.request('call', 'f', {})
    request = provider.wait_request()
    caller.close()
    assert provider.wait_notification('cancel')[2] == [request[1]]
    provider.answer(request, 'for nobody')
    assert provider.quiet()


def test_caller_that_leaves_before_reading_much(connect, bystanders):
    """Its answers fill the socket; nobody else waits for it."""
    caller = connect()
    for _ in range(40):
        caller.request('call', 'chapi.echo', 'x' * 100000)
    caller.close()


# ---- memory -----------------------------------------------------------------------------------

def _malformed(gateway, connect):
    for data in (b'\x94\x00\x01\x05\x90', b'[oops]\n', b'GET / HTTP/1.0\r\n\r\n',
                 b'\xdd\xff\xff\xff\xff'):
        with gateway.connect() as client:
            client.send_raw(data)
            if data[0] != 0xdd:
                client.socket.recv(4096)


def _oversized(gateway, connect):
    with gateway.connect('json') as client:
        client.send_raw(b'[0,1,"call",["chapi.echo","' + b'x' * (5 << 20) + b'"]]\n')
        assert client.wait_response(1)[2]['code'] == 'too_large'


def _wrong_requests(gateway, connect):
    client = connect()
    for method, params in (('frobnicate', [1]), ('register', ['a b']),
                           ('call', ['nobody', {'x': 'y' * 1000}]), ('call', [5])):
        assert client.wait_response(client.request(method, *params))[2]
    client.answer(99999, 'x' * 1000)
    client.notify('frobnicate', 'x' * 1000)
    client.ask('hello')
    client.close()


def _dying_provider(gateway, connect):
    provider, caller = connect(), connect()
    Provider(provider, 'dying')
    number = caller.request('call', 'dying', {'x': 'y' * 10000})
    provider.wait_request()
    provider.close()
    assert caller.wait_response(number)[2]['code'] == 'provider_gone'
    caller.close()


def _double_answers(gateway, connect):
    provider, caller = connect(), connect()
    Provider(provider, 'double')
    number = caller.request('call', 'double', {'x': 'y' * 10000})
    request = provider.wait_request()
    provider.answer(request, 'x' * 10000)
    provider.answer(request, 'x' * 10000)
    caller.result(number)
    caller.close()
    provider.ask('unregister', 'double')     # else the next one may be too early
    provider.close()


def _leaving_caller(gateway, connect):
    provider, caller = connect(), connect()
    Provider(provider, 'left')
    caller.request('call', 'left', {'x': 'y' * 10000})
    request = provider.wait_request()
    caller.close()
    provider.wait_notification('cancel')
    provider.answer(request, 'x' * 10000)
    provider.ask('unregister', 'left')
    provider.close()


def n_peers(gateway):
    with gateway.connect() as client:
        return client.ask('status')['peers']


@pytest.mark.parametrize('what, times', [(_malformed, 100), (_oversized, 4), (_wrong_requests, 100),
                                         (_dying_provider, 100), (_double_answers, 100),
                                         (_leaving_caller, 100)],
                         ids=lambda v: v.__name__.strip('_') if callable(v) else '')
def test_memory_and_connections_are_as_before(gateway, connect, bystanders, what, times):
    peers = n_peers(gateway)
    for _ in range(times):
        what(gateway, connect)
    wait_until(lambda: n_peers(gateway) == peers, 'connections that were closed to be gone')
    before, n_fds = gateway.rss_anon_kb(), gateway.n_fds()
    for _ in range(times):
        what(gateway, connect)
    wait_until(lambda: n_peers(gateway) == peers, 'connections that were closed to be gone')
    grown = gateway.rss_anon_kb() - before
    assert grown <= (SANITIZED_TOLERANCE_KB if is_sanitized() else TOLERANCE_KB), \
        'grown by %d KiB' % grown
    assert gateway.n_fds() <= n_fds + 1
