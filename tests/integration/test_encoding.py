# SPDX-License-Identifier: MIT
"""The bytes on the local socket: framing, the choice of the encoding, values between the two."""
import base64
import json
import struct

import msgpack
import pytest

from lib.gateway import Provider

JSON = 'json'
MSGPACK = 'msgpack'


def json_answer(client, line):
    """One line as typed, and the answer's line."""
    client.send_raw(line)
    return client.wait_message()


# ---- framing ----------------------------------------------------------------------------------

def test_messages_may_come_byte_by_byte(client):
    data = client.encode([0, 1, 'call', ['chapi.echo', {'a': 'ü€'}]])
    for i in range(len(data)):
        client.send_raw(data[i:i + 1])
    assert client.result(1) == {'a': 'ü€'}


def test_many_messages_may_come_at_once(client):
    client.send_raw(b''.join(client.encode([0, n, 'call', ['chapi.echo', n]])
                             for n in range(1, 51)))
    assert [client.result(n) for n in range(1, 51)] == list(range(1, 51))


def test_one_write_may_end_within_a_message(client):
    data = b''.join(client.encode([0, n, 'call', ['chapi.echo', 'x' * 1000]]) for n in range(1, 11))
    client.send_raw(data[:2500])
    assert client.result(2) == 'x' * 1000
    client.send_raw(data[2500:])
    assert client.result(10) == 'x' * 1000


def test_large_values_go_through(client):
    value = {'text': 'ä' * 500000, 'list': list(range(50000))}
    assert client.call('chapi.echo', value) == value


@pytest.mark.parametrize('head', [b'\x94', b'\xdc\x00\x04', b'\xdd\x00\x00\x00\x04'],
                         ids=['fix', '16', '32'])
@pytest.mark.parametrize('number', [b'\x05', b'\xcc\x05', b'\xcd\x00\x05', b'\xce\x00\x00\x00\x05',
                                    b'\xcf' + b'\x00' * 7 + b'\x05', b'\xd0\x05', b'\xd1\x00\x05',
                                    b'\xd2\x00\x00\x00\x05', b'\xd3' + b'\x00' * 7 + b'\x05'],
                         ids=['fix', 'u8', 'u16', 'u32', 'u64', 'i8', 'i16', 'i32', 'i64'])
def test_every_width_of_msgpack_is_accepted(gateway, head, number):
    with gateway.connect(MSGPACK) as client:
        client.send_raw(head + b'\xcc\x00' + number + msgpack.packb('call') +
                        msgpack.packb(['chapi.echo', 1]))
        assert client.wait_message() == [1, 5, None, 1]


def test_highest_number_of_a_request_comes_back(client):
    client.send(0, 2 ** 32 - 1, 'call', ['chapi.echo', 1])
    assert client.wait_message() == [1, 2 ** 32 - 1, None, 1]


@pytest.mark.parametrize('first', [b'', b' ', b'\t', b'\r\n', b'\n', b'\n\n \t'],
                         ids=['bracket', 'blank', 'tab', 'cr', 'lf', 'mixed'])
def test_json_begins_with_a_bracket_or_blanks(gateway, first):
    with gateway.connect(JSON) as client:
        assert json_answer(client, first + b'[0,1,"call",["chapi.echo",{"a":1}]]\n') == \
            [1, 1, None, {'a': 1}]


def test_json_lines_may_end_with_cr_and_be_empty(gateway):
    with gateway.connect(JSON) as client:
        client.send_raw(b'[0,1,"call",["chapi.echo",1]]\r\n\r\n\n'
                        b'  [0, 2 ,"call", ["chapi.echo" ,2] ] \r\n')
        assert client.wait_message() == [1, 1, None, 1]
        assert client.wait_message() == [1, 2, None, 2]


def test_json_answers_are_one_line_each(gateway):
    with gateway.connect(JSON) as client:
        client.send_raw(b'[0,1,"call",["chapi.echo","a\\nb"]]\n')
        client.wait_message()
        assert client.rest == b''


