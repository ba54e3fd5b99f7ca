# SPDX-License-Identifier: MIT
"""chapi-ctl: each subcommand as an administrator types it, its failures, what is printed where."""
import json
import os
import pty
import re
import select
import signal
import stat
import subprocess
import threading
import unicodedata

import pytest

from lib.limits import Deadline, wait_until
from lib.process import as_ordinary_user, die_with_parent, environment, program, run

EX_USAGE, EX_DATAERR, EX_NOUSER, EX_UNAVAILABLE, EX_IOERR, EX_NOPERM = 64, 65, 67, 69, 74, 77
COMMANDS = ['list', 'describe', 'status', 'gateways', 'stats', 'monitor', 'wait', 'pause', 'resume',
            'drain',
            'unregister', 'ping', 'metrics', 'setup', 'doctor', 'log-level', 'reload']


@pytest.fixture
def chapi_ctl(gateway):
    def ctl(*arguments, env=None):
        return run([program('chapi-ctl')] + list(arguments), env=env
                   or environment(CHAPI_SOCKET=gateway.socket_path))
    return ctl


@pytest.fixture
def ctl(chapi_ctl):
    """What it prints, when all goes well."""
    def ctl(*arguments):
        result = chapi_ctl(*arguments)
        assert (result.returncode, result.stderr) == (0, ''), result
        return result.stdout
    return ctl


@pytest.fixture
def door(gateway):
    """A provider of door.open."""
    with gateway.connect() as client:
        client.ask('register', 'door.open', {'summary': 'opens the door', 'concurrency': 1,
                                             'idempotent': True,
                                             'params': {'type': 'object', 'required': ['angle']}})
        yield client


def start(arguments, gateway):
    return subprocess.Popen([program('chapi-ctl')] + list(arguments), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            preexec_fn=die_with_parent,
                            env=environment(CHAPI_SOCKET=gateway.socket_path))


def on_terminal(argv, env):
    """What the command shows on a terminal of 80 columns."""
    pid, fd = pty.fork()
    if pid == 0:
        die_with_parent()
        os.execve(argv[0], argv, env)
    data, deadline = b'', Deadline()
    while True:
        assert select.select([fd], [], [], deadline.left('the end of ' + argv[0]))[0]
        try:
            more = os.read(fd, 65536)
        except OSError:
            more = b''
        if not more:
            break
        data += more
    os.close(fd)
    return data.decode().replace('\r\n', '\n'), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# ---- list, describe ---------------------------------------------------------------------------

def test_list_shows_names_in_a_table(ctl, door, gateway):
    with gateway.connect() as other:
        other.ask('register', 'window')
        lines = ctl('list').splitlines()
        assert lines[0].split() == ['NAME', 'STATE', 'PROVIDERS', 'SEEN', 'SUMMARY']
        assert lines[1].split(None, 4) == ['door.open', 'active', '1', 'remote', 'opens the door']
        assert lines[2].split() == ['window', 'active', '1', 'remote']
        assert [line.split()[0] for line in ctl('list', 'door.*').splitlines()[1:]] == ['door.open']


def test_list_long_has_figures(ctl, door):
    for arguments in (['list', '-l'], ['list', '--long', 'door.*']):
        lines = ctl(*arguments).splitlines()
        assert lines[0].split()[:5] == ['NAME', 'STATE', 'PROV', 'POLICY', 'SEEN']
        assert lines[1].split() == ['door.open', 'active', '1', 'exclusive', 'remote', '0', '0',
                                    '0', '0', '0.0']


def test_list_json_is_what_the_gateway_says(ctl, door, gateway):
    assert json.loads(ctl('list', '--json')) == gateway.ask('list')
    assert json.loads(ctl('--json', 'list', '-l')) == gateway.ask('list', '*', {'long': True})


def test_list_of_the_gateways_own_functions(ctl):
    assert 'chapi.ping' in ctl('list', 'chapi.*')
    assert 'chapi.ping' in ctl('list', '-l', 'chapi.*')


def test_list_of_nothing_says_so_aside(chapi_ctl):
    for arguments, said in ((['list'], 'no name is registered'), (['list', '-l'], 'registered'),
                            (['list', 'x*'], 'no name is like "x*"')):
        result = chapi_ctl(*arguments)
        assert (result.returncode, result.stdout) == (0, '') and said in result.stderr
    assert chapi_ctl('list', '--json').stdout == '[]\n'


