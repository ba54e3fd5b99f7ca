# SPDX-License-Identifier: MIT
"""Is chapi-ipc(7) what the sources do? Methods, options, fields, codes, and each hexdump."""
import os
import re
import shutil
import subprocess

from docs_common import check, differences, found, page_section, read

PAGE = 'doc/chapi-ipc.7'


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
    for path in ('methods', 'holding', 'monitor', 'waits'):
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
