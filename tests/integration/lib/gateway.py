# SPDX-License-Identifier: MIT
"""chapi-gw as a program under test, with a configuration written for it."""
import os
import socket

from .ipc import CLIENTS
from .limits import Deadline, wait_until
from .process import Daemon, program

# Reconnects at the pace of a test.
FAST = {'backoff_least': '20ms', 'backoff_most': '100ms'}


def write_config(path, sections):
    """sections: {name: {key: value}}; None leaves a key out."""
    with open(path, 'w') as f:
        for section, settings in sections.items():
            f.write('[%s]\n' % section)
            for key, value in settings.items():
                if value is not None:
                    f.write('%s = %s\n' % (key, value))
    return path


class Gateway(Daemon):
    """hub: None for local calls only. Further sections and settings by name:
    remote={'channel': ...}."""

    def __init__(self, folder, hub=None, channel=None, executable=None, env=None, status=0,
                 **sections):
        self.folder = folder
        self.socket_path = os.path.join(folder, 'gw.sock')
        self.channel = channel
        settings = {}
        if hub is not None:
            settings['pusher'] = hub.settings()
            settings['remote'] = {'channel': channel}
            settings['timing'] = dict(FAST)
        settings['gateway'] = {'name': 'gw-of-the-tests', 'stop_timeout': '3s',
                               'state_dir': os.path.join(folder, 'state')}
        for section, more in sections.items():
            settings.setdefault(section, {}).update(more)
        self.config = write_config(os.path.join(folder, 'gw.conf'), settings)
        super().__init__('chapi-gw', [executable or program('chapi-gw'), '--config', self.config,
                                      '--socket', self.socket_path],
                         env=env, secrets=[hub.secret] if hub is not None else [], status=status)

    def start(self):
        super().start()
        wait_until(self.listens, 'chapi-gw to listen at ' + self.socket_path)
        return self

    def listens(self):
        assert self.is_running(), 'chapi-gw ended with status %s:\n%s' % (self.wait(), self.log())
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.socket_path) == 0

    def connect(self, encoding='msgpack'):
        return CLIENTS[encoding](self.socket_path)

    def ask(self, method, *params):
        with self.connect() as client:
            return client.ask(method, *params)

    def wait_up(self, limit=None):
        """Until every channel of the hub is subscribed."""
        deadline = Deadline(limit)
        with self.connect() as client:
            try:
                wait_until(lambda: client.ask('status')['hub'].get('state') == 'up',
                           'the hub to be up', deadline.limit)
            except TimeoutError as e:
                raise AssertionError('%s; status: %s' % (e, client.ask('status')['hub'])) from None
        return self

    def wait_not_up(self, limit=None):
        with self.connect() as client:
            return wait_until(lambda: [h for h in [client.ask('status')['hub']]
                                       if h.get('state') != 'up'],
                              'the hub to be down', limit)[0]


class Provider:
    """A local process's part in the test's own: a connection that holds names."""

    def __init__(self, client, *names):
        self.client = client
        for name in names:
            client.ask('register', name)

    def serve_one(self, function=lambda params: params, name=None):
        request = self.client.wait_request(name)
        self.client.answer(request, function(request[3][0]))
        return request
