# SPDX-License-Identifier: MIT
"""chapi-serve: its options, one by one; {key}, the environment; cancel, limits; restarts."""
import json
import os

import pytest

from lib.limits import wait_until
from lib.process import environment, program, run
from lib.serving import failure, shell

EX_USAGE, EX_DATAERR, EX_NOINPUT = 64, 65, 66


@pytest.fixture
def client(gateway):
    """One encoding is enough here."""
    with gateway.connect() as client:
        yield client


def refused(gateway, *arguments):
    """What is said when it does not even begin."""
    result = run([program('chapi-serve')] + list(arguments),
                 env=environment(CHAPI_SOCKET=gateway.socket_path))
    assert result.stdout == '' and len(result.stderr.splitlines()) <= 2
    return result.returncode, result.stderr


def pid_in(path):
    def read():
        try:
            with open(path) as f:
                return int(f.read() or 0)
        except FileNotFoundError:
            return 0
    return wait_until(read, 'the command to begin')


def wait_gone(pid):
    def is_gone():
        try:
            with open('/proc/%d/stat' % pid) as f:
                return f.read().rsplit(')', 1)[1].split()[0] in 'ZX'
        except (FileNotFoundError, ProcessLookupError):
            return True
    wait_until(is_gone, 'process %d to end' % pid)


# ---- {key} ------------------------------------------------------------------------------------

def test_key_is_one_argument_whatever_is_in_it(serve, client):
    serve('f', 'printf', '[%s]', '{a}', 'x{a}-{b}', '{{a}}', '{}', '{1}', options=['--text'])
    assert client.call('f',
                       {'a': '$HOME `id` *; "x',
                        'b': ''}) == '[$HOME `id` *; "x][x$HOME `id` *; "x-][{a}][{}][{1}]'


@pytest.mark.parametrize('value, argument', [
    (5, '5'), (2 ** 64 - 1, '18446744073709551615'), (1.5, '1.5'), (True, 'true'), (False, 'false'),
    ('', ''), ('ü', 'ü'),
])
def test_scalars_are_written_as_in_json(serve, client, value, argument):
    serve('f', 'printf', '%s', '{v}', options=['--text'])
    assert client.call('f', {'v': value}) == argument


@pytest.mark.parametrize('params', [{}, None, [1], {'v': None}, {'v': [1]}, {'v': {'a': 1}},
                                    {'v': b'x'}, {'v': 'a\0b'},
                                    {'v': '-rf'}, {'v': -5}],
                         ids=['missing', 'nil', 'array', 'null', 'list', 'map', 'bytes', 'NUL',
                              'dash', 'negative'])
def test_what_is_no_argument_is_refused_before_it_runs(serve, client, params, folder):
    serve('f', 'touch', os.path.join(folder, 'ran'), '{v}')
    error = failure(client, 'f', params)
    assert (error.code, error.ran) == ('invalid_argument', 'no')
    assert '"v"' in error.message
    assert not os.path.exists(os.path.join(folder, 'ran'))


def test_allow_dash(serve, client):
    serve('f', 'printf', '%s', '{v}', options=['--allow-dash', '--text'])
    assert client.call('f', {'v': '-x'}) == '-x'
    assert client.call('f', {'v': -5}) == '-5'


def test_key_in_a_shells_program_is_refused(gateway):
    for command in (['sh', '-c', 'echo {v}'], ['/bin/bash', '-ec', 'echo {v}'],
                    ['sh', '-c', '--', 'echo {v}'],
                    ['sh', '-c', '-e', 'echo {v}'], ['env', 'A=1', 'sh', '-c', 'echo {v}'],
                    ['sh', '-e', '-c', '+x', '{v}']):
        status, said = refused(gateway, 'f', '--', *command)
        assert status == EX_USAGE and '"$1"' in said


def test_key_as_the_command_is_refused(gateway):
    assert refused(gateway, 'f', '--', '{v}', 'x')[0] == EX_NOINPUT


# ---- the environment --------------------------------------------------------------------------

def test_environment_is_fixed_and_tells_of_the_call(serve, client, gateway):
    env = environment(CHAPI_SOCKET=gateway.socket_path, SECRET_OF_MINE='x', LD_BIND_NOW='1',
                      HOME='/home/of/mine', CHAPI_ID='no')
    serve('f', *shell('env'), options=['--text'], env=env)
    found = dict(line.split('=', 1)
                 for line in client.call('f', id='call-7', timeout_ms=5000).splitlines())
    assert found['HOME'] == '/home/of/mine' and found['PATH'] == env['PATH']
    assert 'SECRET_OF_MINE' not in found and 'LD_BIND_NOW' not in found
    assert found['CHAPI_ID'] == 'call-7' and found['CHAPI_API'] == 'f' \
        and found['CHAPI_ORIGIN'] == 'local'
    assert found['CHAPI_CALLER'] == 'uid:%d' % os.getuid() \
        and found['CHAPI_SOCKET'] == gateway.socket_path
    assert 0 < int(found['CHAPI_TIMEOUT_MS']) <= 5000


