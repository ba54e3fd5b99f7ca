# SPDX-License-Identifier: MIT
"""Every command of the README is run, as it stands there.

The commands write to /etc, /usr/local and /run; so they run in a mount namespace of their own
where these are copies, and in a network namespace without a network. ./demo is run by ./check,
and ./check is what runs this.
"""
import os
import re
import shutil
import subprocess

import pytest

from lib.process import top_builddir, top_srcdir

RUN_ELSEWHERE = {'demo', 'check'}


def blocks():
    """[(language, name, text)] of the fenced blocks, in order."""
    with open(os.path.join(top_srcdir, 'README.md'), encoding='utf-8') as f:
        return [(m[1], m[2].strip(), m[3])
                for m in re.finditer(r'^```(\w+)([^\n]*)\n(.*?)^```$',
                                     f.read(), re.M | re.S)]


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
    lines += ['echo @secret', in_background(shell('secret')), 'until_true test -S /run/chapi/gw.sock',
              'until_true chapi-call chapi.ping']
    lines += [shell('serve'), 'until_true has_name disk', 'echo @disk', shell('call disk')]
    lines += ["cat >hello.c <<'END'", only('c'), 'END', shell('hello'), 'until_true has_name hello',
              'echo @hello', shell('call hello'), 'echo @socat', shell('socat'), 'echo @end']
    return '\n'.join(lines)


def in_background(block):
    return block.rstrip('\n') + ' >"$folder/gateway.log" 2>&1 &'


def run_namespaced(folder, text):
    """Everything that the script leaves running ends with the namespace."""
    return subprocess.run(['unshare', '--mount', '--net', '--pid', '--fork', '--mount-proc', '--kill-child',
                           'bash', '-c', text, 'readme', folder, top_builddir, top_srcdir],
                          capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)


def may_unshare():
    return os.geteuid() == 0 and subprocess.run(
        ['unshare', '--mount', '--net', '--pid', '--fork', '--mount-proc', 'true'],
        capture_output=True).returncode == 0


def installation(folder):
    """As typed, in a copy of the sources."""
    copy = os.path.join(folder, 'copy')
    shutil.copytree(top_srcdir, copy, symlinks=True,
                    ignore=shutil.ignore_patterns('build', '.git', 'autom4te.cache', 'configure'))
    return 'cd "$folder/copy"; export MAKEFLAGS=-j2\n{\n%s} >"$folder/install.log" 2>&1\n' % shell('install')


@pytest.mark.skipif(os.environ.get('CHAPI_README') != 'whole',
                    reason='builds and installs once more: CHAPI_README=whole asks for it, as ./check does')
def test_every_command_of_the_readme_runs(folder, need):
    need('unshare', 'socat', 'cc', 'pkg-config')
    if not may_unshare():
        pytest.skip('needs root and namespaces of its own')
    done = run_namespaced(folder, script(installation(folder)))
    logs = ''.join(open(os.path.join(folder, name), errors='replace').read()[-3000:]
                   for name in ('install.log', 'gateway.log') if os.path.exists(os.path.join(folder, name)))
    assert done.returncode == 0, done.stdout + done.stderr + logs
    said = dict(part.split('\n', 1) for part in done.stdout.split('@')[1:])
    assert 'ok' in said['secret']
    assert re.search(r'Use%.*\d+%', said['disk'], re.S)
    assert said['hello'] == '"hello from C"\n'
    assert said['socat'] == '[1,1,null,{"a":1}]\n'


def test_every_block_of_the_readme_is_run_by_a_test():
    used = {'install', 'secret', 'serve', 'call disk', 'hello', 'call hello', 'socat'} | RUN_ELSEWHERE
    assert {name for language, name, _ in blocks() if language == 'sh'} == used


def test_the_readme_stays_short():
    with open(os.path.join(top_srcdir, 'README.md'), encoding='utf-8') as f:
        assert len(f.read().splitlines()) <= 140
