#!/bin/sh
# SPDX-License-Identifier: MIT
# A local call costs the gateway no more instructions than it did: see tests/bench/instructions.py.
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}" "${top_builddir:=$PWD}"
export top_builddir

skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}

[ "${CHAPI_TESTS-}" = "" ] || skip_all "CHAPI_TESTS=$CHAPI_TESTS"
for python in "${PYTHON3:-python3}" /usr/bin/python3; do
    "$python" -c 'import msgpack' 2>/dev/null &&
        PYTHONDONTWRITEBYTECODE=1 exec "$python" "$top_srcdir/tests/bench/instructions.py"
done
skip_all "msgpack for Python 3 is missing (Debian: python3-msgpack)"
