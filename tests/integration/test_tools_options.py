# SPDX-License-Identifier: MIT
"""Each option of each tool, from the tables in the sources: how it is written, and the socket.

What an option does, and what its values may be, is in the modules of the tools.
"""
import re

import pytest

from lib.limits import wait_until
from lib.process import Daemon, environment, program, run
from lib.tools import SUBCOMMANDS, TOOLS, read, spellings

EX_USAGE, EX_UNAVAILABLE = 64, 69

# What a subcommand has to be given.
ARGUMENTS = {'describe': ['f'], 'wait': ['f'], 'pause': ['f'], 'resume': ['f'], 'drain': ['f'],
             'unregister': ['f'], 'log-level': ['info']}
# Those that need a hub, or something to happen, or no gateway: in modules of their own.
ELSEWHERE = {'gateways', 'monitor', 'setup'}


def daemon_spellings(*source):
    """Of a program that has a table of getopt_long(3) itself."""
    return [(typed, has == 'required') for option, has, letter in
            re.findall(r"\{ \"([\w-]+)\", (required|no)_argument, NULL, (?:'(\w)')?", read(*source))
            for typed in ['--' + option] + ['-' + letter] * bool(letter)]


PROGRAMS = [(tool, spellings(*tool)) for tool in TOOLS] + [
    (('chapi-gw',), daemon_spellings('gateway', 'main.c')),
    (('chapi-hub',), daemon_spellings('tests', 'hub', 'main.c'))]


def on_command_line(tool, *arguments, **env):
    return run([program(tool[0]), *tool[1:], *arguments], env=environment(**env))


# ---- how they are written ---------------------------------------------------------------------

@pytest.mark.parametrize('tool, options', PROGRAMS, ids=[' '.join(tool) for tool, _ in PROGRAMS])
def test_value_that_is_missing_or_too_much_is_wrong_usage(tool, options):
    """One line that names the option, and where help is to be found."""
    assert len(options) >= 5
    for option, has_value in options:
        if not has_value and len(option) == 2:
            continue
        result = on_command_line(tool, option if has_value else option + '=x')
        assert (result.returncode, result.stdout) == (EX_USAGE, ''), option
        lines = result.stderr.splitlines()
        assert len(lines) == 2 and option.lstrip('-') in lines[0] and '--help' in lines[1], lines


@pytest.mark.parametrize('tool', [tool for tool, _ in PROGRAMS] + [('chapi-ctl',)], ids=' '.join)
def test_help_and_version(tool):
    for long, short in (('--help', '-h'), ('--version', '-V')):
        results = [on_command_line(tool, option) for option in (long, short)]
        assert [(r.returncode, r.stderr) for r in results] == [(0, '')] * 2
        assert results[0].stdout == results[1].stdout and results[0].stdout
    assert re.match(r'%s \d\S*\n$' % tool[0], results[0].stdout)


# ---- the socket -------------------------------------------------------------------------------

@pytest.mark.parametrize('option', ['-s', '--socket'])
@pytest.mark.parametrize('command', [c for c in SUBCOMMANDS if c != 'setup'])
def test_nobody_at_the_socket(folder, command, option):
    path = folder + '/nobody.sock'
    result = on_command_line(('chapi-ctl', command), *ARGUMENTS.get(command, []), option, path)
    assert result.returncode == EX_UNAVAILABLE and path in result.stdout + result.stderr
    assert result.stdout == '' or command in ('doctor', 'metrics')


@pytest.mark.parametrize('option', ['-s', '--socket'])
def test_socket_given_is_the_one_that_is_asked(gateway, option):
    """The environment leads nowhere."""
    for command in [c for c in SUBCOMMANDS if c not in ELSEWHERE]:
        with gateway.connect() as client:
            client.ask('register', 'f')
            result = on_command_line(('chapi-ctl', command), option, gateway.socket_path,
                                     *ARGUMENTS.get(command, []), CHAPI_SOCKET='/nowhere')
        assert (result.returncode, result.stderr) == (0, ''), (command, result)


@pytest.mark.parametrize('option', ['-s', '--socket'])
def test_socket_of_a_provider(gateway, daemons, option):
    daemons.start(Daemon('chapi-serve', [program('chapi-serve'), option, gateway.socket_path, 'f',
                                         '--', 'true'],
                         env=environment(CHAPI_SOCKET='/nowhere')))
    with gateway.connect() as client:
        wait_until(lambda: client.ask('list', 'f'), 'f to be registered')
