#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Are the documents what the sources are? Prints TAP lines without numbers and without a plan.

The tables of the sources (methods, options, functions, codes, keywords, what is put on the wire)
are found by their form. A form that matches nothing any more is a failure, too: then this file
has to follow. Run by check-docs.sh.
"""
import os
import re
import shutil
import subprocess
import sys

import header_manual

PAGE = 'doc/chapi-ipc.7'
top = sys.argv[1] if len(sys.argv) > 1 else '.'


def read(path):
    with open(os.path.join(top, path), encoding='utf-8') as f:
        return f.read()


def found(path, pattern, least=1):
    """All that a pattern finds in a source; it has to find something."""
    matches = re.findall(pattern, read(path), re.M | re.S)
    if len(matches) < least:
        raise LookupError('%s: nothing like %s' % (path, pattern))
    return matches


def report(what, problems):
    """One result; problems: lines."""
    print('%sok - %s' % ('not ' if problems else '', what))
    for problem in problems:
        print('# %s' % problem)


def check(what, function, *args):
    """A check's problems, or what kept it from finding any."""
    try:
        report(what, list(function(*args)))
    except (LookupError, OSError, ValueError) as error:
        report(what, [str(error)])


# ---- hexdumps --------------------------------------------------------------------------------

def dump_problems(dump):
    page = dump.messages(read(PAGE))
    if len(re.findall(r'^0{8}  ', read(PAGE), re.M)) != len(page):
        yield '%s: there are hexdumps that belong to no message, or messages without one' % PAGE
    for at, line, there in page:
        try:
            if there != dump.block(line):
                yield ('%s:%d: the block is not that of this message; run '
                       'tests/lib/ipc_dump.py --write %s' % (PAGE, at, PAGE))
        except ValueError as error:
            yield '%s:%d: %s' % (PAGE, at, error)


def tool_problems(dump):
    """Ours against the program whose form it has."""
    for _, line, _ in dump.messages(read(PAGE)):
        data = dump.to_msgpack(line)
        out = subprocess.run(['hexdump', '-C', '-v'], input=data, stdout=subprocess.PIPE,
                             check=True)
        if out.stdout.decode().splitlines() != dump.hexdump(data):
            yield 'hexdump -C shows this otherwise: %s' % line


def check_dumps():
    """Needs a module that may be missing."""
    try:
        import ipc_dump as dump
    except ImportError:
        print('ok - hexdumps # SKIP msgpack for Python is missing (Debian: python3-msgpack)')
        return
    check('each hexdump is the MessagePack of its line', dump_problems, dump)
    if shutil.which('hexdump'):
        check('the dumps have the form of hexdump -C', tool_problems, dump)
    else:
        print('ok - form of the dumps # SKIP hexdump is missing (Debian: bsdextrautils)')


# ---- the page against the sources ------------------------------------------------------------

def messages():
    return re.findall(r'^\.\\" msg: (.*)$', read(PAGE), re.M)


def page_section(page, title):
    """The text of a .Sh of a page; '' if there is none."""
    match = re.search(r'^\.Sh %s\n(.*?)(?=^\.Sh |\Z)' % title, read('doc/' + page), re.M | re.S)
    return match[1] if match else ''


def section(title):
    """The text of a .Sh of the page of the protocol, which has to be there."""
    text = page_section(os.path.basename(PAGE), title)
    if not text:
        raise LookupError('%s has no section %s' % (PAGE, title))
    return text


