# SPDX-License-Identifier: MIT
"""chapi_py: a minimal reconstruction of the Python library `chapi`.

Written from the project's public description only (its source was not
available).  It is what the gateway is measured against, so it
does what the description says and nothing on top of it.  The points that the
description leaves open are marked GUESS here.

Needs the real libraries `pusher` (HTTP trigger) and `pysher` (WebSocket
subscriber) on the module path.
"""
import queue
import threading
import time

import pusher
import pysher
import json

CHANNEL = 'chapi'        # GUESS: one channel is described, not its name
REQUEST = 'request'      # GUESS: a request and a response event, not the names
RESPONSE = 'response'

__all__ = ['Pusher', 'Server', 'Client']


class Pusher:
    """Subscribes to the channel (pysher) and triggers events on it (pusher)."""

    def __init__(self, app_id, key, secret, cluster, name,
                 *, host=None, port=None, ssl=True):
        # host, port and ssl are the only addition: they point both libraries
        # at a Pusher-compatible server other than the hosted service.
        self.name = name
        self._request_handlers = []
        self._response_handlers = []
        self.channel = None
        self._pusher = pusher.Pusher(app_id, key, secret, ssl=ssl, host=host,
                                     port=port, cluster=cluster)
        self._pysher = pysher.Pusher(key, cluster=cluster or '', secure=ssl,
                                     port=port or (443 if ssl else 80),
                                     custom_host=host or '')
        # The documented way of pysher: subscribe when the connection is
        # established.  It also fires on a reconnection.
        self._pysher.connection.bind('pusher:connection_established',
                                     self._on_connected)
        self._pysher.connect()

    def add_request_handler(self, handler):
        self._request_handlers.append(handler)

    def add_response_handler(self, handler):
        self._response_handlers.append(handler)

    def _on_connected(self, _data):
        self.channel = self._pysher.subscribe(CHANNEL)
        self.channel.bind(REQUEST, self._on_request)
        self.channel.bind(RESPONSE, self._on_response)

    def _on_request(self, data):
        for handler in self._request_handlers:
            handler(data)

    def _on_response(self, data):
        for handler in self._response_handlers:
            handler(data)

    def _trigger(self, event, data):
        self._pusher.trigger(CHANNEL, event, data)


class Server(Pusher):
    def __init__(self, app_id, key, secret, cluster=None, name='server', **kwargs):
        self._apis = {}
        self._queue = queue.Queue()
        super().__init__(app_id, key, secret, cluster, name, **kwargs)
        self.add_request_handler(self._queue.put)

    def api(self, name):
        """Decorator: register the function as the API `name`."""
        def register(f):
            self._apis[name] = f
            return f
        return register

    def _handle(self, data):
        data = json.loads(data)
        f = self._apis.get(data['api'])
        # GUESS: an unknown API is answered with the result None.
        data['result'] = f(**data['params']) if f else None
        data['timestamp'] = time.time()      # GUESS: the one timestamp is reused
        self._trigger(RESPONSE, data)

    def _work(self):
        while True:
            # GUESS: no error handling is described, so there is none here; an
            # exception (in the API or in the trigger) ends this thread.
            self._handle(self._queue.get())

    def run(self, worker_num=1):
        for _ in range(worker_num):
            threading.Thread(target=self._work, daemon=True).start()
        threading.Event().wait()


class Client(Pusher):
    def __init__(self, app_id, key, secret, cluster=None, name='client', **kwargs):
        super().__init__(app_id, key, secret, cluster, name, **kwargs)

    def request(self, api, **kwargs):
        self._trigger(REQUEST, {'api': api, 'params': kwargs,
                                'timestamp': time.time()})
