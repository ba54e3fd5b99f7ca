# SPDX-License-Identifier: MIT
"""chapi-call: items of a call, what is printed where, exit statuses, time-outs."""
import json
import os
import subprocess
import threading

import pytest

from lib.gateway import Provider
from lib.process import die_with_parent, environment, program, run

EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_NOUSER, EX_UNAVAILABLE = 64, 65, 66, 67, 69


@pytest.fixture
def chapi_call(gateway):
    """chapi_call(ARGUMENT...): run to its end at the test's gateway."""
    def call(*arguments, stdin=None, env=None):
        return run([program('chapi-call')] + list(arguments), stdin=stdin,
                   env=env or environment(CHAPI_SOCKET=gateway.socket_path))
    return call


@pytest.fixture
def echo(chapi_call):
    """What items become: the params as the function sees them."""
    def echo(*items, stdin=None):
        result = chapi_call('chapi.echo', *items, stdin=stdin)
        assert (result.returncode, result.stderr) == (0, ''), result
        return json.loads(result.stdout)
    return echo


@pytest.fixture
def failing(gateway):
    """failing(ERROR): a provider of f that answers the next call so."""
    clients = []

    def start(error=None, result=None):
        clients.append(gateway.connect())
        Provider(clients[-1], 'f')
        thread = threading.Thread(
            target=lambda: clients[-1].answer(clients[-1].wait_request(), result, error),
            daemon=True)
        thread.start()
    yield start
    for client in clients:
        client.close()


# ---- items ------------------------------------------------------------------------------------

def test_no_items_are_an_empty_object(echo):
    assert echo() == {}


@pytest.mark.parametrize('items, params', [
    (['a=text'], {'a': 'text'}),
    (['a='], {'a': ''}),
    (['a=1', 'b=true'], {'a': '1', 'b': 'true'}),
    (['a=x=y', 'b=:=1', 'c=@f'], {'a': 'x=y', 'b': ':=1', 'c': '@f'}),
    (['a:=1', 'b:=true', 'c:=null', 'd:=[1,{"x":2.5}]', 'e:="text"'],
     {'a': 1, 'b': True, 'c': None, 'd': [1, {'x': 2.5}], 'e': 'text'}),
    (['a:=18446744073709551615', 'b:=-9223372036854775808'], {'a': 2 ** 64 - 1, 'b': -2 ** 63}),
    (['ü=ß€'], {'ü': 'ß€'}),
    (['two words=a b'], {'two words': 'a b'}),
], ids=['text', 'empty', 'no guessing', 'signs in text', 'json', 'integers', 'utf-8', 'blanks'])
def test_items_become_params(echo, items, params):
    assert echo(*items) == params


def test_item_may_be_read_from_a_file(echo, folder):
    path = os.path.join(folder, 'note')
    with open(path, 'w') as f:
        f.write('line one\nline "two" ü')
    assert echo('note@' + path, 'a=b') == {'note': 'line one\nline "two" ü', 'a': 'b'}


def test_item_may_be_read_from_standard_input(echo):
    assert echo('note@-', stdin='from afar') == {'note': 'from afar'}


def test_standard_input_is_read_only_when_named(gateway):
    """With a pipe that stays open and empty it would wait for ever."""
    process = subprocess.Popen([program('chapi-call'), 'chapi.echo', 'a=1'], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, preexec_fn=die_with_parent,
                               env=environment(CHAPI_SOCKET=gateway.socket_path))
    try:
        assert process.wait(10) == 0
        assert json.loads(process.stdout.read()) == {'a': '1'}
    finally:
        process.kill()
        process.stdin.close()
        process.stdout.close()


@pytest.mark.parametrize('text', ['{"a":[1,2]}', '[1,2]', '"x"', '5', 'null'])
def test_params_may_be_given_as_json(echo, text):
    for option in ('-d', '--data'):
        assert echo(option, text) == json.loads(text)


def test_params_may_be_given_on_standard_input(echo):
    assert echo('-d', '-', stdin='{"a":1}\n') == {'a': 1}


