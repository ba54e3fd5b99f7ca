#!/bin/sh
# SPDX-License-Identifier: MIT
# hide.sh ARCHIVE MAP: only the names in MAP stay visible in a static library.
#
# A shared library has its map for that. In an archive whatever is not static is seen by everybody
# who links with it, and a program may have a buf_init() of its own. So its objects become one, in
# which the other names are local. Where the tools cannot do that (objects for LTO), it stays as it
# is, and this says so.
archive=$1 map=$2
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

sed -n '/^global:/,/^local:/s/^[[:space:]]*\([a-z0-9_]*\);$/\1/p' "$map" >"$folder/names"
# The programs may come with options of their own.
# shellcheck disable=SC2086
if ${LD:-ld} -r --whole-archive "$archive" -o "$folder/chapi-ipc.o" 2>"$folder/errors" &&
    ${OBJCOPY:-objcopy} --keep-global-symbols="$folder/names" "$folder/chapi-ipc.o" 2>>"$folder/errors" &&
    ${AR:-ar} crs "$folder/whole.a" "$folder/chapi-ipc.o" 2>>"$folder/errors"; then
    cat "$folder/whole.a" >"$archive"
else
    echo "$archive: internal names stay visible: $(head -n 1 "$folder/errors")" >&2
fi
