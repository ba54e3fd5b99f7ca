# SPDX-License-Identifier: MIT
"""The README of the Python package: every block is run as it stands there, but for credentials."""
import importlib.metadata
import importlib.util
import os
import re
import shutil
import sys

import pytest

from lib.limits import LIMIT, wait_until
from lib.process import Daemon, environment, run
from lib.python_client import PACKAGE, needs_websockets, package_environment

CHANNEL = 'private-chapi-pi'


def blocks():
    with open(os.path.join(PACKAGE, 'README.md'), encoding='utf-8') as f:
        return dict(re.findall(r'^```\w+ ([\w ]+)\n(.*?)^```$', f.read(), re.M | re.S))


@pytest.fixture
def program(write_program):
    """program(NAME of a block, text to be replaced=by what): its command line."""
    def argv(name, **replaced):
        text = blocks()[name]
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        return [sys.executable, write_program(name.replace(' ', '-') + '.py', text)]
    return argv


@pytest.fixture
def start(daemons, program):
    def begin(gateway, name, api):
        daemon = daemons.start(Daemon(name, program(name), env=package_environment(gateway),
                                      status=None))
        if api is not None:
            gateway.ask('wait', [api], {'timeout_ms': int(LIMIT * 1000)})
        return daemon
    return begin


def test_every_block_is_run_here():
    with open(os.path.join(PACKAGE, 'README.md'), encoding='utf-8') as f:
        assert len(re.findall('^```', f.read(), re.M)) == 2 * len(blocks())
    assert set(blocks()) == {'install', 'provider', 'caller', 'remote', 'monitor', 'errors',
                             'asyncio provider', 'asyncio caller'}


def test_provider_caller_and_monitor(gateway, start, program):
    start(gateway, 'provider', 'disk.free')
    monitor = start(gateway, 'monitor', None)
    done = run(program('caller'), env=package_environment(gateway))
    assert done.returncode == 0 and int(done.stdout) > 0, done.stderr

    def is_told():
        run(program('caller'), env=package_environment(gateway))
        return re.search(r'^disk.free \d+ [\d.]+ ms$', monitor.log(), re.M)
    wait_until(is_told, 'the monitor to tell')


@needs_websockets
def test_remote_caller(hub, start_gateway, start, program):
    gateway = start_gateway(hub, CHANNEL).wait_up()
    start(gateway, 'provider', 'disk.free')
    argv = program('remote', **{'1234567': hub.app_id, 'the-key': hub.key, 'the-secret': hub.secret,
                                "'eu'": repr('http://%s:%d' % (hub.host, hub.port))})
    done = run(argv, env=package_environment())
    assert done.returncode == 0 and int(done.stdout) > 0, done.stderr


def test_errors(gateway, program):
    assert run(program('errors'), env=package_environment(gateway)).stdout == 'no such door\n'


def test_asyncio(gateway, start, program):
    start(gateway, 'asyncio provider', 'count')
    done = run(program('asyncio caller'), env=package_environment(gateway))
    assert done.stdout.split() == ['0', '1', '2', '3'], done.stderr


def version_of(package):
    try:
        return [int(n) for n in importlib.metadata.version(package).split('.')[:2]]
    except importlib.metadata.PackageNotFoundError:
        return []


@pytest.mark.usefixtures('once')
def test_package_is_installed_as_the_readme_says(folder):
    """pip install as typed, in a copy; what comes from a network is left out."""
    if importlib.util.find_spec('pip') is None or version_of('setuptools') < [70, 1]:
        pytest.skip('pip, or setuptools 70.1 or newer, is missing')
    copy, target = os.path.join(folder, 'copy'), os.path.join(folder, 'target')
    shutil.copytree(PACKAGE, copy)
    os.chmod(copy, 0o755)
    os.symlink(sys.executable, os.path.join(folder, 'python'))
    with open(os.path.join(folder, 'pip'), 'w') as f:
        f.write('#!/bin/sh\nexec %s -m pip "$@"\n' % sys.executable)
    os.chmod(f.name, 0o755)
    env = environment(PATH=folder + ':' + os.environ['PATH'], PIP_TARGET=target,
                      PIP_NO_INDEX='1', PIP_NO_DEPS='1', PIP_NO_BUILD_ISOLATION='0',
                      PIP_UPGRADE='1', PIP_DISABLE_PIP_VERSION_CHECK='1', HOME=folder)
    done = run(['sh', '-euc', blocks()['install']], cwd=copy, env=env, limit=60)
    assert done.returncode == 0, done.stdout + done.stderr
    done = run([sys.executable, '-c', 'import chapi; print(chapi.__version__, chapi.__file__)'],
               cwd=folder, env=environment(PYTHONPATH=target))
    assert done.stdout == '0.1.0 %s/chapi/__init__.py\n' % target, done.stderr
    assert {'py.typed', 'crypto.py'} <= set(os.listdir(target + '/chapi'))
