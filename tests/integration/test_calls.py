# SPDX-License-Identifier: MIT
"""Local calls: names, calls and their answers, time-outs, whoever leaves. In both encodings."""
import os
import time

import pytest

from lib.gateway import Provider
from lib.ipc import RESPONSE, RpcError


def test_hello_tells_who_the_gateway_is(client):
    hello = client.ask('hello', {'client': 'test', 'version': '1', 'protocol': 1})
    assert hello['protocol'] == 1
    assert hello['name'] == 'gw-of-the-tests'
    assert hello['uid'] == os.getuid()
    assert isinstance(hello['limits'], dict) and hello['limits']
    assert {'gateway', 'version', 'instance'} <= set(hello)


def test_hello_needs_no_arguments(client):
    assert client.ask('hello')['protocol'] == 1


def test_hello_with_another_apps_key_is_a_failed_precondition(start_gateway, fake_hub, encoding):
    with start_gateway(fake_hub, 'private-x').connect(encoding) as client:
        assert client.ask('hello', {'app_key': fake_hub.key})
        with pytest.raises(RpcError) as e:
            client.ask('hello', {'app_key': 'another'})
        assert (e.value.code, e.value.ran) == ('failed_precondition', 'no')


@pytest.mark.parametrize('name, params, fits', [
    ('chapi.ping', {}, lambda r: True),
    ('chapi.echo', {'a': [1, 2.5, None, True, 'x', {'b': {}}]},
     lambda r: r == {'a': [1, 2.5, None, True, 'x', {'b': {}}]}),
    ('chapi.version', {}, lambda r: bool(r)),
    ('chapi.list', {}, lambda r: r == []),
], ids=['ping', 'echo', 'version', 'list'])
def test_builtin_answers(client, name, params, fits):
    result = client.call(name, params)
    assert fits(result), result


def test_call_reaches_the_provider_and_its_answer_goes_back(connect):
    provider, caller = connect(), connect()
    registered = provider.ask('register', 'lights.on')
    assert (registered['name'], registered['state']) == ('lights.on', 'active')
    before = time.time()
    number = caller.request('call', 'lights.on', {'room': 'küche', 'level': 3},
                            {'timeout_ms': 5000})
    request = provider.wait_request()
    params, meta = request[3]
    assert request[2] == 'lights.on'
    assert params == {'room': 'küche', 'level': 3}
    assert meta['origin'] == 'local'
    assert meta['caller'] == 'uid:%d' % os.getuid()
    assert isinstance(meta['call'], str) and meta['call']
    assert 0 < meta['timeout_ms'] <= 5000
    assert before - 1 < meta['request_time'] < time.time() + 1
    provider.answer(request, {'was': [params]})
    assert caller.result(number) == {'was': [{'room': 'küche', 'level': 3}]}


@pytest.mark.parametrize('caller_encoding', ['msgpack', 'json'])
def test_callers_and_providers_of_either_encoding_understand_each_other(connect, caller_encoding):
    provider, caller = connect(), connect(caller_encoding)
    Provider(provider, 'f')
    value = {'int': [0, -1, 2 ** 63 - 1, -2 ** 63, 2 ** 64 - 1],
             'float': [0.1, 1.0, -2.5e300, 5e-324], 'text': 'ü\u0000€𝄞"\\\n', 'none': None,
             'bool': [True, False], 'empty': [{}, []]}
    number = caller.request('call', 'f', value)
    request = provider.wait_request()
    assert request[3][0] == value
    assert isinstance(request[3][0]['float'][1], float)
    provider.answer(request, value)
    result = caller.result(number)
    assert result == value
    assert isinstance(result['float'][1], float)