@pytest.mark.parametrize('columns', [80, 40])
def test_errors_keep_to_the_width_of_the_terminal(folder, columns):
    """No word is broken, but a path that is wider; in a pipe it is one line."""
    path = folder + '/nobody.sock'
    script = 'stty cols %d; exec "$0" -s %s list' % (columns, path)
    text = run([program('chapi-ctl'), '-s', path, 'list']).stderr
    shown = on_terminal(['/bin/sh', '-c', script, program('chapi-ctl')], environment())[0]
    lines = shown.splitlines()
    assert text.count('\n') == 1 and shown.split() == text.split() and len(lines) > 1
    assert all(len(line) <= columns or line.split() == [path + ':'] for line in lines), shown
    assert all(line.startswith('  ') for line in lines[1:])


def test_tables_stay_within_80_columns(ctl, gateway):
    with gateway.connect() as client:
        client.ask('register', 'n' * 128, {'summary': 'ü' * 120, 'description': 'word ' * 100})
        for arguments in (['list'], ['list', '-l'], ['describe', 'n' * 128], ['stats'],
                          ['stats', 'n' * 128],
                          ['status'], ['doctor']):
            for line in ctl(*arguments).splitlines():
                assert len(line) <= 80, line


def columns(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in 'WF'
               else 1 for c in text)


@pytest.mark.parametrize('text', [
    '日本語' * 28, 'e\u0301' * 85, 'x' + '日' * 60, '\U0001f600' * 60,
], ids=['wide', 'accents', 'odd', 'emoji'])
def test_columns_are_counted_as_a_terminal_does(ctl, gateway, text):
    with gateway.connect() as client:
        client.ask('register', 'f', {'summary': text})
        client.ask('register', 'g', {'summary': 'short'})
        head, *rows = ctl('list').splitlines()
        assert all(77 <= columns(row) <= 80 for row in rows if row.startswith('f '))
        assert {row.index('remote') for row in rows} == {head.index('SEEN')}
        shown = [line for line in ctl('describe', 'f').splitlines() if text[:2] in line]
        assert shown and all(columns(line) <= 80 for line in shown)


def test_control_characters_do_not_reach_the_terminal(ctl, gateway):
    with gateway.connect() as client:
        client.ask('register', 'f', {'summary': 'red \x1b[31m\nline'})
        for arguments in (['list'], ['describe', 'f']):
            assert '\x1b' not in ctl(*arguments)
        assert len(ctl('list').splitlines()) == 2


def test_describe_tells_all(ctl, door, gateway):
    text = ctl('describe', 'door.open')
    for word in ('opens the door', 'exclusive', '"angle"', 'idempotent', '30000 ms', 'uid:%d'
                 % os.getuid()):
        assert word in text, word
    assert json.loads(ctl('describe', '--json',
                          'door.open')) == gateway.ask('describe', 'door.open')
    assert 'says pong' in ctl('describe', 'chapi.ping')


def test_describe_has_no_limits_of_the_gateways_own(ctl):
    text = ctl('describe', 'chapi.echo')
    assert 'gives its params back' in text and 'time limit' not in text and 'queue ' not in text


@pytest.mark.parametrize('command', ['describe', 'stats', 'pause', 'resume', 'drain', 'unregister'])
def test_unknown_name_is_said(chapi_ctl, command):
    result = chapi_ctl(command, 'nobody')
    assert (result.returncode, result.stdout) == (EX_NOUSER, '')
    assert 'nobody' in result.stderr and len(result.stderr.splitlines()) == 1


# ---- status, stats, ping ----------------------------------------------------------------------

def test_status(ctl, door):
    text = ctl('status')
    for word in ('gw-of-the-tests', 'uptime', 'names         1', 'local calls only', '0 running'):
        assert word in text, word
    value = json.loads(ctl('status', '--json'))
    assert (value['name'], value['apis'], value['hub']) == ('gw-of-the-tests', 1, None)


def test_status_shows_the_hub(remote_gateway):
    result = run([program('chapi-ctl'), '-s', remote_gateway.socket_path, 'status'])
    assert result.returncode == 0
    assert re.search(r'^hub +up$', result.stdout, re.M) and remote_gateway.channel in result.stdout


