# SPDX-License-Identifier: MIT
"""Bad input from the hub: the gateway ignores it, or answers whoever can be answered, and goes on.

A scripted hub sends what a real one would not. After each piece a good request is answered,
local calls go on, and nothing has been published that nobody asked for.
"""
import json

import pytest

from lib.gateway import Provider
from lib.limits import wait_until
from lib.process import is_sanitized

TOLERANCE_KB = 512
SANITIZED_TOLERANCE_KB = 16384


class Place:
    """A gateway at a scripted hub, and a local call that is under way."""

    def __init__(self, hub, gateway, channel):
        self.hub, self.gateway, self.channel = hub, gateway, channel
        self.provider, self.caller = gateway.connect(), gateway.connect()
        Provider(self.provider, 'bystander')
        self.number = self.caller.request('call', 'bystander', {}, {'timeout_ms': 600000})
        self.waiting = self.provider.wait_request()
        self.n = 0

    def event(self, data, event='request', channel=None):
        self.hub.send_event(channel or self.channel, event, data)

    def is_well(self):
        """A request by the hub is answered, and its answer is the first thing published."""
        self.n += 1
        number = 'good-%d' % self.n
        self.event({'id': number, 'api': 'chapi.echo', 'params': {'n': self.n}})
        record = self.hub.wait_response(number)
        assert (record['result'], record['error']) == ({'n': self.n}, None)

    def finish(self):
        for client in (self.provider, self.caller):
            assert client.quiet(), client.inbox
        self.provider.answer(self.waiting, 'undisturbed')
        assert self.caller.result(self.number) == 'undisturbed'
        self.provider.close()
        self.caller.close()


@pytest.fixture
def place(fake_hub, start_gateway, channel):
    """One connection to publish on: answers come in the order in which they were made."""
    gateway = start_gateway(fake_hub, channel, timing={'publish_connections': 1}).wait_up()
    place = Place(fake_hub, gateway, channel)
    yield place
    place.is_well()
    place.finish()
    assert len(fake_hub.sockets) == 1, 'the connection to the hub was lost over it'


FRAMES = {
    'not json': 'oops',
    'half': '{"event":"request","channel":',
    'array': '[1,2,3]',
    'text': '"request"',
    'number': '5',
    'null': 'null',
    'empty': '',
    'blanks': '   ',
    'no event': '{"channel":"x","data":"{}"}',
    'event of another type': '{"event":5,"channel":"x","data":"{}"}',
    'unknown event': '{"event":"news","channel":"x","data":"{}"}',
    'unknown protocol event': '{"event":"pusher:news","data":{}}',
    'unknown internal event': '{"event":"pusher_internal:news","data":{}}',
    'error as object': '{"event":"pusher:error","data":{"code":null,"message":"so it is"}}',
    'error as text':
        '{"event":"pusher:error","data":"{\\"code\\":4200,\\"message\\":\\"stays\\"}"}',
    'error without data': '{"event":"pusher:error"}',
    'error of wrong types': '{"event":"pusher:error","data":{"code":"x","message":7}}',
    'established again': '{"event":"pusher:connection_established","data":{"socket_id":5}}',
    'succeeded for another':
        '{"event":"pusher_internal:subscription_succeeded","channel":"nobody","data":"{}"}',
    'pong unasked': '{"event":"pusher:pong"}',
    'ping without data': '{"event":"pusher:ping"}',
    'ping with text': '{"event":"pusher:ping","data":""}',
    'utf-8': b'{"event":"request","data":"\xff\xfe"}',
    'nul': '{"event":"request\\u0000","channel":"x","data":"{}"}',
    'deep': '{"event":"request","channel":"x","data":' + '[' * 50000 + ']' * 50000 + '}',
}
# A frame that is no UTF-8 breaks RFC 6455, and may cost the connection.
MAY_COST_THE_CONNECTION = {'utf-8'}


@pytest.mark.parametrize('name', [n for n in FRAMES if n not in MAY_COST_THE_CONNECTION])
def test_frame_that_means_nothing_is_ignored(place, name):
    place.hub.send_raw(FRAMES[name])


@pytest.mark.parametrize('name', sorted(MAY_COST_THE_CONNECTION))
def test_broken_frame_costs_the_connection_at_most(fake_hub, start_gateway, channel, name):
    gateway = start_gateway(fake_hub, channel).wait_up()
    place = Place(fake_hub, gateway, channel)
    fake_hub.send_raw(FRAMES[name])
    try:
        place.is_well()
    except (TimeoutError, OSError):
        fake_hub.wait_subscribed(channel, after=1)
        place.is_well()
    place.finish()


DATA = {
    'not json': 'oops',
    'empty': '',
    'array': [1, 2],
    'number': 5,
    'null': None,
    'text': '"text"',
    'no api': {'id': 'x', 'params': {}},
    'api null': {'id': 'x', 'api': None},
    'api number': {'id': 'x', 'api': 7},
    'api object': {'id': 'x', 'api': {}},
    'only blanks': '   ',
    'trailing': '{"api":"chapi.echo"} x',
    'surrogate': {'id': 'x', 'api': 'chapi.echo', 'params': '\ud800'},
    'deep': '{"api":"chapi.echo","id":"x","params":' + '[' * 5000 + ']' * 5000 + '}',
}
# There is somebody who could be told, so an answer is as good as silence.
MAY_BE_ANSWERED = {'deep', 'surrogate'}


