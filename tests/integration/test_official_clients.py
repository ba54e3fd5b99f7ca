# SPDX-License-Identifier: MIT
"""The official client libraries, for Node and for Python, call functions behind a gateway.

They are installed by setup.sh. What they do is in node/client.js and official_client.py.
"""
import json
import os
import shutil

import pytest

from lib.process import environment, run

HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture
def deps():
    folder = os.environ.get('SOKETI_DIR')
    if not folder:
        pytest.skip('SOKETI_DIR is not set (tests/integration/setup.sh installs the clients)')
    return folder


def steps(argv, hub, channel, cwd):
    """{step: value}; both clients take the same arguments."""
    result = run([*argv, str(hub.port), hub.app_id, hub.key, hub.secret_file, channel], cwd=cwd, limit=30,
                 env=environment(PYTHONPATH=None))
    said = dict(json.loads(line) for line in result.stdout.splitlines())
    assert result.returncode == 0 and 'end' in said, result.stdout + result.stderr
    return said


@pytest.mark.usefixtures('remote_gateway')
def test_clients_for_node(deps, hub, channel):
    if shutil.which('node') is None or not os.path.isdir(os.path.join(deps, 'node_modules/pusher-js')):
        pytest.skip('node or pusher-js is missing')
    said = steps([shutil.which('node'), os.path.join(HERE, 'node/client.js')], hub, channel, deps)
    assert said['http'] == [200, {'a': 'ü'}]
    assert said['batch'] == [200, {'a': 2}]
    assert said['socket'] == {'a': 3}
    assert said['channels'] == [channel]


@pytest.mark.usefixtures('remote_gateway')
def test_clients_for_python(deps, hub, channel):
    python = os.path.join(deps, 'venv/bin/python3')
    if not os.path.exists(python) or run([python, '-c', 'import pusher, pysher']).returncode != 0:
        pytest.skip('pusher or Pysher for Python is missing')
    said = steps([python, '-B', os.path.join(HERE, 'official_client.py')], hub, channel, deps)
    assert said['http'][1] == {'a': 'ü'}
    assert said['batch'] == {'a': 2}
    assert said['socket'] == {'a': 3}
    assert said['channels'] == [channel]
    assert said['older'] == ['chapi.echo', {'a': 'a'}, {'a': 'a'}, 1541030400.5]
