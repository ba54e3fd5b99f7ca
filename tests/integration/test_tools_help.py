# SPDX-License-Identifier: MIT
"""--help of the tools: one screen, and the same options as the table in the source."""
import re

import pytest

from lib.process import program, run
from lib.tools import COMMON, SUBCOMMANDS, TOOLS, options_of, read


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


def shown(*argv):
    result = run([program(argv[0])] + list(argv[1:]) + ['--help'])
    assert (result.returncode, result.stderr) == (0, '')
    return result.stdout


def test_all_subcommands_are_looked_at():
    assert re.findall(r'^  ([a-z-]+) ', shown('chapi-ctl'), re.M) == SUBCOMMANDS


@pytest.mark.parametrize('tool', ['chapi-call', 'chapi-serve'])
def test_manual_page_names_the_options_of_the_table(tool):
    assert in_page(tool) == dict(options_of(tool), **COMMON)


@pytest.mark.parametrize('tool', TOOLS, ids=' '.join)
def test_help_names_the_options_of_the_table(tool):
    assert in_help(shown(*tool)) == dict(options_of(*tool), **COMMON)


@pytest.mark.parametrize('tool', TOOLS + [('chapi-ctl',)], ids=' '.join)
def test_help_fits_a_screen(tool):
    lines = shown(*tool).splitlines()
    assert len(lines) <= 24 and max(len(line) for line in lines) <= 80
