#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The keys of chapi-gw.conf(5), made from the gateway's own table of them.

    conf_manual.py CHAPI-GW PAGE [--write]

Compares the part of the page between its two marks with what `chapi-gw --print-sample-config`
says, or writes it. Status 1: they differ.
"""
import re
import subprocess
import sys

BEGIN = '.\\" keys: made by tests/lib/conf_manual.py\n'
END = '.\\" end of keys\n'


def roff(text):
    """Text at the beginning of a line of a page: no line too long, each sentence on a new one."""
    lines, line = [], ''
    for word in text.replace('\\', '\\e').split():
        if line and (len(line) + 1 + len(word) > 76 or re.search(r'[.][)]?$', line)):
            lines.append(line)
            line = ''
        line = (line + ' ' + word).strip()
    return ''.join('\\&%s\n' % part if part[0] in ".'" else part + '\n' for part in lines + [line])


def keys(sample):
    out, words = [], []
    for line in sample.splitlines()[3:]:
        section = re.fullmatch(r'#?\[(\w+)\]', line)
        key = re.fullmatch(r'#(\w+) =(.*)', line)
        if section:
            out.append(('.El\n' if out else '') +
                       '.Ss Section %s\n.Bl -tag -width Ds\n' % section[1])
        elif key:
            default = ' Default: %s.' % key[2].strip() if key[2].strip() else ''
            out.append('.It Cm %s\n%s' % (key[1], roff(' '.join(words) + default)))
            words = []
        elif line:
            words.append(line.lstrip('# '))
    return ''.join(out) + '.El\n'


def main():
    program, path, *more = sys.argv[1:]
    sample = subprocess.run([program, '--print-sample-config'], check=True,
                            capture_output=True, text=True).stdout
    with open(path, encoding='utf-8') as f:
        page = f.read()
    begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    fresh = page[:begin] + keys(sample) + page[end:]
    if more == ['--write']:
        with open(path, 'w', encoding='utf-8') as f:
            f.write(fresh)
    elif fresh != page:
        sys.exit('%s is not what the table of keys says; run this with --write' % path)


main()
