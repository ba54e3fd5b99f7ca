# SPDX-License-Identifier: MIT
"""chapi-call: its options, one by one; signals; -x in front of a command behind chapi-serve."""
import json
import os
import signal
import stat
import subprocess
import threading

import pytest

from lib.gateway import Gateway, Provider
from lib.limits import LIMIT, wait_until
from lib.process import die_with_parent, environment, program, run
from lib.serving import shell

EX_USAGE, EX_NOUSER, EX_UNAVAILABLE, EX_IOERR, EX_TEMPFAIL, EX_CONFIG = 64, 67, 69, 74, 75, 78


@pytest.fixture
def chapi_call(gateway):
    def call(*arguments, stdin=None):
        return run([program('chapi-call')] + list(arguments), stdin=stdin,
                   env=environment(CHAPI_SOCKET=gateway.socket_path))
    return call


@pytest.fixture
def chapi_call_bytes(gateway):
    def call(*arguments):
        return subprocess.run([program('chapi-call')] + list(arguments), stdin=subprocess.DEVNULL,
                              capture_output=True,
                              env=environment(CHAPI_SOCKET=gateway.socket_path), timeout=LIMIT)
    return call


@pytest.fixture
def start(gateway):
    """start(ARGUMENT...): chapi-call in the background."""
    started = []

    def start(*arguments):
        started.append(subprocess.Popen([program('chapi-call')] + list(arguments),
                                        stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        preexec_fn=die_with_parent,
                                        env=environment(CHAPI_SOCKET=gateway.socket_path)))
        return started[-1]
    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def provider(gateway):
    """A connection that holds f, and answers when the test does."""
    with gateway.connect() as client:
        Provider(client, 'f')
        yield client


def answers(provider, *answered):
    """Answers the next calls in a thread, each with a result or {'error': ...}; returns them."""
    came = []

    def run_it():
        for answer in answered:
            request = provider.wait_request()
            came.append(request)
            if isinstance(answer, dict) and 'error' in answer:
                provider.answer(request, error=answer['error'])
            else:
                provider.answer(request, answer)
    threading.Thread(target=run_it, daemon=True).start()
    return came


BUSY = {'error': {'code': 'busy', 'message': 'not now', 'details': {'retry_after_ms': 1}}}


# ---- --to -------------------------------------------------------------------------------------

def test_to_without_a_hub_is_said(chapi_call):
    result = chapi_call('--to', 'greenhouse', 'f')
    assert (result.returncode, result.stdout) == (EX_CONFIG, '')
    assert 'it did not run' in result.stderr


# ---- -f ---------------------------------------------------------------------------------------

@pytest.mark.parametrize('option', ['-f', '--follow'])
def test_progress_comes_at_once_and_aside(start, provider, option):
    process = start(option, 'f')
    request = provider.wait_request()
    assert request[3][1]['progress'] is True
    provider.notify('progress', request[1], {'done': 10})
    assert process.stderr.readline() == '{"done":10}\n'
    provider.answer(request, 'all')
    assert process.communicate(timeout=LIMIT) == ('"all"\n', '')
    assert process.returncode == 0


def test_no_progress_unless_asked_for(start, provider):
    process = start('f')
    request = provider.wait_request()
    assert not request[3][1].get('progress')
    provider.answer(request, 1)
    assert process.communicate(timeout=LIMIT) == ('1\n', '')


def test_follow_a_stream(chapi_call, serve):
    serve('s', *shell('echo one; echo 2'), options=['--stream'])
    result = chapi_call('-f', 's')
    assert (result.stdout, result.stderr) == ('2\n', '"one"\n2\n')


# ---- -n ---------------------------------------------------------------------------------------

@pytest.mark.parametrize('option', ['-n', '--one-way'])
def test_one_way_does_not_wait(chapi_call, provider, option):
    result = chapi_call(option, 'f', 'a=1')
    assert (result.returncode, result.stdout, result.stderr) == (0, '', '')
    assert provider.wait_request()[3][1]['oneway'] is True


def test_one_way_to_nobody_fails(chapi_call):
    assert chapi_call('-n', 'nobody').returncode == EX_NOUSER


