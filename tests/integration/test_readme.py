# SPDX-License-Identifier: MIT
"""Every command of the README is run, as it stands there.

The commands write to /etc, /usr/local and /run; so they run in a mount namespace of their own
where these are copies, and in a network namespace without a network. ./demo is run by ./check,
and ./check is what runs this; packages are installed and set up by tests/debian/packages.sh.
"""
import json
import os
import re
import select
import shutil
import subprocess

import pytest

from lib.limits import LIMIT
from lib.process import die_with_parent, environment, program, top_builddir, top_srcdir

RUN_ELSEWHERE = {'demo'}


def readme():
    with open(os.path.join(top_srcdir, 'README.md'), encoding='utf-8') as f:
        return f.read()


def blocks():
    """[(language, name, text)] of the fenced blocks, in order."""
    return [(m[1], m[2].strip(), m[3])
            for m in re.finditer(r'^```(\w+)([^\n]*)\n(.*?)^```$', readme(), re.M | re.S)]


def shell(name):
    return next(text for language, label, text in blocks() if language == 'sh' and label == name)


def only(language):
    found = [text for lang, _, text in blocks() if lang == language]
    assert len(found) == 1
    return found[0]


PROLOGUE = r'''
set -eu
folder=$1
builddir=$2
mkdir -p "$folder/bin" "$folder/usr" "$folder/run"
cp -a /etc "$folder/etc"
mount --bind "$folder/etc" /etc
mount --bind "$folder/usr" /usr/local
mount --bind "$folder/run" /run
printf '#!/bin/sh\nexec "$@"\n' >"$folder/bin/sudo"
chmod +x "$folder/bin/sudo"
PATH=$folder/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
unset CHAPI_SOCKET XDG_RUNTIME_DIR XDG_CONFIG_HOME

# until_true COMMAND...: the condition that a reader waits for before going on
until_true() {
    for _ in $(seq 200); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.05
    done
    echo "waited in vain for: $*" >&2
    exit 1
}
has_name() {
    echo '[0,1,"list",[]]' | socat - UNIX-CONNECT:/run/chapi/gw.sock | grep -q "\"$1\""
}
'''


def script(install):
    lines = [PROLOGUE, 'cd "$3"', install, 'cd "$folder"', 'mkdir -p /etc/chapi',
             "cat >/etc/chapi/chapi-gw.conf <<'END'", only('ini'), 'END']
    lines += ['echo @secret', in_background(shell('secret')),
              'until_true test -S /run/chapi/gw.sock', 'until_true chapi-call chapi.ping']
    lines += [shell('packages').splitlines()[-1] + ' &', 'serving=$!', 'echo @date',
              called('chapi-call hello'), 'kill $serving', 'until_true eval "! has_name hello"']
    lines += ['echo @disk', called(shell('serve'))]
    lines += ["cat >hello.c <<'END'", only('c'), 'END', 'echo @hello', called(shell('hello')),
              'echo @end']
    return '\n'.join(lines)


def called(block):
    """A reader is slower than a program: the name is there before it is called."""
    return re.sub(r'^chapi-call (\S+)', r'until_true has_name \1\n\g<0>', block, flags=re.M)


def in_background(block):
    return block.rstrip('\n') + ' >"$folder/gateway.log" 2>&1 &'


def run_namespaced(folder, text):
    """Everything that the script leaves running ends with the namespace."""
    return subprocess.run(['unshare', '--mount', '--net', '--pid', '--fork', '--mount-proc',
                           '--kill-child', 'bash', '-c', text, 'readme', folder, top_builddir,
                           top_srcdir],
                          capture_output=True, text=True, timeout=840, stdin=subprocess.DEVNULL)


def may_unshare():
    return os.geteuid() == 0 and subprocess.run(
        ['unshare', '--mount', '--net', '--pid', '--fork', '--mount-proc', 'true'],
        capture_output=True).returncode == 0


def installation(folder):
    """As typed, in a copy of the sources."""
    copy = os.path.join(folder, 'copy')
    shutil.copytree(top_srcdir, copy, symlinks=True,
                    ignore=shutil.ignore_patterns('build', '.git', 'autom4te.cache', 'configure'))
    return ('cd "$folder/copy"; export MAKEFLAGS=-j2\n{\n%s\n%s} >"$folder/install.log" 2>&1\n'
            'echo @new; git -C "$folder/copy" status --porcelain\n'
            % (COMMIT, shell('install')))


COMMIT = ('git init -q; git add -A; '
          'git -c user.name=n -c user.email=n@example.com commit -q -m all')


@pytest.mark.limit(900)
@pytest.mark.skipif(os.environ.get('CHAPI_README') != 'whole',
                    reason='builds and installs once more, if CHAPI_README=whole, as in ./check')
def test_every_command_of_the_readme_runs(folder, need):
    need('unshare', 'socat', 'cc', 'pkg-config', 'git')
    if not may_unshare():
        pytest.skip('needs root and namespaces of its own')
    done = run_namespaced(folder, script(installation(folder)))
    logs = ''.join(open(os.path.join(folder, name), errors='replace').read()[-3000:]
                   for name in ('install.log', 'gateway.log')
                   if os.path.exists(os.path.join(folder, name)))
    assert done.returncode == 0, done.stdout + done.stderr + logs
    said = dict(part.split('\n', 1) for part in done.stdout.split('@')[1:])
    assert said['new'] == ''    # else "make release" refuses it
    assert 'ok' in said['secret']
    assert re.match(r'".*\d\d:\d\d', said['date'])
    assert re.search(r'Use%.*\d+%', said['disk'], re.S)
    assert said['hello'] == '"hello from C"\n'


# ---- typed by hand ------------------------------------------------------------------------------

def comes_as(shown, line):
    """A line as the README shows it: "..." stands for more of the same,
    a call has an id of its own."""
    pattern = re.escape(shown).replace(r',\.\.\.', '(?:,.+)?')
    pattern = re.sub(r'(?<="call":)"[^"]*"', '"[^"]+"', pattern)
    return re.fullmatch(pattern, line.rstrip('\n'))


def start(argv, **more):
    return subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment(),
                            preexec_fn=die_with_parent, **more)


def test_a_provider_typed_by_hand(gateway, need):
    need('socat')
    command, *lines = only('socat').splitlines()
    argv = command.removeprefix('$ ').replace('/run/chapi/gw.sock', gateway.socket_path).split()
    socat = start(argv, stdin=subprocess.PIPE, bufsize=0)
    caller = None
    for line in lines:
        if line.startswith('> '):
            socat.stdin.write(line[2:].encode() + b'\n')
            continue
        if line.startswith('< [0,'):
            typed = re.search(r'`chapi-call ([^`]*)`', readme())[1].split()
            caller = start([program('chapi-call'), '-s', gateway.socket_path, *typed])
        assert select.select([socat.stdout], [], [], LIMIT)[0], 'nothing comes like ' + line
        came = socat.stdout.readline().decode()
        assert comes_as(line[2:], came), came
    assert json.loads(caller.communicate(timeout=LIMIT)[0]) == 'on'
    socat.stdin.close()
    assert socat.wait(LIMIT) == 0


# ---- its form -----------------------------------------------------------------------------------

def test_every_block_of_the_readme_is_run_by_a_test():
    used = {'packages', 'install', 'secret', 'hello', 'serve'} | RUN_ELSEWHERE
    assert {name for language, name, _ in blocks() if language == 'sh'} == used


def test_the_readme_stays_short():
    assert len(readme().splitlines()) < 120
