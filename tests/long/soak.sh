# SPDX-License-Identifier: MIT
# Stage of ./check --long: a fault each second, callers who ask until they know. $CHAPI_SOAK_S: 600 s.
soak() {
    build_in "$top/build/plain" CFLAGS='-O2 -g -Werror' || return 1
    for python in "${PYTHON3:-python3}" /usr/bin/python3; do
        "$python" -c 'import msgpack' 2>/dev/null && break
    done
    top_srcdir=$top top_builddir=$top/build/plain PYTHONDONTWRITEBYTECODE=1 \
        "$python" "$top/tests/soak/soak.py"
}
meanwhile "soak of ${CHAPI_SOAK_S:-600} s" soak