@pytest.mark.parametrize('name', [n for n in DATA if n not in MAY_BE_ANSWERED])
def test_request_without_a_meaning_is_ignored(place, name):
    place.event(DATA[name])


@pytest.mark.parametrize('name', sorted(MAY_BE_ANSWERED))
def test_request_with_a_broken_value_is_not_run(place, name):
    place.event(DATA[name])
    for number, record in drain(place).items():
        if number == 'x':
            assert (record['error']['code'], record['error']['ran']) == ('invalid_argument', 'no')
        else:
            assert number == 'drain-1'


@pytest.mark.parametrize('data', ['5', 'null', '[1]', '{"api":7}', 'true', '1.5'])
def test_data_that_is_no_text_is_ignored(place, data):
    place.hub.send_raw('{"event":"request","channel":"%s","data":%s}' % (place.channel, data))


def test_event_without_data_is_ignored(place):
    place.hub.send_raw('{"event":"request","channel":"%s"}' % place.channel)


def test_data_as_object_is_read_all_the_same(place):
    """The hosted service sends text; compatible servers may pass an object on."""
    place.hub.send_raw(json.dumps({'event': 'request', 'channel': place.channel,
                                   'data': {'id': 'o', 'api': 'chapi.echo', 'params': 1}}))
    assert place.hub.wait_response('o')['result'] == 1


WRONG_TYPES = {
    'timeout as text': {'timeout_ms': 'soon'},
    'timeout negative': {'timeout_ms': -5},
    'timeout zero': {'timeout_ms': 0},
    'timeout as object': {'timeout_ms': {}},
    'caller as number': {'caller': 7},
    'to as number': {'to': 7},
    'echo as text': {'echo': 'yes'},
    'progress as number': {'progress': 1},
    'reply_to as number': {'reply_to': 7},
    'request_time as text': {'request_time': 'now'},
    'bin of no base64': {'params': {'$bin': '!'}},
    'deep params': {'params': json.loads('[' * 30 + ']' * 30)},
}


@pytest.mark.parametrize('fields', WRONG_TYPES.values(), ids=WRONG_TYPES.keys())
def test_request_with_wrong_types_is_an_invalid_argument(place, fields):
    place.event(dict({'id': 'wrong', 'api': 'chapi.echo'}, **fields))
    record = place.hub.wait_response('wrong')
    assert (record['api'], record['result']) == ('chapi.echo', None)
    assert (record['error']['code'], record['error']['ran']) == ('invalid_argument', 'no')
    assert record['error']['message']


@pytest.mark.parametrize('number', [7, '', 'x' * 65, 'ü', 'a\nb', {}, True], ids=ascii)
def test_request_with_an_unfit_id_is_not_run(place, number):
    """No answer, or one error; the id is not the client's own any more, so either will do."""
    Provider(place.provider, 'counted')
    place.event({'id': number, 'api': 'counted', 'params': {}})
    place.event({'id': 'marker', 'api': 'chapi.echo', 'params': 5})
    _, _, record = place.hub.wait_published()
    if record.get('id') != 'marker':
        assert record['error']['code'] == 'invalid_argument'
        place.hub.wait_response('marker')
    assert place.provider.quiet()


def test_name_out_of_the_grammar_is_an_error(place):
    place.event({'id': 'n', 'api': 'a b\n'})
    assert place.hub.wait_response('n')['error']['code'] in ('invalid_argument', 'api_not_found')


def test_name_that_nobody_has_is_not_found(place):
    place.event({'id': 'n', 'api': 'nobody.has.it'})
    error = place.hub.wait_response('n')['error']
    assert (error['code'], error['ran']) == ('api_not_found', 'no')


@pytest.mark.parametrize('event', ['response', 'news', 'Request', 'request2',
                                   'client-response', 'client-news', 'requestx'])
def test_another_event_is_ignored(place, event):
    place.event({'id': 'x', 'api': 'chapi.echo', 'params': {}}, event=event)


def test_event_of_another_channel_is_ignored(place):
    place.event({'id': 'x', 'api': 'chapi.echo', 'params': {}},
                channel='private-chapi-somebody-else')
    place.event({'id': 'x', 'api': 'chapi.echo', 'params': {}}, channel=place.channel + 'x')


def test_event_without_a_channel_is_ignored(place):
    place.hub.send_raw(json.dumps({'event': 'request', 'data': '{"id":"x","api":"chapi.echo"}'}))


def test_client_event_on_a_public_channel_is_ignored(fake_hub, start_gateway):
    gateway = start_gateway(fake_hub, 'open-channel').wait_up()
    place = Place(fake_hub, gateway, 'open-channel')
    place.event({'id': 'x', 'api': 'chapi.echo'}, event='client-request')
    place.is_well()
    place.finish()