def test_status_says_until_when_it_waits(start_gateway, own_hub, channel):
    own_hub.start()
    own_hub.stop()
    gateway = start_gateway(own_hub, channel,
                            timing={'backoff_least': '50s', 'backoff_most': '60s'})
    with gateway.connect() as client:
        wait_until(lambda: client.ask('status')['hub']['state'] == 'waiting', 'the end of a try')
    shown = run([program('chapi-ctl'), '-s', gateway.socket_path, 'status']).stdout
    waits = r'^  waits for +the next try to connect\n  until +in \d+ s$'
    assert re.search(waits, shown, re.M), shown
    assert '0 of 1; 1 try to connect' in shown


def test_stats(ctl, door, gateway):
    with gateway.connect() as caller:
        number = caller.request('call', 'door.open', {'angle': 1})
        door.answer(door.wait_request(), 1)
        caller.result(number)
    text = ctl('stats')
    assert re.search(r'^calls +1$', text, re.M) and re.search(r'^door\.open +1 +0 ', text, re.M)
    assert ctl('stats', 'door.open').splitlines()[1].split()[:3] == ['door.open', '1', '0']
    assert json.loads(ctl('stats', '--json'))['apis']['door.open']['calls'] == 1
    assert json.loads(ctl('stats', 'door.open', '--json'))['name'] == 'door.open'


def test_ping(ctl):
    assert re.match(r'pong from /.* in [0-9.]+ ms\n$', ctl('ping'))
    assert len(ctl('ping', '-n', '3').splitlines()) == 3
    assert len(ctl('ping', '--count', '2').splitlines()) == 2
    assert json.loads(ctl('ping', '--json'))['ms'] > 0


# ---- wait, pause, resume, drain, unregister ---------------------------------------------------

def test_wait_for_a_name_that_is_there(ctl, door):
    assert ctl('wait', 'door.open') == ''
    assert json.loads(ctl('wait', '--json', 'door.open')) == ['door.open']


def test_wait_for_a_name_that_comes(gateway, door):
    process = start(['wait', 'door.open', 'late', '-t', '1m'], gateway)
    with gateway.connect() as client:
        wait_until(lambda: client.ask('status')['peers'] == 3, 'chapi-ctl to be connected')
        assert process.poll() is None
        client.ask('register', 'late')
        assert process.wait(10) == 0, process.stderr.read()


def test_wait_has_a_limit(chapi_ctl):
    for option in ('-t', '--timeout'):
        result = chapi_ctl('wait', 'never', option, '100ms')
        assert (result.returncode, result.stdout) == (124, '')
        assert 'not all of the names' in result.stderr


def test_pause_and_resume(ctl, door, gateway):
    assert ctl('pause', 'door.open') == ''
    assert gateway.ask('describe', 'door.open')['state'] == 'paused'
    assert 'paused' in ctl('list')
    assert json.loads(ctl('resume', '--json', 'door.open')) == ['door.open']
    assert gateway.ask('describe', 'door.open')['state'] == 'active'


def test_several_names_are_all_tried(chapi_ctl, door, gateway):
    result = chapi_ctl('pause', '--json', 'nobody', 'door.open')
    assert (result.returncode, json.loads(result.stdout)) == (EX_NOUSER, ['door.open'])
    assert gateway.ask('describe', 'door.open')['state'] == 'paused'


def test_drain_waits_for_the_last_call(gateway, door):
    with gateway.connect() as caller:
        number = caller.request('call', 'door.open', {'angle': 1})
        request = door.wait_request()
        process = start(['drain', 'door.open'], gateway)
        wait_until(lambda: gateway.ask('describe', 'door.open')['state'] == 'draining', 'the drain')
        assert process.poll() is None
        door.answer(request, 1)
        caller.result(number)
        assert process.wait(10) == 0


def test_what_was_drained_and_taken_away_as_json(ctl, chapi_ctl, door):
    assert json.loads(ctl('drain', '--json', 'door.open')) == ['door.open']
    result = chapi_ctl('--json', 'unregister', 'nobody', 'door.open')
    assert (result.returncode, json.loads(result.stdout)) == (EX_NOUSER, ['door.open'])


def test_drain_has_a_limit(chapi_ctl, door, gateway):
    with gateway.connect() as caller:
        caller.request('call', 'door.open', {'angle': 1})
        door.wait_request()
        assert chapi_ctl('drain', '-t', '100ms', 'door.open').returncode == 124


def test_unregister_takes_a_name_away(ctl, door, gateway):
    assert ctl('unregister', 'door.open') == ''
    assert gateway.ask('list') == []
    assert door.wait_notification('revoked')[2] == ['door.open', 'admin']


