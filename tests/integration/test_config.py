# SPDX-License-Identifier: MIT
"""Configuration: what is wrong is said with file and line, and secrets stay secret."""
import os
import shutil
import sys

import pytest

from lib.gateway import Gateway
from lib.process import ORDINARY_UID, as_ordinary_user, environment, program, run, top_srcdir

SECRET = 'hush-hush-0123456789'
EX_USAGE, EX_NOINPUT, EX_CONFIG = 64, 66, 78


def write(path, text, mode=0o644):
    with open(path, 'w') as f:
        f.write(text)
    os.chmod(path, mode)
    return path


@pytest.fixture
def secret_file(folder):
    return write(os.path.join(folder, 'secret'), SECRET + '\n', 0o600)


@pytest.fixture
def check(folder):
    """check(TEXT): --check-config on it."""
    def check(text, *more, env=None):
        path = write(os.path.join(folder, 'gw.conf'), text)
        result = run([program('chapi-gw'), '--check-config', '--config', path] + list(more),
                     env=env)
        assert SECRET not in result.stdout + result.stderr
        return result
    return check


@pytest.fixture
def pusher(secret_file):
    """A good section [pusher] of six lines."""
    return ('[pusher]\napp_id = 1001\nkey = some-key\nsecret_file = %s\n'
            'host = 127.0.0.1\nport = 6001\n' % secret_file)


def refused(result, folder, line, *words):
    """One line: FILE:LINE: what is wrong."""
    assert result.returncode == EX_CONFIG, result
    lines = result.stderr.rstrip('\n').split('\n')
    assert len(lines) == 1, result.stderr
    place = os.path.join(folder, 'gw.conf') + (':%d: ' % line if line else ':')
    assert place in lines[0], result.stderr
    for word in words:
        assert word in lines[0], result.stderr


def test_good_configuration_passes(check, pusher):
    result = check(pusher + '[gateway]\nname = pi-kitchen\n'
                   '[remote]\nchannel = private-chapi-pi-kitchen chapi\n')
    assert (result.returncode, result.stderr) == (0, '')


def test_empty_configuration_passes(check):
    assert check('').returncode == 0


@pytest.mark.parametrize('comment', ['# c', '; c', '', '#key = x', '   '],
                         ids=['hash', 'semicolon', 'empty', 'key', 'blank'])
def test_comments_stand_on_their_own_lines(check, comment):
    assert check('%s\n[gateway]\n%s\nname = x\n' % (comment, comment)).returncode == 0


WRONG = {
    'section': ('[kitchen]\nname = x\n', 1, 'kitchen'),
    'key': ('[gateway]\nname = x\nnmae = y\n', 3, 'nmae'),
    'key of another section': ('[gateway]\n\ncluster = eu\n', 3, 'cluster'),
    'no section': ('name = x\n', 1, 'name'),
    'no equals sign': ('[gateway]\nname\n', 2, None),
    'twice': ('[gateway]\nname = x\n# c\nname = y\n', 4, 'name'),
    'indented': ('[gateway]\nname = x\n  log_level = info\n', 3, None),
    'over-long': ('[gateway]\nname = %s\n' % ('x' * 20000), 2, None),
    'unclosed section': ('[gateway\nname = x\n', 1, None),
    'time': ('[gateway]\nstop_timeout = soon\n', 2, 'stop_timeout'),
    'time without a unit that is one': ('[gateway]\nstop_timeout = 10d\n', 2, 'stop_timeout'),
    'size': ('[gateway]\nmax_message = large\n', 2, 'max_message'),
    'size too small': ('[gateway]\nmax_message = 1\n', 2, 'max_message'),
    'size too large': ('[gateway]\nmax_message = 65M\n', 2, 'max_message'),
    'mode': ('[gateway]\nsocket_mode = 0999\n', 2, 'socket_mode'),
    'level': ('[gateway]\nlog_level = chatty\n', 2, 'log_level'),
    'name': ('[gateway]\nname = a/b\n', 2, 'name'),
    'comment behind a value': ('[gateway]\nmax_message = 4M # four\n', 2, 'max_message'),
    'switch': ('[remote]\nanswer_unknown = perhaps\n', 2, 'answer_unknown'),
    'number': ('[limits]\ncalls_per_peer = many\n', 2, 'calls_per_peer'),
    'negative number': ('[limits]\ncalls_per_peer = -1\n', 2, 'calls_per_peer'),
    'cache channel': ('[remote]\nchannel = private-cache-x\n', 2, 'cache'),
    'presence channel': ('[remote]\nchannel = presence-x\n', 2, 'presence'),
    'characters of a channel': ('[remote]\nchannel = a/b\n', 2, 'a/b'),
    'length of a channel': ('[remote]\nchannel = %s\n' % ('x' * 201), 2, None),
    'equal events': ('[remote]\nrequest_event = x\nresponse_event = x\n', None, 'event'),
}


