# SPDX-License-Identifier: MIT
"""Calls over a hub: the request travels to a local process and its answer goes back."""
import json
import re
import os
import signal
import threading
import time

import pytest

from lib.gateway import Gateway, Provider
from lib.limits import LIMIT, wait_until
from lib.pusher_client import Remote, payload


@pytest.fixture
def provider(remote_gateway):
    with remote_gateway.connect() as client:
        yield Provider(client, 'lights.on')


def test_call_over_the_hub_reaches_a_local_process(remote, provider):
    number = remote.request('lights.on', {'room': 'küche', 'level': 3})
    request = provider.serve_one(lambda params: {'on': params['room']})
    params, meta = request[3]
    assert params == {'room': 'küche', 'level': 3}
    assert meta['origin'] == 'remote'
    record = remote.response(number)
    assert (record['id'], record['api'], record['error']) == (number, 'lights.on', None)
    assert record['result'] == {'on': 'küche'}


def test_call_as_client_event_reaches_a_local_process(remote, provider):
    number = remote.request_over_socket('lights.on', {'room': 'hall'})
    provider.serve_one(lambda params: params)
    assert remote.response(number)['result'] == {'room': 'hall'}


def test_json_provider_serves_remote_calls_too(remote, remote_gateway):
    with remote_gateway.connect('json') as client:
        provider = Provider(client, 'f')
        number = remote.request('f', {'a': [1, 2.5, None, 'ü']})
        provider.serve_one(lambda params: params)
        assert remote.response(number)['result'] == {'a': [1, 2.5, None, 'ü']}


def test_response_has_the_fields_of_a_record(remote, provider, remote_gateway):
    before = time.time()
    number = remote.request('lights.on', {}, request_time=12345.678)
    provider.serve_one(lambda params: 'done')
    record = remote.response(number)
    assert record['request_time'] == 12345.678, 'the client\'s own time is carried back'
    assert before - 1 < record['response_time'] < time.time() + 1
    assert record['gateway'] == 'gw-of-the-tests'
    with remote_gateway.connect() as client:
        assert record['instance'] == client.ask('hello')['instance']
    assert 'result' in record and 'error' in record
    assert 'params' not in record


def test_params_come_back_when_asked_for(remote, provider):
    number = remote.request('lights.on', {'a': 1.50}, echo=True)
    provider.serve_one(lambda params: None)
    record = remote.response(number)
    assert record['params'] == {'a': 1.5}
    assert (record['result'], record['error']) == (None, None)


def test_params_are_an_empty_object_when_none_came(remote, provider):
    number = remote.request('lights.on')
    assert provider.serve_one()[3][0] == {}
    assert remote.response(number)['result'] == {}


def test_caller_is_a_label_that_proves_nothing(remote, provider):
    for label in ('kitchen tablet', 'uid:0', 'claimed:x'):
        number = remote.request('lights.on', {}, caller=label)
        assert provider.serve_one()[3][1]['caller'] == 'claimed:' + label
        remote.response(number)


def test_built_ins_answer_over_the_hub(remote, remote_gateway):
    assert remote.call('chapi.ping')['error'] is None
    assert remote.call('chapi.echo', {'a': [1]})['result'] == {'a': [1]}
    assert remote.call('chapi.version')['result']
    assert remote.call('chapi.list')['error'] is None


def test_status_is_for_local_callers_only(remote, remote_gateway):
    assert remote.call('chapi.status')['error']['code'] in ('api_not_found', 'permission_denied')


def test_error_of_the_function_goes_back(remote, provider):
    number = remote.request('lights.on', {})
    provider.client.answer(provider.client.wait_request(), None,
                           {'code': 'bulb_broken', 'message': 'the bulb is broken',
                            'details': {'bulb': 3}})
    record = remote.response(number)
    assert record['result'] is None
    error = record['error']
    assert (error['code'], error['ran'], error['message']) == \
        ('api_error', 'yes', 'the bulb is broken')
    assert error['details']['code'] == 'bulb_broken'


