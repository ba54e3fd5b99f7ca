#!/bin/sh
# SPDX-License-Identifier: MIT
# The public headers alone, twice in one file, in C11 and in C++, without a warning.
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}" "${CC:=cc}" "${CXX:=c++}"
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
n=0

# compiles COMPILER LANGUAGE STANDARD HEADER
compiles() {
    n=$((n + 1))
    name="$4 as $3"
    [ -n "$(command -v "$1")" ] || {
        echo "ok $n - $name # SKIP $1 is missing"
        return
    }
    case $4 in
    *msgpack.h)
        echo '#include <msgpack.h>' | "$1" $msgpack -x "$2" -fsyntax-only - 2>/dev/null || {
            echo "ok $n - $name # SKIP msgpack-c's header is missing"
            return
        } ;;
    esac
    printf '#include <%s>\n#include <%s>\nint main(void) { return chapi_exit_status(CHAPI_OK); }\n' \
        "$4" "$4" >"$folder/source"
    # shellcheck disable=SC2086
    if "$1" -x "$2" -std="$3" -pedantic-errors -Wall -Wextra -Werror $msgpack \
        -I"$top_srcdir/libchapi-ipc" -fsyntax-only "$folder/source" 2>"$folder/errors"; then
        echo "ok $n - $name"
    else
        sed 's/^/# /' "$folder/errors"
        echo "not ok $n - $name"
    fi
}

msgpack="$(pkg-config --cflags msgpack-c 2>/dev/null || pkg-config --cflags msgpack 2>/dev/null)"
# Its macros are not ours to judge.
msgpack=$(printf %s "$msgpack" | sed 's/-I/-isystem /g')
echo 1..6
for header in chapi-ipc.h chapi-ipc-msgpack.h; do
    compiles "${CC%% *}" c c11 $header
    compiles "${CXX%% *}" c++ c++11 $header
    compiles "${CXX%% *}" c++ c++17 $header
done