def test_ignored_events_are_counted(place):
    def ignored():
        with place.gateway.connect() as client:
            status = client.ask('status')
        found = []

        def look(value, path):
            if isinstance(value, dict):
                for k, v in value.items():
                    look(v, path + '.' + k)
            elif 'ignored' in path and isinstance(value, int):
                found.append(value)
        look(status, '')
        assert found, status
        return sum(found)
    before = ignored()
    place.event('oops')
    place.event({'id': 'x'})
    place.is_well()
    assert ignored() >= before + 2


@pytest.mark.parametrize('status, text', [
    ('400 Bad Request', 'no'), ('200 OK', '{"error":"x","code":413}'), ('200 OK', 'oops'),
    ('200 OK', ''), ('413 Payload Too Large', '<html>' * 10000), ('301 Moved', ''),
    ('404 Not Found', '{}'),
], ids=['400', '200 with an error', '200 with junk', '200 empty', '413', '301', '404'])
def test_bad_answer_of_the_http_api_costs_one_answer(place, status, text):
    place.hub.answers.append((status, text))
    place.event({'id': 'lost', 'api': 'chapi.echo'})
    wait_until(lambda: not place.hub.answers, 'the answer to be published')
    drain(place)        # is published when it is known what became of the one before:
    drain(place)        # an answer that is made of that is behind it


# ---- size -------------------------------------------------------------------------------------

MEGABYTE = 1 << 20


@pytest.mark.parametrize('frame', [
    'x' * MEGABYTE,
    json.dumps({'event': 'request', 'channel': 'elsewhere', 'data': 'x' * MEGABYTE}),
    '{"event":"request","data":' + '[' * (MEGABYTE // 2) + ']' * (MEGABYTE // 2) + '}',
], ids=['no json', 'another channel', 'brackets'])
def test_a_megabyte_in_one_frame_that_means_nothing(fake_hub, start_gateway, channel, frame):
    large_frame(fake_hub, start_gateway, channel, frame)


def large_frame(fake_hub, start_gateway, channel, frame):
    """May cost the connection, which is made again then; nothing else."""
    gateway = start_gateway(fake_hub, channel).wait_up()
    place = Place(fake_hub, gateway, channel)
    fake_hub.send_raw(frame)
    assert place.caller.call('chapi.echo', 'local') == 'local'
    answer_or_new_connection(place)
    place.is_well()
    place.finish()


def answer_or_new_connection(place):
    """What was sent before now has been read, or was lost with its connection."""
    try:
        place.event({'id': 'read', 'api': 'chapi.echo'})
    except OSError:
        pass            # cut off on the way
    wait_until(lambda: not place.hub.published.empty() or
               [name for _, name in place.hub.subscribed].count(place.channel) > 1,
               'an answer, or a new connection')
    drain(place)


def test_sixteen_megabytes_in_one_frame(fake_hub, start_gateway, channel):
    gateway = start_gateway(fake_hub, channel).wait_up()
    place = Place(fake_hub, gateway, channel)
    try:
        fake_hub.send_raw('x' * (16 * MEGABYTE))
    except OSError:
        pass        # cut off on the way
    assert place.caller.call('chapi.echo', 'local') == 'local'
    fake_hub.wait_subscribed(channel, after=1)
    place.is_well()
    place.finish()


def test_a_megabyte_of_params_gets_one_answer(fake_hub, start_gateway, channel):
    """The answer would be too large for the hub, and says so."""
    gateway = start_gateway(fake_hub, channel).wait_up()
    place = Place(fake_hub, gateway, channel)
    Provider(place.provider, 'length')
    fake_hub.send_event(channel, 'request', {'id': 'big', 'api': 'length',
                                             'params': {'x': 'y' * (MEGABYTE - 200)}})
    request = place.provider.wait_request('length')
    place.provider.answer(request, len(request[3][0]['x']))
    assert fake_hub.wait_response('big')['result'] == MEGABYTE - 200
    place.is_well()
    place.finish()


@pytest.mark.parametrize('what', ['frames', 'requests', 'large'])
def test_memory_is_as_before(place, what):
    def bad():
        if what == 'frames':
            for name, frame in FRAMES.items():
                if name not in MAY_COST_THE_CONNECTION:
                    place.hub.send_raw(frame)
        elif what == 'requests':
            for data in list(DATA.values()) + [{'api': 'nobody', 'params': 'x' * 5000}]:
                place.event(data)
        else:
            place.event({'api': 7, 'params': 'x' * 100000})
    tolerance = SANITIZED_TOLERANCE_KB if is_sanitized() else TOLERANCE_KB
    sizes = []
    for _ in range(2):
        for _ in range(10):
            bad()
        drain(place)
        sizes.append(place.gateway.rss_anon_kb())
    assert sizes[1] - sizes[0] <= tolerance, sizes


def drain(place):
    """Takes what has been published up to the answer to a marker: {id: record}."""
    place.n += 1
    number = 'drain-%d' % place.n
    place.event({'id': number, 'api': 'chapi.echo'})
    seen = {}
    while number not in seen:
        record = place.hub.wait_published()[2]
        seen[record.get('id')] = record
    return seen