@pytest.mark.parametrize('options', [['-n', '-f'], ['-n', '-r'], ['-n', '--json'],
                                     ['-n', '-o', 'x'], ['--json', '-r'],
                                     ['--retry', 'x'], ['--retry', '-1']], ids=' '.join)
def test_what_does_not_go_together_is_said(chapi_call, options):
    result = chapi_call(*options, 'chapi.echo')
    assert (result.returncode, result.stdout) == (EX_USAGE, '')


# ---- -o ---------------------------------------------------------------------------------------

@pytest.mark.parametrize('option', ['-o', '--output'])
def test_output_into_a_file(chapi_call, folder, option):
    path = os.path.join(folder, 'result.json')
    result = chapi_call(option, path, 'chapi.echo', 'a=1')
    assert (result.returncode, result.stdout, result.stderr) == (0, '', '')
    with open(path) as f:
        assert f.read() == '{"a":"1"}\n'
    assert os.listdir(folder).count('result.json') == 1 \
        and not [n for n in os.listdir(folder) if n.startswith('result.json.')]


def test_file_is_replaced_whole_and_keeps_its_mode(chapi_call, folder):
    path = os.path.join(folder, 'result')
    with open(path, 'w') as f:
        f.write('x' * 100)
    os.chmod(path, 0o640)
    before = os.stat(path).st_ino
    assert chapi_call('-r', '-o', path, 'chapi.echo', '-d', '"new"').returncode == 0
    with open(path) as f:
        assert f.read() == 'new\n'
    assert os.stat(path).st_ino != before and stat.S_IMODE(os.stat(path).st_mode) == 0o640


def test_link_stays_and_what_it_leads_to_is_replaced(chapi_call, folder):
    """Else root's -o /dev/stdout would replace that."""
    os.mkdir(os.path.join(folder, 'elsewhere'))
    path, link = os.path.join(folder, 'elsewhere', 'result'), os.path.join(folder, 'link')
    with open(path, 'w') as f:
        f.write('old')
    os.symlink('elsewhere/result', link)
    assert chapi_call('-o', link, 'chapi.echo', 'a=1').returncode == 0
    assert os.readlink(link) == 'elsewhere/result'
    with open(path) as f:
        assert f.read() == '{"a":"1"}\n'
    assert os.listdir(os.path.join(folder, 'elsewhere')) == ['result']


def test_failure_leaves_the_file_as_it_was(chapi_call, folder):
    path = os.path.join(folder, 'result')
    with open(path, 'w') as f:
        f.write('old')
    assert chapi_call('-o', path, 'nobody').returncode == EX_NOUSER
    with open(path) as f:
        assert f.read() == 'old'
    assert not [n for n in os.listdir(folder) if n.startswith('result.')]


def test_file_that_cannot_be_written_is_said_before_the_call(chapi_call, provider, folder):
    path = folder + '/nowhere/result'
    result = chapi_call('-o', path, 'f')
    assert result.returncode == EX_IOERR and path in result.stderr
    assert provider.inbox == []


def test_json_into_a_file_also_of_a_failure(chapi_call, folder):
    path = os.path.join(folder, 'record')
    assert chapi_call('--json', '-o', path, 'nobody').returncode == EX_NOUSER
    with open(path) as f:
        assert json.load(f)['error']['code'] == 'api_not_found'


# ---- -r ---------------------------------------------------------------------------------------

@pytest.mark.parametrize('data, printed', [
    ('"plain \\"text\\""', b'plain "text"\n'), ('"two\\nlines\\n"', b'two\nlines\n'), ('""', b'\n'),
    ('{"a":"x"}', b'{"a":"x"}\n'),
    ('5', b'5\n'), ('{"$bin":"//4A"}', b'\xff\xfe\0'),
], ids=['text', 'lines', 'empty', 'object', 'number', 'bytes'])
def test_raw(gateway, data, printed):
    for option in ('-r', '--raw'):
        result = subprocess.run([program('chapi-call'), option, 'chapi.echo', '-d', data],
                                stdin=subprocess.DEVNULL,
                                capture_output=True,
                                env=environment(CHAPI_SOCKET=gateway.socket_path), timeout=LIMIT)
        assert (result.returncode, result.stdout, result.stderr) == (0, printed, b'')


