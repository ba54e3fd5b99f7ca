# SPDX-License-Identifier: MIT
"""Are the pages what the programs and the library say of themselves? Options, commands, settings,
statuses, the environment, functions; and has each page its sections, and those that others name?"""
import os
import re

import header_manual
from docs_common import check, differences, found, page_section, read, top

# ---- chapi-hub -------------------------------------------------------------------------------

def hub_problems():
    """Options; events and actions of scripts, the latter with an example each."""
    page = read('doc/chapi-hub.1')
    options = found('tests/hub/main.c', r'^\t\{ "([\w-]+)", \w+_argument,')
    yield from differences('option', options, re.findall(r'Fl -([\w-]+)', page))
    whens = found('tests/hub/script.c', r'\[SCRIPT_\w+\] = "(\w+)"')
    for name in set(whens) - {'now'}:
        if not re.search(r'^\.It .*Cm %s\b' % name, page, re.M):
            yield 'event %s is not in the page' % name
    acts = found('tests/hub/script_action.c', r'\[SCRIPT_\w+\] = \{ "([\w-]+)"')
    for name in acts:
        if not re.search(r'^\.It Cm %s\b' % name, page, re.M):
            yield 'action %s is not in the page' % name
        if not re.search(r'^\.Dl (?:on .* do|now.*) %s\b' % name, page, re.M):
            yield 'action %s has no example' % name


# ---- programs --------------------------------------------------------------------------------

# The page of a program, and the source that has what --help prints.
PROGRAMS = {
    'chapi-call.1': 'clients/chapi-call.c',
    'chapi-ctl.1': 'clients/chapi-ctl.c',
    'chapi-gw.8': 'gateway/main.c',
    'chapi-hub.1': 'tests/hub/main.c',
    'chapi-serve.1': 'clients/chapi-serve.c',
}


def help_text(path):
    """All literals that stand at the beginning of a line: what is printed for people."""
    return '\n'.join(found(path, r'^\t[\t ]*"([^\n]*?)(?:\\n)?"'))


def options_in_help(text):
    """{option: its letter or ''} of the lines that begin with one, or with several."""
    lines = re.findall(r'^ +(-{1,2}[a-zA-Z].*)', text, re.M)
    return {option: letter for line in lines for letter, option in
            re.findall(r'(?:-(\w), )?--([a-z][\w-]*)', re.split(r' {2,}', line)[0])}


def options_in_page(text):
    """{option: its letter or ''} of those that are explained, in a list of options or commands."""
    entries = ' '.join(re.findall(r'^\.It .*\bFl .*', text, re.M))
    return {option: letter for letter, option in
            re.findall(r'(?:Fl (\w) , )?Fl \\?-([a-z][\w-]*)', entries)}


def option_differences(shown, page):
    explained = options_in_page(page)
    yield from differences('option', shown, explained)
    for option in sorted(set(shown) & set(explained)):
        if shown[option] != explained[option]:
            yield 'option --%s: --help has "-%s", the page "-%s"' % (option, shown[option],
                                                                     explained[option])
    for letter, option in re.findall(r'\bFl (?:(\w)\b|\\?-([a-z][\w-]*))', page):
        if (letter or option) not in (shown.values() if letter else shown):
            yield 'the page speaks of an option %s' % (letter or option)


def command_problems():
    """Each command of chapi-ctl: its own options, and those that its entry in the page has."""
    source, page = read('clients/chapi-ctl.c'), read('doc/chapi-ctl.1')
    tables = {name: dict(re.findall(r'\{ "([\w-]+)", \'(\w|\\0)\'', body)) for name, body in
              found('clients/chapi-ctl.c', r'cli_option (\w+)\[\] = \{(.*?)^\};')}
    commands = re.findall(r'^\t\{ "([\w-]+)", "(?:(?!^\t\{ ).)*?OPTIONS\((\w+)\)', source,
                          re.M | re.S)
    if not commands:
        raise LookupError('clients/chapi-ctl.c: no commands are found')
    for command, table in commands:
        entry = re.search(r'^\.It Ic %s\b(.*)' % command, page, re.M)
        text = entry[0] if entry else ''
        if command == 'setup':
            text = re.search(r'^\.Ss Setup\n(.*?)^\.Sh ', page, re.M | re.S)[1]
        own = {option: letter.replace('\\0', '') for option, letter in tables[table].items()
               if option != 'json'}
        if own != options_in_page(text):
            yield '%s has the options %s, and in the page %s' % (command, own,
                                                                 options_in_page(text))


