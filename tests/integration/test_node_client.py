# SPDX-License-Identifier: MIT
"""The npm package in clients/node: what its tests in JavaScript say, its types, its README.

The package is put into a folder's node_modules as npm would, beside what setup.sh has installed.
"""
import json
import os
import re
import shutil
import tempfile

import pytest

from lib.limits import LIMIT
from lib.process import Daemon, environment, program, run, top_srcdir

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.join(top_srcdir, 'clients/node')
NEEDED = ('@msgpack/msgpack', '@types/node', 'pusher', 'pusher-js', 'typescript')


@pytest.fixture(scope='module')
def project():
    """A folder with the package installed, and the tests in JavaScript beside it."""
    deps = os.environ.get('SOKETI_DIR')
    if not deps or shutil.which('node') is None:
        pytest.skip('node is missing, or SOKETI_DIR is not set (tests/integration/setup.sh installs what is needed)')
    for name in NEEDED:
        if not os.path.isdir(os.path.join(deps, 'node_modules', name)):
            pytest.skip('%s for Node is missing (tests/integration/setup.sh installs it)' % name)
    folder = tempfile.mkdtemp(prefix='chapi-node-')
    modules = os.path.join(folder, 'node_modules')
    os.mkdir(modules)
    for name in os.listdir(os.path.join(deps, 'node_modules')):
        if not name.startswith('.'):
            os.symlink(os.path.join(deps, 'node_modules', name), os.path.join(modules, name))
    shutil.copytree(PACKAGE, os.path.join(modules, 'chapi'))
    shutil.copytree(os.path.join(HERE, 'node'), os.path.join(folder, 'tests'))
    yield folder
    shutil.rmtree(folder)


def node(project, *argv, limit=None, **env):
    """Runs node in the project's folder of tests; its output if all went well."""
    done = run([shutil.which('node'), *argv], cwd=os.path.join(project, 'tests'), limit=limit or LIMIT * 6,
               env=environment(CHAPI_TESTS_LIMIT=str(LIMIT), **env))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_frames_values_and_streams(project):
    node(project, 'values.test.mjs')


def test_client_with_a_gateway(project):
    node(project, 'local.test.mjs', CHAPI_GW=program('chapi-gw'))


def test_types(project):
    node(project, os.path.join(project, 'node_modules/typescript/bin/tsc'), '--project', '.')


# ---- the package and its README ---------------------------------------------------------------------

def test_version_is_the_same_everywhere():
    with open(os.path.join(PACKAGE, 'package.json')) as f:
        version = json.load(f)['version']
    with open(os.path.join(PACKAGE, 'lib/version.js')) as f:
        assert "VERSION = '%s'" % version in f.read()
    with open(os.path.join(top_srcdir, 'configure.ac')) as f:
        assert '[%s]' % version in f.read()


def test_each_error_code_has_its_class():
    """Those of the table in libchapi-ipc, in the library and in its types."""
    with open(os.path.join(top_srcdir, 'libchapi-ipc/error.c')) as f:
        codes = set(re.findall(r'\{ CHAPI_ERR_[A-Z_]+, "([a-z_]+)", CHAPI_RAN', f.read()))
    with open(os.path.join(PACKAGE, 'lib/errors.js')) as f:
        text = f.read()
    assert codes and codes == set(re.findall(r"static code = '(\w+)'", text))
    with open(os.path.join(PACKAGE, 'types/errors.d.ts')) as f:
        typed = set(re.findall(r'declare class (\w+)', f.read()))
    assert typed == set(re.findall(r'export class (\w+)', text))


@pytest.fixture
def blocks():
    with open(os.path.join(PACKAGE, 'README.md')) as f:
        return re.findall(r'```js\n(.*?)```', f.read(), re.S)


def test_provider_caller_and_errors_of_the_readme(project, daemons, gateway, blocks):
    paths = []
    for i, text in enumerate(blocks[:3]):
        paths.append(os.path.join(project, 'tests', 'readme-%d.mjs' % i))
        with open(paths[-1], 'w') as f:
            f.write(text)
    env = environment(CHAPI_SOCKET=gateway.socket_path)
    daemons.start(Daemon('provider', [shutil.which('node'), paths[0]], env=env, status=None))
    assert int(node(project, paths[1], CHAPI_SOCKET=gateway.socket_path)) > 0
    assert node(project, paths[2], CHAPI_SOCKET=gateway.socket_path) == 'no such door\n'


def test_examples(project, daemons, gateway):
    examples = os.path.join(project, 'node_modules/chapi/examples')
    env = environment(CHAPI_SOCKET=gateway.socket_path)
    daemons.start(Daemon('provider.mjs', [shutil.which('node'), examples + '/provider.mjs'], env=env, status=None))
    said = node(project, examples + '/caller.mjs', CHAPI_SOCKET=gateway.socket_path).splitlines()
    assert said[0].startswith('load: [') and said[-4:] == ['at 1', 'at 2', 'at 3', 'counted to 3']
