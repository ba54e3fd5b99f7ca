# SPDX-License-Identifier: MIT
"""The examples of chapi-remote(7): sent to a gateway as they stand, compared with what it says.

Each test takes all examples of one section of the page, by shown(SECTION): so one that is added
there has to be added here. In an example "..." stands for something longer within a text, and for
more fields after a comma.
"""
import json
import os
import re
import tempfile
import threading

import pytest

from lib.gateway import Gateway, Provider
from lib.hubs import APP_ID
from lib.limits import LIMIT, wait_until
from lib.process import top_srcdir
from lib.pusher_client import HttpApi, PusherClient, payload, signed_target

CHANNEL = 'private-chapi-pi'
# Numbers and texts that are others each time.
VARIES = {'request_time', 'response_time', 'queue_ms', 'run_ms', 'timeout_ms', 'retry_ms', 'number',
          'retry_after_ms', 'socket_id', 'parts', 'caller', 'nonce'}


# ---- the page -----------------------------------------------------------------------------------

def sections():
    """{title: text}, of sections and their subsections."""
    with open(os.path.join(top_srcdir, 'doc/chapi-remote.7'), encoding='utf-8') as f:
        pieces = re.split(r'^\.S[hs] (.*)\n', f.read(), flags=re.M)
    return dict(zip(pieces[1::2], pieces[2::2]))


class Example:
    """value: decoded, its data too; text: as it stands; is_open: there are more fields."""

    def __init__(self, text):
        self.is_open = ', ...' in text
        self.text = text.replace(', ...', '')
        self.value = decoded(json.loads(self.text))


def decoded(value):
    """A frame, or what is published: data that is a text is JSON, too."""
    if isinstance(value, dict) and isinstance(value.get('data'), str):
        return dict(value, data=Text(json.loads(value['data'])))
    if isinstance(value, dict) and 'batch' in value:
        return {'batch': [decoded(entry) for entry in value['batch']]}
    return value


class Text(dict):
    """An object that travels as a text."""


def examples(section):
    """Those of a section, one after the other: whatever stands literally there is JSON."""
    for block in re.findall(r'^\.Bd -literal[^\n]*\n(.*?)^\.Ed$', section, re.M | re.S):
        text = re.sub(r'\n *', '', block.replace('\\(dq', '"').replace('\\e', '\\'))
        while text:
            end = end_of_value(text)
            yield Example(text[:end])
            text = text[end:]