def test_params_may_be_any_value(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    for value in ([1, 2], 'text', 7, None, True, 1.5):
        number = caller.request('call', 'f', value)
        request = provider.wait_request()
        assert request[3][0] == value
        provider.answer(request, value)
        assert caller.result(number) == value


def test_params_may_be_left_out(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f')
    try:
        request = provider.wait_request(limit=2)
    except TimeoutError:
        assert caller.wait_response(number)[2]['code'] == 'invalid_argument'
    else:
        assert request[3][0] in ({}, None)


def test_what_a_caller_writes_into_the_options_does_not_change_its_identity(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    caller.request('call', 'f', {},
                   {'origin': 'remote', 'caller': 'uid:0', 'unknown': [1], 'id': 'my-label'})
    meta = provider.wait_request()[3][1]
    assert (meta['origin'], meta['caller']) == ('local', 'uid:%d' % os.getuid())
    assert meta['call'] == 'my-label'


def test_answers_find_their_callers_in_any_order(connect):
    provider, one, two = connect(), connect(), connect()
    Provider(provider, 'f')
    numbers = [(c, c.request('call', 'f', {'n': n}))
               for n, c in enumerate([one, two, one, two, one])]
    requests = sorted((provider.wait_request() for _ in numbers), key=lambda r: -r[3][0]['n'])
    for request in requests:
        provider.answer(request, request[3][0]['n'])
    assert [c.result(number) for c, number in numbers] == [0, 1, 2, 3, 4]


def test_a_thousand_calls_wait_at_once(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    numbers = [caller.request('call', 'f', {'n': n}) for n in range(1000)]
    requests = [provider.wait_request() for _ in numbers]
    assert len({r[1] for r in requests}) == 1000
    for request in reversed(requests):
        provider.answer(request, request[3][0]['n'])
    assert [caller.result(number) for number in numbers] == list(range(1000))


def test_a_process_may_call_itself(client):
    Provider(client, 'f')
    number = client.request('call', 'f', {'a': 1})
    client.answer(client.wait_request(), 'me')
    assert client.result(number) == 'me'


# ---- names ------------------------------------------------------------------------------------

def test_list_is_sorted_and_fits_the_pattern(connect):
    provider, client = connect(), connect()
    Provider(provider, 'b.two', 'a', 'b.one')
    names = [record['name'] for record in client.ask('list')]
    assert names == sorted(names)
    assert {'a', 'b.one', 'b.two'} <= set(names)
    assert [record['name'] for record in client.ask('list', 'b.*')] == ['b.one', 'b.two']
    assert client.ask('list', 'nothing*') == []


def test_list_shows_summary_and_state(connect):
    provider, client = connect(), connect()
    provider.ask('register', 'f', {'summary': 'Does fine things'})
    record, = client.ask('list', 'f')
    assert record['summary'] == 'Does fine things'
    assert record['policy'] == 'exclusive'
    assert record['visibility'] == 'remote'
    assert 'state' in record and 'providers' in record


def test_name_is_exclusive(connect):
    one, two = connect(), connect()
    Provider(one, 'f')
    with pytest.raises(RpcError) as e:
        two.ask('register', 'f')
    assert (e.value.code, e.value.ran) == ('api_exists', 'no')
    assert one.quiet() and two.quiet()


def test_name_is_held_once_by_a_connection(client):
    Provider(client, 'f')
    with pytest.raises(RpcError) as e:
        client.ask('register', 'f')
    assert e.value.code == 'api_exists'
    number = client.request('call', 'f', {})
    client.answer(client.wait_request(), 1)
    assert client.result(number) == 1


def test_unregistered_name_is_gone_and_can_be_taken(connect):
    one, two = connect(), connect()
    Provider(one, 'f')
    assert one.ask('unregister', 'f') is None
    with pytest.raises(RpcError) as e:
        two.call('f')
    assert e.value.code == 'api_not_found'
    Provider(two, 'f')


def test_unregister_lets_running_calls_finish(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f', {})
    request = provider.wait_request()
    provider.ask('unregister', 'f')
    provider.answer(request, 'done')
    assert caller.result(number) == 'done'


def test_unregister_of_a_name_not_held_is_an_error(start_gateway, encoding):
    gateway = start_gateway(policy={'admin': 'user:daemon *'})
    with gateway.connect(encoding) as one, gateway.connect(encoding) as two:
        Provider(one, 'f')
        for name, code in (('f', 'permission_denied'), ('nobody', 'api_not_found')):
            with pytest.raises(RpcError) as e:
                two.ask('unregister', name)
            assert e.value.code == code
        assert one.ask('list', 'f')


def test_names_are_free_when_the_process_has_ended(connect):
    one, two = connect(), connect()
    Provider(one, 'f', 'g')
    one.close()
    Provider(two, 'f', 'g')


@pytest.mark.parametrize('name', ['a', '0', '_x', 'A-z.0:9_', 'x' * 128])
def test_name_within_the_grammar_is_taken(connect, name):
    provider, caller = connect(), connect()
    Provider(provider, name)
    number = caller.request('call', name, {})
    provider.answer(provider.wait_request(name), 1)
    assert caller.result(number) == 1


@pytest.mark.parametrize('name', ['chapi.mine', 'chapi.ping'])
def test_names_of_the_gateway_cannot_be_taken(client, name):
    with pytest.raises(RpcError) as e:
        client.ask('register', name)
    assert e.value.code in ('permission_denied', 'invalid_argument', 'api_exists')


def test_unknown_register_policy_is_refused(client):
    with pytest.raises(RpcError) as e:
        client.ask('register', 'f', {'policy': 'best-effort'})
    assert e.value.code == 'invalid_argument'
    assert client.ask('list', 'f') == []


# ---- errors of the function -------------------------------------------------------------------

@pytest.mark.parametrize('error, message, code', [
    ('it broke', 'it broke', None),
    ({'message': 'it broke'}, 'it broke', None),
    ({'code': 'jammed', 'message': 'door is jammed', 'details': {'angle': 7}},
     'door is jammed', 'jammed'),
], ids=['text', 'map', 'code'])
def test_error_of_the_function_is_an_api_error(connect, error, message, code):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f', {})
    provider.answer(provider.wait_request(), None, error)
    with pytest.raises(RpcError) as e:
        caller.result(number)
    assert (e.value.code, e.value.ran, e.value.message) == ('api_error', 'yes', message)
    assert e.value.details.get('code') == code
    if code:
        assert 7 in e.value.details.values() or e.value.details.get('details') == {'angle': 7}


@pytest.mark.parametrize('code, ran',
                         [('invalid_argument', 'no'), ('busy', 'no'), ('permission_denied', 'no'),
                          ('cancelled', 'unknown')])
def test_some_codes_of_a_provider_are_passed_on(connect, code, ran):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f', {})
    provider.answer(provider.wait_request(), None, {'code': code, 'message': 'm'})
    with pytest.raises(RpcError) as e:
        caller.result(number)
    assert (e.value.code, e.value.ran, e.value.message) == (code, ran, 'm')


@pytest.mark.parametrize('code',
                         ['api_not_found', 'internal', 'provider_gone', 'deadline_exceeded'])
def test_a_provider_cannot_speak_for_the_gateway(connect, code):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f', {})
    provider.answer(provider.wait_request(), None, {'code': code, 'message': 'm'})
    with pytest.raises(RpcError) as e:
        caller.result(number)
    assert (e.value.code, e.value.ran, e.value.details['code']) == ('api_error', 'yes', code)


@pytest.mark.parametrize('error', [7, [1], True], ids=str)
def test_error_of_another_kind_is_a_bad_reply(connect, error):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f', {})
    provider.answer(provider.wait_request(), None, error)
    with pytest.raises(RpcError) as e:
        caller.result(number)
    assert (e.value.code, e.value.ran) == ('bad_reply', 'yes')


def test_error_counts_when_both_are_set(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f', {})
    provider.answer(provider.wait_request(), {'fine': 1}, 'not fine')
    with pytest.raises(RpcError) as e:
        caller.result(number)
    assert e.value.code == 'api_error'


# ---- records ----------------------------------------------------------------------------------

def test_full_gives_the_record_of_the_call(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    before = time.time()
    number = caller.request('call', 'f', {}, {'full': True, 'id': 'label'})
    provider.answer(provider.wait_request(), [1])
    record = caller.result(number)
    assert (record['id'], record['api'], record['result'], record['error']) == \
        ('label', 'f', [1], None)
    assert before - 1 < record['request_time'] <= record['response_time'] < time.time() + 1
    assert record['run_ms'] >= 0 and record['queue_ms'] >= 0
    assert record['gateway'] == 'gw-of-the-tests'
    assert record['instance'] == caller.ask('hello')['instance']


def test_full_has_the_error_in_the_record(client):
    record = client.call('nobody', {}, full=True)
    assert record['result'] is None
    assert (record['error']['code'], record['error']['ran'], record['api']) == \
        ('api_not_found', 'no', 'nobody')


def test_status_tells_what_is_there(connect):
    provider, client = connect(), connect()
    Provider(provider, 'f')
    client.call('chapi.ping')
    status = client.ask('status')
    assert status['name'] == 'gw-of-the-tests'
    assert status['peers'] == 2
    assert {'version', 'uptime', 'hub', 'apis', 'calls', 'counters'} <= set(status)


# ---- time -------------------------------------------------------------------------------------

def test_call_ends_when_its_time_is_over(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    begin = time.monotonic()
    number = caller.request('call', 'f', {}, {'timeout_ms': 150})
    request = provider.wait_request()
    with pytest.raises(RpcError) as e:
        caller.result(number)
    assert (e.value.code, e.value.ran) == ('deadline_exceeded', 'unknown')
    assert time.monotonic() - begin >= 0.14
    assert provider.wait_notification('cancel')[2] == [request[1]]


def test_answer_after_the_time_is_over_is_ignored(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f', {}, {'timeout_ms': 50})
    request = provider.wait_request()
    assert caller.wait_response(number)[2]['code'] == 'deadline_exceeded'
    provider.wait_notification('cancel')
    provider.answer(request, 'late')
    assert provider.quiet() and caller.quiet()
    number = caller.request('call', 'f', {})
    provider.answer(provider.wait_request(), 'in time')
    assert caller.result(number) == 'in time'


def test_unknown_keys_of_options_are_ignored(client):
    client.ask('register', 'f', {'colour': 'green'})
    number = client.request('call', 'f', {}, {'colour': 'red'})
    client.answer(client.wait_request(), 'fine')
    assert client.result(number) == 'fine'


@pytest.mark.parametrize('timeout', [0, -1, 'soon', [1]], ids=str)
def test_timeout_that_is_none_is_refused(connect, timeout):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    with pytest.raises(RpcError) as e:
        caller.call('f', {}, timeout_ms=timeout)
    assert (e.value.code, e.value.ran) == ('invalid_argument', 'no')
    assert provider.quiet()


def test_timeout_of_the_registration_holds_when_the_caller_names_none(connect):
    provider, caller = connect(), connect()
    provider.ask('register', 'f', {'timeout_ms': 100})
    number = caller.request('call', 'f', {})
    assert provider.wait_request()[3][1]['timeout_ms'] <= 100
    assert caller.wait_response(number)[2]['code'] == 'deadline_exceeded'


# ---- whoever leaves ---------------------------------------------------------------------------

def test_calls_of_a_provider_that_ends_are_answered(connect):
    provider, caller, other = connect(), connect(), connect()
    Provider(provider, 'f')
    Provider(other, 'g')
    numbers = [caller.request('call', 'f', {'n': n}) for n in range(3)]
    kept = caller.request('call', 'g', {})
    for _ in numbers:
        provider.wait_request()
    provider.close()
    for number in numbers:
        with pytest.raises(RpcError) as e:
            caller.result(number)
        assert (e.value.code, e.value.ran) == ('provider_gone', 'unknown')
    with pytest.raises(RpcError) as e:
        caller.call('f')
    assert e.value.code == 'api_not_found'
    other.answer(other.wait_request('g'), 'still there')
    assert caller.result(kept) == 'still there'


def test_provider_hears_of_a_caller_that_leaves(connect):
    provider, caller, other = connect(), connect(), connect()
    Provider(provider, 'f')
    caller.request('call', 'f', {})
    request = provider.wait_request()
    caller.close()
    assert provider.wait_notification('cancel')[2] == [request[1]]
    provider.answer(request, 'for nobody')
    number = other.request('call', 'f', {})
    provider.answer(provider.wait_request(), 'for you')
    assert other.result(number) == 'for you'
    assert provider.quiet() and other.quiet()


def test_number_of_a_call_that_was_answered_can_be_used_again(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    for n in range(3):
        caller.send(0, 7, 'call', ['f', {'n': n}])
        provider.answer(provider.wait_request(), n)
        assert caller.wait_response(7) == [RESPONSE, 7, None, n]


def test_numbers_of_two_callers_do_not_mix(connect):
    provider, one, two = connect(), connect(), connect()
    Provider(provider, 'f')
    one.send(0, 1, 'call', ['f', 'one'])
    two.send(0, 1, 'call', ['f', 'two'])
    for request in [provider.wait_request(), provider.wait_request()]:
        provider.answer(request, request[3][0])
    assert one.wait_response(1)[3] == 'one'
    assert two.wait_response(1)[3] == 'two'