def test_missing_file_is_no_input(chapi_call, folder):
    result = chapi_call('chapi.echo', 'a@' + folder + '/nowhere')
    assert (result.returncode, result.stdout) == (EX_NOINPUT, '')
    assert folder + '/nowhere' in result.stderr


@pytest.mark.parametrize('arguments', [
    [], ['chapi.echo', 'no-sign'], ['chapi.echo', '=x'], ['--frobnicate'], ['-t'],
    ['-t', 'soon', 'chapi.echo'], ['-t', '0', 'chapi.echo'], ['-t', '-1s', 'chapi.echo'],
    ['chapi.echo', 'a=1', '-d', '{}'], ['chapi.echo', 'a=1', 'a=2'],
], ids=lambda a: ' '.join(a) or 'nothing')
def test_wrong_usage_is_said(chapi_call, arguments):
    result = chapi_call(*arguments)
    assert (result.returncode, result.stdout) == (EX_USAGE, '')
    assert result.stderr


@pytest.mark.parametrize('arguments', [['a:=oops'], ['a:='], ['a:={} x'], ['-d', '{']],
                         ids=lambda a: ' '.join(a))
def test_what_is_no_json_is_said(chapi_call, arguments):
    result = chapi_call('chapi.echo', *arguments)
    assert result.returncode in (EX_USAGE, EX_DATAERR) and result.stdout == ''
    assert len(result.stderr.strip().split('\n')) == 1


# ---- what is printed --------------------------------------------------------------------------

def test_result_alone_goes_to_standard_output(chapi_call):
    result = chapi_call('chapi.echo', 'a:=[1,2]')
    assert (result.stdout, result.stderr) == ('{"a":[1,2]}\n', '')


def test_result_is_pretty_on_a_terminal(gateway, need):
    need('script')
    result = run(['script', '-qec', '%s chapi.echo a:=[1,2] b=x' % program('chapi-call'),
                  '/dev/null'],
                 env=environment(CHAPI_SOCKET=gateway.socket_path, TERM='dumb'))
    text = result.stdout.replace('\r', '')
    assert text.count('\n') > 2
    assert json.loads(text) == {'a': [1, 2], 'b': 'x'}


def test_error_is_one_line_on_standard_error(chapi_call, failing):
    failing({'code': 'jammed', 'message': 'the door is jammed'})
    result = chapi_call('f')
    assert (result.returncode, result.stdout) == (1, '')
    assert 'the door is jammed' in result.stderr
    assert len(result.stderr.rstrip('\n').split('\n')) == 1


def test_message_with_control_characters_does_not_reach_the_terminal(chapi_call, failing):
    failing({'message': 'red \x1b[31m\nsecond line\x07'})
    result = chapi_call('f')
    assert '\x1b' not in result.stderr and '\x07' not in result.stderr
    assert len(result.stderr.rstrip('\n').split('\n')) == 1


def test_json_prints_the_whole_record(chapi_call):
    result = chapi_call('--json', 'chapi.echo', 'a=1')
    record = json.loads(result.stdout)
    assert (result.returncode, record['api'], record['result'], record['error']) == \
        (0, 'chapi.echo', {'a': '1'}, None)
    assert {'request_time', 'response_time', 'gateway', 'instance'} <= set(record)


def test_json_prints_the_record_of_a_failure_too(chapi_call):
    result = chapi_call('--json', 'nobody')
    record = json.loads(result.stdout)
    assert result.returncode == EX_NOUSER
    assert (record['api'], record['result'], record['error']['code']) == \
        ('nobody', None, 'api_not_found')


# ---- statuses ---------------------------------------------------------------------------------

@pytest.mark.parametrize('error, status', [
    ('it broke', 1), ({'code': 'own'}, 1), ({'code': 'invalid_argument', 'message': 'm'}, 65),
    ({'code': 'busy', 'message': 'm'}, 75), ({'code': 'permission_denied', 'message': 'm'}, 77),
    ({'code': 'cancelled', 'message': 'm'}, 130), (5, 70),
], ids=['text', 'own code', 'invalid_argument', 'busy', 'permission_denied', 'cancelled',
        'bad_reply'])