# Where the gateway's page and that of its settings name settings.
def setting_problems():
    table = found('gateway/config_keys.c', r'^\t\{ "(\w+)", "(\w+)",')
    page = read('doc/chapi-gw.conf.5')
    parts = re.split(r'^\.Ss Section (\w+)$', page.partition('.Sh BUDGET')[0], flags=re.M)
    there = [(name, key) for name, text in zip(parts[1::2], parts[2::2])
             for key in re.findall(r'^\.It Cm (\w+)$', text, re.M)]
    yield from differences('setting', ['.'.join(row) for row in table],
                           ['.'.join(row) for row in there])
    keys = {key for _, key in table}
    for key in sorted(set(re.findall(r'^\.Cm (\w+)', page, re.M)) - keys):
        yield 'the page speaks of a setting %s' % key
    options = options_in_page(read('doc/chapi-gw.8'))
    for option in sorted(set(re.findall(r'\bFl \\?-([a-z][\w-]*)', page)) - set(options)):
        yield 'the page speaks of an option --%s of chapi-gw' % option


# Whose page tells of what a source reads in the environment.
ENVIRONMENT = (
    (r'gateway/log\.c', ('chapi-gw.8', 'chapi-hub.1')),
    (r'gateway/config', ('chapi-gw.8', 'chapi-gw.conf.5')),
    (r'gateway/', ('chapi-gw.8',)),
    (r'tests/hub/', ('chapi-hub.1',)),
    (r'clients/(?:ctl|setup|table)', ('chapi-ctl.1',)),
    (r'clients/services', ('chapi-serve.1',)),
    (r'libchapi-ipc/', ('libchapi-ipc.3', 'chapi.7', 'chapi-ipc.7', 'chapi-call.1', 'chapi-ctl.1',
                        'chapi-serve.1')),
)


def environment_problems():
    n = 0
    for path in sources():
        if not re.match(r'(?:common|gateway|libchapi-ipc|clients|tests/hub)/.*\.c$', path):
            continue
        for name in re.findall(r'getenv\("(\w+)"\)', read(path)):
            n += 1
            pages = next((pages for form, pages in ENVIRONMENT if re.match(form, path)), ())
            if not pages:
                yield '%s reads %s: whose page says so?' % (path, name)
            for page in pages:
                if not re.search(r'^\.(?:It )?Ev (?:.* )?%s\b' % name,
                                 page_section(page, 'ENVIRONMENT'), re.M):
                    yield '%s is not in ENVIRONMENT of doc/%s (%s)' % (name, page, path)
    if n == 0:
        raise LookupError('no source reads the environment')


def statuses_in(page):
    """Those that EXIT STATUS of a page explains, as a list or in sentences."""
    text = page_section(page, 'EXIT STATUS')
    return {a or b for a, b in re.findall(r'^\.It (\d+)$|(?:^|; )(\d+): ', text, re.M)}


def status_problems():
    """chapi(7) has those of all programs, 255 being of chapi-call -x alone."""
    told = set().union(*map(statuses_in, PROGRAMS))
    codes = {status for _, status in found('libchapi-ipc/error.c',
                                           r'CHAPI_ERR_\w+, "(\w+)", CHAPI_RAN_\w+, (\d+),')}
    yield from differences('exit status', told | codes | {'255'}, statuses_in('chapi.7'))


