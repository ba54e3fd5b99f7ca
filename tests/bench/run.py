#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures the gateway beside what it is compared with, in one run, and prints a table.

    make bench                       what "make bench" runs, in a build folder
    tests/bench/run.py [--only LIST] [--pairs N] [--seconds S] [--out DIR]

LIST: local, json, ipc, growth, core, value, start, memory, idle, remote (all of them without it),
and hour, which is memory over 66 minutes of calls. Machines are noisy, so the figures that count
are CPU per call, and what is compared runs in turn, N times: a figure is the median, with the
lowest and the highest beside it. Peers that are not installed (dbus-broker, nats-server, soketi in
$SOKETI_DIR) are left out, and that is said.

DIR gets results.json with every run, and growth.svg: CPU per call against names, connections,
calls in flight and payload. The method is told in doc/performance.md.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)

import growth  # noqa: E402
import hour  # noqa: E402
import remote  # noqa: E402
import service  # noqa: E402

SETTINGS = '[limits]\nnames_per_peer = 20000\ncalls_per_peer = 200000\n[remote]\nmax_rate = 0\n'
CELLS = {
    'a: one at a time, one CPU': ['--window', '1'],
    'b: 1 x 64 outstanding': ['--window', '64'],
    'c: 8 x 16, 4 providers': ['--window', '16', '--callers', '8', '--providers', '4'],
    'd: 4 KB': ['--window', '16', '--size', '4096'],
    'd: 64 KB': ['--window', '16', '--size', '65536'],
}


class Bench:
    """Where things are, and how long a run takes."""

    def __init__(self, build, seconds, pairs):
        self.build = build
        self.seconds = seconds
        self.pairs = pairs
        self.runs = []
        self.folder = tempfile.mkdtemp(prefix='chapi-bench.')
        self.config = os.path.join(self.folder, 'bench.conf')
        with open(self.config, 'w') as f:
            f.write(SETTINGS)

    def program(self, name):
        return os.path.join(self.build, 'tests', 'bench', name)

    def gateway(self):
        return [os.path.join(self.build, 'gateway', 'chapi-gw'), '--config', self.config,
                '--socket', 's']

    def peers(self):
        """{label: (generator, address, router's command line)}"""
        found = {
            'relay': ('bench_relay', 's', [self.program('relay'), 's']),
            'chapi-gw': ('bench_chapi', 's', self.gateway()),
            'chapi-gw, JSON': ('bench_json', 's', self.gateway()),
            'chapi-gw, library': ('bench_ipc', 's', self.gateway()),
        }
        if shutil.which('dbus-broker') and os.path.exists(self.program('dbus_broker_spawn')):
            found['dbus-broker'] = ('bench_dbusraw', 'bus',
                                    [self.program('dbus_broker_spawn'), 'bus'])
        if shutil.which('nats-server'):
            port = service.free_port()
            found['nats'] = ('bench_natsraw', '127.0.0.1:%d' % port,
                             ['nats-server', '-a', '127.0.0.1', '-p', str(port)])
        return found

    def run(self, peer, cell, args):
        """One run: the generator's JSON line, with the CPU of router and of all processes."""
        generator, address, router = self.peers()[peer]
        pin = ['taskset', '-c', '0'] if cell.startswith('a:') else []
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            done = subprocess.run(
                pin + [self.program(generator), '--peer', peer, '--test', cell, '--addr', address,
                       '--secs', str(self.seconds)] + args + ['--'] + router,
                cwd=folder, capture_output=True, text=True, timeout=120)
        if done.returncode != 0 or not done.stdout:
            sys.exit('%s, %s: %s' % (peer, cell, done.stderr))
        result = json.loads(done.stdout)
        if result['bad'] or result['lost'] or result['stalled']:
            sys.exit('%s, %s: calls were lost or wrong: %s' % (peer, cell, done.stdout))
        self.runs.append(result)
        return result

    def in_turn(self, peers, cell, args):
        """{peer: [runs]}, one after the other in each round."""
        results = {peer: [] for peer in peers}
        for _ in range(self.pairs):
            for peer in peers:
                results[peer].append(self.run(peer, cell, args))
        return results


def spread(runs, field, digits=2):
    values = sorted(run[field] for run in runs)
    return '%.*f (%.*f-%.*f)' % (digits, statistics.median(values), digits, values[0], digits,
                                 values[-1])


def median(runs, field):
    return statistics.median(run[field] for run in runs)