def test_a_connection_keeps_its_encoding(gateway):
    with gateway.connect(JSON) as client:
        client.ask('hello')
        client.send_raw(msgpack.packb([0, 9, 'hello', []]) + b'\n')
        assert client.wait_message()[2]['code'] == 'bad_message'
        assert client.call('chapi.echo', 1) == 1


@pytest.mark.parametrize('first', [b'GET / HTTP/1.1\r\n\r\n', b'\x00', b'{"a":1}\n',
                                   b'\x81\xa1a\x01', b'\xc0', b'help\n'],
                         ids=['http', 'nul', 'object', 'map', 'nil', 'word'])
def test_anything_else_is_told_what_is_understood(gateway, first):
    with gateway.connect(JSON) as client, gateway.connect() as other:
        client.send_raw(first)
        client.wait_end()
        line = json.dumps(client.wait_message())
        assert 'json' in line.lower() and 'messagepack' in line.lower()
        assert not client.inbox and client.rest == b''
        assert other.quiet()


# ---- values -----------------------------------------------------------------------------------

# What a JSON client writes, and what a MessagePack client reads; and back the same text.
SAME = [
    ('null', b'\xc0'), ('true', b'\xc3'), ('false', b'\xc2'), ('0', b'\x00'),
    ('127', b'\x7f'), ('-1', b'\xff'), ('255', b'\xcc\xff'), ('65535', b'\xcd\xff\xff'),
    ('-32', b'\xe0'), ('-128', b'\xd0\x80'), ('9223372036854775807', b'\xcf\x7f' + b'\xff' * 7),
    ('18446744073709551615', b'\xcf' + b'\xff' * 8),
    ('-9223372036854775808', b'\xd3\x80' + b'\x00' * 7),
    ('0.1', b'\xcb' + struct.pack('>d', 0.1)), ('1.0', b'\xcb' + struct.pack('>d', 1.0)),
    ('1e300', b'\xcb' + struct.pack('>d', 1e300)),
    ('5e-324', b'\xcb' + struct.pack('>d', 5e-324)), ('""', b'\xa0'),
    ('"ü"', b'\xa2\xc3\xbc'), ('"a\\u0000b"', b'\xa3a\x00b'), ('[]', b'\x90'),
    ('{}', b'\x80'), ('{"a":[1,{"b":null}]}', b'\x81\xa1a\x92\x01\x81\xa1b\xc0'),
    ('{"$bin":"AAEC"}', b'\xc4\x03\x00\x01\x02'), ('{"$bin":""}', b'\xc4\x00'),
    ('{"$time":"2023-11-14T22:13:20Z"}', b'\xd6\xff' + struct.pack('>I', 1700000000)),
    ('{"$$a":1}', b'\x81\xa2$a\x01'), ('{"$$bin":"AA=="}', b'\x81\xa4$bin\xa4AA=='),
    ('{"$$$a":1}', b'\x81\xa3$$a\x01'),
]
TEXTS = [text for text, _ in SAME]


@pytest.fixture
def both(gateway):
    """A JSON caller and a raw MessagePack provider of f, and the other way round of g."""
    with gateway.connect(JSON) as text, gateway.connect(MSGPACK) as binary:
        yield text, binary


def raw_request(client):
    """The next request to a MessagePack client: its number and the bytes of its params."""
    data = b''
    while True:
        data += client.socket.recv(65536)
        unpacker = msgpack.Unpacker(raw=True, strict_map_key=False)
        unpacker.feed(data)
        try:
            assert unpacker.read_array_header() == 4
            unpacker.unpack()
            number = unpacker.unpack()
            unpacker.unpack()
            unpacker.read_array_header()
            begin = unpacker.tell()
            unpacker.skip()
            return number, data[begin:unpacker.tell()]
        except msgpack.OutOfData:
            continue