def end_of_value(text):
    depth = 0
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"|[{}]', text):
        depth += {'{': 1, '}': -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    raise ValueError('no JSON: ' + text)


# What stands in EXAMPLES is for a shell.
PAGE = {title: list(examples(text)) for title, text in sections().items() if title != 'EXAMPLES'}


def shown(section):
    return PAGE[section]


def test_every_section_with_examples_is_held_here():
    with open(__file__, encoding='utf-8') as f:
        held = set(re.findall(r"\bshown\('([^']+)'\)", f.read()))
    assert held == {title for title, found in PAGE.items() if found}


def test_every_event_has_an_example():
    events = re.findall(r'^\.It Cm ([a-z-]+(?: , [a-z-]+)?)$', sections()['CHANNELS AND EVENTS'],
                        re.M)
    assert len(events) == 7
    assert {name for names in events for name in names.split(' , ')} <= {
        example.value.get('event') for found in PAGE.values() for example in found}


# ---- comparing ----------------------------------------------------------------------------------

def differences(example, real, is_open, path=''):
    """Where what a gateway says is not what is shown."""
    if isinstance(example, dict) and isinstance(real, dict):
        if isinstance(example, Text) != isinstance(real, Text):
            yield '%s: an object, or its text?' % path
        more = is_open and ('id' in example or 'api' in example or 'occupied' in example)
        missing, others = set(example) - set(real), set(real) - set(example)
        if missing or (others and not more):
            yield '%s: without %s, with %s' % (path, missing, others)
        elif [name for name in real if name in example] != list(example):
            yield '%s: another order of fields: %s' % (path, list(real))
        for name in set(example) & set(real):
            yield from differences(example[name], real[name], is_open, '%s.%s' % (path, name))
    elif isinstance(example, list) and isinstance(real, list) and len(example) == len(real):
        for one, other in zip(example, real):
            yield from differences(one, other, is_open, path + '[]')
    elif not is_like(path.rsplit('.', 1)[-1], example, real):
        yield '%s: %r is shown, and it is %r' % (path, example, real)


def is_like(name, example, real):
    if isinstance(example, str) and isinstance(real, str):
        return example == real or '...' in example or name in VARIES
    if name in VARIES:
        return isinstance(example, (int, float)) and isinstance(real, (int, float))
    return (type(example), example) == (type(real), real)


def is_as(example, real):
    assert list(differences(example.value, decoded(real), example.is_open)) == []
    return True


@pytest.mark.parametrize('real', [
    {'event': 'x', 'channel': 'y', 'data': '{"id":"1","api":"f"}', 'more': 1},
    {'event': 'x', 'channel': 'y', 'data': {'id': '1', 'api': 'f'}},
    {'event': 'x', 'channel': 'y', 'data': '{"id":"1","api":"g"}'},
    {'event': 'x', 'channel': 'y', 'data': '{"id":"1"}'},
    {'event': 'x', 'channel': 'y', 'data': '{"api":"f","id":"1"}'},
    {'event': 'x', 'channel': 'y', 'data': '{"id":"1","api":"f","more":1}'}])
def test_what_differs_is_found(real):
    (example,) = examples('.Bd -literal\n{"event":"x","channel":"y",\n'
                          ' "data":"{\\e"id\\e":\\e"1\\e",\n   \\e"api\\e":\\e"f\\e"}"}\n.Ed\n')
    assert is_as(example, {'event': 'x', 'channel': 'y', 'data': '{"id":"1","api":"f"}'})
    assert list(differences(example.value, decoded(real), False))


# ---- who takes part -----------------------------------------------------------------------------

class Phone:
    """Sends what is shown, and hears what travels on the channels."""

    def __init__(self, hub, *channels):
        self.api = HttpApi(hub)
        self.client, self.watcher = (PusherClient(hub) for _ in range(2))
        for client in (self.client, self.watcher):
            client.establish()
            for channel in channels:
                client.subscribe(channel)

    def close(self):
        self.client.close()
        self.watcher.close()

    def send(self, example):
        """By HTTP, or as a client event; the others hear exactly what is shown."""
        frame = json.loads(example.text)
        if frame['event'].startswith('client-'):
            self.client.socket.send_text(example.text)
        else:
            self.api.trigger(frame['channel'], frame['event'], frame['data'],
                             self.client.socket_id)
        real = self.watcher.wait_event(frame['event'])
        assert {name: real[name] for name in frame} == frame

    def heard(self, example, fits=lambda frame: True):
        """The next event of that name is as it is shown."""
        real = self.client.wait_event(example.value['event'], fits)
        assert is_as(example, real)
        return real


@pytest.fixture
def phones():
    made = []

    def make(*arguments):
        made.append(Phone(*arguments))
        return made[-1]
    yield make
    for phone in made:
        phone.close()


@pytest.fixture
def pi(daemons, hub, folder):
    """pi(remote={...}): the gateway of the examples, which is there when this returns."""
    def start(name='pi', **sections):
        home = tempfile.mkdtemp(dir=folder)
        return daemons.start(Gateway(home, hub, sections.pop('channel', None),
                                     gateway={'name': name}, **sections)).wait_up()
    return start


def answer(provider, result=None):
    """Serves one request; result: None for its params."""
    return provider.serve_one(lambda params: params if result is None else result)


# ---- requests and responses ---------------------------------------------------------------------

def test_requests_and_responses(hub, pi, phones):
    by_http, by_socket = shown('REQUEST')
    response, error = shown('RESPONSE')
    for example in (by_http, by_socket):
        gateway, phone = pi('pi'), phones(hub, CHANNEL)
        with gateway.connect() as client:
            provider = Provider(client, 'echo')
            phone.send(example)
            answer(provider)
            phone.heard(response)
        gateway.stop()
    gateway, phone = pi('pi'), phones(hub, CHANNEL)
    phone.send(by_http)
    phone.heard(error)


def test_how_events_travel(fake_hub, start_gateway):
    """On a hub that keeps what it gets; two answers wait while the first is under way."""
    subscribe, one, several = shown('How events travel')
    go = threading.Event()

    def answers_later(sock, _):
        go.wait(LIMIT)
        sock.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}')
    fake_hub.answers.append(answers_later)
    gateway = start_gateway(fake_hub, None, gateway={'name': 'pi'},
                            timing={'publish_connections': '1'}).wait_up()
    with gateway.connect() as client:
        provider = Provider(client, 'echo')
        for number in ('7c9e6679', '7c9e667a', '7c9e667b'):
            fake_hub.send_event(CHANNEL, 'request', {'id': number, 'api': 'echo'})
            answer(provider)
        assert client.call('chapi.ping') == 'pong', 'so all answers have come'
        go.set()
        fake_hub.wait_published()
    assert is_as(subscribe, subscription(fake_hub, CHANNEL))
    (first, body), (second, bodies) = fake_hub.posts
    assert first.startswith('/apps/%s/events?' % APP_ID)
    assert second.startswith('/apps/%s/batch_events?' % APP_ID)
    assert is_as(one, body) and is_as(several, bodies)


