# SPDX-License-Identifier: MIT
"""Hubs to measure over, and the gateway on one: processes that end with their block."""
import json
import os
import subprocess
import tempfile

import service

here = os.path.dirname(os.path.abspath(__file__))
APP = {'app_id': '1001', 'key': 'app-key', 'secret': 'app-secret', 'host': '127.0.0.1'}
CONFIG = '''[pusher]
app_id = %(app_id)s
key = %(key)s
secret_file = %(folder)s/secret
host = %(host)s
port = %(port)s
tls = no
[gateway]
name = bench
[remote]
channel = chapi
max_rate = 0
'''


class Process:
    """Once it has said pattern, if any; ends with its block."""

    def __init__(self, argv, pattern=None, **options):
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, **options)
        self.pid = self.process.pid
        if pattern:
            self.wait(pattern)

    def wait(self, pattern):
        """Until it has said that."""
        said = ''
        while pattern not in said:
            line = self.process.stdout.readline()
            assert line, '%s ended:\n%s' % (self.process.args[0], said)
            said += line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate()


def write_secret(folder, app):
    path = os.path.join(folder, 'secret')
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), 'w') as f:
        f.write(app['secret'] + '\n')
    return path


def soketi(folder, port):
    with open(os.path.join(here, 'remote', 'soketi.conf.json')) as f:
        settings = json.load(f)
    settings.update({'port': port, 'metrics.port': service.free_port(),
                     'cluster.port': service.free_port()})
    path = os.path.join(folder, 'soketi.json')
    with open(path, 'w') as f:
        json.dump(settings, f)
    home = os.environ['SOKETI_DIR']
    return Process(['node', 'node_modules/@soketi/soketi/bin/server.js', 'start',
                    '--config=' + path],
                   pattern='Server is up and running', cwd=home)


def chapi_hub(bench, app):
    """The project's own, which is always there."""
    return Process([os.path.join(bench.build, 'tests', 'hub', 'chapi-hub'),
                    '--listen', '127.0.0.1:%d' % app['port'], '--app', '%(app_id)s:%(key)s' % app,
                    '--secret-file', write_secret(bench.folder, app)], pattern='listening')


class Gateway(Process):
    """chapi-gw on a hub, subscribed."""

    def __init__(self, bench, app, **options):
        self.folder = tempfile.TemporaryDirectory(dir=bench.folder)
        folder = self.folder.name
        write_secret(folder, app)
        config = os.path.join(folder, 'gw.conf')
        with open(config, 'w') as f:
            f.write(CONFIG % dict(app, folder=folder))
        self.path = os.path.join(folder, 's')
        super().__init__([os.path.join(bench.build, 'gateway', 'chapi-gw'), '--config', config,
                          '--socket', self.path], **dict({'pattern': 'subscribed to'}, **options))

    def __exit__(self, *details):
        super().__exit__(*details)
        self.folder.cleanup()


class Provider(Gateway):
    """With a provider in C behind it."""

    def __init__(self, bench, app):
        super().__init__(bench, app)
        self.provider = Process([os.path.join(bench.build, 'clients', 'examples', 'echo-provider')],
                                pattern='registered', env=dict(os.environ, CHAPI_SOCKET=self.path))

    def __exit__(self, *details):
        self.provider.__exit__(*details)
        super().__exit__(*details)
