#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How many instructions the gateway spends on a local call, counted by valgrind's callgrind.

    tests/bench/instructions.py [--write | --profile FILE] [--build DIR]

One caller keeps 64 calls of 64 bytes under way, in lock step, so that the gateway reads the same
bytes in the same pieces each time. Two runs that differ in the number of calls only are
subtracted: what is left is the calls' own. Counts do not depend on how busy the machine is, but
on the compiler, so the figures are kept by compiler in instructions.json beside this file.

Without an option the counts are compared, and the outcome is one line of TAP: not ok when one is
more than 10 % above what is kept, skipped when nothing is kept for this compiler or there is no
valgrind. --write keeps them. --profile leaves callgrind's files of the longer runs in FILE.msgpack
and FILE.json.
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, '..', 'integration'))

from lib.ipc import CLIENTS  # noqa: E402
from lib.limits import wait_until  # noqa: E402

KEPT = os.path.join(here, 'instructions.json')
WINDOW = 64
ROUNDS = (20, 120)
TOLERANCE = 1.10
START_LIMIT = 120   # seconds: under valgrind, beside all that else runs


def report(good, words, skipped=''):
    print('1..1')
    print('%s 1 - instructions of a local call: %s%s'
          % ('ok' if good else 'not ok', words, ' # SKIP ' + skipped if skipped else ''))


def compiler_of(build):
    """What configure found: "gcc 12.2.0 -O2 x86_64"; None if the build is one to be tested
    otherwise."""
    with open(os.path.join(build, 'config.log'), errors='replace') as f:
        text = f.read()
    compiler = re.search(r'(gcc|clang) version (\d+\.\d+\.\d+)', text)
    optimised = re.search(r"^CFLAGS='[^']*(-O\w+)", text, re.M)
    special = re.search(r'^\s+\$ .*--enable-(sanitizers|coverage|fuzzer)', text, re.M)
    if special or not compiler or not optimised:
        return None
    return ' '.join((compiler.group(1), compiler.group(2), optimised.group(1), os.uname().machine))


class Load:
    """A caller and a provider on one gateway, in one process: lock step needs no clock."""

    def __init__(self, path, encoding):
        self.provider = CLIENTS[encoding](path)
        self.caller = CLIENTS[encoding](path)
        self.provider.ask('register', 'bench.echo')
        self.params = [b'x' * 64] if encoding == 'msgpack' else ['x' * 64]

    def round(self):
        """64 requests in one piece, 64 answers in one piece."""
        ids = []
        pieces = []
        for _ in range(WINDOW):
            self.caller.last_id += 1
            ids.append(self.caller.last_id)
            pieces.append(self.caller.encode([0, ids[-1], 'call', ['bench.echo', self.params]]))
        self.caller.send_raw(b''.join(pieces))
        requests = [self.provider.wait_request('bench.echo') for _ in range(WINDOW)]
        self.provider.send_raw(b''.join(
            self.provider.encode([1, request[1], None, request[3][0]]) for request in requests))
        for number in ids:
            assert self.caller.result(number) == self.params


def listens(path):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(path) == 0


def count(build, encoding, rounds, profile=None):
    """Instructions of a gateway that carries this many rounds, its start included."""
    folder = tempfile.mkdtemp(prefix='chapi-instructions.')
    path = os.path.join(folder, 'gw.sock')
    out = os.path.join(folder, 'callgrind.out')
    # Not the libtool wrapper: the gateway links its own parts statically.
    program = os.path.join(build, 'gateway', 'chapi-gw')
    gateway = subprocess.Popen(
        ['valgrind', '--tool=callgrind', '--callgrind-out-file=' + out, program,
         '--config', '/dev/null', '--socket', path], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: listens(path) or gateway.poll() is not None, 'the gateway to listen',
                   START_LIMIT)
        load = Load(path, encoding)
        for _ in range(rounds):
            load.round()
        gateway.send_signal(signal.SIGTERM)
        said = gateway.communicate()[1].decode()
        assert gateway.returncode == 0, said
        with open(out) as f:
            total = int(re.search(r'^(?:summary|totals): (\d+)', f.read(), re.M).group(1))
        if profile:
            shutil.copy(out, profile)
        return total
    finally:
        if gateway.poll() is None:
            gateway.kill()
            gateway.wait()
        shutil.rmtree(folder)


def per_call(build, encoding, profile=None):
    few, many = ROUNDS
    spent = count(build, encoding, many, profile) - count(build, encoding, few)
    return round(spent / ((many - few) * WINDOW))


def load_kept():
    with open(KEPT) as f:
        return json.load(f)


def write(compiler, figures):
    kept = load_kept()
    kept[compiler] = figures
    with open(KEPT, 'w') as f:
        json.dump(kept, f, indent=2, sort_keys=True)
        f.write('\n')


def compare(compiler, figures):
    kept = load_kept()[compiler]
    words = ', '.join('%s %d (%+.1f %% of what is kept)' % (name, n, 100 * (n / kept[name] - 1))
                      for name, n in sorted(figures.items()))
    report(all(n <= kept[name] * TOLERANCE for name, n in figures.items()), words)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--build', default=os.environ.get('top_builddir', os.getcwd()))
    parser.add_argument('--write', action='store_true')
    parser.add_argument('--profile')
    args = parser.parse_args()
    compiler = compiler_of(args.build)
    if not shutil.which('valgrind'):
        report(True, 'not counted', 'valgrind is missing')
    elif not args.write and not args.profile and compiler not in load_kept():
        report(True, 'not counted', 'nothing is kept for %s (tests/bench/instructions.py --write)'
               % (compiler or 'such a build'))
    else:
        figures = {encoding: per_call(args.build, encoding,
                                      args.profile and args.profile + '.' + encoding)
                   for encoding in ('msgpack', 'json')}
        if args.write:
            write(compiler, figures)
        compare(compiler, figures)


if __name__ == '__main__':
    main()
