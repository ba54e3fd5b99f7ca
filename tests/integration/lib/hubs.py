# SPDX-License-Identifier: MIT
"""The hubs that the gateway is tried against: chapi-hub and soketi, one interface for both."""
import json
import os
import secrets
import shutil
import signal
import socket
import ssl

from .control import Control
from .limits import wait_until
from .process import Daemon, environment, program

APP_ID = '1001'     # digits: the Python library insists on it
KEY = 'app-key-of-the-tests'
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def free_port_of(hosts):
    """A port that is free at each of these addresses."""
    for _ in range(100):
        port = free_port()
        if all(is_free(host, port) for host in hosts):
            return port
    raise AssertionError('no port is free at all of ' + ', '.join(hosts))


def is_free(host, port):
    with socket.socket() as s:
        try:
            s.bind((host, port))
        except OSError:
            return False
    return True


def accepts(host, port):
    try:
        socket.create_connection((host, port), 1).close()
        return True
    except OSError:
        return False


class Hub:
    """A hub process. After stop() it can be started again, at the same port."""

    name = None
    host = '127.0.0.1'

    def __init__(self, folder, certificate=None):
        self.folder = folder
        self.app_id = APP_ID
        self.key = KEY
        self.secret = 'hush-' + secrets.token_hex(12)
        self.port = 0
        self.daemon = None
        self.certificate = certificate      # (certificate, key, ca) files: TLS only
        self.tls = ssl.create_default_context(cafile=certificate[2]) if certificate else None
        self.secret_file = os.path.join(folder, self.name + '-secret')
        with open(os.open(self.secret_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
                  'w') as f:
            f.write(self.secret + '\n')

    def stop(self):
        if self.daemon is not None:
            self.daemon.stop()

    def kill(self):
        self.daemon.kill()

    def settings(self):
        """The section [pusher] of a gateway that uses it."""
        settings = {'app_id': self.app_id, 'key': self.key, 'secret_file': self.secret_file,
                    'host': 'localhost' if self.certificate else self.host, 'port': self.port,
                    'tls': 'yes' if self.certificate else 'no'}
        if self.certificate:
            settings['ca_file'] = self.certificate[2]
        return settings


class ChapiHub(Hub):
    name = 'chapi-hub'
    options = ()

    @staticmethod
    def why_not():
        return None     # it is ours, and built with the rest

    def start(self):
        argv = [program('chapi-hub'), '--listen', '%s:%d' % (self.host, self.port),
                '--app', '%s:%s' % (self.app_id, self.key), '--secret-file', self.secret_file]
        if self.certificate:
            argv += ['--tls-cert', self.certificate[0], '--tls-key', self.certificate[1]]
        argv += self.options
        self.daemon = Daemon(self.name, argv, secrets=[self.secret]).start()
        line = self.daemon.wait_log('listening on ')
        self.port = int(line.rsplit(':', 1)[1])
        return self


class FaultyHub(ChapiHub):
    """chapi-hub with a control socket: self.control plays faults."""

    def __init__(self, folder, certificate=None, script=None):
        super().__init__(folder, certificate)
        self.control_path = os.path.join(folder, 'control')
        self.options = ['--control', self.control_path]
        if script is not None:
            path = os.path.join(folder, 'script')
            with open(path, 'w') as f:
                f.write(script)
            self.options += ['--script', path]
        self.control = None

    def start(self):
        super().start()
        self.control = Control(self.control_path)
        return self

    def stop(self):
        if self.control is not None:
            self.control.close()
        super().stop()


class Soketi(Hub):
    name = 'soketi'
    app = {}        # settings of the app beyond soketi.json

    @staticmethod
    def why_not():
        folder = os.environ.get('SOKETI_DIR')
        if not folder:
            return 'SOKETI_DIR is not set (tests/integration/setup.sh installs soketi)'
        if not os.path.isdir(os.path.join(folder, 'node_modules/@soketi/soketi')):
            return 'no soketi in %s/node_modules' % folder
        return None if shutil.which('node') else 'node is missing'

    def start(self):
        self.port = self.port or free_port()    # it would share a port in silence
        with open(os.path.join(HERE, 'soketi.json')) as f:
            conf = json.load(f)
        conf.update({'host': self.host, 'port': self.port, 'metrics.port': free_port(),
                     'cluster.port': free_port(socket.SOCK_DGRAM)})
        conf['appManager.array.apps'][0].update(self.app, id=self.app_id, key=self.key,
                                                secret=self.secret)
        if self.certificate:
            conf.update({'ssl.certPath': self.certificate[0], 'ssl.keyPath': self.certificate[1]})
        path = os.path.join(self.folder, 'soketi.json')
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w') as f:
            json.dump(conf, f)
        deps = os.environ['SOKETI_DIR']
        self.daemon = Daemon(self.name, [
            shutil.which('node'),
            os.path.join(deps, 'node_modules/@soketi/soketi/bin/server.js'), 'start',
            '--config=' + path], cwd=deps, env=environment(), secrets=[self.secret],
            status=None)    # 0, or the signal when it comes early
        self.daemon.start()
        wait_until(lambda: accepts(self.host, self.port) or not self.daemon.is_running(),
                   'soketi to listen', 30)
        assert self.daemon.is_running(), 'soketi ended:\n' + self.daemon.log()
        return self

    def stop(self):
        if self.daemon is not None and self.daemon.is_running():
            self.daemon.send_signal(signal.SIGTERM)
        super().stop()


HUBS = {'chapi-hub': ChapiHub, 'soketi': Soketi}


def chosen():
    """Names of the hubs to run on: $CHAPI_TESTS_HUBS, else all."""
    names = os.environ.get('CHAPI_TESTS_HUBS', 'chapi-hub soketi').split()
    for name in names:
        if name not in HUBS:
            raise ValueError('CHAPI_TESTS_HUBS: %s is not one of %s' % (name, ' '.join(HUBS)))
    return names
