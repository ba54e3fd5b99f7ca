# SPDX-License-Identifier: MIT
"""clients/node, installed into a folder as npm would do it, beside what setup.sh has installed."""
import os
import shutil
import tempfile

import pytest

from .limits import LIMIT
from .process import environment, run, top_srcdir

PACKAGE = os.path.join(top_srcdir, 'clients/node')
NEEDED = ('@msgpack/msgpack', '@types/node', 'pusher', 'pusher-js', 'typescript')
PROGRAMS = ('tests/integration/node', 'tests/conformance')     # what is run beside it


def _deps():
    deps = os.environ.get('SOKETI_DIR')
    if not deps or shutil.which('node') is None:
        pytest.skip('node is missing, or SOKETI_DIR is not set '
                    '(tests/integration/setup.sh installs what is needed)')
    for name in NEEDED:
        if not os.path.isdir(os.path.join(deps, 'node_modules', name)):
            pytest.skip('%s for Node is missing (tests/integration/setup.sh installs it)' % name)
    return os.path.join(deps, 'node_modules')


@pytest.fixture(scope='module')
def project():
    """A folder with the package in node_modules, and programs that use it in tests/."""
    deps = _deps()
    folder = tempfile.mkdtemp(prefix='chapi-node-')
    modules = os.path.join(folder, 'node_modules')
    os.mkdir(modules)
    for name in os.listdir(deps):
        if not name.startswith('.'):
            os.symlink(os.path.join(deps, name), os.path.join(modules, name))
    shutil.copytree(PACKAGE, os.path.join(modules, 'chapi'))
    for source in PROGRAMS:
        shutil.copytree(os.path.join(top_srcdir, source), os.path.join(folder, 'tests'),
                        dirs_exist_ok=True)
    yield folder
    shutil.rmtree(folder)


def node(project, *argv, limit=None, **env):
    """Runs node in the project's folder of tests; its output if all went well."""
    done = run([shutil.which('node'), *argv], cwd=os.path.join(project, 'tests'),
               limit=limit or LIMIT * 6, env=environment(CHAPI_TESTS_LIMIT=str(LIMIT), **env))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
