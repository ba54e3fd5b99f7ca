#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plays the cases to a client library, or to a gateway.

    conformance.py [-k WORD] ADAPTER [ARGUMENT...]   the program that README.md describes
    conformance.py [-k WORD] --gateway SOCKET        as the clients of a gateway that listens there

Writes a line for each case (TAP); the status is 0 when all of them passed. Python 3.9, msgpack.
"""
import sys

from driver import Adapter, GatewayRun, LibraryRun, cases
from wire import Failed


def library_runs(chosen):
    """(name, case, party, cut) of all that a library can be tried with."""
    for case in chosen:
        if case.only != 'gateway':
            for party in case.parties:
                for cut in case.cuts:
                    yield run_name(case, party, cut), case, party, cut


def gateway_runs(chosen):
    """(name, case, encodings, cut) of all that a gateway can be tried with."""
    for case in chosen:
        if case.only != 'library':
            for encoding in case.encodings:
                encodings = encoding if isinstance(encoding, dict) else \
                    dict.fromkeys(case.parties, encoding)
                for cut in case.cuts:
                    yield (run_name(case, '-'.join(sorted(set(encodings.values()))), cut),
                           case, encodings, cut)


def run_name(case, party, cut):
    return ' '.join([case.name, party] + (['cut-%d' % cut] if cut else []))


def report(runs, play):
    """Plays all and returns the number of those that failed."""
    print('1..%d' % len(runs))
    n_failed = 0
    for number, (name, *run) in enumerate(runs, 1):
        why = None
        try:
            play(*run)
        except (Failed, OSError) as e:
            why = e
            n_failed += 1
        print('%sok %d - %s' % ('not ' if why else '', number, name), flush=True)
        if why:
            print('# %s\n# %s' % (run[0].about, why), flush=True)
    return n_failed


class Library:
    """An adapter for many cases; started again after one that failed."""

    def __init__(self, argv, env=None):
        self.argv, self.env = argv, env
        self.adapter = None

    def play(self, case, party, cut):
        if self.adapter is None:
            self.adapter = Adapter(self.argv, self.env)
        try:
            LibraryRun(self.adapter, case, party, cut).run()
        except BaseException:
            self.adapter.kill()
            self.adapter = None
            raise

    def stop(self):
        if self.adapter is not None:
            self.adapter.stop()


def main(argv):
    word = ''
    if argv[:1] == ['-k']:
        word, argv = argv[1], argv[2:]
    if not argv:
        sys.exit(__doc__)
    chosen = [case for case in cases() if word in case.name]
    if argv[0] == '--gateway':
        return report(list(gateway_runs(chosen)), lambda *run: GatewayRun(argv[1], *run).run())
    library = Library(argv)
    n_failed = report(list(library_runs(chosen)), library.play)
    library.stop()
    return n_failed


if __name__ == '__main__':
    sys.exit(1 if main(sys.argv[1:]) else 0)
