#!/bin/sh
# SPDX-License-Identifier: MIT
# Do the documents say what the sources do? One test of "make check", which speaks TAP.
#
# lib/check_docs.py compares them; the form of the manual pages is checked by mandoc or else man.
# From make: top_srcdir, PYTHON3. What cannot be checked here is skipped, aloud.
here=$(cd "$(dirname "$0")" && pwd)
: "${top_srcdir:=$(cd "$here/.." && pwd)}"
# The source folder may be read-only, and nothing of ours belongs into it.
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE

# The first interpreter with msgpack, else the first at all.
find_python() {
    for module in msgpack sys; do
        for python in "${PYTHON3:-python3}" /usr/bin/python3; do
            "$python" -c "import sys, $module; sys.exit(sys.version_info < (3, 9))" 2>/dev/null &&
                return
        done
    done
    return 1
}

# The complaints about a page. Whether other pages are installed here says nothing about it.
complaints() {
    if command -v mandoc >/dev/null; then
        mandoc -T lint -W style "$1" 2>&1 | grep -v -e 'mandoc\.db' -e 'referenced manual not found'
        too_wide "$1"
    else
        LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "$1" 2>&1 >/dev/null
    fi
}

# Lines that a terminal of 80 columns breaks: none but dumps, a text that has no place to be broken,
# and what is C.
too_wide() {
    case $1 in *.3) return ;; esac
    mandoc -T ascii -O width=80 "$1" | sed 's/.\x08//g' |
        grep -v -E '^ *[0-9a-f]{8}  |^ *"message":' | grep -E '^.{81}'
}

check_page() {
    name="form of $(basename "$1")"
    if ! command -v mandoc >/dev/null && ! man --version >/dev/null 2>&1; then
        echo "ok - $name # SKIP neither mandoc nor man is here"
        return
    fi
    found=$(complaints "$1")
    if [ -z "$found" ]; then
        echo "ok - $name"
    else
        echo "not ok - $name"
        printf '%s\n' "$found" | sed 's/^/# /'
    fi
}

check_all() {
    if find_python; then
        "$python" "$here/lib/check_docs.py" "$top_srcdir" || echo "not ok - check_docs.py runs"
    else
        echo "ok - documents against sources # SKIP Python 3.9 or newer is missing"
    fi
    for page in "$top_srcdir"/doc/*.[1-8]; do
        check_page "$page"
    done
}

results=$(check_all)
printf '%s\n' "$results"
echo "1..$(printf '%s\n' "$results" | grep -c -e '^ok ' -e '^not ok ')"
! printf '%s\n' "$results" | grep -q '^not ok '