def test_name_that_nobody_has_is_not_found(remote, remote_gateway):
    record = remote.call('nobody.has.it', {'a': 1})
    assert (record['api'], record['result']) == ('nobody.has.it', None)
    assert (record['error']['code'], record['error']['ran']) == ('api_not_found', 'no')


def test_local_name_is_not_seen_from_the_hub(remote, remote_gateway):
    with remote_gateway.connect() as client:
        client.ask('register', 'secret.door', {'visibility': 'local'})
        assert remote.call('secret.door')['error']['code'] == 'api_not_found'
        assert 'secret.door' not in json.dumps(remote.call('chapi.list')['result'])
        number = client.request('call', 'secret.door', {})
        client.answer(client.wait_request(), 'open')
        assert client.result(number) == 'open'


def test_call_ends_when_its_time_is_over(remote, provider):
    number = remote.request('lights.on', {}, timeout_ms=150)
    request = provider.client.wait_request()
    assert request[3][1]['timeout_ms'] <= 150
    error = remote.response(number)['error']
    assert (error['code'], error['ran']) == ('deadline_exceeded', 'unknown')
    assert provider.client.wait_notification('cancel')[2] == [request[1]]


def test_provider_that_dies_in_a_call_is_told(remote, provider):
    number = remote.request('lights.on', {})
    provider.client.wait_request()
    provider.client.close()
    error = remote.response(number)['error']
    assert (error['code'], error['ran']) == ('provider_gone', 'unknown')


def test_answer_that_json_cannot_express_is_a_bad_reply(remote, provider):
    number = remote.request('lights.on', {})
    provider.serve_one(lambda params: float('nan'))
    error = remote.response(number)['error']
    assert (error['code'], error['ran']) == ('bad_reply', 'yes')


def test_bytes_travel_as_base64(remote, provider):
    number = remote.request('lights.on', {'data': {'$bin': 'AAH/'}})
    assert provider.serve_one(lambda params: params['data'])[3][0] == {'data': b'\x00\x01\xff'}
    assert remote.response(number)['result'] == {'$bin': 'AAH/'}


@pytest.mark.parametrize('value', ['ü€𝄞\u0000"\\\n\u2028', [2 ** 64 - 1, -2 ** 63, 0.1],
                                   {'$$x': 1}, '</script>'],
                         ids=['text', 'numbers', 'dollar', 'slash'])
def test_values_come_back_as_they_were(remote, remote_gateway, value):
    assert remote.call('chapi.echo', value)['result'] == value


def test_request_to_another_gateway_is_left_alone(remote, remote_gateway):
    remote.request('chapi.echo', 1, to='another-gateway')
    number = remote.request('chapi.echo', 2, to='gw-of-the-tests')
    assert remote.response(number)['result'] == 2
    assert remote.is_quiet()


def test_every_request_gets_one_answer(remote, provider):
    numbers = [remote.request('lights.on', {'n': n}) for n in range(40)]
    for _ in numbers:
        provider.serve_one(lambda params: params['n'])
    assert [remote.response(number)['result'] for number in numbers] == list(range(40))
    remote.call('chapi.ping')
    assert remote.is_quiet()


def test_answer_goes_to_the_channel_of_its_request(hub, channel, start_gateway):
    channels = [channel, channel + '-two', channel.replace('private-', '')]
    start_gateway(hub, ' '.join(channels)).wait_up()
    remotes = [Remote(hub, c) for c in channels]
    for n, remote in enumerate(remotes):
        assert remote.call('chapi.echo', n)['result'] == n
    for remote in remotes:
        assert remote.is_quiet()
        remote.client.close()


def test_public_channel_takes_requests(hub, channel, start_gateway):
    public = channel.replace('private-', '')
    start_gateway(hub, public).wait_up()
    with Remote(hub, public) as remote:
        assert remote.call('chapi.echo', {'a': 1})['result'] == {'a': 1}


def test_default_channel_has_the_gateways_name(hub, channel, start_gateway):
    name = channel.replace('private-chapi-', '')
    gateway = start_gateway(hub, None, gateway={'name': name}).wait_up()
    with Remote(hub, 'private-chapi-' + name) as remote:
        assert remote.call('chapi.echo', 5)['result'] == 5
    assert gateway.is_running()


