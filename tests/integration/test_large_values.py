# SPDX-License-Identifier: MIT
"""Requests and answers too large for one event of the hub: they travel in parts."""
import base64
import hashlib
import json
import os
import random
import zlib

import pytest

from lib.gateway import Provider
from lib.limits import wait_until
from lib.pusher_client import Remote, payload

EVENT_MAX = 10240


def noise(size):
    """Text that hardly gets smaller."""
    return base64.b64encode(os.urandom(size * 3 // 4 + 3)).decode()[:size]


def cut(number, record, encoding=None, piece=7000, **changes):
    """The parts of a record, made here and not by the code under test."""
    text = json.dumps(record).encode()
    packed = zlib.compress(text)
    if encoding is None:
        encoding = 'zlib' if len(packed) < len(text) else 'json'
    data = packed if encoding == 'zlib' else text
    pieces = [data[i:i + piece] for i in range(0, len(data), piece)]
    return [dict({'id': number, 'part': i, 'parts': len(pieces), 'encoding': encoding,
                  'sha256': base64.b64encode(hashlib.sha256(text).digest()).decode(),
                  'data': base64.b64encode(p).decode()}, **changes) for i, p in enumerate(pieces)]


def send_parts(remote, parts, event='request-part'):
    for part in parts:
        assert len(json.dumps(part)) <= EVENT_MAX
        remote.send(part, event)


def request(number, value, **fields):
    return dict({'id': number, 'api': 'chapi.echo', 'params': value}, **fields)


def collect(remote, number, channel=None):
    """The parts of an answer, in the order in which they came, and its record."""
    parts = []
    while not parts or len({p['part'] for p in parts}) < parts[0]['parts']:
        event = remote.client.wait_event('response-part', lambda e: payload(e)['id'] == number)
        assert event['channel'] == (channel or remote.channel)
        assert len(event['data'].encode()) <= EVENT_MAX
        parts.append(payload(event))
    return parts, join(parts)


def join(parts):
    by_number = {p['part']: base64.b64decode(p['data']) for p in parts}
    data = b''.join(by_number[i] for i in sorted(by_number))
    text = zlib.decompress(data) if parts[0]['encoding'] == 'zlib' else data
    assert base64.b64encode(hashlib.sha256(text).digest()).decode() == parts[0]['sha256']
    return json.loads(text)


@pytest.mark.parametrize('size', [EVENT_MAX, 200000])
def test_large_values_go_both_ways(remote, remote_gateway, size):
    value = noise(size)
    parts = cut('large', request('large', value))
    send_parts(remote, parts)
    answer_parts, record = collect(remote, 'large')
    assert record['result'] == value
    assert (record['id'], record['api'], record['error']) == ('large', 'chapi.echo', None)
    assert len(answer_parts) == -(-size // 7000) or len(answer_parts) < len(parts) + 3


def test_what_can_be_deflated_is(remote, remote_gateway):
    value = ['the same again'] * 20000
    send_parts(remote, cut('dull', request('dull', value)))
    parts, record = collect(remote, 'dull')
    assert record['result'] == value
    assert (parts[0]['encoding'], len(parts)) == ('zlib', 1)


def test_what_cannot_be_deflated_is_not(remote, remote_gateway):
    """Of base64 a quarter can be saved: more than that is not there."""
    number = remote.request('chapi.echo', 'x' * 4000 + noise(3000))
    assert remote.response(number)['error'] is None
    text = ''.join(chr(random.randrange(0x80, 0x7ff)) for _ in range(6000))
    send_parts(remote, cut('odd', request('odd', text), encoding='json'))
    assert collect(remote, 'odd')[1]['result'] == text


def test_parts_for_another_gateway_are_left_alone(remote, remote_gateway):
    def counted():
        return remote_gateway.ask('status')['hub']['remote']

    before = counted()
    parts = cut('for-another', request('for-another', noise(9000)), to='another')
    send_parts(remote, parts)
    wait_until(lambda: counted()['ignored'] == before['ignored'] + len(parts), 'them to be counted')
    assert counted()['assembling'] == before['assembling']
    parts = cut('for-us', request('for-us', 'x' * 20000), to='gw-of-the-tests')
    send_parts(remote, parts)
    assert collect(remote, 'for-us')[1]['result'] == 'x' * 20000


def test_parts_come_in_any_order_twice_and_mixed(remote, remote_gateway):
    one, two = noise(50000), noise(50000)
    parts = cut('one', request('one', one)) * 2 + cut('two', request('two', two)) * 2
    random.shuffle(parts)
    send_parts(remote, parts)
    assert collect(remote, 'one')[1]['result'] == one
    assert collect(remote, 'two')[1]['result'] == two


def test_random_sizes_up_to_the_limit_in_random_order(start_gateway, hub, channel, remote):
    """1 MiB but for what an answer has more than its request,
    and two others that are mixed with it."""
    start_gateway(hub, channel, remote={'max_rate': 0}).wait_up()
    sizes = {'most': (1 << 20) - 500, 'some': random.randrange(EVENT_MAX, 200000),
             'few': random.randrange(1, EVENT_MAX - 500)}
    values = {number: noise(size) for number, size in sizes.items()}
    parts = [part for number, value in values.items()
             for part in cut(number, request(number, value))]
    random.shuffle(parts)
    send_parts(remote, parts)
    assert collect(remote, 'most')[1]['result'] == values['most'], sizes
    assert collect(remote, 'some')[1]['result'] == values['some'], sizes
    assert remote.response('few')['result'] == values['few'], sizes


def test_web_page_sends_parts_as_client_events(remote, remote_gateway):
    value = noise(20000)
    for part in cut('page', request('page', value)):
        remote.client.send('client-request-part', part, remote.channel)
    assert collect(remote, 'page')[1]['result'] == value


def test_large_request_runs_once(remote, remote_gateway):
    """A late double of a part begins nothing, and a repeat of all of them gets the answer."""
    with remote_gateway.connect() as client:
        provider = Provider(client, 'f')
        parts = cut('once', {'id': 'once', 'api': 'f', 'params': noise(20000)})
        send_parts(remote, parts)
        provider.serve_one(lambda params: len(params))
        assert remote.response('once')['result'] == 20000
        send_parts(remote, parts[:1])
        send_parts(remote, parts)
        assert remote.response('once')['cached'] is True
        assert client.quiet(), 'it ran once'


def test_lost_part_of_an_answer_comes_with_the_repeat(remote, remote_gateway):
    value = noise(30000)
    parts = cut('again', request('again', value))
    send_parts(remote, parts)
    first, record = collect(remote, 'again')
    remote.api.trigger(remote.channel, 'request', request('other', 1), remote.client.socket_id)
    remote.response('other')
    send_parts(remote, parts)
    second, again = collect(remote, 'again')
    assert again == record
    by_part = {p['part']: p for p in first}
    assert all(by_part[p['part']] == p for p in second), 'parts of both times go together'


def test_two_senders_with_one_id_get_nothing_run(remote, remote_gateway):
    with remote_gateway.connect() as client:
        Provider(client, 'f')
        one = cut('two', {'id': 'two', 'api': 'f', 'params': noise(20000)})
        other = cut('two', {'id': 'two', 'api': 'f', 'params': noise(20000)})
        ignored = client.ask('status')['hub']['remote']['ignored']
        send_parts(remote, [one[0], other[1]])
        assert remote.call('chapi.ping')['error'] is None
        status = client.ask('status')['hub']['remote']
        assert (status['assembling'], status['ignored']) == (0, ignored + 1)


def test_wrong_hash_is_refused(remote, remote_gateway):
    parts = cut('hash', request('hash', noise(20000)), sha256=base64.b64encode(b'x' * 32).decode())
    send_parts(remote, parts)
    error = remote.response('hash')['error']
    assert (error['code'], error['ran']) == ('invalid_argument', 'no')


def test_bomb_is_refused(remote, remote_gateway):
    text = b'"' + b'a' * (64 << 20) + b'"'
    data = zlib.compress(text)
    part = {'id': 'bomb', 'encoding': 'zlib',
            'sha256': base64.b64encode(hashlib.sha256(text).digest()).decode()}
    pieces = [data[i:i + 7000] for i in range(0, len(data), 7000)]
    send_parts(remote, [dict(part, part=i, parts=len(pieces), data=base64.b64encode(p).decode())
                        for i, p in enumerate(pieces)])
    error = remote.response('bomb')['error']
    assert (error['code'], error['ran'], error['details']['limit']) == ('too_large', 'no', 1 << 20)
    assert error['details']['size'] > 1 << 20


def test_request_beyond_max_record_is_refused_with_both_sizes(hub, channel, start_gateway, remote):
    start_gateway(hub, channel, remote={'max_record': '20K'}).wait_up()
    send_parts(remote, cut('much', request('much', noise(40000)), encoding='json'))
    error = remote.response('much')['error']
    assert (error['code'], error['ran'], error['details']['limit']) == ('too_large', 'no', 20480)
    assert 20480 < error['details']['size'] < 41000


def test_answer_beyond_max_record_is_too_large_with_both_sizes(hub, channel, start_gateway, remote):
    gateway = start_gateway(hub, channel, remote={'max_record': '20K'}).wait_up()
    with gateway.connect() as client:
        provider = Provider(client, 'f')
        number = remote.request('f', {})
        provider.serve_one(lambda params: 'x' * 30000)
        error = remote.response(number)['error']
        assert (error['code'], error['ran'], error['details']['limit']) == \
            ('too_large', 'yes', 20480)
        assert 30000 < error['details']['size'] < 31000


def test_request_without_id_gets_too_large(remote, remote_gateway):
    with remote_gateway.connect() as client:
        provider = Provider(client, 'f')
        remote.send({'api': 'f', 'params': {}})
        provider.serve_one(lambda params: 'x' * 20000)
        error = remote.wait_response(lambda r: r['api'] == 'f')['error']
        assert (error['code'], error['ran'], error['details']['limit']) == \
            ('too_large', 'yes', EVENT_MAX)
        remote.call('chapi.ping')
        assert not [e for e in remote.client.events if e['event'] == 'response-part']


def test_parts_that_make_no_request_are_refused(remote, remote_gateway):
    for number, record in [('a', {'id': 'a'}), ('b', ['no request']), ('c', request('another', 1))]:
        send_parts(remote, cut(number, record))
        error = remote.response(number)['error']
        assert (error['code'], error['ran']) == ('invalid_argument', 'no')


@pytest.mark.parametrize('change', [{'parts': 0}, {'part': -1}, {'part': 7}, {'id': ''},
                                    {'data': '*'}, {'data': None}, {'sha256': 'x'},
                                    {'encoding': 'gzip'}, {'to': 'another-gateway'}])
def test_what_is_no_part_is_ignored_and_counted(remote, remote_gateway, change):
    before = remote_gateway.ask('status')['hub']['remote']['ignored']
    send_parts(remote, cut('bad', request('bad', 1), **change))
    remote.call('chapi.ping')
    assert remote_gateway.ask('status')['hub']['remote']['ignored'] == before + 1
    assert remote.is_quiet()


def test_too_many_at_once_are_busy(remote, remote_gateway):
    for i in range(16):
        send_parts(remote, cut('w%d' % i, request('w', noise(10000)))[:1])
    send_parts(remote, cut('last', request('last', noise(10000)))[:1])
    error = remote.response('last')['error']
    # It was started just now: the hub may have doubled what ran in the one before.
    assert (error['code'], error['ran'], error['details']) == \
        ('busy', 'unknown', {'retry_after_ms': 1000})
    assert remote_gateway.ask('status')['hub']['remote']['assembling'] == 16


def test_server_with_a_limit_for_requests_gets_smaller_parts(hub, channel, start_gateway, remote):
    """Quotes of the answer are doubled in the body: that counts too."""
    gateway = start_gateway(hub, channel, remote={'max_request_bytes': '6000'}).wait_up()
    assert gateway.is_running()
    number = remote.request('chapi.echo', ['"'] * 1300)     # 5,200 bytes, and 3,900 more escaped
    parts, record = collect(remote, number)
    assert record['result'] == ['"'] * 1300
    assert all(len(json.dumps(json.dumps(p))) < 5000 for p in parts)


def test_events_may_be_smaller_than_usual(hub, channel, start_gateway, remote):
    start_gateway(hub, channel, remote={'max_event_bytes': '1024'}).wait_up()
    value = noise(5000)
    send_parts(remote, cut('small', request('small', value)))
    parts, record = collect(remote, 'small')
    assert record['result'] == value
    assert all(len(json.dumps(p, separators=(',', ':'))) <= 1024 for p in parts)


def test_large_answer_goes_to_reply_to(hub, channel, remote, remote_gateway):
    reply = 'private-chapi-phone@reply-%s' % os.urandom(4).hex()
    value = noise(20000)
    with Remote(hub, reply) as phone:
        send_parts(remote, cut('elsewhere', request('elsewhere', value, reply_to=reply)))
        assert collect(phone, 'elsewhere')[1]['result'] == value
        remote.call('chapi.ping')
        assert not [e for e in remote.client.events if e['event'] == 'response-part']