def subscription(fake_hub, channel):
    """The frame by which the gateway subscribed to it."""
    (real,) = [event for event in fake_hub.heard if event['event'] == 'pusher:subscribe' and
               event['data']['channel'] == channel]
    return real


def test_answers_elsewhere(hub, pi, phones):
    request, response = shown('Answers elsewhere')
    gateway, phone = pi(), phones(hub, CHANNEL, 'private-chapi-phone@reply')
    with gateway.connect() as client:
        provider = Provider(client, 'echo')
        phone.send(request)
        answer(provider)
        phone.heard(response)


def test_request_of_the_older_library(hub, pi, phones):
    request, response = shown('REQUESTS OF THE OLDER PYTHON LIBRARY')
    gateway, phone = pi(channel='chapi'), phones(hub, 'chapi')
    with gateway.connect() as client:
        provider = Provider(client, 'echo')
        phone.send(request)
        answer(provider)
        phone.heard(response)


def test_encrypted_channels(hub, pi, phones, master_key):
    """A nonce and a text, both in base64: whose key it is, test_encrypted.py knows."""
    (request,) = shown('Encrypted channels')
    assert re.fullmatch(r'[\w+/]{32}', request.value['data']['nonce'])
    channel = request.value['channel']
    gateway, phone = pi(channel=channel, pusher=master_key.settings()), phones(hub, channel)
    phone.send(Example(request.text))
    wait_until(lambda: gateway.ask('status')['hub']['remote']['unreadable'] == 1,
               'what is of another key to be counted')


# ---- parts, notes, repeats ----------------------------------------------------------------------

def test_large_values(hub, pi, phones):
    first, second, by_socket, answer_part, repeat = shown('LARGE VALUES')
    gateway, phone = pi(), phones(hub, CHANNEL)
    with gateway.connect() as client:
        provider = Provider(client, 'echo')
        phone.send(first)
        phone.send(by_socket)
        assert answer(provider)[3][0] == {'a': 'a'}
        number = first.value['data']['id']
        assert payload(phone.client.wait_event('response'))['id'] == number
        for part in (repeat, second):
            phone.send(part)
        assert payload(phone.client.wait_event('response'))['cached'] is True
    gateway.stop()
    with pi().connect() as client:
        provider = Provider(client, 'echo')
        phone.send(first)
        phone.send(second)
        answer(provider, os.urandom(6000).hex() + os.urandom(5000).hex())
        phone.heard(answer_part, lambda frame: payload(frame)['part'] == 0)


@pytest.mark.parametrize('over_socket', [False, True], ids=['cancel', 'client-cancel'])
def test_cancel_and_progress(hub, pi, phones, over_socket):
    *cancels, response, progress = shown('CANCEL AND PROGRESS')
    (request, _) = shown('REQUEST')
    gateway, phone = pi(), phones(hub, CHANNEL)
    with gateway.connect() as client:
        Provider(client, 'echo')
        phone.send(Example(request.text.replace('}}"', '},\\"progress\\":true}"')))
        call = client.wait_request()
        client.notify('progress', call[1], {'percent': 40})
        phone.heard(progress)
        phone.send(cancels[over_socket])
        assert client.wait_notification('cancel')[2] == [call[1]]
        phone.heard(response)


def test_requests_that_come_again(hub, pi, phones):
    request, cached, lost, restarted = shown('REQUESTS THAT COME AGAIN')
    first = Example(re.sub(r',\\"retry\\":[^}]*', '', request.text))
    assert 'retry' not in first.value['data']
    for settings, outcome in (({}, cached), ({'answer_store_bytes': '0'}, lost)):
        gateway, phone = pi(remote=settings), phones(hub, CHANNEL)
        with gateway.connect() as client:
            provider = Provider(client, 'echo')
            phone.send(first)
            answer(provider)
            phone.client.wait_event('response')
            phone.send(request)
            phone.heard(outcome)
        gateway.stop()
    with pi().connect() as client:
        Provider(client, 'echo')
        phone.send(request)
        phone.heard(restarted)