def table(title, head, rows):
    print('\n%s\n' % title)
    widths = [max(len(str(row[i])) for row in [head] + rows) for i in range(len(head))]
    for row in [head] + rows:
        print('  '.join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())
    sys.stdout.flush()


def compare(bench, cell, args, peers):
    results = bench.in_turn(peers, cell, args)
    base = median(results[peers[0]], 'router_us')
    table('%s' % cell, ['router', 'CPU us/call', 'of %s' % peers[0], 'calls/s', 'p50 us'],
          [[peer, spread(runs, 'router_us'), '%.2f' % (median(runs, 'router_us') / base),
            '%.0f' % median(runs, 'calls_s'), '%.1f' % median(runs, 'p50_us')]
           for peer, runs in results.items()])


def local(bench):
    peers = [peer for peer in bench.peers() if peer in ('relay', 'chapi-gw', 'dbus-broker', 'nats')]
    for absent in {'dbus-broker', 'nats'} - set(peers):
        print('%s is not installed: left out' % absent)
    for cell, args in CELLS.items():
        compare(bench, cell, args, peers)


def encodings(bench):
    compare(bench, 'b: JSON lines', CELLS['b: 1 x 64 outstanding'], ['chapi-gw', 'chapi-gw, JSON'])


def library(bench):
    """Here it is the CPU of caller and provider that counts."""
    results = bench.in_turn(['chapi-gw', 'chapi-gw, library'], 'b: on libchapi-ipc',
                            CELLS['b: 1 x 64 outstanding'])
    for runs in results.values():
        for run in runs:
            run['clients_us'] = run['total_us'] - run['router_us']
    base = median(results['chapi-gw'], 'clients_us')
    table('b: on libchapi-ipc', ['clients', 'CPU us/call', 'of the raw ones', 'calls/s'],
          [[peer, spread(runs, 'clients_us'), '%.2f' % (median(runs, 'clients_us') / base),
            '%.0f' % median(runs, 'calls_s')] for peer, runs in results.items()])


def core(bench):
    """The quickest tenth of the windows, and of the runs the best: what the code costs, whatever
    else the machine does."""
    runs = []
    for _ in range(bench.pairs):
        done = subprocess.run([bench.program('bench_core')], capture_output=True, text=True,
                              check=True)
        runs.append([json.loads(line) for line in done.stdout.splitlines()])
    bench.runs += [dict(line, peer='core') for run in runs for line in run]
    points = [(of[0]['names'], min(line['quick_ns'] for line in of), median(of, 'median_ns'))
              for of in zip(*runs)]
    table('core: the router alone, 64 calls under way',
          ['names', 'quickest ns/call', 'of the first', 'median ns/call', 'of the first'],
          [[n, '%.0f' % quick, '%.2f' % (quick / points[0][1]), '%.0f' % middle,
            '%.2f' % (middle / points[0][2])] for n, quick, middle in points])


def value(bench):
    done = subprocess.run([bench.program('bench_value')], capture_output=True, text=True,
                          check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    bench.runs += [dict(line, peer='value') for line in lines]
    table('values: JSON to MessagePack and back',
          ['text', 'ours ns/B', 'jansson ns/B', 'times faster',
           'memory of the text'],
          [['%d B' % v['size'], '%.1f' % v['ours_ns_byte'], '%.1f' % v['jansson_ns_byte'],
            '%.1f' % v['ratio'], '%.2f' % v['memory_of_text'] if v['size'] > 50000 else '-']
           for v in lines])


PARTS = {'local': local, 'json': encodings, 'ipc': library, 'growth': growth.measure,
         'core': core, 'value': value, 'start': service.start, 'memory': service.memory,
         'idle': service.idle, 'remote': remote.measure, 'hour': hour.measure}
WHOLE = [name for name in PARTS if name != 'hour']


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--only', default=','.join(WHOLE))
    parser.add_argument('--pairs', type=int, default=9)
    parser.add_argument('--seconds', type=float, default=1.0)
    parser.add_argument('--build', default=os.environ.get('top_builddir', os.getcwd()))
    parser.add_argument('--out', default='.')
    args = parser.parse_args()
    bench = Bench(args.build, args.seconds, args.pairs)
    bench.out = args.out
    bench.table, bench.spread, bench.median = table, spread, median
    try:
        for name in args.only.split(','):
            PARTS[name](bench)
    finally:
        with open(os.path.join(args.out, 'results.json'), 'w') as f:
            json.dump(bench.runs, f, indent=1)
        shutil.rmtree(bench.folder)


if __name__ == '__main__':
    main()