@pytest.mark.parametrize('command', [['pause', 'door.open'], ['resume', 'door.open'],
                                     ['drain', 'door.open'],
                                     ['unregister', 'door.open'], ['reload'], ['log-level', 'info'],
                                     ['monitor', '-k', 'peer']], ids=lambda c: c[0])
def test_who_may_not_is_told(start_gateway, command):
    gateway = start_gateway(policy={'admin': 'user:daemon *', 'monitor': 'user:daemon *'})
    with gateway.connect() as client:
        client.ask('register', 'door.open')
        result = run([program('chapi-ctl'), '-s', gateway.socket_path] + command)
    assert (result.returncode, result.stdout) == (EX_NOPERM, '')
    assert 'permission_denied' in result.stderr


# ---- monitor ----------------------------------------------------------------------------------

def test_monitor_shows_events(gateway, door):
    process = start(['monitor', '-n', '2', '-k', 'request,response'], gateway)
    with gateway.connect() as caller:
        def called():
            caller.call('chapi.echo', {'a': 1}, id='lbl')
            return process.poll() is not None
        wait_until(called, 'the monitor to end')
    lines = process.stdout.read().splitlines()
    assert len(lines) == 2, lines
    assert re.match(r'\d\d:\d\d:\d\d\.\d{3}  request +chapi\.echo  from uid:\d+  local  id lbl',
                    lines[0])
    assert re.match(r'\d\d:\d\d:\d\d\.\d{3}  response +chapi\.echo  in [0-9.]+ ms', lines[1])
    assert process.returncode == 0


@pytest.mark.parametrize('columns', [80, 40, 200])
def test_monitor_keeps_to_the_width_of_the_terminal(gateway, columns):
    """A long name, a long id and long params: each line is cut, and says that it was."""
    done = threading.Event()

    def call():
        with gateway.connect() as caller:
            while not done.is_set():
                caller.request('call', 'a' * 100, {'text': 'ü' * 200 + '\n\x1b[31m'},
                               {'id': 'i' * 64})
                caller.call('chapi.echo', ['short'])
    thread = threading.Thread(target=call)
    thread.start()
    try:
        script = 'stty cols %d; exec "$0" monitor -b -n 12 -k request,response' % columns
        env = environment(CHAPI_SOCKET=gateway.socket_path, TERM='xterm')
        shown, status = on_terminal(['/bin/sh', '-c', script, program('chapi-ctl')], env)
    finally:
        done.set()
        thread.join()
    lines = shown.splitlines()
    assert status == 0 and max(len(line) for line in lines) == columns, shown
    assert all(line.endswith('..') for line in lines if len(line) == columns)
    assert any(line.startswith('    params ["short"]') for line in lines) and '\x1b' not in shown


def test_monitor_in_a_pipe_cuts_nothing(gateway):
    process = start(['monitor', '-b', '-n', '1', '-k', 'request'], gateway)
    with gateway.connect() as caller:
        def called():
            caller.call('chapi.echo', 'x' * 500, id='i' * 64)
            return process.poll() is not None
        wait_until(called, 'the monitor to end')
    head, params = process.stdout.read().splitlines()
    assert head.endswith('id ' + 'i' * 64) and params == '    params "%s"' % ('x' * 500)


def test_monitor_json_has_bodies_when_asked_for(gateway):
    process = start(['monitor', '--json', '--bodies', '--count', '1', '--kinds', 'request',
                     'chapi.e*'], gateway)
    with gateway.connect() as caller:
        def called():
            caller.call('chapi.ping')
            caller.call('chapi.echo', {'a': 1})
            return process.poll() is not None
        wait_until(called, 'the monitor to end')
    event = json.loads(process.stdout.read())
    assert (event['kind'], event['api'], event['params']) == ('request', 'chapi.echo', {'a': 1})


def test_monitor_writes_each_line_at_once(gateway):
    process = start(['monitor', '-k', 'api'], gateway)
    with gateway.connect() as client:
        done = threading.Event()

        def change():
            while not done.is_set():
                client.ask('register', 'f')
                client.ask('unregister', 'f')
        thread = threading.Thread(target=change)
        thread.start()
        try:
            line = process.stdout.readline()
        finally:
            done.set()
            thread.join()
        assert re.search(r'api +f  (un)?registered  by uid:', line)
    process.send_signal(signal.SIGTERM)
    process.wait(10)


