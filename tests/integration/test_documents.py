# SPDX-License-Identifier: MIT
"""What documents say to type, typed: doc/hacking.md, doc/security.md, doc/troubleshooting.md.

README.md has test_readme.py, doc/shell.md has test_shell.py. Building, and what belongs to a service
manager, is left to ./check.
"""
import os
import re
import select
import subprocess
from types import SimpleNamespace

import pytest

from lib.gateway import Provider
from lib.hubs import free_port
from lib.limits import LIMIT, wait_until
from lib.process import (Daemon, as_ordinary_user, die_with_parent, environment, program, run,
                         top_srcdir)

DOCUMENTS = ['hacking', 'security', 'troubleshooting']


def document(name):
    with open(os.path.join(top_srcdir, 'doc/%s.md' % name), encoding='utf-8') as f:
        return f.read()


def blocks(name, title):
    """What stands indented in a section, by block: lists of lines."""
    (section,) = re.findall(r'^## %s\n(.*?)(?=^## |\Z)' % re.escape(title), document(name),
                            re.M | re.S)
    return [[line[4:] for line in block.splitlines()]
            for block in re.findall(r'(?:^    .*\n)+', section, re.M)]


def block_with(text):
    (found,) = [block for block in blocks('hacking', 'Look at the traffic')
                if any(text in line for line in block)]
    return found


@pytest.fixture
def surroundings(folder):
    """The programs are found by name, as if they were installed."""
    folders = {os.path.dirname(program(name)) for name in ('chapi-gw', 'chapi-hub', 'chapi-call')}

    def make(**more):
        return environment(PATH=':'.join(sorted(folders) + [os.environ['PATH']]), **more)
    return make


# ---- doc/hacking.md: look at the traffic ---------------------------------------------------------

def test_a_spy_between_a_client_and_the_gateway(gateway, daemons, folder, surroundings, need):
    need('socat')
    spy = os.path.join(folder, 'spy.sock')
    listen, call = [line.replace('/run/chapi/gw.sock',
                                 gateway.socket_path).replace('/tmp/spy.sock', spy)
                    for line in block_with('socat -v')]
    daemon = daemons.start(Daemon('socat', listen.removesuffix(' &').split(),
                                  env=surroundings(), status=None))
    wait_until(lambda: os.path.exists(spy), 'socat to listen')
    assert run(call.split(), env=surroundings()).returncode == 0
    daemon.wait_log('chapi.ping')


def test_lines_typed_into_a_connection(gateway, surroundings, need):
    """Readline itself wants a terminal."""
    need('socat')
    command, *lines = block_with('socat READLINE')
    argv = command.replace('READLINE', '-').replace('/run/chapi/gw.sock',
                                                    gateway.socket_path).split()
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                          env=surroundings(), preexec_fn=die_with_parent) as socat:
        for number, line in enumerate(lines, 1):
            socat.stdin.write(line.encode() + b'\n')
            assert select.select([socat.stdout], [], [], LIMIT)[0], 'no answer to ' + line
            assert socat.stdout.readline().startswith(b'[1,%d,null,{' % number)
        socat.stdin.close()


def test_a_hub_of_ones_own(daemons, folder, surroundings):
    """The two run side by side; "&" of the first is the test's."""
    port = str(free_port())
    socket_path = os.path.join(folder, 'gw.sock')

    def here(text):
        return text.replace('6001', port).replace('/tmp/', folder + '/')
    secret, hub_line, gateway_line = map(here, block_with('chapi-hub'))
    (config,) = re.findall(r'^```ini\n(.*?)^```$', document('hacking'), re.M | re.S)
    with open(os.path.join(folder, 'chapi-gw.conf'), 'w') as f:
        f.write(here(config))
    assert run(['sh', '-c', secret], cwd=folder).returncode == 0
    daemons.start(Daemon('chapi-hub', hub_line.removesuffix(' &').split(), cwd=folder,
                         env=surroundings(), secrets=['0123456789abcdef']))
    gateway = daemons.start(Daemon('chapi-gw',
                                   gateway_line.split() + ['--socket', socket_path],
                                   cwd=folder, env=surroundings(), secrets=['0123456789abcdef']))
    wait_until(lambda: os.path.exists(socket_path), 'the gateway to listen')

    def is_up():
        status = run([program('chapi-ctl'), '-s', socket_path, '--json', 'status'])
        return re.search(r'"state": *"up"', status.stdout)
    wait_until(is_up, 'the hub to be up')
    gateway.wait_log('subscribed')