# ---- output -----------------------------------------------------------------------------------

def test_json_only(serve, client):
    serve('f', 'printf', '%s', '{v}', options=['--json'])
    assert client.call('f', {'v': '{"a":1}'}) == {'a': 1}
    error = failure(client, 'f', {'v': 'no json'})
    assert (error.code, error.ran, error.details['code']) == ('api_error', 'yes', 'bad_reply')


def test_text_only(serve, client):
    serve('f', *shell('printf "$1"', '{v}'), options=['--text'])
    assert client.call('f', {'v': '5\\n'}) == '5'
    assert failure(client, 'f', {'v': '\\377'}).details['code'] == 'bad_reply'


def test_json_and_text_together_are_refused(gateway):
    assert refused(gateway, '--json', '--text', 'f', '--', 'true')[0] == EX_USAGE


def test_max_output(serve, client):
    serve('f', *shell('head -c "$1" /dev/zero | tr "\\0" x', '{n}'), options=['--max-output', '1K'])
    assert client.call('f', {'n': 1024}) == 'x' * 1024
    error = failure(client, 'f', {'n': 1025})
    assert (error.details['code'], error.ran) == ('too_large', 'yes')
    assert '1024' in error.message


def test_details_have_the_end_of_both_outputs(serve, client):
    serve('f', *shell('i=0; while [ $i -lt 2000 ]; do '
                      'echo "out $i"; echo "err $i" >&2; i=$((i+1)); done; exit 4'))
    details = failure(client, 'f').details
    details = details.get('details', details)
    assert (details['status'], details['signal']) == (4, None)
    for name, text in (('stdout', 'out'), ('stderr', 'err')):
        assert len(details[name]) == 8192 and details[name].endswith(text + ' 1999\n')


# ---- --stream ---------------------------------------------------------------------------------

def test_lines_become_progress_at_once(serve, client, folder):
    fifo = os.path.join(folder, 'fifo')
    os.mkfifo(fifo)
    serve('f', *shell('echo 10; echo half way; cat %s >/dev/null; echo \'{"done":true}\'' % fifo),
          options=['--stream'])
    number = client.request('call', 'f', {}, {'progress': True})
    found = [client.wait_notification('progress')[2] for _ in range(2)]
    with open(fifo, 'w'):
        pass
    assert found == [[number, 10], [number, 'half way']]
    assert client.wait_notification('progress')[2] == [number, {'done': True}]
    assert client.result(number) == {'done': True}


def test_last_line_is_the_result_without_a_newline_too(serve, client):
    serve('f', 'printf', '%s', 'one\ntwo\n3', options=['--stream'])
    assert client.call('f') == 3


def test_no_line_is_a_result(serve, client):
    serve('f', 'true', options=['--stream'])
    assert client.call('f') == ''


def test_stream_may_be_longer_than_the_limit_of_a_line(serve, client):
    serve('f', 'seq', '1', '100000', options=['--stream', '--max-output', '1K'])
    assert client.call('f') == 100000


def test_line_over_the_limit_is_too_large(serve, client):
    serve('f', *shell('echo short; head -c 5000 /dev/zero | tr "\\0" x'),
          options=['--stream', '--max-output', '1K'])
    assert failure(client, 'f').details['code'] == 'too_large'


# ---- time -------------------------------------------------------------------------------------

def test_timeout_ends_the_process_group(serve, client, folder):
    pid_file = os.path.join(folder, 'pid')
    serve('f', *shell('sleep 600 & echo $! >%s; wait' % pid_file), options=['--timeout', '300ms'])
    error = failure(client, 'f')
    assert (error.code, error.ran, error.details['code']) == ('api_error', 'yes', 'timeout')
    wait_gone(pid_in(pid_file))


def test_command_that_does_not_mind_term_is_killed(serve, client, folder):
    pid_file = os.path.join(folder, 'pid')
    serve('f', *shell('trap "" TERM; echo $$ >%s; while :; do sleep 1; done' % pid_file),
          options=['-t', '100ms'])
    assert failure(client, 'f').details['code'] == 'timeout'
    wait_gone(pid_in(pid_file))


def test_long_timeout_is_what_callers_get(serve, client):
    serve('f', 'true', options=['-t', '1h'])
    record = client.ask('describe', 'f')
    assert record['timeout_ms'] > 3600000 and record['timeout_max_ms'] > 3600000


def test_cancel_ends_the_command(serve, client, folder):
    pid_file = os.path.join(folder, 'pid')
    serve('f', *shell('echo $$ >%s; sleep 600' % pid_file))
    number = client.request('call', 'f', {})
    pid = pid_in(pid_file)
    client.notify('cancel', number)
    assert client.wait_response(number)[2]['code'] == 'cancelled'
    wait_gone(pid)


def test_caller_that_leaves_ends_the_command(serve, gateway, folder):
    pid_file = os.path.join(folder, 'pid')
    serve('f', *shell('echo $$ >%s; sleep 600' % pid_file))
    with gateway.connect() as client:
        client.request('call', 'f', {})
        pid = pid_in(pid_file)
    wait_gone(pid)


