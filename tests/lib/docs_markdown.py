# SPDX-License-Identifier: MIT
"""Do the documents that are no pages name what is there, and whom they are for?"""
import os
import re

from docs_common import read, top


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


# Folders of builds and tools, and those of sources.
MADE = r'\.|build|node_modules$|autom4te\.cache$|release-|chapi-|.*\.egg-info$'
SOURCES = ('clients', 'common', 'debian', 'doc', 'gateway', 'libchapi-ipc', 'm4', 'release',
           'systemd', 'tests')


def documents():
    """All that is not a manual page, wherever it is, but for what builds and tests have made."""
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if not re.match(MADE, name))
        for name in sorted(names):
            if name.endswith('.md'):
                yield os.path.relpath(os.path.join(folder, name), top)


def anchors(text):
    """Of headings, as they are made for readers of Markdown."""
    return {re.sub(r'[^\w -]', '', title.lower()).replace(' ', '-')
            for title in re.findall(r'^#+ (.*)$', text, re.M)}


def path_problems(path, text):
    for name in re.findall(r'(?<![\w/.$-])((?:%s)/[\w./-]*\w)' % '|'.join(SOURCES), text):
        is_pattern = re.search(r'/test[-_][Xx]\.\w+$', name)
        is_program = re.match(r'tests/unit/test-\w+$', name)
        if not is_pattern and not is_program and not os.path.exists(os.path.join(top, name)):
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