def raw_answer(client, number, value):
    client.send_raw(b'\x94\x01\xce' + struct.pack('>I', number) + b'\xc0' + value)


@pytest.mark.parametrize('text, value', SAME, ids=TEXTS)
def test_value_is_the_same_in_both_encodings(both, text, value):
    caller, provider = both
    Provider(provider, 'f')
    caller.send_raw(b'[0,1,"call",["f",%s]]\n' % text.encode())
    number, params = raw_request(provider)
    assert params == value
    raw_answer(provider, number, value)
    line = b''
    while not line.endswith(b'\n'):
        line += caller.socket.recv(65536)
    assert line.decode() == '[1,1,null,%s]\n' % text


@pytest.mark.parametrize('text, value', [
    ('-0', b'\x00'),
    ('1e2', b'\xcb' + struct.pack('>d', 100.0)),
    ('18446744073709551616', b'\xcb' + struct.pack('>d', 2.0 ** 64)),
    ('-9223372036854775809', b'\xcb' + struct.pack('>d', -2.0 ** 63)),
    ('"\\u00fc\\ud834\\udd1e\\/"', b'\xa7\xc3\xbc\xf0\x9d\x84\x9e/'),
    ('{ "a" : [ 1 , 2 ] }', b'\x81\xa1a\x92\x01\x02'),
], ids=['minus zero', 'exponent', 'over 64 bits', 'under 64 bits', 'escapes', 'blanks'])
def test_json_text_becomes_msgpack(both, text, value):
    caller, provider = both
    Provider(provider, 'f')
    caller.send_raw(b'[0,1,"call",["f",%s]]\n' % text.encode())
    assert raw_request(provider)[1] == value


@pytest.mark.parametrize('value, text', [
    (b'\x81\x05\x01', '{"5":1}'), (b'\x81\xff\x01', '{"-1":1}'),
    (b'\xca' + struct.pack('>f', 0.5), '0.5'),
    (b'\xd0\x05', '5'), (b'\xcf' + b'\x00' * 7 + b'\x05', '5'), (b'\xd9\x01a', '"a"'),
    (b'\xd7\xff' + struct.pack('>Q', (500000000 << 34) | 1700000000), None),
], ids=['integer key', 'negative key', 'float32', 'i8', 'u64', 'str8', 'time with fraction'])
def test_msgpack_becomes_json_text(both, value, text):
    caller, provider = both
    Provider(provider, 'f')
    number = caller.request('call', 'f', {})
    raw_answer(provider, raw_request(provider)[0], value)
    if text is None:
        assert caller.result(number)['$time'].startswith('2023-11-14T22:13:20.5')
    else:
        assert caller.result(number) == json.loads(text)


INEXPRESSIBLE = [
    ('nan', b'\x81\xa1v\xcb' + struct.pack('>d', float('nan'))),
    ('infinity', b'\x81\xa1v\xcb' + struct.pack('>d', float('inf'))),
    ('extension', b'\x81\xa1v\xd4\x05\x00'),
    ('key', b'\x81\xa1v\x81\x90\x01'),
    ('equal keys', b'\x81\xa1v\x82\x05\x01\xa15\x02'),
    ('utf-8', b'\x81\xa1v\xa1\xff'),
]


@pytest.mark.parametrize('value', [v for _, v in INEXPRESSIBLE], ids=[n for n, _ in INEXPRESSIBLE])
def test_request_that_json_cannot_express_is_refused(both, value):
    provider, caller = both
    Provider(provider, 'f')
    caller.send_raw(b'\x94\x00\x01' + msgpack.packb('call') + b'\x92' + msgpack.packb('f') + value)
    error = caller.wait_response(1)[2]
    assert (error['code'], error['ran']) == ('invalid_argument', 'no')
    assert 'v' in error['message'], 'the place has to be named'
    assert provider.quiet()