def test_limits(hub, pi, phones):
    (refused,) = shown('LIMITS')
    (request, _) = shown('REQUEST')
    phone, n = phones(hub, CHANNEL), 0
    with pi(remote={'max_rate': '1'}).connect() as client:
        Provider(client, 'echo')
        while not refused_yet(phone):
            n += 1
            phone.send(Example(request.text.replace('7c9e6679', 'request-%d' % n)))
        real = phone.client.wait_event('response')
        data = dict(payload(real), id=refused.value['data']['id'])
        assert is_as(refused, dict(real, data=json.dumps(data)))


def refused_yet(phone):
    """The provider does not answer: what comes is a refusal."""
    phone.client.round_trip()
    return [event for event in phone.client.events if event['event'] == 'response']


def test_proof_of_life(hub, pi, phones):
    (alive,) = shown('WHEN THE HUB DOES NOT TAKE AN ANSWER')
    pi(timing={'proof_of_life': '100ms'})
    phones(hub, CHANNEL).heard(alive)


# ---- gateway to gateway -------------------------------------------------------------------------

@pytest.fixture
def gateways(hub, pi, phones):
    """(connection at pi, provider at attic, who hears all of it)"""
    listener = phones(hub, 'private-chapi-attic', 'private-chapi-pi@reply')
    here, there = pi(), pi('attic')
    with here.connect() as client, there.connect() as other:
        yield client, Provider(other, 'lights.on'), listener


def test_gateway_to_gateway(gateways, hub):
    request, response, repeat, beacon, occupied, part, _, _, channels = \
        shown('GATEWAY TO GATEWAY')
    here, provider, listener = gateways
    number = here.request('call', 'lights.on', {}, {'to': 'attic', 'timeout_ms': 30000})
    answer(provider, True)
    listener.heard(request)
    listener.heard(response)
    here.result(number)

    here.request('call', 'lights.on', {}, {'to': 'attic', 'timeout_ms': 400})
    listener.client.wait_event('request')
    listener.heard(repeat)
    here.request('call', 'lights.on', {'x': os.urandom(9000).hex()},
                 {'to': 'attic', 'timeout_ms': 400})
    listener.heard(part, lambda frame: 'retry' in payload(frame) and payload(frame)['part'] == 0)

    get = HttpApi(hub)

    def asked(path, **query):
        path = '/apps/%s/channels%s' % (hub.app_id, path)
        status, text = get.raw('GET', signed_target('GET', path, hub.key, hub.secret, query=query))
        assert status == 200
        return json.loads(text)
    assert {'occupied': True}.items() <= asked('/private-chapi-attic@up').items()
    assert occupied.value == {'occupied': True}
    there = asked('', filter_by_prefix='private-chapi-')['channels']
    assert set(channels.value['channels']) <= set(there)
    assert beacon.value['data']['channel'] in there


def test_beacon_is_subscribed(fake_hub, start_gateway):
    beacon = shown('GATEWAY TO GATEWAY')[3]
    start_gateway(fake_hub, None, gateway={'name': 'pi'})
    fake_hub.wait_subscribed('private-chapi-pi@up')
    assert is_as(beacon, subscription(fake_hub, 'private-chapi-pi@up'))


def test_two_gateways_of_one_name(hub, pi, phones):
    """One that has answered elsewhere says that it is there."""
    (here,) = shown('TWO GATEWAYS OF ONE NAME')
    request, _ = shown('Answers elsewhere')
    gateway, phone = pi(), phones(hub, CHANNEL, here.value['channel'])
    with gateway.connect() as client:
        provider = Provider(client, 'echo')
        phone.send(request)
        answer(provider)
        phone.heard(here)


def test_encrypted_gateway_to_gateway(hub, pi, phones, master_key):
    request, response = shown('GATEWAY TO GATEWAY')[6:8]
    channel = request.value['channel']
    here = pi(pusher=master_key.settings())
    there = pi('attic', channel=channel, pusher=master_key.settings())
    listener = phones(hub, channel, response.value['channel'])
    with here.connect() as client, there.connect() as other:
        provider = Provider(other, 'lights.on')
        number = client.request('call', 'lights.on', {}, {'to': channel})
        answer(provider, True)
        assert client.result(number) is True
    listener.heard(request)
    listener.heard(response)
