# SPDX-License-Identifier: MIT
"""doc/shell.md: providers and callers in plain socat with jq, run as they stand there."""
import json
import os
import re
import subprocess

import pytest

from lib.limits import LIMIT, wait_until
from lib.process import Daemon, environment, run, top_srcdir


def blocks():
    with open(os.path.join(top_srcdir, 'doc/shell.md'), encoding='utf-8') as f:
        return dict(re.findall(r'^```sh ([\w. ]+)\n(.*?)^```$', f.read(), re.M | re.S))


@pytest.fixture
def shell_env(gateway, folder, need):
    """The files of the document are there."""
    need('socat', 'jq')
    for name, text in blocks().items():
        if name.endswith('.sh'):
            with open(os.path.join(folder, name), 'w') as f:
                f.write(text)
            os.chmod(f.name, 0o755)
    return environment(CHAPI_SOCKET=gateway.socket_path)


@pytest.fixture
def block(shell_env, folder):
    """block(name): what it prints, and what it says on standard error."""
    def do(name, text=None):
        done = run(['sh', '-eu', '-c', text or blocks()[name]], cwd=folder, env=shell_env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, done.stderr
    return do


@pytest.fixture
def start(daemons, gateway, shell_env, folder):
    def begin(name, api=None):
        daemon = daemons.start(Daemon(name, ['sh', '-c', blocks()[name]], cwd=folder,
                                      env=shell_env, status=None))
        if api is not None:
            gateway.ask('wait', [api], {'timeout_ms': int(LIMIT * 1000)})
        return daemon
    return begin


def test_every_block_is_run_here():
    assert set(blocks()) == {'chapi.sh', 'sum.sh', 'disk.sh', 'count.sh', 'call', 'error',
                             'several', 'progress', 'start sum', 'start disk', 'start count',
                             'watch'}


def test_call(block):
    assert json.loads(block('call')[0]) == {'room': 'kitchen', 'on': True}


def test_error_of_a_call(block):
    out, err = block('error')
    assert out == 'the door was not opened\n'
    assert re.match(r'api_not_found: .* \(ran: no\)\n$', err)


def test_several_calls_over_one_connection(block):
    answers = sorted(json.loads(line) for line in block('several')[0].splitlines())
    assert answers[:2] == [[1, None, 'first'], [2, None, 'second']]
    assert answers[2][:2] == [3, None]


def test_provider_in_jq(start, client):
    start('start sum', 'sum')
    assert client.call('sum', {'numbers': [1, 2, 39]}) == 42
    for wrong in ({}, {'numbers': 'x'}, {'numbers': ['x']}):
        assert client.wait_response(client.request('call', 'sum', wrong))[2]['code'] == \
            'invalid_argument'
    numbers = [client.request('call', 'sum', {'numbers': [n, 1]}) for n in range(50)]
    assert [client.result(number) for number in numbers] == list(range(1, 51))


def test_provider_in_shell(start, gateway):
    start('start disk', 'disk.free')
    with gateway.connect() as client:
        assert client.call('disk.free', {}) > 0
        assert client.call('disk.free', {'path': '/tmp'}) > 0
        for params, code in (({'path': '/no such "path"; $(false)'}, 'api_error'),
                             ({'path': 1}, 'invalid_argument'), ({'path': '--help'}, 'api_error')):
            answer = client.wait_response(client.request('call', 'disk.free', params))
            assert answer[2]['code'] == code, answer
        assert answer[2]['message'] == 'no such path: --help'


def test_provider_that_is_refused_says_so(start, gateway):
    with gateway.connect() as client:
        client.ask('register', 'disk.free')
        start('start disk').wait_log('not registered: [1,1,{"code":"api_exists"')


def test_progress(start, block):
    start('start count', 'count')
    assert block('progress')[0].splitlines() == ['at 1', 'at 2', 'at 3', 'result 3']


def test_watch(start, gateway):
    watch = start('watch')

    def is_told():
        gateway.ask('call', 'chapi.echo', {'a': 1})
        return '["request","chapi.echo",{"a":1}]' in watch.log()
    wait_until(is_told, 'the monitor to tell')
    watch.wait_log('["response","chapi.echo",{"a":1}]')
    gateway.stop()
    watch.wait()


def test_scripts_are_plain_shell(folder, need):
    need('dash')
    for name, text in blocks().items():
        done = subprocess.run(['dash', '-n'], input=text, text=True, capture_output=True)
        assert done.returncode == 0, (name, done.stderr)
