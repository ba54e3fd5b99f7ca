#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual pages of libchapi-ipc's functions, made from the comments of chapi-ipc.h.

    header_manual.py --write HEADER FOLDER      writes the pages
    header_manual.py HEADER FOLDER              says which are not what the header says

One page for each part of the header, which begins with a line of its own ("/* ---- values"). The
text is written once, in the header; here is only what a page has beyond it.
"""
import os
import re
import sys
import textwrap

# Part of the header: [(page, first declaration of it, what it is about, see also)].
PAGES = {
    '': [('chapi_strerror', '', 'errors of libchapi-ipc', ['chapi_call 3', 'chapi-ipc 7'])],
    'values': [('chapi_json_to_msgpack', '', 'JSON text to MessagePack bytes and back',
                ['chapi_call 3', 'chapi-ipc 7'])],
    'connections': [('chapi_connect', '',
                     'connect to a chapi gateway, and be driven by an event loop',
                     ['chapi_call 3', 'chapi_register 3', 'chapi_set_reconnect 3'])],
    'connecting again': [('chapi_set_reconnect', '',
                          'connect to a chapi gateway again when it was lost',
                          ['chapi_connect 3'])],
    'making calls': [('chapi_call', '', 'call functions through a chapi gateway',
                      ['chapi_connect 3', 'chapi_list 3', 'chapi_strerror 3'])],
    'asking the gateway': [
        ('chapi_list', '', 'ask a chapi gateway for names, state and figures',
         ['chapi_call 3', 'chapi_monitor 3']),
        ('chapi_monitor', 'chapi_event_fn', 'watch what goes through a chapi gateway',
         ['chapi_list 3'])],
    'answering calls': [('chapi_request', '', 'requests to a provider, and their answers',
                         ['chapi_register 3', 'chapi_call 3'])],
    'names': [('chapi_register', '', 'provide functions under names at a chapi gateway',
               ['chapi_request 3', 'chapi_connect 3', 'chapi_list 3'])],
}

# The program in clients/examples that a page ends with.
EXAMPLES = {
    'chapi_call': 'smallest-caller.c',
    'chapi_connect': 'poll-provider.c',
    'chapi_json_to_msgpack': 'to-msgpack.c',
    'chapi_list': 'list-names.c',
    'chapi_monitor': 'watch-calls.c',
    'chapi_register': 'echo-provider.c',
    'chapi_request': 'deferred-answer.c',
    'chapi_set_reconnect': 'smallest-provider.c',
    'chapi_strerror': 'smallest-caller.c',
}
# What stands behind what functions return, for all pages; the first two for those with a gateway.
SURROUNDINGS = """.Sh ENVIRONMENT
.Ev CHAPI_SOCKET
and
.Ev XDG_RUNTIME_DIR
say where the gateway is, if the program does not; see
.Xr libchapi-ipc 3 .
.Sh FILES
The gateway's socket,
.Pa /run/chapi/gw.sock
or a user's own; see
.Xr libchapi-ipc 3 .""".splitlines()
NO_SURROUNDINGS = """.Sh ENVIRONMENT
Nothing is taken from the environment.
.Sh FILES
No file is used.""".splitlines()
WITHOUT_GATEWAY = ('chapi_json_to_msgpack', 'chapi_strerror')
EXIT_STATUS = """.Sh EXIT STATUS
For a program that ends with an error of these functions:
.Fn chapi_exit_status
gives the status that the tools would end with, see
.Xr chapi_strerror 3 .""".splitlines()
OWN_EXIT_STATUS = """.Sh EXIT STATUS
.Fn chapi_exit_status
gives one of those in
.Xr chapi 7 .""".splitlines()
EXAMPLES_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                               '..', '..', 'clients', 'examples')

PART = re.compile(r'/\* -{4} (.*?) -+ \*/')
TOKEN = re.compile(r'/\*.*?\*/[ \t]*\n|\n|'
                   r'(?:[^\n{;]*(?:\n[^\n{;]+)*\{[^}]*\}[^;]*;|[^;{]+;)[^\n]*\n', re.S)


class Entry:
    """A comment and what it is about; either may be missing."""

    def __init__(self, comment=''):
        self.comment = comment
        self.declarations = []

    def names(self):
        return [name_of(text) for text in self.declarations]


def name_of(declaration):
    """Of a function, a type of functions, a struct, an enum."""
    match = re.match(r'typedef .*?\(\*(\w+)\)', declaration, re.S) or \
        re.match(r'typedef .*?(\w+);', declaration) or \
        re.match(r'(?:struct|enum) (\w+) \{', declaration) or \
        re.match(r'[^(]*?(\w+)\(', declaration)
    if not match:
        raise ValueError('chapi-ipc.h: what does this declare? ' + declaration)
    return match[1]


def body(header):
    """Between what all headers have: from the first comment about a declaration on."""
    match = re.search(r'^#define CHAPI_DEFAULT_SOCKET[^\n]*\n(.*?)'
                      r'^#if defined\(__GNUC__\)\n#pragma GCC visibility pop',
                      header, re.M | re.S)
    if not match:
        raise ValueError('chapi-ipc.h has another form')
    return match[1]


def parts(header):
    """{part: [Entry]}"""
    found = {}
    entries = found.setdefault('', [])
    entry = None
    for token in TOKEN.findall(body(header)):
        if PART.match(token):
            entries = found.setdefault(PART.match(token)[1], [])
            entry = None
        elif token == '\n':
            entry = None
        elif token.startswith('/*'):
            entry = Entry(token)
            entries.append(entry)
        else:
            if entry is None:
                entry = Entry()
                entries.append(entry)
            entry.declarations.append(token.strip('\n'))
    return found


# ---- a comment as mdoc ---------------------------------------------------------------------------

def comment_lines(comment):
    text = re.sub(r'\s*\*/\s*$', '', comment[2:])
    return [re.sub(r'^ ?\*? ?', '', line, count=1) if not line.startswith(' *\t') else line[2:]
            for line in text.splitlines()]


def paragraphs(comment):
    """[(kind, text)]; kind: "text", "item", "code"."""
    found = []
    for line in comment_lines(comment):
        if not line.strip():
            found.append(('', ''))
        elif line.startswith('\t'):
            kind_of_line(found, 'code', line[1:] + '\n')
        elif line.startswith('- '):
            found.append(('item', line[2:]))
        else:
            kind = 'item' if found and found[-1][0] == 'item' else 'text'
            kind_of_line(found, kind, line.strip() + ' ')
    return [(kind, text) for kind, text in found if kind]


def kind_of_line(found, kind, text):
    if found and found[-1][0] == kind:
        gap = '' if found[-1][1].endswith((' ', '\n')) else ' '
        found[-1] = (kind, found[-1][1] + gap + text)
    else:
        found.append((kind, text))


def escaped(text):
    text = text.replace('\\', '\\e').replace('-CHAPI', '\\-CHAPI')
    return '\\&' + text if text.startswith(('.', "'")) else text


def wrapped(text):
    return [escaped(line) for line in textwrap.wrap(text.strip(), 78, break_on_hyphens=False)]


WORD = re.compile(r'(?:(?<=\s)|^)(\(?)(?:([a-z_]+)\(\)|([a-z-]+)\((\d)\))([.,;:)]*)(?=\s|$)')


def sentence_lines(sentence):
    """References are macros, which stand in lines of their own."""
    at = 0
    for match in WORD.finditer(sentence):
        if sentence[at:match.start()].strip():
            yield from wrapped(sentence[at:match.start()])
        macro = 'Fn ' + match[2] if match[2] else 'Xr %s %s' % (match[3], match[4])
        macro = '.Pf ( ' + macro if match[1] else '.' + macro
        yield ' '.join([macro] + list(match[5]))
        at = match.end()
    if sentence[at:].strip():
        yield from wrapped(sentence[at:])


def text_lines(text):
    for sentence in re.split(r'(?<=[.?!])\s+', text.strip()):
        yield from sentence_lines(sentence)


def comment_mdoc(comment):
    in_list = False
    for number, (kind, text) in enumerate(paragraphs(comment)):
        if (kind == 'item') != in_list:
            yield '.Bl -bullet' if kind == 'item' else '.El'
            in_list = kind == 'item'
        if kind == 'item':
            yield '.It'
        elif number and kind == 'text':
            yield '.Pp'
        if kind == 'code':
            yield from ['.Bd -literal -offset indent', escaped(text.rstrip('\n')), '.Ed']
        else:
            yield from text_lines(text)
    if in_list:
        yield '.El'


# ---- declarations as mdoc ------------------------------------------------------------------------

def is_function(declaration):
    return not declaration.startswith(('typedef', 'struct', 'enum')) or \
        re.match(r'(?:struct|enum) \w+ \*?\w+\(', declaration) is not None


def prototype(declaration):
    flat = ' '.join(declaration.split())
    match = re.fullmatch(r'(.*?)(\w+)\((.*)\);', flat)
    yield '.Ft ' + match[1].strip()
    yield '.Fo ' + match[2]
    for argument in match[3].split(', '):
        yield '.Fa "%s"' % argument
    yield '.Fc'


def synopsis(entries):
    for entry in entries:
        for declaration in entry.declarations:
            if is_function(declaration):
                yield from prototype(declaration)


def description(entries):
    for entry in entries:
        if entry.declarations:
            yield '.Ss ' + ', '.join(entry.names())
        elif entry is not entries[0]:
            yield '.Pp'
        types = [text for text in entry.declarations if not is_function(text)]
        if types:
            yield from ['.Bd -literal', *(escaped(text) for text in types), '.Ed']
            if entry.comment:
                yield '.Pp'
        yield from comment_mdoc(entry.comment) if entry.comment else ()


# ---- examples ------------------------------------------------------------------------------------

def code_line(line):
    line = line.replace('\\', '\\e')
    return '\\&' + line if line.startswith(('.', "'")) else line


def example_lines(page):
    """What the program is for, as its comment says, and the program."""
    _, comment, program = re.fullmatch(
        r'(/\*[^\n]*\n)(/\*.*?\*/\n)(.*)',
        read(os.path.join(EXAMPLES_FOLDER, EXAMPLES[page])), re.S).groups()
    yield '.Sh EXAMPLES'
    about = paragraphs(comment)[0][1].partition('    cc -o')[0]
    yield from text_lines(about)
    yield from ['.Bd -literal',
                *(code_line(line) for line in program.strip('\n').splitlines()), '.Ed']


# ---- pages ---------------------------------------------------------------------------------------

def cut(entries, pages):
    """[(page, entries)]: a page reaches to where the next one begins."""
    starts = [next(i for i, e in enumerate(entries) if not first or first in e.names())
              for _, first, _, _ in pages]
    return [(page, entries[start:end])
            for page, start, end in zip(pages, starts, starts[1:] + [None])]


def page_text(page, entries):
    name, _, about, others = page
    functions = [name_of(text) for entry in entries for text in entry.declarations
                 if is_function(text)]
    names = [name] + [other for other in functions if other != name]
    lines = ['.\\" SPDX-License-Identifier: MIT',
             '.\\" Made from chapi-ipc.h by tests/lib/header_manual.py --write: '
             'change that, not this.',
             '.Dd November 28, 2026', '.Dt %s 3' % name.upper(), '.Os', '.Sh NAME']
    lines += ['.Nm %s ,' % other for other in names[:-1]] + ['.Nm ' + names[-1], '.Nd ' + about]
    lines += ['.Sh SYNOPSIS', '.In chapi-ipc.h', *synopsis(entries),
              '.Sh DESCRIPTION', *description(entries)]
    lines += ['.Sh RETURN VALUES', 'Functions that can fail return 0 or a negative',
              '.Vt enum chapi_err ;', '.Xr chapi_strerror 3', 'has them all.',
              'An out-parameter', '.Pq Va ret_*', 'is set on success only.'] \
        if name != 'chapi_strerror' else []
    lines += NO_SURROUNDINGS if name in WITHOUT_GATEWAY else SURROUNDINGS
    lines += OWN_EXIT_STATUS if name == 'chapi_strerror' else EXIT_STATUS
    lines += example_lines(name)
    sections = sorted(others + ['libchapi-ipc 3'], key=lambda text: (text[-1], text.lower()))
    lines += ['.Sh SEE ALSO'] + ['.Xr %s ,' % other for other in sections[:-1]] + \
        ['.Xr ' + sections[-1]]
    return '\n'.join(lines) + '\n'


def pages(header):
    """{name of the file: text}"""
    found = parts(header)
    if set(found) != set(PAGES):
        raise ValueError('parts of chapi-ipc.h without a page, or the reverse: %s' %
                         ', '.join(sorted(set(found) ^ set(PAGES))))
    return {page[0] + '.3': page_text(page, entries)
            for part in found for page, entries in cut(found[part], PAGES[part])}


def read(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def problems(header, folder):
    for name, text in pages(read(header)).items():
        path = os.path.join(folder, name)
        if not os.path.exists(path) or read(path) != text:
            yield '%s is not what chapi-ipc.h says; ' \
                'run tests/lib/header_manual.py --write %s %s' % (
                    name, 'libchapi-ipc/chapi-ipc.h', 'doc')


def main():
    *options, header, folder = sys.argv[1:]
    if options == ['--write']:
        for name, text in pages(read(header)).items():
            with open(os.path.join(folder, name), 'w', encoding='utf-8') as f:
                f.write(text)
        return 0
    found = list(problems(header, folder))
    print('\n'.join(found))
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
