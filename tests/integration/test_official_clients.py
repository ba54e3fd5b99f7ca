# SPDX-License-Identifier: MIT
"""The official client libraries, for Node and for Python, call functions behind a gateway.

They are installed by setup.sh. What they do is in node/client.js and official_client.py;
how they meet on a presence channel in node/presence.js and official_presence.py.
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
    result = run([*argv, str(hub.port), hub.app_id, hub.key, hub.secret_file, channel],
                 cwd=cwd, limit=30, env=environment(PYTHONPATH=None))
    said = dict(json.loads(line) for line in result.stdout.splitlines())
    assert result.returncode == 0 and 'end' in said, result.stdout + result.stderr
    return said


@pytest.fixture
def node(deps):
    node = shutil.which('node')
    if node is None or not os.path.isdir(os.path.join(deps, 'node_modules/pusher-js')):
        pytest.skip('node or pusher-js is missing')
    return node


@pytest.fixture
def python(deps):
    python = os.path.join(deps, 'venv/bin/python3')
    if not os.path.exists(python) or run([python, '-c', 'import pusher, pysher']).returncode != 0:
        pytest.skip('pusher or Pysher for Python is missing')
    return python


@pytest.mark.usefixtures('remote_gateway')
def test_clients_for_node(node, deps, hub, channel):
    said = steps([node, os.path.join(HERE, 'node/client.js')], hub, channel, deps)
    assert said['http'] == [200, {'a': 'ü'}]
    assert said['batch'] == [200, {'a': 2}]
    assert said['socket'] == {'a': 3}
    assert said['channels'] == [channel]


@pytest.mark.usefixtures('remote_gateway')
def test_clients_for_python(python, deps, hub, channel):
    said = steps([python, '-B', os.path.join(HERE, 'official_client.py')], hub, channel, deps)
    assert said['http'][1] == {'a': 'ü'}
    assert said['batch'] == {'a': 2}
    assert said['socket'] == {'a': 3}
    assert said['channels'] == [channel]
    assert said['older'] == ['chapi.echo', {'a': 'a'}, {'a': 'a'}, 1541030400.5]


@pytest.fixture
def room(channel):
    return channel.replace('private-', 'presence-')


def test_presence_for_node(node, deps, hub, room):
    said = steps([node, os.path.join(HERE, 'node/presence.js')], hub, room, deps)
    ann, bob = {'name': 'Zürich ✓'}, {'name': 'Bob'}
    assert said['first'] == [1, 'ann', {'ann': ann}]
    assert said['second'] == [2, 'bob', {'ann': ann, 'bob': bob}]
    assert said['added'] == {'id': 'bob', 'info': bob}
    assert said['event'] == [{'a': 1}, {'user_id': 'bob'}]
    assert said['users'] == ['ann', 'bob']
    if hub.name == 'chapi-hub':     # soketi leaves info out
        assert (said['channel'], said['channels']) == (2, [[room, 2]])
    assert said['removed'] == 'bob'


def test_presence_for_python(python, deps, hub, room):
    said = steps([python, '-B', os.path.join(HERE, 'official_presence.py')], hub, room, deps)
    assert said['subscribed'] == {'ids': ['ann'], 'hash': {'ann': {'name': 'Ann'}}, 'count': 1}
    assert said['added'] == {'user_id': 'bob', 'user_info': {'name': 'Bob'}}
    assert said['users'] == ['ann', 'bob']
    assert said['removed'] == {'user_id': 'bob'}