# ---- --ok -------------------------------------------------------------------------------------

@pytest.mark.parametrize('codes, error, status', [
    ('api_not_found', None, 0), ('busy,api_not_found', None, 0),
    ('api_not_found_', None, EX_NOUSER), ('', None, EX_NOUSER),
    ('jammed', {'code': 'jammed', 'message': 'm'}, 0),
    ('api_error', {'code': 'jammed', 'message': 'm'}, 0),
    ('busy', {'code': 'jammed', 'message': 'm'}, 1),
])
def test_ok(chapi_call, provider, codes, error, status):
    if error:
        answers(provider, {'error': error})
    result = chapi_call('--ok', codes, 'f' if error else 'nobody')
    assert (result.returncode, result.stdout) == (status, '')
    assert bool(result.stderr) == bool(status)


def test_ok_with_json_prints_the_record(chapi_call):
    result = chapi_call('--json', '--ok', 'api_not_found', 'nobody')
    assert result.returncode == 0 and json.loads(result.stdout)['error']['code'] == 'api_not_found'


# ---- --retry ----------------------------------------------------------------------------------

def test_what_has_not_run_is_tried_again(chapi_call, provider):
    came = answers(provider, BUSY, BUSY, 'done')
    result = chapi_call('--retry', '5', 'f')
    assert (result.returncode, result.stdout, result.stderr) == (0, '"done"\n', '')
    assert len(came) == 3


def test_no_more_often_than_told(chapi_call, provider):
    came = answers(provider, BUSY, BUSY, 'not reached')
    result = chapi_call('--retry', '1', 'f')
    assert result.returncode == EX_TEMPFAIL and 'not now' in result.stderr
    assert len(came) == 2


def test_later_is_said_once(chapi_call, provider):
    provider.ask('pause', 'f')
    assert chapi_call('f').stderr.count('again') == 1
    provider.ask('resume', 'f')
    answers(provider, BUSY)
    assert chapi_call('f').stderr.count('try again later') == 1


def test_not_at_all_unless_told(chapi_call, provider):
    came = answers(provider, BUSY, 'not reached')
    assert chapi_call('f').returncode == EX_TEMPFAIL
    assert len(came) == 1


def test_what_may_have_run_is_not_tried_again(chapi_call, gateway):
    provider = gateway.connect()
    Provider(provider, 'f')
    with gateway.connect() as next_one:
        next_one.ask('register', 'f', {'policy': 'standby'})
        threading.Thread(target=lambda: (provider.wait_request(), provider.close()),
                         daemon=True).start()
        result = chapi_call('--retry', '5', 'f')
        assert result.returncode == 70 and 'it may have run' in result.stderr
        assert not [m for m in next_one.inbox if m[0] == 0]


def test_what_is_idempotent_is_tried_again(chapi_call, gateway):
    provider = gateway.connect()
    provider.ask('register', 'f', {'idempotent': True})
    with gateway.connect() as next_one:
        next_one.ask('register', 'f', {'policy': 'standby', 'idempotent': True})
        threading.Thread(target=lambda: (provider.wait_request(), provider.close()),
                         daemon=True).start()
        answers(next_one, 'second')
        result = chapi_call('--retry', '5', 'f')
        assert (result.returncode, result.stdout) == (0, '"second"\n')


def test_failure_of_the_function_is_not_tried_again(chapi_call, gateway):
    with gateway.connect() as provider:
        provider.ask('register', 'f', {'idempotent': True})
        came = answers(provider, {'error': 'it broke'}, 'not reached')
        assert chapi_call('--retry', '5', 'f').returncode == 1
        assert len(came) == 1


def test_gateway_that_is_not_there_yet(folder, daemons):
    gateway = Gateway(folder)
    process = subprocess.Popen([program('chapi-call'), '-s', gateway.socket_path, '--retry', '100',
                                'chapi.ping'],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               preexec_fn=die_with_parent, env=environment())
    daemons.start(gateway)
    assert process.communicate(timeout=LIMIT)[1] == b''
    assert process.returncode == 0


def test_gateway_that_does_not_come(folder):
    result = run([program('chapi-call'), '-s', folder + '/nobody.sock', '--retry', '1',
                  'chapi.ping'])
    assert result.returncode == EX_UNAVAILABLE and len(result.stderr.splitlines()) == 1