def program_problems(name, source):
    page, text = read('doc/' + name), help_text(source)
    yield from option_differences(options_in_help(text), page)
    statuses = re.findall(r'(?:^: |; )(\d+) ',
                          ' '.join(text.partition('Exit status')[2].split()))
    for status in sorted(set(statuses) - statuses_in(name)):
        yield 'exit status %s is not in the page' % status
    for status in sorted(statuses_in(name) - set(statuses)):
        if 'else as chapi-call' not in text:
            yield 'exit status %s is in the page, and not in --help' % status
    for command in re.findall(r'^\t\{ "([a-z-]+)", "[^"]*", "', read(source), re.M):
        if not re.search(r'^\.It .*Ic %s\b' % command, page, re.M):
            yield 'command %s is not in the page' % command


def check_programs():
    for name, source in PROGRAMS.items():
        if os.path.exists(os.path.join(top, 'doc', name)):
            check('doc/%s is what --help says' % name, program_problems, name, source)
        else:
            print('ok - doc/%s # SKIP there is no such page yet' % name)


def reference_problems():
    """Pages of ours that pages name."""
    pages = {name for name in os.listdir(os.path.join(top, 'doc')) if re.search(r'\.[1-8]$', name)}
    for page in sorted(pages):
        for name, number in re.findall(r'^\.Xr (\S+) (\d)', read('doc/' + page), re.M):
            if 'chapi' in name and '%s.%s' % (name, number) not in pages | set(PROGRAMS):
                yield 'doc/%s names %s(%s), which is not there' % (page, name, number)


def missing_section_problems():
    """What every page has, of whatever kind, with something in it."""
    for page in sorted(os.listdir(os.path.join(top, 'doc'))):
        if not re.search(r'\.[1-8]$', page):
            continue
        for title in ('NAME', 'DESCRIPTION', 'ENVIRONMENT', 'FILES', 'EXIT STATUS', 'EXAMPLES',
                      'SEE ALSO'):
            if not re.search(r'^\w|^\.(?:It|Xr|Ev|Nm)\b', page_section(page, title), re.M):
                yield 'doc/%s has no section %s, or nothing in it' % (page, title)


def sections_of(page):
    return re.findall(r'^\.S[hs] (.*)$', read('doc/' + page), re.M)


def sources():
    """All that may name a section of a page: sources, tests and documents."""
    for folder in ('common', 'gateway', 'libchapi-ipc', 'clients', 'tests', 'doc'):
        for where, _, names in os.walk(os.path.join(top, folder)):
            for name in names:
                if re.search(r'\.(?:c|h|py|js|mjs|ts|md|sh|[1-8])$', name):
                    yield os.path.relpath(os.path.join(where, name), top)


def section_problems():
    """page(N), "TITLE": is there such a section?"""
    n = 0
    for path in sources():
        named = re.findall(r'\b((?:lib)?chapi[\w.-]*)\(([1-8])\), "([^"\n]+)"', read(path)) + \
            re.findall(r'^\.Xr (\S*chapi\S*) ([1-8]) ,\n\.Dq (.*?)(?: [.,;])?$', read(path), re.M)
        for name, number, title in named:
            n += 1
            if title not in sections_of('%s.%s' % (name, number)):
                yield '%s: %s(%s) has no section "%s"' % (path, name, number, title)
    if n == 0:
        raise LookupError('no source names a section of a page')


def library_problems():
    names = found('libchapi-ipc/libchapi-ipc.map', r'^\t(chapi_\w+);')
    page = set(re.findall(r'^\.Fn (chapi_\w+)', read('doc/libchapi-ipc.3'), re.M))
    return differences('function', names, page)


def function_page_problems():
    """Each page is made from the header, and each function is in one of them."""
    header = read('libchapi-ipc/chapi-ipc.h')
    pages = header_manual.pages(header)
    yield from header_manual.problems(os.path.join(top, 'libchapi-ipc/chapi-ipc.h'),
                                      os.path.join(top, 'doc'))
    names = found('libchapi-ipc/libchapi-ipc.map', r'^\t(chapi_\w+);')
    there = re.findall(r'^\.Fo (chapi_\w+)$', '\n'.join(pages.values()), re.M)
    yield from differences('function', names, there)
    makefile = read('doc/Makemodule.am')
    for name in sorted(pages):
        if '/%s' % name not in makefile:
            yield '%s is not installed (doc/Makemodule.am)' % name