# ---- commands in the text ------------------------------------------------------------------------

def commands():
    """Of the gateway and its tools: in `...`, and alone in an indented line."""
    for name in DOCUMENTS:
        text = document(name)
        for command in (re.findall(r'`(chapi-\w+ [^`]+)`', text) +
                        re.findall(r'^    (chapi-ctl .*)$', text, re.M)):
            yield command


# "setup" asks; it has test_ctl_setup.py. "monitor" does not end; it has test_monitor.py.
ENDLESS = {'chapi-ctl setup', 'chapi-ctl monitor'}


def test_commands_in_the_text(gateway, surroundings):
    found = set(commands())
    assert ENDLESS <= found and len(found) > len(ENDLESS)
    with gateway.connect() as client:
        Provider(client, 'door.open')
        for command in sorted(found - ENDLESS):
            argv = command.replace('NAME', 'door.open').split()
            if argv[0] == 'chapi-gw' and '--version' not in argv:
                argv += ['--config', gateway.config]
            done = run(argv, env=surroundings(CHAPI_SOCKET=gateway.socket_path))
            assert done.returncode == 0, '%s: %s' % (command, done.stdout + done.stderr)
            assert done.stdout or 'log-level' in command, command


# ---- doc/troubleshooting.md: by the words of the tools -------------------------------------------

def call(gateway, *arguments):
    return run([program('chapi-call'), '-s', gateway.socket_path, *arguments])


def nobody_listens(world):
    return run([program('chapi-call'), '-s', world.folder + '/nobody.sock', 'f'])


def not_let_in(world):
    if os.geteuid() != 0 or \
            run(as_ordinary_user([program('chapi-call'), '--version'])).returncode != 0:
        pytest.skip('needs root, and what is built here to be open to ordinary users')
    os.chmod(world.gateway.socket_path, 0o600)
    return run(as_ordinary_user([program('chapi-call'), '-s', world.gateway.socket_path, 'f']))


def may_not_call(world):
    return call(world.gateway, 'door')


def may_not_register(world):
    return run([program('chapi-serve'), '-s', world.gateway.socket_path, 'door', '--', 'true'])


def nobody_has_it(world):
    return call(world.gateway, 'fan')


def taken(world):
    return run([program('chapi-serve'), '-s', world.gateway.socket_path, 'f', '--', 'true'])


def gone(world):
    caller = subprocess.Popen([program('chapi-call'), '-s', world.gateway.socket_path, 'f'],
                              stderr=subprocess.PIPE, text=True, env=environment(),
                              preexec_fn=die_with_parent)
    world.provider.wait_request('f')
    world.provider.close()
    _, said = caller.communicate(timeout=LIMIT)
    return subprocess.CompletedProcess(caller.args, caller.returncode, '', said)


def too_slow(world):
    return call(world.gateway, '-t', '20ms', 'f')


def too_many(world):
    world.client.request('call', 'f')
    world.provider.wait_request('f')
    return call(world.gateway, 'f')


def too_large_for_the_socket(world):
    return call(world.gateway, 'f', 'x=' + 100000 * 'x')


# The words of a heading, and what makes a tool say them.
SYMPTOMS = {
    'No gateway listens at the socket': nobody_listens, 'do not let this user in': not_let_in,
    'may not call': may_not_call, 'may not register': may_not_register,
    'is its provider running?': nobody_has_it, 'is held by another process': taken,
    'has left without an answer': gone, 'gave no answer within': too_slow,
    'no more may wait': too_many, 'a message at most': too_large_for_the_socket,
}


