# SPDX-License-Identifier: MIT
"""Calls over chapi-hub and soketi: the gateway with a provider, a null server, the older library.

The null server (chapi_load --serve) parses nothing and runs nothing: what hub and generator allow.
"""
import json
import os
import subprocess

import hubs
import service

here = os.path.dirname(os.path.abspath(__file__))
OLDER = 'older library'
OLDER_ROUNDS = 3        # it is slow, and far from the others
CELLS = ((1, 64, 1000), (64, 64, 3000), (64, 4096, 2000))


def cpu_options(app):
    return [word for name, value in app.items()
            for word in ('--' + name.replace('_', '-'), str(value))]


def servers(bench, app):
    """{label: something with a pid that serves while its block lasts}"""
    options = cpu_options(app)
    found = {
        'null server': lambda: hubs.Process([bench.program('chapi_load'), '--serve'] + options,
                                            'SUBSCRIBED'),
        'chapi-gw': lambda: hubs.Provider(bench, app),
    }
    python = os.path.join(os.environ.get('SOKETI_DIR', ''), 'venv', 'bin', 'python3')
    if os.path.exists(python):
        found[OLDER] = lambda: hubs.Process(
            [python, os.path.join(here, 'remote', 'older', 'server.py')] + options, 'SUBSCRIBED')
    return found


def load(bench, hub, app, label, pid, cell):
    concurrency, size, count = cell
    done = subprocess.run(
        [bench.program('chapi_load'), '--label', label, '--concurrency', str(concurrency),
         '--size', str(size), '--count', str(count), '--watch', 'server=%d' % pid]
        + cpu_options(app),
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, 'calls were lost: %s %s' % (done.stdout, done.stderr)
    run = dict(json.loads(done.stdout), peer=label, hub=hub)
    run['cpu_s_1000'] = run['cpu_server_s'] / count * 1000
    bench.runs.append(run)
    return run


def measure(bench):
    """On soketi too if it is in $SOKETI_DIR (tests/integration/setup.sh installs it)."""
    app = dict(hubs.APP, port=service.free_port())
    with hubs.chapi_hub(bench, app):
        measure_on(bench, 'chapi-hub', app)
    if not os.environ.get('SOKETI_DIR'):
        print('soketi: left out, as SOKETI_DIR is not set (tests/integration/setup.sh installs it)')
        return
    app = dict(hubs.APP, port=service.free_port())
    with hubs.soketi(bench.folder, app['port']):
        measure_on(bench, 'soketi', app)


def measure_on(bench, hub, app):
    found = servers(bench, app)
    runs = {(label, cell): [] for cell in CELLS for label in found}
    for i in range(max(3, bench.pairs * 2 // 3)):
        # Each is first once: who comes after another finds the hub in another state.
        order = list(found)[i % len(found):] + list(found)[:i % len(found)]
        for label in order:
            if label == OLDER and i >= OLDER_ROUNDS:
                continue
            with found[label]() as server:
                for cell in CELLS:
                    runs[label, cell].append(load(bench, hub, app, label, server.pid, cell))
    for cell in CELLS:
        show(bench, hub, cell, {label: runs[label, cell] for label in found})


def show(bench, hub, cell, runs):
    null = bench.median(runs['null server'], 'calls_per_s')
    bench.table('remote, %s: concurrency %d, %d B' % (hub, *cell[:2]),
                ['server', 'calls/s', 'of null', 'p50 ms', 'CPU s/1000 calls'],
                [[label, bench.spread(some, 'calls_per_s', 0),
                  '%.2f' % (bench.median(some, 'calls_per_s') / null),
                  bench.spread(some, 'p50_ms'), bench.spread(some, 'cpu_s_1000', 3)]
                 for label, some in runs.items()])
