#!/bin/sh
# SPDX-License-Identifier: MIT
# One fuzz harness for a while; prints "ok: ..." or its end and "FAILED: ...".
#
#   run-one.sh HARNESS FOLDER SECONDS    what it has learnt, found and said goes to FOLDER
harness=$1
folder=$2
name=${harness##*fuzz-}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder/corpus/$name" "$folder/found"
log=$folder/$name.log
seconds=$3
set --
[ ! -f "$here/dict/$name" ] || set -- "-dict=$here/dict/$name"
if "$harness" "-max_total_time=$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1 \
    "-artifact_prefix=$folder/found/$name-" "$@" "$folder/corpus/$name" "$here/corpus/$name" >"$log" 2>&1; then
    echo "ok: fuzz-$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs"
else
    tail -n 40 "$log"
    echo "FAILED: fuzz-$name, see $folder/found"
fi