def headings():
    """{words: exit status} of headings that tell of an exit status."""
    found = re.findall(r'^## (".*) \((?:\w+, )?exit status (\d+)\)$', document('troubleshooting'),
                       re.M)
    return {words: int(status) for title, status in found
            for words in re.findall(r'"([^"]*)"', title)}


@pytest.fixture
def world(start_gateway, folder):
    """A gateway of which little is allowed; f is there, one call at a time."""
    gateway = start_gateway(gateway={'max_message': '64K'}, limits={'output_per_peer': '128K'},
                            policy={'call': '* f*', 'register': '* f*'})
    with gateway.connect() as provider, gateway.connect() as client:
        provider.ask('register', 'f', {'concurrency': 1, 'queue': 0})
        yield SimpleNamespace(gateway=gateway, provider=provider, client=client, folder=folder)


@pytest.mark.parametrize('words', SYMPTOMS)
def test_symptom_is_said_in_the_words_of_its_heading(world, words):
    done = SYMPTOMS[words](world)
    assert words in done.stderr and done.returncode == headings()[words], done


def test_every_symptom_with_an_exit_status_is_provoked():
    assert set(headings()) == set(SYMPTOMS)


def test_words_of_the_troubleshooting_are_in_the_sources():
    """Literals that stand in several pieces count as one."""
    literals = ''
    for where in ('gateway', 'clients', 'libchapi-ipc'):
        for name in sorted(os.listdir(os.path.join(top_srcdir, where))):
            if name.endswith('.c'):
                with open(os.path.join(top_srcdir, where, name), encoding='utf-8') as f:
                    literals += re.sub(r'"\s*"', '', f.read())
    elsewhere = {'certificate', 'Connection refused', 'Look at the traffic'}
    quoted = set(re.findall(r'"(\w[^"\n]{5,})"', document('troubleshooting')))
    assert len(quoted) > 15
    assert [words for words in sorted(quoted - elsewhere - set(SYMPTOMS))
            if words.removesuffix(' ...') not in literals] == []


# ---- tests/integration/README.md: which test holds what -----------------------------------------

def is_there(program, name):
    path, head = (('integration/%s.py', 'def') if '_' in program else ('unit/%s.c', 'static void'))
    with open(os.path.join(top_srcdir, 'tests', path % program), encoding='utf-8') as f:
        return re.search(r'^%s %s\(' % (head, name), f.read(), re.M)


def test_tables_of_the_protocols_name_tests_that_are_there():
    with open(os.path.join(top_srcdir, 'tests/integration/README.md'), encoding='utf-8') as f:
        named = re.findall(r'\b(test[-_][a-z_-]+)::(test_\w+)', f.read())
    assert len(named) > 100
    assert [pair for pair in named if not is_there(*pair)] == []


TRAP = r'^def (test_traps?_(\d+[ab]?)(?:_and_(\d+))?_\w+)'


def test_table_of_the_traps_is_complete():
    """Forty of them: 1 to 38, 19a and 19b; and each test that has a number stands in its rows."""
    with open(os.path.join(top_srcdir, 'tests/integration/README.md'), encoding='utf-8') as f:
        rows = dict(re.findall(r'^\| (\d+[ab]?) \| [^|]+ \| (.*::.*) \|$', f.read(), re.M))
    assert set(rows) == {str(n) for n in range(1, 39)} | {'19a', '19b'}
    for module in sorted(os.listdir(os.path.join(top_srcdir, 'tests/integration'))):
        if not re.fullmatch(r'test_\w+\.py', module):
            continue
        with open(os.path.join(top_srcdir, 'tests/integration', module), encoding='utf-8') as f:
            found = re.findall(TRAP, f.read(), re.M)
        for name, *numbers in found:
            for number in filter(None, numbers):
                assert '%s::%s' % (module[:-3], name) in rows[number.lstrip('0')]
