# SPDX-License-Identifier: MIT
# TAP of a test in shell, to be read in: a line for each result, and end as the last command.
number=0
failed=0

# is WHAT GOT WANTED
is() {
    number=$((number + 1))
    if [ "$2" = "$3" ]; then
        echo "ok $number - $1"
    else
        failed=1
        echo "not ok $number - $1"
        echo "# it is \"$2\", not \"$3\""
    fi
}

# skip WHAT WHY
skip() {
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}

end() {
    echo "1..$number"
    exit $failed
}
