# SPDX-License-Identifier: MIT
"""A remote client of the hub on Python's own library: signatures, events over HTTP, a WebSocket.

It plays the phone or the laptop on the far side: publishes requests, waits for responses.
"""
import hashlib
import hmac
import http.client
import json
import time
import uuid

from .limits import Deadline
from .websocket import WebSocket


def hmac_hex(secret, text):
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def channel_auth(key, secret, socket_id, channel, channel_data=None):
    text = socket_id + ':' + channel + (':' + channel_data if channel_data else '')
    return key + ':' + hmac_hex(secret, text)


def signed_target(method, path, key, secret, body=b'', query=None, now=None):
    """PATH?auth_key=...&auth_signature=... for the HTTP API."""
    parameters = dict(query or {}, auth_key=key,
                      auth_timestamp=str(int(time.time() if now is None else now)),
                      auth_version='1.0')
    if body:
        parameters['body_md5'] = hashlib.md5(body).hexdigest()
    text = '&'.join('%s=%s' % item for item in sorted(parameters.items()))
    return '%s?%s&auth_signature=%s' % (path, text,
                                        hmac_hex(secret, '\n'.join((method, path, text))))


class HttpError(Exception):
    """A refusal by the HTTP API; some servers write it into the body of a 200."""

    def __init__(self, status, text):
        super().__init__('%s %s' % (status, text))
        self.status = status
        self.text = text


class HttpApi:
    """The HTTP API of one app of a hub."""

    def __init__(self, hub):
        self.hub = hub

    def raw(self, method, target, body=b'', headers=None):
        """(status, text) of any request."""
        if self.hub.tls is not None:
            connection = http.client.HTTPSConnection('localhost', self.hub.port,
                                                     timeout=Deadline().limit, context=self.hub.tls)
        else:
            connection = http.client.HTTPConnection(self.hub.host, self.hub.port,
                                                    timeout=Deadline().limit)
        try:
            connection.request(method, target, body,
                               headers or {'Content-Type': 'application/json'})
            answer = connection.getresponse()
            return answer.status, answer.read().decode('utf-8', 'replace')
        finally:
            connection.close()

    def trigger(self, channel, event, data, socket_id=None):
        """data: text as it is, anything else as JSON."""
        entry = {'name': event, 'channels': [channel],
                 'data': data if isinstance(data, str) else json.dumps(data)}
        if socket_id:
            entry['socket_id'] = socket_id
        body = json.dumps(entry).encode()
        path = '/apps/%s/events' % self.hub.app_id
        status, text = self.raw('POST', signed_target('POST', path, self.hub.key,
                                                      self.hub.secret, body), body)
        if status != 200:
            raise HttpError(status, text)
        answer = json.loads(text)
        if 'error' in answer:
            raise HttpError(answer.get('code'), answer['error'])
        return answer


class PusherClient:
    """One WebSocket to a hub. Events that nobody has asked for yet wait in self.events."""

    def __init__(self, hub, key=None):
        self.hub = hub
        self.socket = WebSocket.connect(
            hub.host, hub.port,
            '/app/%s?protocol=7&client=test&version=1.0.0' % (key or hub.key), tls=hub.tls,
            server_name='localhost')
        self.events = []
        self.socket_id = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def establish(self):
        event = self.wait_event('pusher:connection_established')
        data = payload(event)
        self.socket_id = data['socket_id']
        return data

    def send(self, event, data, channel=None):
        message = {'event': event, 'data': data}
        if channel:
            message['channel'] = channel
        self.socket.send_text(json.dumps(message))

    def receive(self, limit=None):
        event = json.loads(self.socket.receive(limit)[1])
        if event.get('event') == 'pusher:ping':
            self.send('pusher:pong', {})
        return event

    def wait_event(self, name, fits=lambda event: True, limit=None):
        """The first event of that name that fits; the others stay."""
        deadline = Deadline(limit)
        while True:
            for i, event in enumerate(self.events):
                if event.get('event') == name and fits(event):
                    return self.events.pop(i)
            self.events.append(self.receive(deadline.left('event %s' % name)))

    def subscribe(self, channel, auth=None):
        data = {'channel': channel}
        if channel.startswith('private-'):
            data['auth'] = auth or channel_auth(self.hub.key, self.hub.secret, self.socket_id,
                                                channel)
        self.send('pusher:subscribe', data)
        return self.wait_event('pusher_internal:subscription_succeeded',
                               lambda e: e.get('channel') == channel)

    def round_trip(self):
        """All that the hub sent before has been read."""
        self.send('pusher:ping', {})
        self.wait_event('pusher:pong')


def payload(event):
    """The data of an event, decoded if it came as text."""
    data = event.get('data')
    return json.loads(data) if isinstance(data, str) and data else data


class Remote:
    """Somebody on the hub side who calls functions behind a gateway."""

    def __init__(self, hub, channel):
        self.hub = hub
        self.channel = channel
        self.api = HttpApi(hub)
        self.client = PusherClient(hub)
        self.client.establish()
        self.client.subscribe(channel)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def send(self, data, event='request'):
        """Publishes data as it is. The hub hands it to everybody, also to us: leave that out."""
        self.api.trigger(self.channel, event, data, self.client.socket_id)

    def request(self, name, params=None, **fields):
        """Publishes a request with an id, which is returned."""
        record = dict({'id': uuid.uuid4().hex, 'api': name}, **fields)
        if params is not None:
            record['params'] = params
        self.send(record)
        return record['id']

    def request_over_socket(self, name, params, **fields):
        """The same as a client event, as a web page has to."""
        record = dict({'id': uuid.uuid4().hex, 'api': name, 'params': params}, **fields)
        self.client.send('client-request', record, self.channel)
        return record['id']

    def wait_response(self, fits, limit=None):
        event = self.client.wait_event('response', lambda e: fits(payload(e)), limit)
        assert event['channel'] == self.channel
        assert isinstance(event['data'], str)
        return payload(event)

    def response(self, number, limit=None):
        return self.wait_response(lambda r: r.get('id') == number, limit)

    def call(self, name, params=None, **fields):
        """Request and response record."""
        return self.response(self.request(name, params, **fields))

    def is_quiet(self):
        """No response but those that were asked for has come so far."""
        self.client.round_trip()
        return not [e for e in self.client.events if e.get('event') == 'response']
