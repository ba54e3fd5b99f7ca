# SPDX-License-Identifier: MIT
"""What shells offer behind chapi-call, chapi-ctl and chapi-serve, asked of the shells themselves:
bash and zsh have it typed at a terminal, fish has a command that tells."""
import os
import pty
import re
import select

import pytest

from lib.gateway import Provider
from lib.limits import LIMIT, Deadline, wait_until
from lib.process import die_with_parent, environment, program, run, top_srcdir

pytestmark = pytest.mark.usefixtures('once')
FOLDER = os.path.join(top_srcdir, 'clients', 'completion')
TOOLS = ('chapi-call', 'chapi-ctl', 'chapi-serve')

# A prompt to wait for; one key puts in all that is offered, another one writes down the line.
PROMPT, ALL, TELL = '@type@', b'\x18', b'\x14'
BASH = """PS1='@type''@'
source %s/chapi.bash
bind '"\\C-x": insert-completions' 'set bell-style none' 'set enable-bracketed-paste off'
tell() { printf '%%s' "$READLINE_LINE" >line.new; mv line.new line; }
bind -x '"\\C-t": tell'
"""
ZSH = """PS1='@type@'
fpath=(%s $fpath)
autoload -Uz compinit; compinit -D -u
all() { _main_complete; compstate[insert]=all; compstate[list]= }
zle -C all complete-word all; bindkey '^X' all
tell() { printf '%%s' "$BUFFER" >line.new; mv line.new line }
zle -N tell; bindkey '^T' tell
"""
# compinit reads a thousand files, and a terminal's session gets a share of the machine of its own.
START_LIMIT = 6 * LIMIT
TERMINALS = {'bash': ('.bashrc', BASH, ['--noprofile', '-i']), 'zsh': ('.zshrc', ZSH, ['-d', '-i'])}


def read_until(fd, text):
    shown = ''
    deadline = Deadline(START_LIMIT)
    while text not in shown:
        assert select.select([fd], [], [], deadline.left('"%s" in %s' % (text, shown)))[0]
        shown += os.read(fd, 65536).decode('utf-8', 'replace')


def at_a_terminal(shell, words, env):
    """The words that the line has when all that is offered stands in place of its last one."""
    name, text, arguments = TERMINALS[shell]
    home = env['HOME']
    line = os.path.join(home, 'line')
    with open(os.path.join(home, name), 'w') as f:
        f.write(text % FOLDER)
    pid, fd = pty.fork()
    if pid == 0:
        die_with_parent()
        os.chdir(home)
        os.execvpe(shell, [shell] + arguments, env)
    try:
        read_until(fd, PROMPT)
        os.write(fd, ' '.join(words).encode() + ALL + TELL)
        wait_until(lambda: os.path.exists(line), 'the line', START_LIMIT)
    finally:
        os.close(fd)
        os.waitpid(pid, 0)
    with open(line) as f:
        found = f.read()
    os.unlink(line)
    assert found.startswith(' '.join(words[:-1]))
    if found.rstrip(' ') == ' '.join(words).rstrip(' '):
        return set()
    return set(found[len(' '.join(words[:-1])):].split())


def fish(words, env):
    result = run(['fish', '--no-config', '-c',
                  'source %s/chapi.fish; complete -C "%s"' % (FOLDER, ' '.join(words))], env=env)
    assert result.stderr == ''
    return {line.split('\t')[0] for line in result.stdout.splitlines()} - {''}


@pytest.fixture(params=['bash', 'fish', 'zsh'])
def offers(request, gateway, folder, need):
    """offers(WORD...): what the shell offers in place of the last one."""
    need(request.param)
    for name in TOOLS:
        os.symlink(program(name), os.path.join(folder, name))

    def ask(*words, socket=gateway.socket_path):
        env = environment(CHAPI_SOCKET=socket, HOME=folder, ZDOTDIR=folder, TERM='dumb',
                          PATH='%s:%s' % (folder, os.environ['PATH']))
        if request.param == 'fish':
            return fish(words, env)
        return at_a_terminal(request.param, words, env)
    ask.shell = request.param       # fish tells of words, the others of a line
    return ask


@pytest.fixture
def named(gateway):
    with gateway.connect() as client:
        Provider(client)
        client.ask('register', 'lights.set', {'params': {'properties': {'level': {}, 'lamp': {}}}})
        client.ask('register', 'door')
        yield client


def test_names_of_the_gateway(offers, named):
    assert offers('chapi-call', '') == {'lights.set', 'door'}
    assert offers('chapi-call', 'li') == {'lights.set'}
    assert offers('chapi-ctl', 'pause', 'd') == {'door'}


def test_parameters_of_a_name(offers, named):
    assert offers('chapi-call', 'lights.set', '') == {'level=', 'lamp='}


def test_names_with_colons(offers, gateway):
    """bash puts its words behind the last colon."""
    with gateway.connect() as client:
        Provider(client)
        client.ask('register', 'a:b', {'params': {'properties': {'level': {}, 'm:n': {}}}})
        client.ask('register', 'a:cool')
        assert offers('chapi-call', 'a') == {'a:b', 'a:cool'}
        assert {word.removeprefix('a:') for word in offers('chapi-call', 'a:')} == {'b', 'cool'}
        assert offers('chapi-call', 'a:c') == {'a:cool'}
        assert offers('chapi-ctl', 'pause', 'a:c') == {'a:cool'}
        assert offers('chapi-call', 'a:b', 'l') == {'level='}
        assert offers('chapi-call', 'a:b', 'm:') == {'m:n='}