def test_monitor_ends_with_the_gateway(gateway):
    process = start(['monitor'], gateway)
    with gateway.connect() as client:
        wait_until(lambda: client.ask('status')['peers'] == 2, 'chapi-ctl to be connected')
    gateway.kill()
    assert process.wait(10) == EX_IOERR
    assert len(process.stderr.read().splitlines()) == 1


def test_monitor_of_an_unknown_kind(chapi_ctl):
    assert chapi_ctl('monitor', '-k', 'weather').returncode == EX_DATAERR
    assert chapi_ctl('monitor', '-k', ',').returncode == EX_USAGE


# ---- administration ---------------------------------------------------------------------------

def test_log_level(ctl, chapi_ctl, gateway):
    assert ctl('log-level', 'debug') == ''
    assert chapi_ctl('log-level', 'loud').returncode == EX_DATAERR
    assert ctl('log-level', '--json', 'info') == 'null\n'


def test_reload_tells_what_has_changed(ctl, chapi_ctl, gateway):
    assert ctl('reload') == 'nothing has changed\n'
    with open(gateway.config, 'a') as f:
        f.write('log_level = debug\nsocket_mode = 0600\n')
    text = ctl('reload')
    assert 'gateway.log_level  has changed\n' in text \
        and 'gateway.socket_mode  has changed, which takes' in text
    assert json.loads(ctl('reload', '--json'))['restart'] == ['gateway.socket_mode']
    with open(gateway.config, 'a') as f:
        f.write('nonsense = 1\n')
    result = chapi_ctl('reload')
    assert result.returncode == 78 and 'nonsense' in result.stderr


# ---- metrics ----------------------------------------------------------------------------------

def parse_metrics(text):
    """{name with labels: value}; fails on what the format does not allow."""
    types, values = {}, {}
    for line in text.splitlines():
        if line.startswith('# TYPE '):
            _, _, name, kind = line.split()
            assert name not in types and kind in ('gauge', 'counter')
            types[name] = kind
        elif not line.startswith('# HELP '):
            label = r'[a-z]+="(?:[^"\\]|\\.)*"'
            match = re.fullmatch(r'([a-z_]+)(\{%s(?:,%s)*\})? (\S+)' % (label, label), line)
            assert match, line
            assert match.group(1) in types
            values[match.group(1) + (match.group(2) or '')] = float(match.group(3))
    return values


def test_metrics(ctl, door):
    values = parse_metrics(ctl('metrics'))
    assert values['chapi_up'] == 1 and values['chapi_names'] == 1
    assert values['chapi_name_calls_total{api="door.open"}'] == 0
    assert 'chapi_calls_total' in values and 'chapi_hub_up' not in values
    assert set(json.loads(ctl('metrics', '--json'))) == {'status', 'stats'}


def test_metrics_of_the_hub(remote_gateway):
    result = run([program('chapi-ctl'), '-s', remote_gateway.socket_path, 'metrics'])
    values = parse_metrics(result.stdout)
    assert values['chapi_hub_up'] == 1 and values['chapi_hub_connects_total'] == 1


def test_metrics_into_a_file(ctl, folder):
    path = os.path.join(folder, 'chapi.prom')
    assert ctl('metrics', '--textfile', path) == ''
    with open(path) as f:
        assert parse_metrics(f.read())['chapi_up'] == 1
    assert stat.S_IMODE(os.stat(path).st_mode) & 0o444 == 0o444
    assert [n for n in os.listdir(folder) if n.startswith('chapi.prom')] == ['chapi.prom']


def test_metrics_file_that_cannot_be_written(chapi_ctl, folder):
    result = chapi_ctl('metrics', '--textfile', folder + '/nowhere/f')
    assert (result.returncode, result.stdout) == (74, '') and folder + '/nowhere/f' in result.stderr


def test_metrics_without_a_gateway_say_that_it_is_down(folder):
    path = os.path.join(folder, 'chapi.prom')
    result = run([program('chapi-ctl'), '-s', folder + '/nobody.sock', 'metrics', '--textfile',
                  path])
    assert result.returncode == EX_UNAVAILABLE
    with open(path) as f:
        assert parse_metrics(f.read()) == {'chapi_up': 0}


# ---- doctor -----------------------------------------------------------------------------------

def checks(text):
    return {c['check']: c for c in json.loads(text)}


