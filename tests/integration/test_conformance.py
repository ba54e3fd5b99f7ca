# SPDX-License-Identifier: MIT
"""The cases of tests/conformance: played to each client library, and to the gateway."""
import glob
import importlib.util
import os
import shutil
import sys
import tempfile

import pytest

from lib.gateway import Gateway
from lib.node_package import project    # noqa: F401, a fixture
from lib.process import Daemons, environment, program, top_srcdir

HERE = os.path.join(top_srcdir, 'tests/conformance')
sys.path.insert(0, HERE)
import casefile                         # noqa: E402
from conformance import Library, gateway_runs, library_runs     # noqa: E402
from driver import GatewayRun, cases    # noqa: E402

CASES = cases()
LIBRARY_RUNS = [pytest.param(run, id=name) for name, *run in library_runs(CASES)]


@pytest.fixture(scope='module')
def in_c():
    library = Library([program('conformance-adapter')], environment())
    yield library
    library.stop()


@pytest.fixture(scope='module')
def in_python():
    if importlib.util.find_spec('msgpack') is None:
        pytest.skip('msgpack for Python is missing')
    library = Library([sys.executable, '-B', os.path.join(HERE, 'adapter.py')],
                      environment(PYTHONPATH=os.path.join(top_srcdir, 'clients/python')))
    yield library
    library.stop()


@pytest.fixture(scope='module')
def in_node(project):                   # noqa: F811
    library = Library([shutil.which('node'), os.path.join(project, 'tests/adapter.mjs')],
                      environment())
    yield library
    library.stop()


@pytest.mark.parametrize('path', sorted(glob.glob(HERE + '/cases/*.json')), ids=os.path.basename)
def test_bytes_of_a_case_mean_what_its_json_says(path):
    assert casefile.check(path) == []


@pytest.mark.parametrize('run', LIBRARY_RUNS)
def test_library_in_c(in_c, run):
    in_c.play(*run)


@pytest.mark.parametrize('run', LIBRARY_RUNS)
def test_library_in_python(in_python, run):
    in_python.play(*run)


@pytest.mark.parametrize('run', LIBRARY_RUNS)
def test_library_in_node(in_node, run):
    in_node.play(*run)


@pytest.fixture(scope='module')
def one_gateway():
    folder = tempfile.mkdtemp(prefix='chapi-')
    daemons = Daemons()
    yield daemons.start(Gateway(folder))
    daemons.stop()
    shutil.rmtree(folder)


@pytest.mark.parametrize('run', [pytest.param(run, id=name) for name, *run in gateway_runs(CASES)])
def test_gateway(one_gateway, run):
    GatewayRun(one_gateway.socket_path, *run).run()
