# SPDX-License-Identifier: MIT
"""What shells offer behind chapi-call and chapi-ctl, asked of the shells themselves."""
import os

import pytest

from lib.gateway import Provider
from lib.process import environment, program, run, top_srcdir

FOLDER = os.path.join(top_srcdir, 'clients', 'completion')

BASH = """source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { :; }
_chapi "$1"; printf '%s\\n' "${COMPREPLY[@]}"
"""


def bash(words):
    return ['bash', '-c', BASH, 'bash', os.path.join(FOLDER, 'chapi.bash')] + words


def fish(words):
    return ['fish', '--no-config',
            '-c', 'source %s/chapi.fish; complete -C "%s"' % (FOLDER, ' '.join(words))]


SHELLS = {'bash': bash, 'fish': fish}


@pytest.fixture(params=sorted(SHELLS))
def offers(request, gateway, folder, need):
    """offers(WORD...): what the shell offers in place of the last one."""
    need(request.param)
    for name in ('chapi-call', 'chapi-ctl', 'chapi-serve'):
        os.symlink(program(name), os.path.join(folder, name))

    def ask(*words):
        env = environment(CHAPI_SOCKET=gateway.socket_path, HOME=folder,
                          PATH='%s:%s' % (folder, os.environ['PATH']))
        result = run(SHELLS[request.param](list(words)), env=env)
        assert result.stderr == ''
        return {line.split('\t')[0] for line in result.stdout.splitlines()} - {''}
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


def test_commands_and_options(offers):
    assert {'status', 'monitor', 'doctor'} <= offers('chapi-ctl', '')
    assert offers('chapi-ctl', 'log-level', 'd') == {'debug'}
    assert {'--data', '--timeout'} <= offers('chapi-call', '--')


@pytest.mark.parametrize('shell, file',
                         [('bash', 'chapi.bash'), ('zsh', '_chapi'), ('fish', 'chapi.fish')])
def test_files_are_right_in_form(need, shell, file):
    need(shell)
    result = run([shell, '-n', os.path.join(FOLDER, file)])
    assert (result.returncode, result.stderr) == (0, '')


def test_nothing_is_said_without_a_gateway(offers, gateway):
    gateway.stop()
    assert offers('chapi-call', '') == set()
