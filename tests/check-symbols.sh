#!/bin/sh
# SPDX-License-Identifier: MIT
# What the library exports, what its map says and what its header declares are the same names; and
# so are those of the Debian package's symbols file, and those that the static library shows when it is
# installed.
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}" "${top_builddir:=$PWD}" "${CC:=cc}"
library=$top_builddir/libchapi-ipc/.libs/libchapi-ipc.so
map=$top_srcdir/libchapi-ipc/libchapi-ipc.map
header=$top_srcdir/libchapi-ipc/chapi-ipc.h

skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}

[ -e "$library" ] || skip_all "no shared library was built"
grep -q __asan_init "$library" && skip_all "sanitizers export names of their own"
command -v nm >/dev/null || skip_all "nm is missing"
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

# Names of functions: a word before a parenthesis, outside comments; pointers to functions are types.
sed -e 's|/\*.*\*/||' -e '\|/\*|,\|\*/|d' "$header" |
    grep -o '\bchapi_[a-z0-9_]*(' | tr -d '(' | sort -u >"$folder/header"
sed -n '/^global:/,/^local:/s/^[[:space:]]*\([a-z0-9_]*\);$/\1/p' "$map" >"$folder/map-as-is"
sort -u "$folder/map-as-is" >"$folder/map"
nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
    sort -u >"$folder/library"

n=0
same() {
    n=$((n + 1))
    if diff "$folder/$1" "$folder/$2" >"$folder/diff"; then
        echo "ok $n - $3"
    else
        sed 's/^/# /' "$folder/diff"
        echo "not ok $n - $3"
    fi
}

sed -n 's/^ \(chapi_[a-z0-9_]*\)@.*/\1/p' "$top_srcdir/debian/libchapi-ipc0.symbols" >"$folder/debian"

echo 1..7
same header map "the map has what the header declares"
same map library "the library exports what the map has"
same map debian "debian/libchapi-ipc0.symbols has them, sorted"
same map-as-is map "the map is sorted, each name is there once"
n=$((n + 1))
if [ "$(wc -l <"$folder/header")" -ge 50 ]; then
    echo "ok $n - the header was read"
else
    echo "not ok $n - the header was read"
fi

n=$((n + 1))
archive=$top_builddir/libchapi-ipc/.libs/libchapi-ipc.a
if ! cp "$archive" "$folder/static.a" 2>/dev/null ||
    ! "$top_srcdir/libchapi-ipc/hide.sh" "$folder/static.a" "$map" 2>"$folder/errors" || [ -s "$folder/errors" ]; then
    echo "ok $n - a static library has public names only # SKIP $(head -n 1 "$folder/errors" 2>/dev/null)"
    echo "ok $((n + 1)) - a program may have names of the library's inside # SKIP there is no such library"
    exit 0
fi
nm -g --defined-only "$folder/static.a" | awk 'NF == 3 { print $3 }' | sort -u >"$folder/static"
n=$((n - 1))
same map static "a static library has public names only"
n=$((n + 1))
cat >"$folder/program.c" <<'END'
#include <chapi-ipc.h>
int buf_init(void);
int buf_init(void) { return CHAPI_OK; }
int main(void) { return chapi_exit_status(buf_init()); }
END
if "$CC" -I"$top_srcdir/libchapi-ipc" "$folder/program.c" "$folder/static.a" -lm -o "$folder/program" \
    2>"$folder/errors" && "$folder/program"; then
    echo "ok $n - a program may have names of the library's inside"
else
    sed 's/^/# /' "$folder/errors"
    echo "not ok $n - a program may have names of the library's inside"
fi
