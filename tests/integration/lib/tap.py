# SPDX-License-Identifier: MIT
"""pytest's results in the Test Anything Protocol, for automake's driver.

One line a test; the reason of a skip, or of a failure that is expected ("TODO"); on failure what
pytest and the programs had to say, as comments. Loaded with "-p lib.tap"; takes the place of
pytest's own report. Where tests run beside each other (pytest-xdist), the process that hands them
out reports, in the order in which they end.
"""
import os
import sys

import pytest


def _comment(text):
    for line in str(text).rstrip().split('\n'):
        print('# ' + line)


class TapReport:
    def __init__(self):
        self.number = 0
        self.shown = {}
        self.planned = False

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session):
        if not session.config.option.collectonly:
            self.plan(len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids):
        """Each worker has collected all tests."""
        self.plan(len(ids))

    def plan(self, n_tests):
        if not self.planned:
            self.planned = True
            print('1..%d' % n_tests, flush=True)

    def pytest_collectreport(self, report):
        if report.failed:
            _comment(report.longrepr)
            print('Bail out! %s cannot be read' % report.nodeid, flush=True)

    def pytest_runtest_logreport(self, report):
        """A test's outcome is known with its last phase; the worst one counts. One that took its
        worker with it has no last phase."""
        phases = self.shown.setdefault(report.nodeid, [])
        phases.append(report)
        if report.when not in ('setup', 'call'):
            self.put(self.shown.pop(report.nodeid))

    def put(self, phases):
        self.number += 1
        name = phases[0].nodeid.replace('::', ' ').replace('#', '\\#')
        failed = [p for p in phases if p.failed]
        skipped = [p for p in phases if p.skipped]
        expected = [p.wasxfail for p in skipped if hasattr(p, 'wasxfail')]
        if failed:
            print('not ok %d - %s' % (self.number, name))
            for phase in failed:
                _comment(phase.longreprtext)
            for title, text in failed[-1].sections:
                _comment('---- ' + title)
                _comment(text)
        elif expected:
            print('not ok %d - %s # TODO %s' % (self.number, name, expected[0]))
        elif skipped:
            reason = skipped[0].longrepr
            reason = reason[2] if isinstance(reason, tuple) else reason
            print('ok %d - %s # SKIP %s'
                  % (self.number, name, str(reason).replace('Skipped: ', '').split('\n')[0]))
        else:
            print('ok %d - %s' % (self.number, name))
        sys.stdout.flush()


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    if hasattr(config, 'workerinput'):
        return      # a worker: its reports are sent on
    # pytest asks its own report for the width of the terminal: it stays, and writes to nowhere.
    terminal = config.pluginmanager.getplugin('terminalreporter')
    if terminal is not None:
        terminal._tw._file = open(os.devnull, 'w')
    config.pluginmanager.register(TapReport(), 'tap-report')