@pytest.mark.parametrize('what', ['removed', 'a folder', 'no program'])
def test_command_that_has_vanished(serve, client, folder, what):
    """Later calls go no better by themselves: that is not busy, and nobody tries again."""
    path = os.path.join(folder, 'command')
    with open(path, 'w') as f:
        f.write('#!/bin/sh\necho 1\n')
    os.chmod(path, 0o755)
    serve('f', path)
    assert client.call('f') == 1
    os.unlink(path)
    if what == 'a folder':
        os.mkdir(path)
    elif what == 'no program':
        os.symlink(folder, path)
    error = failure(client, 'f')
    assert (error.code, error.ran) == ('failed_precondition', 'no')
    assert '%s cannot be started: ' % path in error.message


# ---- concurrency, queue -----------------------------------------------------------------------

def test_concurrency_and_queue(serve, client, folder):
    fifo = os.path.join(folder, 'fifo')
    os.mkfifo(fifo)
    serve('f', *shell('cat %s' % fifo), options=['--concurrency', '1', '--queue', '1'])
    numbers = [client.request('call', 'f', {}) for _ in range(3)]
    assert client.wait_response(numbers[2])[2]['code'] == 'busy'
    for number in numbers[:2]:
        with open(fifo, 'w') as f:
            f.write('1')
        assert client.result(number) == 1


def test_queue_of_none(serve, client):
    serve('f', 'true', options=['-c', '1', '-q', '0'])
    record = client.ask('describe', 'f')
    assert (record['concurrency'], record['queue']) == (1, 0)


@pytest.mark.parametrize('options', [['-c', '0'], ['-c', '1001'], ['-c', 'x'], ['-q', '-1'],
                                     ['-t', '5'], ['--max-output', '0'],
                                     ['--max-output', '65M'], ['--policy', 'none'],
                                     ['--params', '5'], ['--params', '{'],
                                     ['--params', '@/nowhere'], ['--result', '[]']], ids=' '.join)
def test_wrong_values_are_said(gateway, options):
    status, said = refused(gateway, *options, 'f', '--', 'true')
    assert status == EX_USAGE and options[0].lstrip('-')[:1] in said


# ---- what is told of the name -----------------------------------------------------------------

def test_summary_schemas_and_the_rest_are_told(serve, client, folder):
    path = os.path.join(folder, 'result.json')
    with open(path, 'w') as f:
        json.dump({'type': 'string'}, f)
    params = {'type': 'object', 'required': ['v'], 'properties': {'v': {'type': 'integer'}}}
    serve('f', 'echo', '{v}', options=['--summary', 'says v', '--params', json.dumps(params),
                                       '--result', '@' + path,
                                       '--policy', 'share', '--idempotent', '--local'])
    record = client.ask('describe', 'f')
    assert (record['summary'], record['params'],
            record['result']) == ('says v', params, {'type': 'string'})
    assert (record['policy'], record['idempotent'],
            record['visibility']) == ('share', True, 'local')
    error = failure(client, 'f', {'v': 'x'})
    assert (error.code, error.ran) == ('invalid_argument', 'no')


def test_schema_that_the_gateway_refuses_is_said(gateway):
    status, said = refused(gateway, '--params', '{"type":"nonsense"}', 'f', '--', 'true')
    assert status == EX_DATAERR and 'f:' in said


# ---- the gateway restarts ---------------------------------------------------------------------

def test_registers_again_when_the_gateway_restarts(serve, gateway, folder):
    pid_file = os.path.join(folder, 'pid')
    daemon = serve('f',
                   *shell('if grep -q wait; then echo $$ >%s; sleep 600; else echo 7; fi'
                          % pid_file))
    with gateway.connect() as client:
        client.request('call', 'f', {'v': 'wait'})
        pid = pid_in(pid_file)
        gateway.stop()
    wait_gone(pid)
    gateway.start()
    daemon.wait_log('registered f again')
    with gateway.connect() as client:
        assert client.call('f') == 7


def test_calls_of_a_name_that_is_taken_away_go_on(serve, gateway, folder):
    fifo = os.path.join(folder, 'fifo')
    os.mkfifo(fifo)
    daemon = serve('f', *shell('echo on >%s; cat %s' % (folder + '/began', fifo)))
    daemon.end_status = None
    with gateway.connect() as client, gateway.connect() as other:
        number = client.request('call', 'f', {})
        wait_until(lambda: os.path.exists(folder + '/began'), 'the command to begin')
        other.ask('register', 'f', {'policy': 'replace'})
        daemon.wait_log('f is taken away')
        with open(fifo, 'w') as f:
            f.write('7')
        assert client.result(number) == 7
    assert daemon.wait() == 73


def test_name_that_is_taken_away_ends_it(serve, gateway):
    daemon = serve('f', 'true')
    daemon.end_status = None
    with gateway.connect() as client:
        client.ask('register', 'f', {'policy': 'replace'})
        assert daemon.wait() == 73
    assert 'f' in daemon.log()
