#!/bin/sh
# SPDX-License-Identifier: MIT
# The integration tests: the real programs on loopback. One test of "make check", which speaks TAP.
#
# From make: top_srcdir, top_builddir, PYTHON3. By hand: run.sh [PYTEST-ARGUMENT...] in a build
# folder. CHAPI_TESTS_HUBS="chapi-hub soketi" chooses hubs; SOKETI_DIR is where setup.sh installed
# soketi and the official clients: the tests then run in its venv, where all is that they can use.
# CHAPI_TESTS=threads runs those in which the gateway has threads, CHAPI_TESTS=unit none.
# CHAPI_TESTS_WORKERS=N runs N tests at a time, where pytest-xdist is installed, else one. Without
# Python, pytest or msgpack all is skipped, aloud.
here=$(cd "$(dirname "$0")" && pwd)
: "${top_srcdir:=$(cd "$here/../.." && pwd)}" "${top_builddir:=$PWD}"
export top_srcdir top_builddir

skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}

# The first interpreter that has what the tests need.
find_python() {
    for python in "${SOKETI_DIR:-/nonexistent}/venv/bin/python3" "${PYTHON3:-python3}" /usr/bin/python3; do
        "$python" -c '
import sys, pytest, msgpack
sys.exit(sys.version_info < (3, 9))' 2>/dev/null && return
    done
    for python in "${PYTHON3:-python3}" /usr/bin/python3; do
        "$python" -c '' 2>/dev/null &&
            skip_all "pytest or msgpack for Python 3.9 or newer is missing (Debian: python3-pytest python3-msgpack)"
    done
    skip_all "python3 is missing"
}

case ${CHAPI_TESTS-} in
    unit) skip_all "CHAPI_TESTS=unit" ;;
    threads) [ $# -gt 0 ] || set -- "$here/test_remote.py" "$here/test_reconnect.py" "$here/test_tls.py" ;;
esac
[ -x "$top_builddir/gateway/chapi-gw" ] || {
    echo "Bail out! $top_builddir/gateway/chapi-gw is not built"
    exit 1
}
find_python
# The source folder may be read-only, and nothing of ours belongs into it.
PYTHONDONTWRITEBYTECODE=1
PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH}
export PYTHONDONTWRITEBYTECODE PYTHONPATH
case ${1-} in
    '' | -*) set -- "$@" "$here" ;;    # options only: of all tests
esac
# A worker costs an interpreter that reads all tests: worth it for many tests, not for one.
if [ "${CHAPI_TESTS_WORKERS:-1}" -gt 1 ] && "$python" -c 'import xdist' 2>/dev/null; then
    set -- "$@" -n "$CHAPI_TESTS_WORKERS" --dist load
fi
exec "$python" -m pytest -q -p lib.tap -c "$here/pytest.ini" --rootdir "$here" "$@"
