# SPDX-License-Identifier: MIT
"""Who may use the system's gateway: chapi-ctl setup lets them in, the tools tell those outside.

The commands see an /etc of their own, with a group chapi. usermod writes down what it is told."""
import os
import shutil
import socket

import pytest

from lib.process import as_ordinary_user, environment, program, run
from test_ctl_setup import HOSTED, SECRET, Terminal, read

EX_USAGE, EX_SYSTEM, EX_NOPERM = 64, 71, 77
GROUP_ID = 4242
USER = 'nobody'


class System:
    """Its /etc, and commands that find it there."""

    def __init__(self, folder):
        self.folder, self.etc = folder, folder + '/etc'
        os.mkdir(self.etc)
        for name in ('passwd', 'nsswitch.conf', 'ld.so.cache'):
            shutil.copy('/etc/' + name, self.etc)
        self.say_group('chapi:x:%d:' % GROUP_ID)
        os.mkdir(folder + '/bin')
        self.say_program('usermod', 'echo "$@" >%s/usermod.log' % folder)
        os.symlink(program('chapi-gw'), folder + '/bin/chapi-gw')
        self.world = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc && exec "$@"',
                      self.etc]
        if os.geteuid() != 0 or run(self.world + ['true']).returncode != 0:
            pytest.skip('needs root and a mount namespace')

    def say_group(self, line):
        with open(self.etc + '/group', 'w') as f:
            f.write('root:x:0:\nnogroup:x:65534:\n%s\n' % line)

    def say_program(self, name, text):
        with open(os.path.join(self.folder, 'bin', name), 'w') as f:
            f.write('#!/bin/sh\n%s\n' % text)
        os.chmod(f.name, 0o755)

    def environment(self, caller):
        return environment(PATH=self.folder + '/bin:' + os.environ['PATH'], SUDO_USER=caller)

    def setup(self, *options, caller=None):
        argv = [*self.world, program('chapi-ctl'), 'setup', '--no-start', *HOSTED, *options]
        return run(argv, stdin=SECRET, env=self.environment(caller))

    def told(self):
        log = self.folder + '/usermod.log'
        return read(log) if os.path.exists(log) else ''


@pytest.fixture
def system(folder):
    return System(folder)


def test_member_by_an_option(system):
    result = system.setup('--member', USER)
    assert result.returncode == 0, result.stderr
    assert system.told() == '-a -G chapi -- %s\n' % USER
    assert 'next login' in result.stderr and 'newgrp chapi' in result.stderr
    assert read(system.etc, 'chapi/secret') == SECRET + '\n'


def test_without_a_terminal_who_called_sudo_is_told_how(system):
    result = system.setup(caller=USER)
    assert (result.returncode, system.told()) == (0, '')
    assert result.stderr.splitlines()[-1].endswith('sudo usermod -a -G chapi ' + USER)


@pytest.mark.parametrize('group, caller', [
    ('chapi:x:%d:other,%s' % (GROUP_ID, USER), USER), ('chapi:x:65534:', USER),
    ('other:x:%d:' % GROUP_ID, USER), ('chapi:x:%d:' % GROUP_ID, 'root'),
    ('chapi:x:%d:' % GROUP_ID, 'no-such-user'), ('chapi:x:%d:' % GROUP_ID, None),
], ids=['a member', 'by the main group', 'no such group', 'root', 'nobody known', 'no sudo'])
def test_who_needs_nothing_is_told_nothing(system, group, caller):
    system.say_group(group)
    result = system.setup(caller=caller)
    assert (result.returncode, system.told()) == (0, '') and 'usermod' not in result.stderr


@pytest.mark.parametrize('answer, told', [('', '-a -G chapi -- %s\n' % USER), ('n', '')])
def test_on_a_terminal_it_is_asked(system, answer, told):
    options = [o for o in HOSTED if o not in ('--secret-file', '-')]
    t = Terminal([*options, '--legacy', '--no-start'], system.environment(USER), system.world)
    t.answer('secret', SECRET)
    t.answer('Let %s use it' % USER, answer)
    assert (t.end(), system.told()) == (0, told), t.shown
    assert ('newgrp chapi' if told else 'sudo usermod') in t.shown


def test_user_who_cannot_be_let_in_is_said(system):
    system.say_program('usermod', 'echo cannot lock >&2; exit 1')
    result = system.setup('--member', USER)
    assert result.returncode == EX_SYSTEM and 'cannot lock' in result.stderr
    assert 'not in the group chapi' in result.stderr


@pytest.mark.parametrize('options, group, reason', [
    (['--member', USER, '--user'], 'chapi', '--user'),
    (['--member', USER, '--root', '/nowhere'], 'chapi', '--root'),
    (['--member', 'no-such-user'], 'chapi', 'no such user'),
    (['--member', USER], 'other', 'no group chapi'),
], ids=['user', 'root', 'unknown', 'no group'])
def test_member_that_cannot_be_is_said_before_anything_is_done(system, options, group, reason):
    system.say_group('%s:x:%d:' % (group, GROUP_ID))
    result = system.setup(*options)
    assert result.returncode == EX_USAGE and reason in result.stderr, result.stderr
    assert system.told() == '' and not os.path.exists(system.etc + '/chapi')


@pytest.mark.parametrize('mode, group, member, hint', [
    (0o660, GROUP_ID, '', 'sudo usermod -a -G chapi ' + USER),
    (0o660, GROUP_ID, USER, 'newgrp chapi'), (0o660, 0, '', 'socket_group in [gateway]'),
    (0o600, GROUP_ID, '', 'socket_mode in [gateway]'),
], ids=['no member', 'a member since the login', 'a group of root', 'nobody can join'])
def test_who_is_not_let_in_is_told_what_to_do(system, mode, group, member, hint):
    if run(as_ordinary_user([program('chapi-call'), '--version'])).returncode != 0:
        pytest.skip('an ordinary user cannot run what is built here')
    system.say_group('chapi:x:%d:%s' % (GROUP_ID, member))
    path = system.folder + '/gw.sock'
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chown(path, 0, group)
        os.chmod(path, mode)
        listener.listen()
        result, doctor = [run(system.world + as_ordinary_user([program(tool), '-s', path, what]))
                          for tool, what in (('chapi-call', 'chapi.ping'), ('chapi-ctl', 'doctor'))]
    assert result.returncode == EX_NOPERM and 'do not let this user in' in result.stderr
    assert hint in result.stderr and hint in ' '.join(doctor.stdout.split())


def test_folder_that_is_closed_is_told(system):
    if run(as_ordinary_user([program('chapi-call'), '--version'])).returncode != 0:
        pytest.skip('an ordinary user cannot run what is built here')
    os.mkdir(system.folder + '/closed', 0o700)
    path = system.folder + '/closed/gw.sock'
    result = run(system.world + as_ordinary_user([program('chapi-call'), '-s', path, 'x']))
    assert result.returncode == EX_NOPERM and 'in a folder that is closed to you' in result.stderr
