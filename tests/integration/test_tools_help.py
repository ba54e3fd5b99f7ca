# SPDX-License-Identifier: MIT
"""--help of the tools: one screen, and the same options as the table in the source."""
import os
import re

import pytest

from lib.process import program, run, top_srcdir

COMMON = {'socket': 's', 'help': 'h', 'version': 'V'}
SUBCOMMANDS = ['list', 'describe', 'status', 'stats', 'monitor', 'wait', 'pause', 'resume', 'drain', 'unregister',
               'ping', 'metrics', 'setup', 'doctor', 'log-level', 'reload']
# Which table of chapi-ctl.c a subcommand has is read from its table of subcommands.


def read(*path):
    with open(os.path.join(top_srcdir, *path)) as f:
        return f.read()


def tables(source):
    """{name of a table of options: {option: letter or ''}}"""
    found = {}
    for name, body in re.findall(r'struct cli_option (\w+)\[\] = \{(.*?)\n\};', source, re.S):
        found[name] = {o: '' if c == r'\0' else c for o, c in re.findall(r"\{\s*\"([\w-]+)\",\s*'(\\?.)'", body)}
    return found


def in_help(text):
    """{option: letter or ''} of the lines that begin with one, or with several."""
    found = {}
    for line in re.findall(r'^  (?:-\w, |    )--.*', text, re.M):
        options = re.split(r' {2,}', line.strip())[0]
        for letter, option in re.findall(r'(?:-(\w), )?--([\w-]+)', options):
            found[option] = letter
    return found


def in_page(tool):
    """{option: letter or ''} of those that the manual page has an entry for."""
    found = {}
    for line in re.findall(r'^\.It (Fl .*)', read('doc', tool + '.1'), re.M):
        for letter, option in re.findall(r'(?:Fl (\w) , )?Fl \\-([\w-]+)', line):
            found[option] = letter
    return found


def options_of(tool, *command):
    source = read('clients', tool + '.c')
    if command:
        row = re.search(r'\{ "%s", .*?OPTIONS\((\w+)\)' % command[0], source, re.S)
        return tables(source)[row.group(1)]
    more = tables(read('clients', 'services.c'))['service_options'] if tool == 'chapi-serve' else {}
    return dict(tables(source)['options'], **more)


def shown(*argv):
    result = run([program(argv[0])] + list(argv[1:]) + ['--help'])
    assert (result.returncode, result.stderr) == (0, '')
    return result.stdout


TOOLS = [('chapi-ctl', c) for c in SUBCOMMANDS]


@pytest.mark.parametrize('tool', ['chapi-call', 'chapi-serve'])
def test_manual_page_names_the_options_of_the_table(tool):
    assert in_page(tool) == dict(options_of(tool), **COMMON)


@pytest.mark.parametrize('tool', [('chapi-call',), ('chapi-serve',)] + TOOLS, ids=' '.join)
def test_help_names_the_options_of_the_table(tool):
    assert in_help(shown(*tool)) == dict(options_of(*tool), **COMMON)


@pytest.mark.parametrize('tool', [('chapi-call',), ('chapi-serve',), ('chapi-ctl',)] + TOOLS, ids=' '.join)
def test_help_fits_a_screen(tool):
    lines = shown(*tool).splitlines()
    assert len(lines) <= 24 and max(len(line) for line in lines) <= 80
