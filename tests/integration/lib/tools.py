# SPDX-License-Identifier: MIT
"""The tools' tables of options, read from their sources: what tests go through one by one."""
import os
import re

from .process import top_srcdir

# What clients/cli.c gives to each tool.
COMMON = {'socket': 's', 'help': 'h', 'version': 'V'}


def read(*path):
    with open(os.path.join(top_srcdir, *path)) as f:
        return f.read()


def _tables(source):
    """{name of a table: {option: (letter or '', type)}}"""
    return {name: {option: ('' if letter == r'\0' else letter, kind) for option, letter, kind in
                   re.findall(r"\{\s*\"([\w-]+)\",\s*'(\\?.)',\s*(CLI_\w+)", body)}
            for name, body in re.findall(r'struct cli_option (\w+)\[\] = \{(.*?)\n\};',
                                         source, re.S)}


def _commands():
    """{subcommand of chapi-ctl: name of its table}"""
    source = read('clients', 'chapi-ctl.c')
    return dict(re.findall(r'\n\t\{ "([\w-]+)", "(?:(?!\n\t\{ ).)*?OPTIONS\((\w+)\)', source, re.S))


def _rows(tool, *command):
    tables = _tables(read('clients', tool + '.c'))
    if command:
        return tables[_commands()[command[0]]]
    more = _tables(read('clients',
                        'services.c'))['service_options'] if tool == 'chapi-serve' else {}
    return dict(tables['options'], **more)


SUBCOMMANDS = list(_commands())
# As one types them: ('chapi-call',), ('chapi-ctl', 'list'), ...
TOOLS = [('chapi-call',), ('chapi-serve',)] + [('chapi-ctl', c) for c in SUBCOMMANDS]


def options_of(tool, *command):
    """{option: letter or ''}; without those of COMMON."""
    return {option: letter for option, (letter, _) in _rows(tool, *command).items()}


def spellings(tool, *command):
    """[(as it is typed, has it a value?)], those of COMMON too."""
    rows = dict(_rows(tool, *command), socket=('s', 'CLI_TEXT'), help=('h', 'CLI_FLAG'),
                version=('V', 'CLI_FLAG'))
    return [(typed, kind != 'CLI_FLAG') for option, (letter, kind) in rows.items()
            for typed in ['--' + option] + ['-' + letter] * bool(letter)]
