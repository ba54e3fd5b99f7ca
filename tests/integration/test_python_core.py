# SPDX-License-Identifier: MIT
"""What the Python package does without any gateway: signatures, parts, values, messages, hints."""
import base64
import json
import os
import typing

import pytest

from lib.python_client import chapi
from chapi import crypto, parts, schema, values
from chapi.app import App
from chapi.ipc import Messages, read_message

VECTORS = App('7654321', 'aaaabbbbccccddddeeee', '11112222333344445555', 'eu')


def test_signatures_of_the_hub():
    assert VECTORS.channel_auth('1234.5678', 'private-sensor.42') == \
        'aaaabbbbccccddddeeee:f81bf0afb5499963fd811112064e1967ff36af38259d6a1d00f843e6bc92ce05'
    body = (b'{"name":"reading","channels":["private-sensor.42"],'
            b'"data":"{\\"t\\":21.5,\\"unit\\":\\"C\\"}"}')
    assert VECTORS.signed_target('POST', '/apps/7654321/events', body, now=1700000000) == (
        '/apps/7654321/events?auth_key=aaaabbbbccccddddeeee&auth_timestamp=1700000000'
        '&auth_version=1.0&body_md5=b25c417edabb9536a8a46e8ee1da2343'
        '&auth_signature=4918bd53458a09ac2fce7c2e7e1bb3d7e2332b08826fd8ec384e3f9c0a3eb732')
    batch = ('{"batch":[{"name":"reading","channel":"ch-a","data":"1"},'
             '{"name":"note","channel":"ch-b","data":"Zürich ✓",'
             '"socket_id":"1234.5678"}]}').encode()
    assert VECTORS.signed_target('POST', '/apps/7654321/batch_events', batch,
                                 now=1700000000).endswith(
        '096e468c5149c6804ce11cdedd06637ec26abfff44de93d2c2818f1b47b92428')
    assert VECTORS.signed_target('GET', '/apps/7654321/channels', query={
        'filter_by_prefix': 'presence-', 'info': 'user_count'}, now=1700000000).endswith(
        '76e9185219a97596b89a1da3666edbf924cedb879e2c2f37a1d0ba8bdd09af3d')


def test_addresses_of_the_hub():
    assert VECTORS.socket_url.startswith(
        'wss://ws-eu.pusher.com:443/app/aaaabbbbccccddddeeee?protocol=7&')
    assert App('1', 'key', 'secret',
               'http://pi.local:6001').socket_url.startswith('ws://pi.local:6001/app/key?')
    for wrong in (None, 'ftp://x', 'http://', 'https://x/path'):
        with pytest.raises(ValueError):
            App('1', 'key', 'secret', wrong)
    with pytest.raises(ValueError):
        chapi.Client('1', 'key')


def test_channel_of_a_client(monkeypatch):
    from chapi.remote import default_channel
    monkeypatch.delenv('CHAPI_CHANNEL', raising=False)
    assert default_channel(None) == 'chapi'
    monkeypatch.setenv('CHAPI_CHANNEL', 'private-chapi-pi')
    assert default_channel(None) == 'private-chapi-pi'
    assert default_channel('other') == 'other'


@pytest.mark.parametrize('change', [{'part': 99}, {'part': -1}, {'parts': 1025}, {'data': None},
                                    {'part': '0'}])
def test_part_without_its_fields_makes_no_record(change):
    first, second, *_ = [json.loads(p)
                         for p in parts.split('x', json.dumps(os.urandom(20000).hex()))]
    assembly = parts.Assembly()
    assert assembly.add(first) is None
    with pytest.raises(ValueError):
        assembly.add(dict(second, **change))


def test_answer_made_anew_takes_the_place_of_half_of_one():
    """Its gateway was started again, and ran once more what is idempotent."""
    old, new = (parts.split('x', json.dumps(os.urandom(20000).hex())) for _ in range(2))
    assembly = parts.Assembly()
    assert [assembly.add(json.loads(p)) for p in old[:-1] + new[:-1]] == \
        [None] * (len(old) + len(new) - 2)
    text = assembly.add(json.loads(new[-1]))
    assert parts.split('x', text) == new


def test_inflating_stops_at_the_limit():
    bomb, = parts.split('x', json.dumps('a' * (parts.RECORD_MAX + 1)))
    with pytest.raises(ValueError):
        parts.Assembly().add(json.loads(bomb))


def test_values_in_json():
    for text, value in (('{"$bin":"AP8="}', b'\x00\xff'), ('{"$$bin":"x"}', {'$bin': 'x'}),
                        ('{"$$$a":1}', {'$$a': 1}), ('["ü",1.5,null]', ['ü', 1.5, None])):
        assert values.from_json(text) == value
        assert values.to_json(value) == text
    moment = values.from_json('{"$time":"2026-01-02T03:04:05.678901234Z"}')
    assert moment.isoformat() == '2026-01-02T03:04:05.678901+00:00'
    assert values.from_json(values.to_json(moment)) == moment
    with pytest.raises(ValueError):
        values.to_json(float('nan'))