# ---- signals ----------------------------------------------------------------------------------

@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=['INT', 'TERM'])
def test_signal_sends_cancel(start, provider, number):
    process = start('f')
    request = provider.wait_request()
    process.send_signal(number)
    assert provider.wait_notification('cancel')[2] == [request[1]]
    out, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, out) == (130, '') and len(err.splitlines()) == 1
    provider.answer(request, 1)


def test_signal_when_the_gateway_hangs(start, provider, gateway):
    """The second one ends it at once, the first after a while."""
    process = start('f')
    provider.wait_request()
    gateway.send_signal(signal.SIGSTOP)
    try:
        process.send_signal(signal.SIGINT)
        wait_until(lambda: not pending(process.pid), 'the first signal to be taken')
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT) == 130
        assert 'it may have run' in process.stderr.read()
    finally:
        gateway.send_signal(signal.SIGCONT)


def pending(pid):
    with open('/proc/%d/status' % pid) as f:
        return any(int(line.split()[1], 16) for line in f if line.startswith(('SigPnd', 'ShdPnd')))


def test_time_limit_when_the_gateway_hangs(start, provider, gateway):
    process = start('-t', '100ms', 'f')
    provider.wait_request()
    gateway.send_signal(signal.SIGSTOP)
    try:
        assert process.wait(LIMIT) == 124
    finally:
        gateway.send_signal(signal.SIGCONT)


def test_ctrl_c_on_a_terminal(gateway, provider):
    import pty
    pid, fd = pty.fork()
    if pid == 0:
        die_with_parent()
        os.execve(program('chapi-call'), ['chapi-call', 'f'],
                  environment(CHAPI_SOCKET=gateway.socket_path))
    try:
        request = provider.wait_request()
        os.write(fd, b'\x03')
        assert provider.wait_notification('cancel')[2] == [request[1]]
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    finally:
        os.close(fd)


# ---- -x ---------------------------------------------------------------------------------------

@pytest.mark.parametrize('script, status, out, err', [
    ('echo out; echo err >&2', 0, 'out\n', 'err\n'),
    ('echo out; echo err >&2; exit 3', 3, 'out\n', 'err\n'),
    ('exit 64', 64, '', ''), ('exit 255', 255, '', ''), ('kill -9 $$', 137, '', ''),
    ('printf "a\\nb"', 0, 'a\nb', ''),
], ids=['good', 'fails', 'as wrong usage', '255', 'killed', 'no newline'])
@pytest.mark.parametrize('option', ['-x', '--exec'])
def test_exec_is_the_command(chapi_call, serve, option, script, status, out, err):
    serve('c', *shell(script))
    result = chapi_call(option, 'c')
    assert (result.returncode, result.stdout, result.stderr) == (status, out, err)


def test_exec_fails_with_255_otherwise(chapi_call, serve, provider, folder):
    serve('slow', 'sleep', '600', options=['--timeout', '100ms'])
    answers(provider, {'error': 'no command at all'})
    for arguments in (['nobody'], ['slow'], ['f'], ['slow', 'no item'], [],
                      ['-o', folder + '/nowhere/x', 'slow'], ['--json', 'slow'],
                      ['slow', 'a@' + folder + '/nowhere'], ['--no-such-option', 'slow'],
                      ['slow', '-t', 'soon'], ['-t'],
                      ['--ok', 'api_error', 'slow']):
        result = chapi_call('-x', *arguments)
        assert (result.returncode, result.stdout) == (255, ''), arguments
        assert result.stderr, arguments


@pytest.mark.parametrize('arguments',
                         [['-t', 'soon', '-x', 'f'], ['--no-such-option', 'f', '--exec'],
                          ['-zx', 'f']])
def test_exec_counts_also_behind_what_is_wrong(chapi_call, arguments):
    result = chapi_call(*arguments)
    assert (result.returncode, result.stdout) == (255, '') and result.stderr.count('--help') == 1