@pytest.mark.parametrize('value', [v for _, v in INEXPRESSIBLE], ids=[n for n, _ in INEXPRESSIBLE])
def test_answer_that_json_cannot_express_is_a_bad_reply(both, value):
    caller, provider = both
    Provider(provider, 'f')
    number = caller.request('call', 'f', {})
    raw_answer(provider, raw_request(provider)[0], value)
    error = caller.wait_response(number)[2]
    assert (error['code'], error['ran']) == ('bad_reply', 'yes')
    assert provider.call('chapi.echo', 1) == 1


def test_bytes_between_msgpack_connections_are_not_touched(gateway):
    with gateway.connect(MSGPACK) as caller, gateway.connect(MSGPACK) as provider:
        Provider(provider, 'f')
        odd = (b'\x82\xcf' + b'\x00' * 7 + b'\x05\xd9\x01\xff\x90\xcb' +
               struct.pack('>d', float('nan')))
        caller.send_raw(b'\x94\x00\x01' + msgpack.packb('call') + b'\x92' +
                        msgpack.packb('f') + odd)
        number, params = raw_request(provider)
        assert params == odd
        raw_answer(provider, number, odd)
        data = b''
        while len(data) < 4 + len(odd):
            data += caller.socket.recv(65536)
        assert data.endswith(odd)


def nested(n):
    value = 1
    for _ in range(n):
        value = [value]
    return value


def test_value_may_be_24_deep(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f', nested(24))
    request = provider.wait_request()
    assert request[3][0] == nested(24)
    provider.answer(request, nested(24))
    assert caller.result(number) == nested(24)


def test_deeper_value_is_refused(connect, encoding):
    """In MessagePack nobody knows where the message ends: that is the end of the connection."""
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f', nested(25))
    answered, code = {'msgpack': (None, 'bad_message'),
                      'json': (number, 'invalid_argument')}[encoding]
    error = caller.wait_response(answered)[2]
    assert (error['code'], error['ran']) == (code, 'no')
    assert provider.quiet()


def test_deeper_answer_is_a_bad_reply(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f', {})
    provider.answer(provider.wait_request(), nested(25))
    assert caller.wait_response(number)[2]['code'] == 'bad_reply'


def test_bin_goes_from_msgpack_to_json_and_back(both):
    provider, caller = both
    Provider(provider, 'f')
    number = caller.request('call', 'f', {'data': bytes(range(256))})
    request = provider.wait_request()
    assert request[3][0] == {'data': {'$bin': base64.b64encode(bytes(range(256))).decode()}}
    provider.answer(request, request[3][0]['data'])
    assert caller.result(number) == bytes(range(256))


@pytest.mark.parametrize('text', ['01', '1.', '[1,]', 'nul', '"\x01"'])
def test_what_is_no_json_costs_that_line_only(both, text):
    caller, other = both
    caller.send_raw(b'[0,1,"call",["chapi.echo",%s]]\n' % text.encode())
    _, number, error, result = caller.wait_message()
    assert (number, error['code'], error['ran'], result) == (None, 'bad_message', 'no', None)
    assert caller.call('chapi.echo', 1) == 1
    assert other.call('chapi.echo', 1) == 1


@pytest.mark.parametrize('text', ['{"$bin":"!"}', '{"$bin":7}', '{"$bin":"AA==","x":1}',
                                  '{"$time":"yesterday"}', '{"$unknown":1}', '"\\ud800"',
                                  '{"a":1,"a":2}'])
def test_json_without_a_meaning_costs_that_call_only(both, text):
    caller, other = both
    caller.send_raw(b'[0,1,"call",["chapi.echo",%s]]\n' % text.encode())
    _, number, error, result = caller.wait_message()
    assert (number, error['code'], error['ran'], result) == (1, 'invalid_argument', 'no', None)
    assert caller.call('chapi.echo', 1) == 1
    assert other.call('chapi.echo', 1) == 1
