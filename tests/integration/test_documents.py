# SPDX-License-Identifier: MIT
"""What documents say to type, typed: doc/hacking.md, doc/security.md, doc/troubleshooting.md,
tests/conformance/README.md. What runs the blocks of the others is in a table here.
"""
import glob
import os
import re
import select
import shutil
import subprocess
import sys
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


def block_with(text, title='Look at the traffic'):
    (found,) = [block for block in blocks('hacking', title)
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


# ---- doc/hacking.md: manual pages; tests/conformance/README.md -----------------------------------

@pytest.fixture
def in_sources(folder):
    """in_sources(LINE): typed in the project's folder; Python is that of the tests."""
    python = os.path.join(folder, 'python3')
    with open(python, 'w') as f:
        f.write('#!/bin/sh\nexec "%s" -B "$@"\n' % sys.executable)
    os.chmod(python, 0o755)

    def do(line, cwd=top_srcdir):
        done = run(['sh', '-euc', line], cwd=cwd,
                   env=environment(PATH='%s:%s' % (folder, os.environ['PATH'])))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
    return do


@pytest.mark.usefixtures('once')
@pytest.mark.parametrize('tool', ['ipc_dump.py', 'header_manual.py'])
def test_blocks_and_pages_are_made_as_hacking_says(tool, folder, in_sources):
    """In a copy, in which they are spoilt: they are then as they were."""
    pytest.importorskip('msgpack')
    (line,) = block_with(tool, 'Manual pages')
    copy = os.path.join(folder, 'copy')
    for name in ('doc', 'libchapi-ipc', 'tests/lib', 'clients/examples'):
        shutil.copytree(os.path.join(top_srcdir, name), os.path.join(copy, name))
    spoilt = {'ipc_dump.py': 'chapi-ipc.7', 'header_manual.py': 'chapi_call.3'}[tool]
    path = os.path.join(copy, 'doc', spoilt)
    with open(os.path.join(top_srcdir, 'doc', spoilt)) as f:
        before = f.read()
    os.chmod(path, 0o644)
    with open(path, 'w') as f:
        f.write(re.sub(r'^0{8}  ..', '00000000  ff', before, flags=re.M) if tool == 'ipc_dump.py'
                else '')
    in_sources(line, cwd=copy)
    with open(path) as f:
        assert f.read() == before


@pytest.mark.usefixtures('once')
def test_conformance_as_its_readme_says(gateway, in_sources):
    pytest.importorskip('msgpack')
    with open(os.path.join(top_srcdir, 'tests/conformance/README.md'), encoding='utf-8') as f:
        lines = re.findall(r'^    (.*tests/conformance/conformance\.py .*)$', f.read(), re.M)
    assert len(lines) == 3
    for line in lines:
        said = in_sources(line.replace('build/tests/conformance/adapter',
                                       program('conformance-adapter'))
                          .replace('/run/chapi/gw.sock', gateway.socket_path))
        assert re.search(r'^ok ', said, re.M) and not re.search(r'^not ok', said, re.M)


# ---- every block that a shell is to run ---------------------------------------------------------

# By its first line: what types it; if a script, one of ./check or ./check --long. Fenced blocks
# have names, and their own tests know all of them.
RUN_BY = {
    'README.md': 'test_readme::test_every_block_of_the_readme_is_run_by_a_test',
    'doc/shell.md': 'test_shell::test_every_block_is_run_here',
    'clients/python/README.md': 'test_python_readme::test_every_block_is_run_here',
    # "./check" configures and tests so; its own word is compared below.
    'autoreconf -fi': 'check',
    'socat -v ': 'test_documents::test_a_spy_between_a_client_and_the_gateway',
    'socat READLINE ': 'test_documents::test_lines_typed_into_a_connection',
    '(umask 077; ': 'test_documents::test_a_hub_of_ones_own',
    'tests/lib/': 'test_documents::test_blocks_and_pages_are_made_as_hacking_says',
    'tests/conformance/': 'test_documents::test_conformance_as_its_readme_says',
    'chapi-ctl ': 'test_documents::test_commands_in_the_text',
    'sudo apt install build-essential': 'tests/debian/raspberry.sh',
    # The figures of the page are its outcome: a quarter of an hour of a quiet machine.
    './configure CFLAGS=': 'tests/bench/run.py',
    # npm would ask the network; the package is laid there by hand, beside what setup.sh installs.
    'npm install ': 'tests/integration/lib/node_package.py',
}
# What else stands indented is no command, in these documents: (first line, why).
NOT_TYPED = {
    'README.md': [(r'phone, web page, ', 'a drawing')],
    'clients/node/README.md': [(r'const |import |// ', 'JavaScript: test_node_client.py')],
    'doc/architecture.md': [(r'[\w/]+\.c  ', 'a table of files')],
    'doc/hacking.md': [(r'\.\\" msg: ', 'a comment of a page: tests/check-docs.sh')],
    'doc/performance.md': [(r'[\w ]+(?:\(\w+\))?[:,] ', 'a caption of figures'),
                           (r' {8}|.*\S  +\S', 'columns of figures')],
    'doc/shell.md': [(r'\[0, ID, METHOD', 'a form of lines')],
    'doc/troubleshooting.md': [(r'journalctl -u chapi-gw CHAPI_API=',
                                'needs a journal: tests/debian/systemd.sh')],
    'tests/conformance/README.md': [(r'\{$', 'JSON')],
}
# A fence that a shell is to run; other languages have tests of their own, and "sh" names.
SHELL_FENCE = r'^```(?:sh|bash|shell|console|zsh|fish)?(?: .*)?$'


def is_typed(path, line):
    return (any(line.startswith(start) for start in RUN_BY) or
            not any(re.match(form, line) for form, _ in NOT_TYPED.get(path, ())))


def blocks_to_type(path, text):
    """(document, first line) of those that stand indented; of fenced ones the document and its
    fence, if that is not one of those whose names tests know."""
    parts = re.split(r'^(```[^\n]*\n)(.*?)^```$', text, flags=re.M | re.S)
    for fence in parts[1::3]:
        if re.match(SHELL_FENCE, fence.rstrip('\n')):
            yield path, path if fence.startswith('```sh ') else fence.rstrip('\n')
    for block in re.findall(r'(?:^    .*\n)+', ''.join(parts[::3]), re.M):
        if is_typed(path, block[4:].splitlines()[0]):
            yield path, block[4:].splitlines()[0]


def shell_blocks():
    for name in sorted(found for pattern in ('README.md', '*/*.md', '*/*/README.md')
                       for found in glob.glob(os.path.join(top_srcdir, pattern))):
        path = os.path.relpath(name, top_srcdir)
        if path.startswith('build'):
            continue
        with open(name, encoding='utf-8') as f:
            yield from blocks_to_type(path, f.read())


@pytest.mark.parametrize('block', ['    systemctl reset-failed chapi-gw\n', '    curl x | sh\n',
                                   '    journalctl -u chapi-gw\n', '```bash\nmake\n```\n',
                                   '```\nmake\n```\n', '```console\n$ make\n```\n'])
@pytest.mark.parametrize('path', ['README.md', 'doc/performance.md', 'doc/new.md'])
def test_a_block_that_nothing_runs_is_found(path, block):
    ((_, line),) = blocks_to_type(path, 'Text.\n\n' + block + '\nText.\n')
    assert not [start for start in RUN_BY if line.startswith(start)]


def test_every_shell_block_is_run_by_something():
    used = set()
    for path, line in shell_blocks():
        found = [start for start in RUN_BY if line.startswith(start)]
        assert len(found) == 1, '%s: what runs "%s"?' % (path, line)
        used.add(found[0])
    assert used == set(RUN_BY)
    for where in RUN_BY.values():
        assert (is_there(*where.split('::')) if '::' in where else
                os.path.exists(os.path.join(top_srcdir, where))), where


def test_the_build_of_hacking_is_one_of_check():
    """Its first block, line by line: what ./check configures with sanitizers, and tests."""
    lines = blocks('hacking', 'Build')[0]
    arguments = [line for line in lines if line.startswith('../../configure ')]
    with open(os.path.join(top_srcdir, 'check')) as f:
        check = f.read()
    assert len(arguments) == 1
    for argument in re.findall(r'--\S+|CFLAGS=\'[^\']*\'', arguments[0]):
        assert argument in check
    assert lines[0] == 'autoreconf -fi' and lines[-1] == 'make check'


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