def test_names_of_the_events_are_settings(hub, channel, start_gateway):
    start_gateway(hub, channel, remote={'request_event': 'ask', 'response_event': 'tell'}).wait_up()
    with Remote(hub, channel) as remote:
        remote.send({'id': 'no', 'api': 'chapi.echo'}, event='request')
        remote.send({'id': 'yes', 'api': 'chapi.echo', 'params': 1}, event='ask')
        assert payload(remote.client.wait_event('tell'))['id'] == 'yes'
        assert remote.is_quiet()


def test_gateway_may_be_silent_on_unknown_names(hub, channel, start_gateway):
    start_gateway(hub, channel, remote={'answer_unknown': 'no'}).wait_up()
    with Remote(hub, channel) as remote:
        remote.request('nobody.has.it')
        assert remote.call('chapi.echo', 1)['result'] == 1
        assert remote.is_quiet()


def test_what_another_gateway_of_the_channel_has_is_left_to_it(hub, channel, daemons, folder):
    """What is said of a repeat by one that knows nothing of it would be taken for the answer."""
    gateways = []
    for name in 'pi', 'attic':
        name += '-' + os.urandom(4).hex()
        os.mkdir(os.path.join(folder, name))
        gateways.append(daemons.start(Gateway(os.path.join(folder, name), hub, channel,
                                              gateway={'name': name},
                                              remote={'answer_unknown': 'no'})).wait_up())
    with Remote(hub, channel) as remote, gateways[0].connect() as client:
        provider = Provider(client, 'lights.on')
        number = remote.request('lights.on', {}, retry=gateways[0].ask('status')['instance'])
        wait_until(lambda: gateways[1].ask('status')['hub']['remote']['ignored'] > 0,
                   'the other one to have passed it over')
        provider.serve_one(lambda params: 'on')
        assert remote.response(number)['result'] == 'on'
        assert remote.is_quiet()


def test_answer_as_large_as_an_event_may_be(remote, provider):
    """10,240 bytes of data are taken."""
    number = remote.request('lights.on', {})
    provider.serve_one(lambda params: 'x' * 9700)
    assert len(remote.response(number)['result']) == 9700


def test_answer_larger_than_an_event_may_be_is_said_to_be(remote, provider):
    remote.send({'api': 'lights.on', 'params': {'n': 1}})
    provider.serve_one(lambda params: 'x' * 11000)
    record = remote.wait_response(lambda r: r['api'] == 'lights.on')
    assert record['result'] is None
    assert record['error']['code'] == 'too_large'
    assert 10240 in record['error']['details'].values()


def test_own_answers_do_not_come_back_to_the_gateway(fake_hub, start_gateway, channel):
    start_gateway(fake_hub, channel).wait_up()
    fake_hub.send_event(channel, 'request', {'id': 'x', 'api': 'chapi.echo'})
    body = fake_hub.published.get(timeout=10)
    assert body['socket_id'].startswith('1.')
    assert isinstance(body['data'], str)


def test_gateway_names_protocol_client_and_version(fake_hub, start_gateway, channel):
    start_gateway(fake_hub, channel).wait_up()
    path, _, query = fake_hub.targets[0].partition('?')
    assert path == '/app/' + fake_hub.key
    parameters = dict(item.split('=') for item in query.split('&'))
    assert parameters['protocol'] == '7'
    # Between releases git's words for the commit follow the release's number.
    assert re.fullmatch(r'\d+(\.\d+)+([-.]\w+)*', parameters['version'])
    assert parameters['client']


def test_status_tells_of_the_hub(remote_gateway):
    hub = remote_gateway.ask('status')['hub']
    assert hub['state'] == 'up'
    assert hub['socket_id']


# ---- requests of the older library ------------------------------------------------------------

def test_request_of_the_older_library_gets_its_answer(remote, provider):
    """No id: the answer is told by api, params and whatever else the client put there."""
    stamp = time.time()
    remote.send({'api': 'lights.on', 'params': {'a': 'a', 'b': [1, 2, 3]}, 'timestamp': stamp})
    assert provider.serve_one(lambda params: params)[3][0] == {'a': 'a', 'b': [1, 2, 3]}
    record = remote.wait_response(lambda r: True)
    assert record['api'] == 'lights.on'
    assert record['params'] == record['result'] == {'a': 'a', 'b': [1, 2, 3]}
    assert record['timestamp'] == stamp
    assert record['error'] is None