def test_status_tells_the_kind_of_the_error(chapi_call, failing, error, status):
    failing(error)
    assert chapi_call('f').returncode == status


def test_status_of_a_name_that_nobody_has(chapi_call):
    result = chapi_call('nobody.has.it', 'a=1')
    assert (result.returncode, result.stdout) == (EX_NOUSER, '')
    assert 'nobody.has.it' in result.stderr


def test_status_of_a_provider_that_dies(chapi_call, gateway):
    provider = gateway.connect()
    Provider(provider, 'f')
    threading.Thread(target=lambda: (provider.wait_request(), provider.close()),
                     daemon=True).start()
    assert chapi_call('f').returncode == 70


def test_status_when_time_is_over(chapi_call, gateway):
    with gateway.connect() as provider:
        Provider(provider, 'f')
        for time in ('200ms', '0.2s'):
            result = chapi_call('-t', time, 'f')
            if time == '0.2s' and result.returncode == EX_USAGE:
                continue        # fractions are not promised
            assert (result.returncode, result.stdout) == (124, '')


def test_time_limit_reaches_the_provider(chapi_call, gateway):
    with gateway.connect() as provider:
        Provider(provider, 'f')
        times = []

        def answer():
            for _ in range(2):
                request = provider.wait_request()
                times.append(request[3][1]['timeout_ms'])
                provider.answer(request, None)
        thread = threading.Thread(target=answer)
        thread.start()
        assert chapi_call('-t', '5s', 'f').stdout == 'null\n'
        assert chapi_call('--timeout', '2m', 'f').returncode == 0
        thread.join()
    assert 4000 < times[0] <= 5000 and 119000 < times[1] <= 120000


def test_no_gateway_at_the_socket(folder):
    path = os.path.join(folder, 'nobody.sock')
    for arguments in (['-s', path, 'chapi.ping'], ['--socket', path, 'chapi.ping']):
        result = run([program('chapi-call')] + arguments)
        assert (result.returncode, result.stdout) == (EX_UNAVAILABLE, '')
        assert path in result.stderr


def test_gateway_that_goes_away_in_a_call(chapi_call, gateway):
    with gateway.connect() as provider:
        Provider(provider, 'f')
        results = []
        thread = threading.Thread(target=lambda: results.append(chapi_call('f')))
        thread.start()
        provider.wait_request()
        gateway.kill()
        thread.join()
    assert (results[0].returncode, results[0].stdout) == (74, '')


# ---- the socket -------------------------------------------------------------------------------

def test_socket_given_wins_over_the_environment(gateway, folder):
    for option in ('-s', '--socket'):
        result = run([program('chapi-call'), option, gateway.socket_path, 'chapi.echo'],
                     env=environment(CHAPI_SOCKET=folder + '/nobody.sock'))
        assert result.returncode == 0, result.stderr


def test_socket_of_the_users_own_gateway_is_found(gateway, folder):
    os.makedirs(folder + '/run/chapi')
    os.symlink(gateway.socket_path, folder + '/run/chapi/gw.sock')
    result = run([program('chapi-call'), 'chapi.echo'],
                 env=environment(XDG_RUNTIME_DIR=folder + '/run'))
    assert result.returncode == 0, result.stderr


def test_help_and_version(chapi_call):
    result = chapi_call('--help')
    assert (result.returncode, result.stderr) == (0, '')
    for option in ('--json', '--socket', '--timeout', '--data', '124'):
        assert option in result.stdout, option
    assert chapi_call('-h').stdout == result.stdout
    assert chapi_call('--version').returncode == 0


def test_large_result_is_printed_whole(chapi_call, failing):
    failing(result='x' * 2000000)
    assert chapi_call('f').stdout == '"%s"\n' % ('x' * 2000000)