def test_doctor_of_a_local_gateway(ctl):
    text = ctl('doctor')
    assert re.search(r'^connection +ok$', text, re.M) and 'FAILED' not in text
    assert all(c['ok'] for c in json.loads(ctl('doctor', '--json')))


def test_doctor_without_a_gateway(folder):
    result = run([program('chapi-ctl'), '-s', folder + '/nobody.sock', 'doctor'])
    assert result.returncode == EX_UNAVAILABLE
    assert re.search(r'^connection +FAILED$', result.stdout, re.M) and '-> ' in result.stdout
    result = run([program('chapi-ctl'), '-s', folder + '/nobody.sock', 'doctor', '--json'])
    assert checks(result.stdout)['connection']['ok'] is False


def test_doctor_calls_the_gateway_through_the_hub(start_gateway, hub, channel):
    me = 'user:%d' % os.getuid()
    gateway = start_gateway(hub, channel, policy={'publish': me + ' private-chapi-*'}).wait_up()
    result = run([program('chapi-ctl'), '-s', gateway.socket_path, 'doctor', '--json'])
    found = checks(result.stdout)
    assert result.returncode == 0, result
    assert set(found) >= {'connection', 'rights', 'socket', 'clock', 'hub', 'publishing', 'dns',
                          'tls', 'credentials',
                          'subscribed', 'round trip'}
    assert re.search(r'took \d+ ms', found['round trip']['text'])
    assert all(c['ok'] for c in found.values())


def test_doctor_calls_with_the_event_that_the_gateway_goes_by(start_gateway, hub, channel):
    gateway = start_gateway(hub, channel, remote={'request_event': 'ask'},
                            policy={'publish': 'user:%d private-chapi-*' % os.getuid()}).wait_up()
    result = run([program('chapi-ctl'), '-s', gateway.socket_path, 'doctor', '--json'])
    assert checks(result.stdout)['round trip']['ok'], result.stdout


def test_doctor_who_may_not_publish(remote_gateway):
    result = run([program('chapi-ctl'), '-s', remote_gateway.socket_path, 'doctor', '--json'])
    check = checks(result.stdout)['round trip']
    assert result.returncode == 0 and check['ok'] is None and 'publish = ' in check['hint']


def test_doctor_with_a_hub_that_is_not_there(start_gateway, own_hub, channel):
    own_hub.start()
    own_hub.stop()
    gateway = start_gateway(own_hub, channel)
    result = run([program('chapi-ctl'), '-s', gateway.socket_path, 'doctor', '--json'])
    found = checks(result.stdout)
    assert result.returncode == 1
    assert found['hub']['ok'] is False and found['hub']['hint']
    assert found['subscribed']['ok'] is None and not found['subscribed']['hint']
    assert found['dns']['ok'] is True and found['credentials']['ok'] is None


def test_doctor_with_a_wrong_key(start_gateway, hub, channel):
    gateway = start_gateway(hub, channel, pusher={'key': 'no-such-key'})
    with gateway.connect() as client:
        wait_until(lambda: client.ask('status')['hub']['last_error_code'] >= 4000,
                   'the hub to refuse')
    found = checks(run([program('chapi-ctl'), '-s', gateway.socket_path, 'doctor',
                        '--json']).stdout)
    assert found['credentials']['ok'] is False and 'app_id' in found['credentials']['hint']


def test_doctor_with_a_wrong_secret(start_gateway, hub, channel, folder):
    path = os.path.join(folder, 'wrong')
    with open(path, 'w') as f:
        f.write('not-the-secret\n')
    os.chmod(path, 0o600)
    gateway = start_gateway(hub, channel, pusher={'secret_file': path})
    with gateway.connect() as client:
        wait_until(lambda: client.ask('status')['hub']['reason'], 'the hub to refuse')
    result = run([program('chapi-ctl'), '-s', gateway.socket_path, 'doctor', '--json'])
    found = checks(result.stdout)
    assert result.returncode == 1 and found['subscribed']['ok'] is False
    assert found['credentials']['ok'] is False and 'secret' in found['credentials']['hint']


def test_doctor_as_somebody_without_rights(start_gateway):
    gateway = start_gateway(policy={'admin': 'user:daemon *'})
    result = run([program('chapi-ctl'), '-s', gateway.socket_path, 'doctor', '--json'])
    check = checks(result.stdout)['rights']
    assert result.returncode == 0 and check['ok'] is None and 'admin = ' in check['hint']


