# SPDX-License-Identifier: MIT
"""chapi-serve: a command becomes a function."""
import json
import os
import signal

import pytest

from lib.serving import failure, shell, values
from lib.limits import wait_until
from lib.process import environment, program, run


def test_params_come_as_json_on_standard_input(serve, client):
    serve('f', 'cat')
    value = {'a': [1, 2.5, None, True], 'ü': 'x\ny"', 'big': 2 ** 64 - 1}
    assert client.call('f', value) == value


@pytest.mark.parametrize('output, result', [
    ('{"a":1}', {'a': 1}), ('[1,2]\n', [1, 2]), ('5', 5), ('"x"', 'x'), ('null', None),
    ('true\n', True), ('plain text', 'plain text'), ('{"a":', '{"a":'), ('1 2', '1 2'),
], ids=['object', 'array with newline', 'number', 'string', 'null', 'true', 'text', 'half',
        'two numbers'])
def test_output_is_json_or_text(serve, client, output, result):
    serve('f', 'printf', '%s', output)
    assert client.call('f') == result


def test_text_may_have_lines(serve, client):
    serve('f', 'printf', 'one\\ntwo\\n')
    assert client.call('f') in ('one\ntwo\n', 'one\ntwo')


def test_no_output_is_a_result(serve, client):
    serve('f', 'true')
    assert client.call('f') in (None, '')


def test_no_shell_stands_between(serve, client):
    serve('f', 'printf', '%s', '$HOME `id` ; echo x')
    assert client.call('f') == '$HOME `id` ; echo x'


def test_exit_status_is_an_api_error_with_status_and_stderr(serve, client):
    serve('f', *shell('echo out; echo "no paper" >&2; exit 3'))
    error = failure(client, 'f')
    assert (error.code, error.ran) == ('api_error', 'yes')
    found = values(error.details)
    assert 3 in found
    assert any('no paper' in str(v) for v in found)
    assert 'out' not in error.message


def test_end_of_much_stderr_is_kept(serve, client):
    serve('f',
          *shell('i=0; while [ $i -lt 20000 ]; do echo "line $i" >&2; i=$((i+1)); done; exit 1'))
    error = failure(client, 'f')
    texts = [v for v in values(error.details) if isinstance(v, str)]
    assert any('line 19999' in t for t in texts)
    assert all(len(t) < 65536 for t in texts)


def test_stderr_that_is_no_text_does_no_harm(serve, client):
    serve('f', *shell(r'printf "\377\376 bad" >&2; exit 2'))
    error = failure(client, 'f')
    assert error.code == 'api_error' and 2 in values(error.details)


def test_output_that_is_no_text_is_not_lost_in_silence(serve, client):
    """A result, as bytes or mended; or an error that says so."""
    serve('f', *shell(r'printf "\377\376"'))
    number = client.request('call', 'f', {})
    _, _, error, result = client.wait_response(number)
    assert result is not None or error['code'] in ('bad_reply', 'api_error')


def test_command_killed_by_a_signal_is_an_api_error(serve, client):
    serve('f', *shell('kill -9 $$'))
    error = failure(client, 'f')
    assert (error.code, error.ran) == ('api_error', 'yes')
    assert any('9' in str(v) or 'KILL' in str(v).upper()
               for v in values(error.details) + [error.message])


def test_command_that_does_not_read_its_input(serve, client):
    serve('f', 'echo', '7')
    assert client.call('f', {'x': 'y' * 1000000}) == 7
    assert client.call('f') == 7


def test_large_input_and_output_at_once(serve, client):
    """More than a pipe holds, both ways."""
    serve('f', 'cat')
    value = {'x': 'y' * 1000000}
    assert client.call('f', value) == value


def test_output_over_the_limit_is_too_large(serve, client):
    serve('f', *shell('head -c 6000000 /dev/zero | tr "\\0" x'))
    error = failure(client, 'f')
    assert error.code in ('too_large', 'api_error', 'bad_reply')
    assert error.ran == 'yes'
    assert client.call('chapi.echo', 1) == 1