@pytest.mark.parametrize('details', [{'status': 0}, {'status': 256}, {'status': -1},
                                     {'status': 512, 'signal': 9}, {'signal': 128},
                                     {'signal': 0}, {'status': '3'}, {'status': 2 ** 40}, {}, [3]],
                                     ids=json.dumps)
def test_exec_believes_no_status_that_no_command_has(chapi_call, provider, details):
    """256 would be 0 for the shell: a failure that looks like success."""
    answers(provider, {'error': {'message': 'it failed', 'details': details}})
    result = chapi_call('-x', 'f')
    assert (result.returncode, result.stdout) == (255, '') and 'it failed' in result.stderr


OUTPUTS = [b'{"a":   1.50}\n', b'{\n  "b": 1,\n  "a": 2\n}\n\n', b'[1, 2]', b'"\\u0041"\n',
           b'no newline', b'', b'\n',
           b'a\x00b\n', b'\xff\xfe\n', b'grown \xc3\xa9\n']


@pytest.mark.parametrize('options', [[], ['--text'], ['--json'], ['--stream']], ids=' '.join)
@pytest.mark.parametrize('status', [0, 3])
def test_exec_is_byte_for_byte(chapi_call_bytes, serve, folder, options, status):
    """As the command wrote it, whatever chapi-serve would make of it for others."""
    serve('c', *shell('cat "%s/out"; exit %d' % (folder, status)), options=options)
    for output in OUTPUTS:
        with open(folder + '/out', 'wb') as f:
            f.write(output)
        result = chapi_call_bytes('-x', 'c')
        assert (result.returncode, result.stdout, result.stderr) == (status, output, b'')


def test_exec_passes_all_of_a_long_output_on(chapi_call_bytes, serve):
    """A failure, too: for others its details have the last 8 KiB."""
    serve('c', *shell('seq 20000; exit 3'))
    result = chapi_call_bytes('-x', 'c')
    assert (result.returncode, result.stdout) == (3, b''.join(b'%d\n' % n for n in range(1, 20001)))


def test_exec_with_progress_has_the_last_line(chapi_call, serve):
    serve('c', *shell('echo 1; echo "[2,  3]"'), options=['--stream'])
    result = chapi_call('-x', '-f', 'c')
    assert (result.returncode, result.stdout) == (0, '[2,  3]\n') \
        and result.stderr.startswith('1\n')


def test_plain_callers_get_what_they_always_got(chapi_call, serve):
    """-x before and after changes nothing for them."""
    serve('c', *shell('printf "{\\"a\\":   1.50}\\n"'))
    assert chapi_call('-x', 'c').stdout == '{"a":   1.50}\n'
    assert json.loads(chapi_call('c').stdout) == {'a': 1.5}
    assert json.loads(chapi_call('--json', 'c').stdout)['result'] == {'a': 1.5}


@pytest.mark.parametrize('result, out', [
    ('text', 'text\n'), ({'b': 1}, '{"b":1}\n'),
    ({'status': 0, 'signal': None, 'stdout': 'out', 'stderr': ''}, 'out'),
    ({'status': 0, 'signal': None, 'stdout': 'out', 'stderr': '', 'more': 1}, None),
    ({'status': 1, 'signal': None, 'stdout': 'out', 'stderr': ''}, None),
    ({'status': 0, 'signal': None, 'stdout': 1, 'stderr': ''}, None),
], ids=json.dumps)
def test_exec_with_a_provider_that_is_no_command(chapi_call, provider, result, out):
    """Who does not know of it answers as always."""
    answers(provider, result)
    got = chapi_call('-x', 'f')
    assert got.returncode == 0 and got.stderr == ''
    if out is None:
        assert json.loads(got.stdout) == result
    else:
        assert got.stdout == out


def test_meta_tells_a_provider_of_raw(chapi_call, provider):
    came = answers(provider, 'a', 'b')
    assert chapi_call('-x', 'f').stdout == 'a\n' and chapi_call('f').stdout == '"b"\n'
    assert [request[3][1].get('raw') for request in came] == [True, None]


def test_exec_into_a_file(chapi_call, serve, folder):
    serve('c', *shell('echo out; exit 3'))
    assert chapi_call('-x', '-o', folder + '/out', 'c').returncode == 3
    with open(folder + '/out') as f:
        assert f.read() == 'out\n'
