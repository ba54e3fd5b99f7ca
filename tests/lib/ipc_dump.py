#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The hexdumps of doc/chapi-ipc.7: made from the JSON line that stands before each.

In the page's source a message is a comment, and a block that belongs to this program:

    .\\" msg: [0,1,"call",["chapi.echo",{"a":1}]]
    .Bd -literal
    the line, broken so that it can be read, and its MessagePack as hexdump -C shows it
    .Ed

To change a message change the comment (or write a new one), then run

    tests/lib/ipc_dump.py --write doc/chapi-ipc.7

What is in the blocks is compared by docs_protocol.py.
"""
import base64
import datetime
import json
import sys

import msgpack

MARK = '.\\" msg: '
BEGIN = '.Bd -literal'
END = '.Ed'
WIDTH = 74


class BadPage(Exception):
    """The source does not have the form above: where, and why."""


# ---- values: chapi-ipc(7), "Values" ----------------------------------------------------------

def _no_repeats(pairs):
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError('a key stands there twice')
    return value


def _from_json(value):
    if isinstance(value, list):
        return [_from_json(v) for v in value]
    if not isinstance(value, dict):
        return value
    if list(value) == ['$bin']:
        return base64.b64decode(value['$bin'], validate=True)
    if list(value) == ['$time']:
        time = datetime.datetime.fromisoformat(value['$time'].replace('Z', '+00:00'))
        return msgpack.Timestamp.from_datetime(time)
    return {k[1:] if k.startswith('$') else k: _from_json(v) for k, v in value.items()}


def to_msgpack(line):
    """The bytes of one line of JSON; ValueError: it is none, or not compact."""
    value = json.loads(line, object_pairs_hook=_no_repeats)
    if json.dumps(value, separators=(',', ':'), ensure_ascii=False) != line:
        raise ValueError('not in the compact form that the gateway writes')
    return msgpack.packb(_from_json(value), use_bin_type=True)


# ---- text ------------------------------------------------------------------------------------

def hexdump(data):
    """The lines of hexdump -C, without its shortening of rows that are equal."""
    lines = []
    for at in range(0, len(data), 16):
        row = data[at:at + 16]
        digits = ['%02x' % c for c in row]
        text = ''.join(chr(c) if 0x20 <= c < 0x7f else '.' for c in row)
        lines.append('%08x  %-23s  %-23s  |%s|' % (at, ' '.join(digits[:8]), ' '.join(digits[8:]),
                                                    text))
    return lines + ['%08x' % len(data)]


def _pieces(line):
    """Cuts behind the commas that are in no string."""
    piece, inside, escaped = '', False, False
    for c in line:
        piece += c
        if escaped:
            escaped = False
        elif c == '\\':
            escaped = inside
        elif c == '"':
            inside = not inside
        elif c == ',' and not inside:
            yield piece
            piece = ''
    yield piece


def broken(line):
    """One line of JSON as several of at most WIDTH, if its commas allow it."""
    lines = ['']
    for piece in _pieces(line):
        if lines[-1].strip() and len(lines[-1]) + len(piece) > WIDTH:
            lines.append('  ')
        lines[-1] += piece
    return lines


def roff(text):
    """A line of text as the source of a literal block."""
    for char, name in (('\\', '\\e'), ("'", '\\(aq'), ('`', '\\(ga'), ('^', '\\(ha'),
                       ('~', '\\(ti'), ('-', '\\-')):
        text = text.replace(char, name)
    return '\\&' + text if text.startswith('.') else text


def block(line):
    """The block that has to follow a message's comment."""
    shown = broken(line) + [''] + hexdump(to_msgpack(line))
    return [BEGIN] + [roff(text) for text in shown] + [END]


# ---- pages -----------------------------------------------------------------------------------

def messages(source):
    """[(number of the line, JSON, lines of the block; None: there is none)] of a page's source."""
    lines = source.split('\n')
    found = []
    for i, line in enumerate(lines):
        if not line.startswith(MARK):
            continue
        there = None
        if lines[i + 1:i + 2] == [BEGIN]:
            if END not in lines[i + 2:]:
                raise BadPage('line %d: the block has no %s' % (i + 2, END))
            there = lines[i + 1:lines.index(END, i + 2) + 1]
        found.append((i + 1, line[len(MARK):], there))
    return found


def written(source):
    """The source with every block as it has to be."""
    lines = source.split('\n')
    for at, line, there in reversed(messages(source)):
        try:
            lines[at:at + len(there or [])] = block(line)
        except ValueError as error:
            raise BadPage('line %d: %s' % (at, error))
    return '\n'.join(lines)


def main():
    if len(sys.argv) != 3 or sys.argv[1] != '--write':
        sys.exit('usage: ipc_dump.py --write PAGE')
    with open(sys.argv[2], encoding='utf-8') as f:
        source = f.read()
    try:
        text = written(source)
    except BadPage as error:
        sys.exit('%s: %s' % (sys.argv[2], error))
    if text != source:
        with open(sys.argv[2], 'w', encoding='utf-8') as f:
            f.write(text)


if __name__ == '__main__':
    main()