def test_parameters_in_any_script(offers, gateway):
    """Letters and digits; neither blanks nor signs, whatever they look like."""
    good = ['größe', 'Ñandú', 'уровень', '温度', 'ช', '٣']
    bad = ['x\u00a0y', 'x\u2028y', 'x\u3000y', 'x\u200by', 'x\u202ey', 'x\ufdd0', 'x\uf600y',
           'x\u2014y', 'x\uff04y', 'x\u037ey', 'x\u20acy', 'x\U0001f4a9']
    with gateway.connect() as client:
        Provider(client)
        properties = {word: {} for word in good + bad + ['xy']}
        client.ask('register', 'f', {'params': {'properties': properties}})
        assert offers('chapi-call', 'f', 'x') == {'xy='}
        assert offers('chapi-call', 'f', 'у') == {'уровень='}
        assert offers('chapi-call', 'f', '') == {word + '=' for word in good + ['xy']}


def hostile(folder):
    """Words that begin with x, and what one of them would make if a shell ran it."""
    ran = os.path.join(folder, 'ran')
    touch = 'touch<>' + ran
    return ran, ['x$(%s)' % touch, 'x`%s`' % touch, 'x;%s' % touch, 'x|%s' % touch, 'x$HOME', "x'",
                 'x"', 'x*', 'x?', 'x[y]', 'x{y,z}', 'x~', 'x\\', 'x!!', 'x#', 'x&', 'x(', 'x<y']


def test_parameters_that_a_provider_chose_to_do_harm(offers, gateway, folder):
    ran, words = hostile(folder)
    words += ['x\n$(touch<>%s)' % ran, '-x', 'x\x1b[2J', 'x\ty', 'x y']
    with gateway.connect() as client:
        Provider(client)
        client.ask('register', 'f', {'params': {'properties': {w: {} for w in words + ['xy']}}})
        assert offers('chapi-call', 'f', 'x') == {'xy='}
        assert offers('chapi-call', 'f', '') == {'xy='}
    assert not os.path.exists(ran)


def test_shells_do_not_trust_what_they_are_told(offers, folder):
    """As a gateway of somebody else's, and a chapi-ctl that passes on all of it."""
    ran, words = hostile(folder)
    with open(os.path.join(folder, 'words'), 'w') as f:
        f.write('\n'.join(words + ['xy', '']))
    tool = os.path.join(folder, 'chapi-ctl')
    os.unlink(tool)
    with open(tool, 'w') as f:
        f.write('#!/bin/sh\nexec cat "$HOME/words"\n')
    os.chmod(tool, 0o755)
    for line, plain in ((('chapi-call', 'x'), 'xy'), (('chapi-call', 'f', 'x'), 'xy='),
                        (('chapi-ctl', 'x'), 'xy'), (('chapi-ctl', 'pause', 'x'), 'xy')):
        found = offers(*line)
        assert plain in found
        assert offers.shell == 'fish' or not re.search(r'(?<!\\)[$`;|&<(]', ' '.join(found))
    assert not os.path.exists(ran)


def test_values_of_options_are_no_names(offers, named):
    assert offers('chapi-call', '-t', '5s', 'd') == {'door'}
    assert offers('chapi-call', '--timeout', '5s', 'lights.set', 'la') == {'lamp='}
    assert offers('chapi-ctl', 'monitor', '-n', '1', 'd') == {'door'}
    assert offers('chapi-call', '-t', '') == set()


def test_a_parameter_behind_another_one(offers, named):
    assert offers('chapi-call', 'lights.set', 'lamp=on', 'le') == {'level='}


def test_files_where_an_option_takes_one(offers, folder):
    for name in ('some.ini', 'some.json'):
        with open(os.path.join(folder, name), 'w'):
            pass
    start = os.path.join(folder, 'some.i')
    assert offers('chapi-serve', '--from', start) == {start + 'ni'}
    assert offers('chapi-call', '-o', start) == {start + 'ni'}


def test_the_gateway_that_the_line_is_about(offers, gateway, named):
    for socket in (['-s', gateway.socket_path], ['--socket', gateway.socket_path],
                   ['--socket=' + gateway.socket_path]):
        assert offers('chapi-call', *socket, 'd', socket='/nonexistent') == {'door'}
        assert offers('chapi-ctl', *socket, 'pause', 'd', socket='/nonexistent') == {'door'}


def test_programs_behind_chapi_serve(offers):
    assert offers('chapi-serve', 'hello', '--', 'chapi-c') >= {'chapi-call', 'chapi-ctl'}


def test_commands_and_options(offers):
    assert {'status', 'monitor', 'doctor'} <= offers('chapi-ctl', '')
    assert offers('chapi-ctl', 'log-level', 'd') == {'debug'}
    assert {'--data', '--timeout'} <= offers('chapi-call', '--')
    assert offers('chapi-ctl', 'monitor', '--k') == {'--kinds'}
    assert offers('chapi-serve', '--al') == {'--allow-dash'}


@pytest.mark.parametrize('shell, file',
                         [('bash', 'chapi.bash'), ('zsh', '_chapi'), ('fish', 'chapi.fish')])
def test_files_are_right_in_form(need, shell, file):
    need(shell)
    result = run([shell, '-n', os.path.join(FOLDER, file)])
    assert (result.returncode, result.stderr) == (0, '')


def test_nothing_is_said_without_a_gateway(offers, gateway):
    gateway.stop()
    assert offers('chapi-call', '') == set()