def test_older_request_gets_its_fields_back_as_text(remote, remote_gateway):
    remote.send('{"api":"chapi.echo", "params":{"x" : 1.50,"y":1e2},'
                '"mine":{"b":[1.0, 2],"big":12345678901234567890123}}')
    event = remote.client.wait_event('response')
    assert '{"x" : 1.50,"y":1e2}' in event['data']
    assert '"mine":{"b":[1.0, 2],"big":12345678901234567890123}' in event['data']


def test_fields_of_the_gateway_win_over_those_of_an_older_request(remote, remote_gateway):
    remote.send({'api': 'chapi.echo', 'params': {'a': 1}, 'result': 'forged',
                 'error': 'forged', 'gateway': 'forged', 'instance': 'forged',
                 'response_time': 'forged'})
    event = remote.client.wait_event('response')
    assert 'forged' not in event['data']
    assert payload(event)['result'] == {'a': 1}
    pairs = json.loads(event['data'], object_pairs_hook=list)
    keys = [k for k, _ in pairs]
    assert len(keys) == len(set(keys)), 'a key is there twice'


def test_older_request_to_a_name_that_nobody_has_is_answered_too(remote, remote_gateway):
    remote.send({'api': 'wrong_api', 'params': {'arg': 'test'}, 'timestamp': 1.5})
    record = remote.wait_response(lambda r: r['api'] == 'wrong_api')
    assert record['params'] == {'arg': 'test'}
    assert record['result'] is None and 'result' in record
    assert record['error']['code'] == 'api_not_found'
    assert record['timestamp'] == 1.5


def test_unknown_fields_of_a_request_with_an_id_do_not_come_back(remote, remote_gateway):
    record = remote.call('chapi.echo', 1, mine='here')
    assert 'mine' not in record


def test_gateway_keeps_the_secret_out_of_sight(remote_gateway, hub, remote):
    remote.call('chapi.ping')
    with open('/proc/%d/cmdline' % remote_gateway.pid, 'rb') as f:
        assert hub.secret.encode() not in f.read()
    with open('/proc/%d/environ' % remote_gateway.pid, 'rb') as f:
        assert hub.secret.encode() not in f.read()
    assert hub.secret not in json.dumps(remote_gateway.ask('status'))
    assert os.path.exists(remote_gateway.socket_path)


# ---- stopping ---------------------------------------------------------------------------------

def test_what_still_runs_at_the_end_is_cancelled(start_gateway, hub, channel, remote):
    """And the hub is told so before the gateway is gone."""
    gateway = start_gateway(hub, channel, gateway={'stop_timeout': '50ms'}).wait_up()
    with gateway.connect() as client:
        client.ask('register', 'slow', {'concurrency': 1})
        running = remote.request('slow', 1)
        client.wait_request()
        queued = remote.request('slow', 2)
        wait_until(lambda: client.ask('stats', 'slow')['queued'] == 1, 'the second call to wait')
        gateway.send_signal(signal.SIGTERM)
        errors = [remote.response(number)['error'] for number in (running, queued)]
        assert [(e['code'], e['ran']) for e in errors] == \
            [('cancelled', 'unknown'), ('cancelled', 'no')]
        assert gateway.wait() == 0


def test_a_hub_that_takes_no_answers_does_not_hold_the_end_up(start_gateway, fake_hub, channel):
    gateway = start_gateway(fake_hub, channel, gateway={'stop_timeout': '50ms'}).wait_up()
    over = threading.Event()
    fake_hub.answers.append(lambda sock, body: over.wait(LIMIT))
    with gateway.connect() as client:
        client.ask('register', 'slow')
        fake_hub.send_event(channel, 'request', {'id': 'a', 'api': 'slow', 'params': {}})
        client.wait_request()
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait() == 0
    over.set()
    assert fake_hub.posts
