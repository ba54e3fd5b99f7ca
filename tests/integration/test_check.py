# SPDX-License-Identifier: MIT
"""How ./check tells what became of things (tests/lib/results.sh): one by one, beside each other,
and at the end."""
import os
import re
import shutil

import pytest

from lib.process import environment, run, top_srcdir

pytestmark = pytest.mark.usefixtures('once')
HEAD = '''
set -u
top=$1
. "$2/tests/lib/setup.sh"
. "$2/tests/lib/results.sh"
'''


@pytest.fixture
def told(folder):
    """told(SCRIPT): the exit status and the lines of a check that does this; seconds are N."""
    os.makedirs(os.path.join(folder, 'build/logs'))

    def do(script):
        done = run(['sh', '-c', HEAD + script, 'check', folder, top_srcdir], env=environment())
        assert done.stderr == ''
        return done.returncode, re.sub(r'\b\d+ s\b', 'N s', done.stdout).splitlines()
    return do


def test_all_is_well(told):
    assert told('count "one thing" echo said; finish') == (
        0, ['said', 'ok: one thing (N s)', '== done (+N s)', '1 passed, 0 failed'])


def test_nothing_was_run(told):
    assert told('finish') == (1, ['== done (+N s)', '0 passed, 0 failed'])


def test_what_failed_stands_at_the_end_with_its_log(told, folder):
    status, lines = told('''
bad() { echo why; return 3; }
count "a bad: thing" bad
count good true
finish''')
    log = folder + '/build/logs/a-bad-thing.log'
    assert status == 1
    assert lines == ['why', 'FAILED: a bad: thing', 'ok: good (N s)', '== done (+N s)',
                     'What failed, and what it said:', 'FAILED: a bad: thing (%s)' % log,
                     '1 passed, 1 failed']
    with open(log) as f:
        assert f.read() == 'why\n'


def test_what_runs_beside_is_told_together(told):
    """Each waits for the other: they run at the same time."""
    status, lines = told('''
mkfifo "$top/one" "$top/two"
beside first sh -c 'echo x >"$1/one"; read -r said <"$1/two"; echo "first $said"' - "$top"
beside second sh -c 'read -r said <"$1/one"; echo "second $said"; echo y >"$1/two"; exit 1' - "$top"
together
count last true
finish''')
    assert status == 1
    assert lines[:6] == ['first y', 'ok: first (N s)', 'second x', 'FAILED: second',
                         'ok: last (N s)', '== done (+N s)']


def test_what_goes_on_meanwhile_is_told_at_the_end(told):
    """It ends after what came later: that is what it waits for."""
    status, lines = told('''
mkfifo "$top/go"
slow() { read -r said <"$top/go"; echo "slow $said"; }
meanwhile slow slow
beside quick true
together
echo now >"$top/go"
finish''')
    assert (status, lines) == (0, ['ok: quick (N s)', 'slow now', 'ok: slow (N s)',
                                   '== done (+N s)', '2 passed, 0 failed'])


def test_what_says_nothing_of_its_end_has_failed(told):
    """As one that was killed, or that ended the shell that would have told."""
    status, lines = told('gone() { exit 0; }; count gone gone; finish')
    assert (status, lines[0]) == (1, 'FAILED: gone')


def test_what_was_skipped_is_told_once_for_each_reason(told, folder):
    with open(os.path.join(folder, 'Makefile'), 'w') as f:
        f.write('check:\n\t@printf "SKIP: x %s\\n" "1 - a # SKIP no node" "2 - b # SKIP no node" '
                '"3 - c # SKIP other"\n\t@printf "# PASS:  1\\n" >test-suite.log\n')
    status, lines = told('tests_in "$top"; finish')
    assert lines[:2] == ['skipped, 2 x: no node', 'skipped, 1 x: other']


def test_what_ends_early_says_what_it_has_done(folder):
    os.makedirs(os.path.join(folder, 'build/logs'))
    script = 'trap ended_early EXIT; count good true; die "no such package"; finish'
    done = run(['sh', '-c', HEAD + script, 'check', folder, top_srcdir], env=environment())
    assert (done.returncode, done.stderr) == (1, 'check: no such package\n')
    assert done.stdout.splitlines()[-2:] == ['FAILED: all that was to follow (see above)',
                                             '1 passed, 1 failed']


@pytest.mark.parametrize('wanted', ['5', ''])
def test_how_many_tests_run_at_a_time(told, folder, wanted):
    with open(os.path.join(folder, 'Makefile'), 'w') as f:
        f.write('check:\n\t@echo $$CHAPI_TESTS_WORKERS >workers; '
                'echo "# PASS:  1" >test-suite.log\n')
    assert told('CHAPI_TESTS_WORKERS=%s; tests_in "$top"; finish' % wanted)[0] == 0
    with open(os.path.join(folder, 'workers')) as f:
        assert int(f.read()) == int(wanted or len(os.sched_getaffinity(0)) + 1)


def test_counts_of_a_test_run_are_added_up(told, folder):
    """A folder whose "make check" leaves what automake would."""
    with open(os.path.join(folder, 'Makefile'), 'w') as f:
        f.write('check:\n\t@printf "PASS: x 1\\nFAIL: x 2 - the name\\n"\n'
                '\t@printf "# PASS:  4\\n# FAIL:  1\\nnot ok 2 - the name\\n" >test-suite.log\n'
                '\t@false\n')
    status, lines = told('tests_in "$top"; finish')
    assert status == 1
    assert lines[-3:] == ['What failed, and what it said:',
                          'FAIL: x 2 - the name (%s/test-suite.log)' % folder, '4 passed, 1 failed']


@pytest.mark.parametrize('line, status', [('connected to the hub', 0), ('hush-1234', 1),
                                          ('key=hush/keyAAAA=', 1)],
                         ids=['none', 'secret', 'master key'])
def test_secrets_in_logs_are_found(told, folder, line, status):
    """Of whatever test wrote them, a unit test too; what was installed for tests is no log."""
    for where in ('plain/tests/unit', 'deps/x'):
        os.makedirs(os.path.join(folder, 'build', where))
    os.makedirs(os.path.join(folder, 'tests/lib'))
    shutil.copy(os.path.join(top_srcdir, 'tests/lib/secrets'), os.path.join(folder, 'tests/lib'))
    unit = os.path.join(folder, 'build/plain/tests/unit/test-config.log')
    for path, text in ((unit, line), (os.path.join(folder, 'build/deps/x/x.log'), 'hush-1')):
        with open(path, 'w') as f:
            f.write(text + '\n')
    ended, lines = told('count good true; finish')
    assert ended == status
    assert (unit in lines) == bool(status)
    assert lines[-1] == ('1 passed, 1 failed' if status else '2 passed, 0 failed')
