# SPDX-License-Identifier: MIT
"""How the tests' results reach automake (lib/tap.py): one after another, and beside each other."""
import os
import sys

import pytest

from lib.limits import LIMIT
from lib.process import environment, run

pytestmark = pytest.mark.usefixtures('once')
HERE = os.path.dirname(os.path.abspath(__file__))
OUTCOMES = '''
import pytest

def test_good():
    pass

def test_bad():
    assert [] == ['the reason']

@pytest.mark.skip(reason='not today')
def test_skipped():
    pass

@pytest.mark.xfail(reason='known')
def test_expected():
    assert False

@pytest.fixture
def ends_badly():
    yield
    assert False

def test_ends_badly(ends_badly):
    pass
'''
CRASH = '''
import os

def test_before():
    pass

def test_crash():
    os._exit(0)

def test_after():
    pass
'''


@pytest.fixture(params=[0, 2], ids=['in one process', 'two workers'])
def workers(request):
    if request.param:
        pytest.importorskip('xdist')
    return request.param


def reported(folder, text, workers):
    """(status, lines but the comments, comments) of a run of these tests."""
    with open(os.path.join(folder, 'test_x.py'), 'w') as f:
        f.write(text)
    with open(os.path.join(folder, 'pytest.ini'), 'w') as f:
        f.write('[pytest]\n')
    done = run([sys.executable, '-B', '-m', 'pytest', '-q', '-p', 'lib.tap',
                '-p', 'no:cacheprovider', *(['-n', str(workers)] if workers else []), folder],
               cwd=folder, env=environment(PYTHONPATH=HERE), limit=LIMIT * 6)
    lines = done.stdout.splitlines()
    return (done.returncode, [line for line in lines if not line.startswith('#')],
            [line for line in lines if line.startswith('#')])


def without_number(line):
    result, _, rest = line.partition(' - ')
    return ' '.join(result.split()[:-1]), rest


def test_every_outcome_is_one_line(folder, workers):
    status, lines, comments = reported(folder, OUTCOMES, workers)
    assert status == 1
    assert lines[0] == '1..5'
    assert sorted(without_number(line) for line in lines[1:]) == [
        ('not ok', 'test_x.py test_bad'),
        ('not ok', 'test_x.py test_ends_badly'),
        ('not ok', 'test_x.py test_expected # TODO known'),
        ('ok', 'test_x.py test_good'),
        ('ok', 'test_x.py test_skipped # SKIP not today'),
    ]
    assert [line.split(' - ')[0].split()[-1] for line in lines[1:]] == list('12345')
    assert any("['the reason']" in line for line in comments)


def test_worker_that_dies_has_failed_and_the_others_are_run(folder):
    pytest.importorskip('xdist')
    status, lines, comments = reported(folder, CRASH, 2)
    assert status == 1
    assert lines[0] == '1..3'
    assert sorted(without_number(line) for line in lines[1:]) == [
        ('not ok', 'test_x.py test_crash'), ('ok', 'test_x.py test_after'),
        ('ok', 'test_x.py test_before')]
    assert any('crashed' in line for line in comments)


@pytest.mark.parametrize('workers', [0, 2])
def test_file_that_cannot_be_read_ends_it(folder, workers):
    if workers:
        pytest.importorskip('xdist')
    status, lines, comments = reported(folder, 'import no_such_module\n', workers)
    assert status != 0
    assert lines[0] == 'Bail out! test_x.py cannot be read'
    assert any('no_such_module' in line for line in comments)
