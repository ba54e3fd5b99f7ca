#!/bin/sh
# SPDX-License-Identifier: MIT
# What the library exports, what its map says and what its header declares are the same names.
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}" "${top_builddir:=$PWD}"
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

echo 1..4
same header map "the map has what the header declares"
same map library "the library exports what the map has"
same map-as-is map "the map is sorted, each name is there once"
n=$((n + 1))
if [ "$(wc -l <"$folder/header")" -ge 50 ]; then
    echo "ok $n - the header was read"
else
    echo "not ok $n - the header was read"
fi