@pytest.mark.parametrize('text, line, word', WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_with_file_and_line(check, folder, text, line, word):
    refused(check(text), folder, line, *([word] if word else []))


WRONG_PUSHER = {
    'port': ('port = 6001', 'port = 70000', 6, 'port'),
    'port 0': ('port = 6001', 'port = 0', 6, 'port'),
    'no app_id': ('app_id = 1001\n', '', None, 'app_id'),
    'no key': ('key = some-key\n', '', None, 'key'),
    'neither cluster nor host': ('host = 127.0.0.1\nport = 6001\n', '', None, 'cluster'),
    'tls': ('port = 6001', 'tls = maybe', 6, 'tls'),
}


@pytest.mark.parametrize('old, new, line, word', WRONG_PUSHER.values(), ids=WRONG_PUSHER.keys())
def test_what_is_wrong_with_the_hub_is_said(check, pusher, folder, old, new, line, word):
    assert old in pusher
    refused(check(pusher.replace(old, new)), folder, line, word)


def test_wrong_configuration_does_not_start(folder):
    path = write(os.path.join(folder, 'gw.conf'), '[gateway]\nname = x\nnmae = y\n')
    result = run([program('chapi-gw'), '--config', path,
                  '--socket', os.path.join(folder, 'gw.sock')])
    refused(result, folder, 3, 'nmae')
    assert not os.path.exists(os.path.join(folder, 'gw.sock'))


def test_missing_file_is_no_input(folder):
    path = os.path.join(folder, 'nowhere.conf')
    for more in ([], ['--check-config']):
        result = run([program('chapi-gw'), '--config', path] + more)
        assert result.returncode == EX_NOINPUT
        assert path in result.stderr


def test_unreadable_file_is_no_input(folder, need):
    need('setpriv')
    path = write(os.path.join(folder, 'gw.conf'), '', 0o000)
    executable = shutil.copy(program('chapi-gw'), folder)
    result = run(as_ordinary_user([executable, '--check-config', '--config', path]))
    assert result.returncode == EX_NOINPUT
    assert path in result.stderr


# ---- rights -----------------------------------------------------------------------------------

def test_rules_are_printed_right_by_right_and_defaults_where_there_are_none(check):
    result = check('[policy]\nlist = * a.*\ncall = user:root lights.*\ncall = user:no-such-user *\n'
                   'call = remote lights.*\nadmin = user:12345 *\n')
    assert (result.returncode, result.stderr) == (0, '')
    text = result.stdout[result.stdout.index('  call '):]
    assert text.index('user:root (0): lights.*') < text.index('no-such-user (not known here') \
        < text.index('remote: lights.*') < text.index('  register ') < text.index('  list ')
    assert 'register  everyone, local or remote (the default)' in text
    assert 'list      everyone, local or remote: a.*' in text
    assert "monitor   root and the gateway's own user (the default)" in text
    assert 'admin     user:12345: *' in text


@pytest.mark.parametrize('rule',
                         ['call = root *', 'call = user: *', 'call = user:root', 'call = * a b'])
def test_rules_of_another_form_are_refused(check, folder, rule):
    refused(check('[policy]\n%s\n' % rule), folder, 2, 'a rule is SUBJECT PATTERN')


# ---- the secret -------------------------------------------------------------------------------

@pytest.mark.parametrize('mode', [0o644, 0o604, 0o602, 0o601], ids=oct)
def test_secret_file_with_rights_for_others_is_refused(check, pusher, folder, secret_file, mode):
    os.chmod(secret_file, mode)
    refused(check(pusher), folder, 4, secret_file)


@pytest.mark.parametrize('mode', [0o600, 0o400, 0o640], ids=oct)
def test_secret_file_without_rights_for_others_is_fine(check, pusher, secret_file, mode):
    os.chmod(secret_file, mode)
    assert check(pusher).returncode == 0


def test_missing_secret_file_is_said(check, pusher, folder, secret_file):
    os.unlink(secret_file)
    refused(check(pusher), folder, 4, secret_file)


@pytest.mark.parametrize('text', ['', '\n'])
def test_empty_secret_file_is_said(check, pusher, folder, secret_file, text):
    write(secret_file, text, 0o600)
    refused(check(pusher), folder, 4, secret_file)


def test_folder_as_secret_file_is_said(check, pusher, folder, secret_file):
    os.unlink(secret_file)
    os.mkdir(secret_file, 0o700)
    refused(check(pusher), folder, 4, secret_file)


def test_unreadable_secret_file_is_said_to_an_ordinary_user(folder, need, pusher, secret_file):
    need('setpriv')
    os.chmod(secret_file, 0o000 if os.geteuid() else 0o600)
    path = write(os.path.join(folder, 'gw.conf'), pusher)
    executable = shutil.copy(program('chapi-gw'), folder)
    refused(run(as_ordinary_user([executable, '--check-config', '--config', path])), folder,
            4, secret_file)


def test_ordinary_user_reads_a_secret_of_his_own(folder, need, pusher, secret_file):
    need('setpriv')
    if os.geteuid() == 0:
        os.chown(secret_file, ORDINARY_UID, ORDINARY_UID)
    path = write(os.path.join(folder, 'gw.conf'), pusher)
    executable = shutil.copy(program('chapi-gw'), folder)
    result = run(as_ordinary_user([executable, '--check-config', '--config', path]))
    assert (result.returncode, result.stderr) == (0, '')


def test_secret_may_be_a_service_credential(check, pusher, folder, secret_file):
    os.mkdir(os.path.join(folder, 'credentials'), 0o700)
    shutil.move(secret_file, os.path.join(folder, 'credentials', 'pusher-secret'))
    text = pusher.replace('secret_file = %s\n' % secret_file, '')
    env = environment(CREDENTIALS_DIRECTORY=os.path.join(folder, 'credentials'))
    assert check(text, env=env).returncode == 0
    refused(check(text), folder, None, 'secret_file')


def test_secret_cannot_be_given_in_the_file(check, pusher, folder):
    refused(check(pusher + 'secret = abc\n'), folder, 7, 'secret')


def test_printed_configuration_hides_the_secret(folder, pusher):
    path = write(os.path.join(folder, 'gw.conf'), pusher)
    result = run([program('chapi-gw'), '--print-config', '--config', path])
    assert result.returncode == 0
    assert SECRET not in result.stdout + result.stderr
    assert 'some-key' in result.stdout and '127.0.0.1' in result.stdout


# ---- where values come from -------------------------------------------------------------------

def printed(path, *more):
    result = run([program('chapi-gw'), '--print-config', '--config', path] + list(more))
    assert result.returncode == 0, result.stderr
    values = {}
    for line in result.stdout.split('\n'):
        key, equals, value = line.partition('=')
        if equals and not line.lstrip().startswith(('#', ';')):
            values[key.strip()] = value.strip()
    return values


def test_later_files_win_in_order_of_name_and_the_command_line_over_all(folder):
    path = write(os.path.join(folder, 'gw.conf'),
                 '[gateway]\nname = first\nsocket = /tmp/a.sock\nlog_level = error\n')
    os.mkdir(path + '.d')
    write(path + '.d/20-b.conf', '[gateway]\nname = third\n')
    write(path + '.d/10-a.conf', '[gateway]\nname = second\nsocket = /tmp/b.sock\n')
    write(path + '.d/30-c.conf~', '[gateway]\nname = no\n')
    values = printed(path, '--log-level', 'debug')
    assert (values['name'], values['socket'], values['log_level']) == \
        ('third', '/tmp/b.sock', 'debug')
    assert printed(path, '--socket', '/tmp/c.sock')['socket'] == '/tmp/c.sock'


def test_fault_in_a_further_file_names_that_file(folder):
    path = write(os.path.join(folder, 'gw.conf'), '[gateway]\nname = first\n')
    os.mkdir(path + '.d')
    write(path + '.d/10-a.conf', '[gateway]\n\nnmae = x\n')
    result = run([program('chapi-gw'), '--check-config', '--config', path])
    assert result.returncode == EX_CONFIG
    assert path + '.d/10-a.conf:3: ' in result.stderr


def test_printed_configuration_can_be_read_again(folder):
    path = write(os.path.join(folder, 'gw.conf'),
                 '[gateway]\nname = x\nmax_message = 2M\nstop_timeout = 1500ms\n')
    first = run([program('chapi-gw'), '--print-config', '--config', path])
    again = run([program('chapi-gw'), '--print-config', '--config',
                 write(os.path.join(folder, 'again.conf'), first.stdout)])
    assert (again.returncode, again.stdout) == (0, first.stdout)


def test_user_gateway_has_its_file_and_socket_in_its_own_folders(daemons, folder):
    os.makedirs(os.path.join(folder, 'config/chapi'))
    os.makedirs(os.path.join(folder, 'run/chapi'), 0o700)
    write(os.path.join(folder, 'config/chapi/chapi-gw.conf'), '[gateway]\nname = mine\n')
    gateway = Gateway(folder, env=environment(XDG_CONFIG_HOME=os.path.join(folder, 'config'),
                                              XDG_RUNTIME_DIR=os.path.join(folder, 'run')))
    gateway.argv = [program('chapi-gw'), '--user']
    gateway.socket_path = os.path.join(folder, 'run/chapi/gw.sock')
    with daemons.start(gateway).connect() as client:
        assert client.ask('hello')['name'] == 'mine'
    assert os.stat(gateway.socket_path).st_mode & 0o777 == 0o600


def test_without_a_hub_the_gateway_says_that_calls_are_local_only(gateway):
    with gateway.connect() as client:
        assert client.call('chapi.echo', 1) == 1
        hub = client.ask('status')['hub']
    assert hub is None or hub.get('state') not in ('up', 'connecting')
    assert 'local' in gateway.wait_log('local')


def test_name_defaults_to_the_host_name_in_the_allowed_characters(daemons, folder):
    gateway = Gateway(folder)
    gateway.argv = [program('chapi-gw'), '--config', '/dev/null', '--socket', gateway.socket_path]
    with daemons.start(gateway).connect() as client:
        name = client.ask('hello')['name']
    assert name and all(c.isalnum() or c in '_.-' for c in name)


# ---- options ----------------------------------------------------------------------------------

def test_help_and_version_go_to_standard_output():
    for option, word in (('--help', '--check-config'), ('--version', '.')):
        result = run([program('chapi-gw'), option])
        assert (result.returncode, result.stderr) == (0, '')
        assert word in result.stdout


@pytest.mark.parametrize('arguments',
                         [['--frobnicate'], ['--config'], ['--secret', 'x'], ['surplus'],
                          ['--log-level', 'chatty', '--config', '/dev/null']], ids=lambda a: a[0])
def test_wrong_usage_is_said(arguments):
    result = run([program('chapi-gw')] + arguments)
    assert result.returncode == EX_USAGE
    assert result.stderr and not result.stdout


def test_the_manual_has_the_keys_of_the_table():
    done = run([sys.executable, os.path.join(top_srcdir, 'tests/lib/conf_manual.py'),
                program('chapi-gw'), os.path.join(top_srcdir, 'doc/chapi-gw.conf.5')])
    assert done.returncode == 0, done.stderr