def test_command_that_cannot_be_started_is_said(gateway, client):
    """At the start already."""
    for command in ('/nowhere/command', 'no-such-command', '/etc/passwd'):
        result = run([program('chapi-serve'), 'f', '--', command],
                     env=environment(CHAPI_SOCKET=gateway.socket_path))
        assert (result.returncode, result.stdout) == (66, '')
        assert command in result.stderr and client.ask('list', 'f') == []


def test_command_that_is_gone_later_has_not_run(serve, client, folder):
    command = os.path.join(folder, 'command')
    with open(command, 'w') as f:
        f.write('#!/bin/sh\necho 1\n')
    os.chmod(command, 0o755)
    serve('f', command)
    assert client.call('f') == 1
    os.unlink(command)
    error = failure(client, 'f')
    assert (error.code, error.ran) == ('failed_precondition', 'no')
    assert command in error.message and 'No such file' in error.message


def test_calls_run_side_by_side(serve, connect, folder):
    """The first ends only when the second has run."""
    fifo = os.path.join(folder, 'fifo')
    os.mkfifo(fifo)
    serve('f', *shell('if grep -q first; then cat %s; else echo second >%s; fi' % (fifo, fifo)))
    client = connect()
    first = client.request('call', 'f', {'n': 'first'})
    second = client.request('call', 'f', {'n': 'next'})
    assert client.result(first) in ('second\n', 'second')
    assert client.result(second) in (None, '')


def test_command_whose_call_is_over_is_ended(serve, client, folder):
    pid_file = os.path.join(folder, 'pid')
    serve('f', *shell('echo $$ >%s; exec sleep 600' % pid_file))
    error = failure(client, 'f', timeout_ms=500)
    assert error.code == 'deadline_exceeded'

    def gone():
        with open(pid_file) as f:
            return not os.path.exists('/proc/%s' % f.read().strip())
    wait_until(gone, 'the command to be ended')


def test_killed_server_is_a_provider_that_has_gone(serve, client):
    daemon = serve('f', 'sleep', '600')
    number = client.request('call', 'f', {})
    with pytest.raises(TimeoutError):
        client.wait_response(number, limit=0.2)
    daemon.kill()
    error = client.wait_response(number)[2]
    assert (error['code'], error['ran']) == ('provider_gone', 'unknown')


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT], ids=['TERM', 'INT'])
def test_server_ends_when_it_is_told_to(serve, gateway, number):
    daemon = serve('f', 'cat')
    daemon.end_status = None
    daemon.send_signal(number)
    assert daemon.wait() in (0, 128 + number, -number)
    with gateway.connect() as client:
        wait_until(lambda: not client.ask('list', 'f'), 'the name to be free')


def test_taken_name_is_said(gateway, connect):
    with gateway.connect() as holder:
        holder.ask('register', 'f')
        result = run([program('chapi-serve'), 'f', '--', 'cat'],
                     env=environment(CHAPI_SOCKET=gateway.socket_path))
    assert result.returncode == 73
    assert 'f' in result.stderr


def test_wrong_usage_is_said(gateway):
    env = environment(CHAPI_SOCKET=gateway.socket_path)
    for arguments in ([], ['f'], ['f', '--'], ['--frobnicate', 'f', '--', 'cat']):
        result = run([program('chapi-serve')] + arguments, env=env)
        assert (result.returncode, result.stdout) == (64, ''), arguments
        assert result.stderr
    result = run([program('chapi-serve'), 'a b', '--', 'cat'], env=env)
    assert result.returncode in (64, 65)


def test_no_gateway_at_the_socket(folder):
    result = run([program('chapi-serve'), '-s', folder + '/nobody.sock', 'f', '--', 'cat'])
    assert result.returncode == 69
    assert folder + '/nobody.sock' in result.stderr


def test_chapi_call_and_chapi_serve_together(serve, gateway):
    serve('add', *shell('tr -cd "0-9,\\n" | tr "," "+" | sed "s/.*/echo \\$((&))/" | sh'))
    result = run([program('chapi-call'), '-s', gateway.socket_path, 'add', 'a:=2', 'b:=3'])
    assert (result.returncode, json.loads(result.stdout)) == (0, 5)