def test_doctor_at_a_socket_that_keeps_us_out(start_gateway, need):
    if os.geteuid() != 0:
        pytest.skip('needs root')
    need('setpriv')
    if run(as_ordinary_user([program('chapi-ctl'), '--version'])).returncode != 0:
        pytest.skip('an ordinary user cannot run what is built here')
    gateway = start_gateway(gateway={'socket_mode': '0600'})
    result = run(as_ordinary_user([program('chapi-ctl'), '-s', gateway.socket_path, 'doctor',
                                   '--json']))
    assert result.returncode == EX_NOPERM
    assert 'socket_mode' in checks(result.stdout)['connection']['hint']


# ---- colour, usage, help ----------------------------------------------------------------------

def test_colour_on_a_terminal_only(gateway, door):
    argv = [program('chapi-ctl'), 'list']
    env = environment(CHAPI_SOCKET=gateway.socket_path, TERM='xterm')
    assert on_terminal(argv, env)[0].count('\x1b[32mactive\x1b[0m') == 1
    assert '\x1b' not in on_terminal(argv, dict(env, NO_COLOR='1'))[0]
    assert '\x1b' not in on_terminal(argv, dict(env, TERM='dumb'))[0]
    assert '\x1b' not in run(argv, env=env).stdout


@pytest.mark.parametrize('arguments', [
    [], ['frobnicate'], ['--frobnicate'], ['list', '--frobnicate'], ['list', 'a', 'b'],
    ['describe'], ['status', 'x'],
    ['wait'], ['wait', 'f', '-t', 'soon'], ['pause'], ['resume'], ['drain'], ['unregister'],
    ['log-level'],
    ['ping', '-n', 'x'], ['ping', '-n', '0'], ['monitor', '--count', '0'], ['reload', 'x'],
    ['metrics', '--textfile'], ['describe', 'f', '-l'],
], ids=lambda a: ' '.join(a) or 'nothing')
def test_wrong_usage_is_said(chapi_ctl, arguments):
    result = chapi_ctl(*arguments)
    assert (result.returncode, result.stdout) == (EX_USAGE, '')
    assert result.stderr


def test_help_lists_all_commands_on_one_screen(chapi_ctl):
    result = chapi_ctl('--help')
    assert (result.returncode, result.stderr) == (0, '')
    assert re.findall(r'^  ([a-z-]+) ', result.stdout, re.M)[:len(COMMANDS)] == COMMANDS
    assert chapi_ctl('complete').stdout.split() == COMMANDS
    assert chapi_ctl('-h').stdout == result.stdout


@pytest.mark.parametrize('command', COMMANDS)
def test_each_command_has_help(chapi_ctl, command):
    result = chapi_ctl(command, '--help')
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout.startswith('Usage: chapi-ctl %s ' % command)
    assert chapi_ctl(command, '-h').stdout == result.stdout


def test_completion_of_commands_names_and_params(ctl, gateway):
    with gateway.connect() as client:
        client.ask('register', 'door.open', {'params': {'type': 'object', 'properties': {
            'angle': {'type': 'number'}, 'who': {'type': 'string'}, 'two words': {}}}})
        client.ask('register', 'window')
        assert set(COMMANDS) <= set(ctl('complete').split())
        assert ctl('complete', 'names') == 'door.open\nwindow\n'
        assert sorted(ctl('complete', 'params', 'door.open').split('\n')) == ['', 'angle', 'who']
        assert ctl('complete', 'params', 'nobody') == ''


def test_completion_without_a_gateway_is_silent(folder):
    result = run([program('chapi-ctl'), '-s', folder + '/nobody.sock', 'complete', 'names'])
    assert (result.returncode, result.stdout, result.stderr) == (0, '', '')


def test_version(chapi_ctl):
    assert re.match(r'chapi-ctl \d', chapi_ctl('--version').stdout)
    assert chapi_ctl('-V').stdout == chapi_ctl('list', '-V').stdout


def test_full_disk_is_said(gateway):
    with open('/dev/full', 'w') as full:
        process = subprocess.run([program('chapi-ctl'), 'status'], stdout=full,
                                 stderr=subprocess.PIPE, text=True,
                                 env=environment(CHAPI_SOCKET=gateway.socket_path), timeout=20)
    assert process.returncode == EX_IOERR and 'standard output' in process.stderr