def subsections(title):
    """{name: text} of the .Ss in a .Sh."""
    parts = re.split(r'^\.Ss (.*)\n', section(title), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def differences(what, sources, page):
    for name in sorted(set(sources) - set(page)):
        yield '%s %s is not in the page' % (what, name)
    for name in sorted(set(page) - set(sources)):
        yield '%s %s is in the page, and not in the sources' % (what, name)


def answered(text, method):
    """The id of a message that asks for it, and an answer with that id."""
    return any(re.search(r'^\.\\" msg: \[1,%s,null,' % number, text, re.M) for number in
               re.findall(r'^\.\\" msg: \[0,(\d+),"%s",\[' % method, text, re.M))


def method_problems():
    methods = found('gateway/methods.c', r'\{ "(\w+)", \d, \d, "')
    sections = subsections('METHODS')
    yield from differences('method', methods, sections)
    for name in set(methods) & set(sections):
        text = sections[name]
        if not answered(text, name):
            yield 'of method %s there is no request with its answer' % name
        if 'Right:' not in text and 'right: as of' not in text and 'right: see' not in text:
            yield 'method %s: who may?' % name


def notification_problems():
    names = set(found('gateway/wire.c', r'message_put_notification\(out, "(\w+)"'))
    names |= set(found('gateway/wire.c', r'put_notice\(encoding, "(\w+)"'))
    names |= set(found('gateway/incoming.c', r'span_is\(message->method, "(\w+)"\)'))
    sections = subsections('NOTIFICATIONS')
    yield from differences('notification', names, sections)
    for name in names & set(sections):
        if '.\\" msg: [2,"%s",[' % name not in sections[name]:
            yield 'of notification %s there is no message' % name


def function_problems():
    names = found('gateway/builtin.c', r'\{ "(chapi\.\w+)", "')
    page = re.findall(r'^\.It Ic (chapi\.\w+)$', section('FUNCTIONS OF THE GATEWAY'), re.M)
    return differences('function', names, page)


def code_problems():
    sources = {name: (ran.lower(), status) for name, ran, status in
               found('libchapi-ipc/error.c', r'\{ CHAPI_ERR_\w+, "(\w+)", CHAPI_RAN_(\w+), (\d+),')}
    page = {name: (re.split(', | or ', ran), status) for name, ran, status in
            re.findall(r'^\.It Er (\w+) Pq ran ([a-z, ]+), exit (\d+)$', section('ERROR CODES'),
                       re.M)}
    yield from differences('code', sources, page)
    for name in set(sources) & set(page):
        if sources[name][0] not in page[name][0]:
            yield 'code %s: ran is %s' % (name, sources[name][0])
        if sources[name][1] != page[name][1]:
            yield 'code %s: the exit status is %s' % (name, sources[name][1])


def option_problems():
    """Each table of options, in the section of its method."""
    sections = subsections('METHODS')
    for path in ('methods', 'holding', 'monitor', 'pending'):
        source = 'gateway/%s.c' % path
        for key in found(source, r'\{ "(\w+)", OPTION_\w+,'):
            if not any(re.search(r'^\.It .*Cm %s\b' % key, t, re.M) for t in sections.values()):
                yield 'option %s (%s) is not in the page' % (key, source)
    for name, table in (('call', 'call_table'), ('hello', 'hello_table')):
        (body,) = found('gateway/methods.c', r'%s\[\] = \{(.*?)^\};' % table)
        page = re.findall(r'^\.It Cm (\w+)$', sections[name], re.M)
        yield from differences('option of %s' % name, re.findall(r'\{ "(\w+)"', body), page)


def field_problems():
    """What is put into answers, events and meta, by the calls that do it."""
    text = read(PAGE)
    for path in ('inspect', 'methods', 'monitor', 'holding', 'request', 'reload', 'doctor',
                 'hub_status'):
        source = 'gateway/%s.c' % path
        keys = found(source, r'(?:put_key_\w+|put_text|put_number|put_keys)?'
                             r'\((?:b|out|&\w+), "(\w+)"|mp_put_str\([^,]+, "(\w+)"\)')
        for key in sorted({a or b for a, b in keys} - {'chapi'}):
            if not re.search(r'^\.(?:It |Pf \( |Pq )?.*Cm %s\b|"%s":' % (key, key), text, re.M):
                yield 'field %s (%s) is not in the page' % (key, source)


def meta_problems():
    keys = found('gateway/wire.c', r'w_key\(w, "(\w+)"\)')
    page = re.findall(r'^\.It Cm (\w+)$', section('REQUESTS TO A PROVIDER'), re.M)
    return differences('field of meta', keys, page)


def event_problems():
    (names,) = found('gateway/monitor.c', r'kind_names\[\] = \{ ([^}]*?), NULL \}')
    kinds = re.findall(r'"(\w+)"', names) + found('gateway/monitor.c', r'put_head\(&b, 1, "(\w+)"')
    yield from differences('kind of event', kinds,
                           re.findall(r'^\.It Cm (\w+)$', section('MONITORS'), re.M))
    for kind in kinds:
        if not any(line.startswith('[2,"event",[{"kind":"%s",' % kind) for line in messages()):
            yield 'there is no message of an event of the kind %s' % kind


def keyword_problems():
    names = found('gateway/schema_node.c', r'\{ "(\w+)", KEYWORD_\w+, ')
    text = section('DESCRIPTIONS OF VALUES')
    page = re.findall(r'Cm (\w+)', '\n'.join(re.findall(r'^\.It (.*)$', text, re.M)))
    yield from differences('keyword', names, page)
    (types,) = found('gateway/schema_node.c', r'#define TYPE_NAMES "([^"]*)"')
    for name in types.split(', '):
        if '\n.Cm %s' % name not in text:
            yield 'type %s is not in the page' % name


def right_problems():
    names = found('gateway/policy.c', r'\[RIGHT_\w+\] = \{ "(\w+)",')
    page = re.findall(r'^\.It Cm (\w+) Ta', section('RIGHTS'), re.M)
    return differences('right', names, page)


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
    acts = found('tests/hub/script.c', r'\[SCRIPT_\w+\] = \{ "([\w-]+)"')
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


# ---- the other documents ---------------------------------------------------------------------

def file_problems():
    """architecture.md names all files of the gateway, and none that is not there."""
    text = read('doc/architecture.md')
    known = {}
    for folder in ('common', 'gateway', 'libchapi-ipc', 'clients', 'tests/hub', 'tests/unit'):
        for name in os.listdir(os.path.join(top, folder)):
            known.setdefault(name, folder)
    named = set(re.findall(r'(?<![\w-])([a-z][\w-]*\.[ch])\b', text))
    for name in sorted(named - set(known)):
        yield 'doc/architecture.md names %s, which is not there' % name
    for name, folder in sorted(known.items()):
        if folder in ('common', 'gateway') and name.endswith('.c') and name not in named:
            yield 'doc/architecture.md does not name %s/%s' % (folder, name)


def documents():
    """All that is not a manual page, wherever it is."""
    for folder in ('.', 'doc', 'clients/python', 'clients/node', 'tests/conformance'):
        for name in sorted(os.listdir(os.path.join(top, folder))):
            if name.endswith('.md'):
                yield os.path.normpath(os.path.join(folder, name))


def anchors(text):
    """Of headings, as they are made for readers of Markdown."""
    return {re.sub(r'[^\w -]', '', title.lower()).replace(' ', '-')
            for title in re.findall(r'^#+ (.*)$', text, re.M)}


def path_problems(path, text):
    for name in re.findall(
            r'(?<![\w/.$-])((?:common|doc|gateway|libchapi-ipc|clients|tests)/[\w./-]*\w)', text):
        if not re.search(r'/test-X\.c$', name) and not os.path.exists(os.path.join(top, name)) and \
           not re.match(r'tests/unit/test-\w+$', name):
            yield '%s names %s, which is not there' % (path, name)


def markdown_link_problems(path, text):
    """[text](target), from where the document is. Other sites are not asked."""
    for target in re.findall(r'\]\(([^)\s]+)\)', text):
        if re.match(r'\w+:', target):
            continue
        name, _, anchor = target.partition('#')
        there = os.path.join(top, os.path.dirname(path), name) if name else os.path.join(top, path)
        if not os.path.exists(there):
            yield '%s: the link %s leads nowhere' % (path, target)
        elif anchor and anchor not in anchors(read(os.path.relpath(there, top))):
            yield '%s: the link %s leads to no heading' % (path, target)


def link_problems():
    """Paths in the tree, links, and pages of ours that documents name."""
    pages = set(os.listdir(os.path.join(top, 'doc')))
    for path in documents():
        text = read(path)
        yield from path_problems(path, text)
        yield from markdown_link_problems(path, text)
        for name, number in re.findall(r'\b((?:lib)?chapi[\w-]*(?:\.conf)?)\(([1-8])\)', text):
            if '%s.%s' % (name, number) not in pages:
                yield '%s names %s(%s), which is not there' % (path, name, number)


def audience_problems():
    """Each document in doc/ says in its first lines whom it is for."""
    for path in documents():
        if os.path.dirname(path) == 'doc' and not re.match(r'# .*\n\nFor who', read(path)):
            yield '%s does not begin with whom it is for ("For whoever ...")' % path


def main():
    check_dumps()
    check('methods', method_problems)
    check('notifications', notification_problems)
    check('functions of the gateway', function_problems)
    check('error codes, ran, exit status', code_problems)
    check('options', option_problems)
    check('fields of answers and events', field_problems)
    check('fields of meta', meta_problems)
    check('kinds of events', event_problems)
    check('keywords and types of descriptions', keyword_problems)
    check('rights', right_problems)
    check('options and scripts of chapi-hub', hub_problems)
    check_programs()
    check('commands of chapi-ctl(1) and their options', command_problems)
    check('settings in chapi-gw.conf(5)', setting_problems)
    check('what is read in the environment', environment_problems)
    check('exit statuses in chapi(7)', status_problems)
    check('functions of libchapi-ipc(3)', library_problems)
    check('pages of functions are what chapi-ipc.h says', function_page_problems)
    check('pages that pages name', reference_problems)
    check('sections of pages', missing_section_problems)
    check('sections of pages that are named', section_problems)
    check('files in doc/architecture.md', file_problems)
    check('paths, links and pages in the documents', link_problems)
    check('documents say whom they are for', audience_problems)


if __name__ == '__main__':
    main()
