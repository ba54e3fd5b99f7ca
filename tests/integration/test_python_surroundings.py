# SPDX-License-Identifier: MIT
"""The Python package with what it may find: old packages, pure Python ones, a type checker."""
import ast
import glob
import importlib.util
import os
import sys

import pytest

from lib.process import environment, run
from lib.python_client import PACKAGE, needs_websockets, package_environment

OLDEST = 'websockets-10.4'
CALLS = '''
import os, sys, threading
import chapi, msgpack, websockets

server = chapi.Server()
server.register('same', lambda v: v)
server.start(timeout=10)
with chapi.Client(*sys.argv[1:5], channel=sys.argv[5]) as client:
    client.wait_ready('same', timeout=10)
    for value in ('Zürich', b'\\x00\\xff', [1, {'k': None}], 2 ** 64 - 1):
        assert client.call('same', v=value, timeout=10) == value
    try:
        client.call('nobody')
    except chapi.ApiNotFound as e:
        assert e.ran == 'no'
with chapi.Client() as client:
    assert client.call('same', v=b'x' * 100000) == b'x' * 100000
server.stop()
print(websockets.__file__, msgpack.Unpacker.__module__)
'''


@needs_websockets
@pytest.mark.parametrize('surroundings', ['oldest websockets', 'pure Python'])
def test_calls_with_other_packages(hub, channel, remote_gateway, write_program, surroundings):
    env = package_environment(remote_gateway)
    if surroundings == 'oldest websockets':
        folder = os.path.join(os.environ.get('SOKETI_DIR', '/nonexistent'), OLDEST)
        if not os.path.isdir(folder):
            pytest.skip('%s is missing (tests/integration/setup.sh installs it)' % folder)
        env['PYTHONPATH'] += ':' + folder
    else:
        env['MSGPACK_PUREPYTHON'] = '1'
    done = run([sys.executable, write_program('calls.py', CALLS), hub.app_id, hub.key, hub.secret,
                'http://%s:%d' % (hub.host, hub.port), channel], env=env, limit=30)
    assert done.returncode == 0, done.stderr
    if surroundings == 'oldest websockets':
        assert OLDEST in done.stdout
    else:
        assert 'msgpack.fallback' in done.stdout


@pytest.mark.usefixtures('once')
@pytest.mark.skipif(importlib.util.find_spec('mypy') is None, reason='mypy is missing')
def test_types_are_strict(folder):
    done = run([sys.executable, '-m', 'mypy', '--cache-dir', folder + '/mypy', '--config-file',
                os.path.join(PACKAGE, 'pyproject.toml'), os.path.join(PACKAGE, 'chapi')],
               cwd=folder, env=environment(), limit=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_syntax_is_that_of_python_3_9():
    files = glob.glob(os.path.join(PACKAGE, 'chapi', '*.py'))
    assert len(files) > 20
    for path in files:
        with open(path, encoding='utf-8') as f:
            ast.parse(f.read(), path, feature_version=(3, 9))


def test_import_needs_no_more_than_msgpack(folder):
    """Whoever does not go over a hub needs neither websockets nor PyNaCl."""
    program = ('import sys\nsys.modules["websockets"] = sys.modules["nacl"] = None\nimport chapi\n'
               'try:\n    chapi.Client("1", "key", "secret", "eu")\n'
               'except ImportError as e:\n    print(e)')
    done = run([sys.executable, '-c', program], env=package_environment())
    assert 'pip install chapi[remote]' in done.stdout, done.stderr