def test_messages_are_cut_wherever_the_reads_end():
    stream = values.pack([1, 1, None, {'a': 'x' * 300}]) + values.pack([2, 'event', [1]])
    for size in (1, 2, 7, len(stream)):
        messages = Messages()
        out = [m for i in range(0, len(stream), size) for m in messages.feed(stream[i:i + size])]
        assert [read_message(m)[0] for m in out] == \
            [[1, 1, None, {'a': 'x' * 300}], [2, 'event', [1]]]


def test_hints_of_a_function():
    def f(a: str, b: typing.Optional[int] = None, c: typing.List[float] = (),
          d: typing.Literal['x', 'y'] = 'x', e: bytes = b'', **more) -> dict: pass
    assert schema.describe(f) == {'result': {'type': 'object'}, 'params': {
        'type': 'object', 'required': ['a'], 'properties': {
            'a': {'type': 'string'}, 'b': {}, 'c': {'type': 'array', 'items': {'type': 'number'}},
            'd': {'enum': ['x', 'y'], 'default': 'x'}, 'e': {'type': 'binary'}}}}
    assert schema.describe(lambda **kw: 1) == {}
    with pytest.raises(TypeError):
        schema.describe(lambda a, /: 1)


def test_every_code_of_the_protocol_has_a_class():
    codes = {'api_error', 'invalid_argument', 'api_not_found', 'api_exists',
             'permission_denied', 'unauthenticated', 'failed_precondition', 'busy',
             'rate_limited', 'paused', 'hub_down', 'gateway_not_found', 'too_large',
             'deadline_exceeded', 'cancelled', 'provider_gone', 'answer_lost', 'bad_reply',
             'bad_message', 'version_mismatch', 'internal', 'connection_lost'}
    for code in codes:
        error = chapi.Error.from_record({'code': code, 'message': 'm', 'ran': 'unknown'})
        assert type(error) is not chapi.Error and (type(error).code, error.ran) == (code, 'unknown')
    assert type(chapi.Error.from_record({'code': 'of_the_future'})) is chapi.Error


# ---- encrypted channels --------------------------------------------------------------------------

needs_nacl = pytest.mark.skipif(crypto.nacl is None, reason='the Python package PyNaCl is missing')
MASTER_KEY = base64.b64encode(bytes(range(32))).decode()
NONCE = bytes(range(64, 88))


@needs_nacl
def test_seal_of_an_encrypted_channel():
    seal = crypto.Seal('private-encrypted-vault_7', MASTER_KEY)
    data = seal.close('{"t":21.5,"unit":"C"}', NONCE)
    assert data == ('{"nonce":"QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZX",'
                    '"ciphertext":"qzymVemMIp4iZregAjJSMvpiMqdghKkb0w/8BC3KK7x6KdlAYQ=="}')
    assert json.loads(seal.close('', NONCE))['ciphertext'] == 'Bu8boNSjvwUzqRNcsc9Fpg=='
    assert json.loads(seal.close('Zürich ✓', NONCE))['ciphertext'] == \
        'qbZsTNlNFWuXtyMxNl40WNuD+vcz1fAVBL9N'
    assert seal.open(data) == seal.open(json.loads(data)) == '{"t":21.5,"unit":"C"}'
    assert seal.close('x') != seal.close('x'), 'a nonce serves once'


@needs_nacl
@pytest.mark.parametrize('data', [None, 'x', '[]', '{}', {'nonce': 'AA==', 'ciphertext': 'AA=='}, {
    'nonce': 'QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZX',
    'ciphertext': 'qzymVemMIp4iZregAjJSMvpiMqdghKkb0w/8BC3KK7x6KdlAYA=='}])
def test_what_was_not_sealed_with_the_key_is_not_opened(data):
    with pytest.raises(ValueError):
        crypto.Seal('private-encrypted-vault_7', MASTER_KEY).open(data)


@needs_nacl
def test_sealed_text_fills_an_event_at_most():
    seal = crypto.Seal('private-encrypted-vault_7', MASTER_KEY)
    assert parts.EVENT_MAX - 32 < len(seal.close('x' * crypto.text_max(parts.EVENT_MAX))) <= \
        parts.EVENT_MAX


@needs_nacl
@pytest.mark.parametrize('key, words', [(None, 'needed'), ('AAAA', '32 bytes'), (b'x', '32 bytes')])
def test_wrong_master_key_is_an_error_that_says_so(key, words):
    with pytest.raises(ValueError, match=words):
        App('1', 'key', 'secret', 'eu',
            encryption_master_key=key).publish('private-encrypted-x', 'e', ['{}'])


def test_encrypted_channel_without_pynacl_says_what_to_install(monkeypatch):
    monkeypatch.setattr(crypto, 'nacl', None)
    with pytest.raises(ImportError, match='pip install'):
        crypto.Seal('private-encrypted-x', MASTER_KEY)
