# SPDX-License-Identifier: MIT
"""What the parts of check_docs.py share: reading sources and pages, and results as TAP.

The tables of the sources are found by their form. A form that matches nothing any more is a
failure, too: then whoever looked for it has to follow.
"""
import os
import re
import sys

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


def page_section(page, title):
    """The text of a .Sh of a page; '' if there is none."""
    match = re.search(r'^\.Sh %s\n(.*?)(?=^\.Sh |\Z)' % title, read('doc/' + page), re.M | re.S)
    return match[1] if match else ''


def differences(what, sources, page):
    for name in sorted(set(sources) - set(page)):
        yield '%s %s is not in the page' % (what, name)
    for name in sorted(set(page) - set(sources)):
        yield '%s %s is in the page, and not in the sources' % (what, name)
