#!/bin/sh
# SPDX-License-Identifier: MIT
# Does ./demo --keep leave everything running, and do the lines work that it says to type?
#
#   tests/demo.sh       run by ./check; ./demo itself is run on the way
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d) || exit 1
end_it='true'
trap 'eval "$end_it"; rm -rf "$folder"' EXIT

fail() {
    printf 'demo.sh: %s\n' "$*" >&2
    cat "$folder/demo.log" >&2
    exit 1
}

# Through a pipe, as "./demo --keep 2>&1 | less" reads it: nothing that stays may keep that open.
"$top/demo" --keep 2>&1 </dev/null | timeout 300 cat >"$folder/demo.log"
ended=$?
# What stands indented between these two lines is typed; behind it, how to end it.
sed -n '/^Everything is still running/,/^The logs are in/s/^  \( *[^ ].*\)$/\1/p' "$folder/demo.log" >"$folder/typed"
end_it=$(sed -n '/^The logs are in/,$s/^  \(kill .*\)$/\1/p' "$folder/demo.log")
[ -n "$end_it" ] || { end_it=true; fail "./demo --keep failed, or does not say how to end it"; }
[ $ended = 0 ] || fail "./demo --keep has ended, and its output has not"
[ "$(wc -l <"$folder/typed")" -ge 9 ] || fail "the lines to type are not there"

# A name that was registered in the background is there when the gateway lists it.
cat >"$folder/script" <<END
set -eu
$(sed 's/^\(chapi-serve \([a-z]*\) .*\) &$/&\nserving=$!\nchapi-ctl wait \2 -t 20s/' "$folder/typed")
kill \$serving
END
sh "$folder/script" >"$folder/answers" 2>"$folder/errors" </dev/null || {
    cat "$folder/script" "$folder/answers" "$folder/errors" >&2
    fail "what it says to type failed"
}
for answer in '"greeting": *"hello"' '\[1,1,null,{"by":"hand"}\]' '"uptime"' '"far": *"away"'; do
    grep -q "$answer" "$folder/answers" || {
        cat "$folder/answers" "$folder/errors" >&2
        fail "no answer with $answer"
    }
done
