# SPDX-License-Identifier: MIT
"""Calls over a hub: the gateway with a provider, a null server, the older Python library; on soketi.

The null server (chapi_load --serve) parses nothing and runs nothing: what hub and generator allow.
"""
import json
import os
import subprocess
import tempfile

import service

here = os.path.dirname(os.path.abspath(__file__))
CELLS = ((1, 64, 1000), (64, 64, 3000), (64, 4096, 2000))
APP = {'app_id': '1001', 'key': 'app-key', 'secret': 'app-secret', 'host': '127.0.0.1'}


def cpu_options(app):
    return [word for name, value in app.items() for word in ('--' + name.replace('_', '-'), str(value))]


class Process:
    """Ends with its block."""

    def __init__(self, argv, pattern=None, **options):
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        **options)
        self.pid = self.process.pid
        said = ''
        while pattern and pattern not in said:
            line = self.process.stdout.readline()
            assert line, '%s ended:\n%s' % (argv[0], said)
            said += line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate()


def soketi(folder, port):
    with open(os.path.join(here, 'remote', 'soketi.conf.json')) as f:
        settings = json.load(f)
    settings.update({'port': port, 'metrics.port': service.free_port(), 'cluster.port': service.free_port()})
    path = os.path.join(folder, 'soketi.json')
    with open(path, 'w') as f:
        json.dump(settings, f)
    home = os.environ['SOKETI_DIR']
    return Process(['node', 'node_modules/@soketi/soketi/bin/server.js', 'start', '--config=' + path],
                   pattern='Server is up and running', cwd=home)


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


class Gateway:
    """chapi-gw, and behind it a provider in C."""

    def __init__(self, bench, app):
        self.folder = tempfile.TemporaryDirectory(dir=bench.folder)
        folder = self.folder.name
        with open(os.open(os.path.join(folder, 'secret'), os.O_CREAT | os.O_WRONLY, 0o600), 'w') as f:
            f.write(app['secret'] + '\n')
        with open(os.path.join(folder, 'gw.conf'), 'w') as f:
            f.write(CONFIG % dict(app, folder=folder))
        path = os.path.join(folder, 's')
        self.process = Process([os.path.join(bench.build, 'gateway', 'chapi-gw'), '--config',
                                os.path.join(folder, 'gw.conf'), '--socket', path], pattern='subscribed to')
        self.pid = self.process.pid
        self.provider = Process([os.path.join(bench.build, 'clients', 'examples', 'echo-provider')],
                                pattern='registered', env=dict(os.environ, CHAPI_SOCKET=path))

    def __enter__(self):
        return self

    def __exit__(self, *details):
        self.provider.__exit__(*details)
        self.process.__exit__(*details)
        self.folder.cleanup()


def servers(bench, app):
    """{label: something with a pid that serves while its block lasts}"""
    options = cpu_options(app)
    found = {
        'null server': lambda: Process([bench.program('chapi_load'), '--serve'] + options, 'SUBSCRIBED'),
        'chapi-gw': lambda: Gateway(bench, app),
    }
    python = os.path.join(os.environ['SOKETI_DIR'], 'venv', 'bin', 'python3')
    if os.path.exists(python):
        found['older library'] = lambda: Process(
            [python, os.path.join(here, 'remote', 'older', 'server.py')] + options, 'SUBSCRIBED')
    return found


def load(bench, app, label, pid, cell):
    concurrency, size, count = cell
    done = subprocess.run(
        [bench.program('chapi_load'), '--label', label, '--concurrency', str(concurrency), '--size', str(size),
         '--count', str(count), '--watch', 'server=%d' % pid] + cpu_options(app),
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, 'calls were lost: %s %s' % (done.stdout, done.stderr)
    run = dict(json.loads(done.stdout), peer=label)
    run['cpu_s_1000'] = run['cpu_server_s'] / count * 1000
    bench.runs.append(run)
    return run


def measure(bench):
    """Needs soketi in $SOKETI_DIR (tests/integration/setup.sh installs it)."""
    if not os.environ.get('SOKETI_DIR'):
        print('remote: left out, as SOKETI_DIR is not set (tests/integration/setup.sh installs soketi)')
        return
    app = dict(APP, port=service.free_port())
    with soketi(bench.folder, app['port']):
        found = servers(bench, app)
        runs = {(label, cell): [] for cell in CELLS for label in found}
        for _ in range(max(3, bench.pairs // 3)):
            for label, start in found.items():
                with start() as server:
                    for cell in CELLS:
                        runs[label, cell].append(load(bench, app, label, server.pid, cell))
        for cell in CELLS:
            show(bench, cell, {label: runs[label, cell] for label in found})


def show(bench, cell, runs):
    null = bench.median(runs['null server'], 'calls_per_s')
    bench.table('remote, soketi: concurrency %d, %d B' % cell[:2],
                ['server', 'calls/s', 'of null', 'p50 ms', 'CPU s/1000 calls'],
                [[label, bench.spread(some, 'calls_per_s', 0), '%.2f' % (bench.median(some, 'calls_per_s') / null),
                  bench.spread(some, 'p50_ms'), bench.spread(some, 'cpu_s_1000', 3)]
                 for label, some in runs.items()])
