# SPDX-License-Identifier: MIT
# For ./check: what was run is counted, its output kept, and what failed said once more at the end.
#
# Sourced with $top (the checkout) set, after setup.sh. One thing is run by "count", several beside
# each other by "beside" and "together"; automake's own counts come from "tests_in". Logs are in
# build/logs, those of automake in the build folders.
passed=0
failed=0

step_began=$(date +%s)
step() {
    now=$(date +%s)
    say "== $* (+$((now - step_began)) s)"
}

# Where what a thing of this name says is kept.
log_of() {
    printf '%s/build/logs/%s.log\n' "$top" "$(printf '%s' "$1" | tr -c 'a-zA-Z0-9\n' - | tr -s -)"
}

# timed LOG COMMAND...: how it ended, and after how many seconds, is in LOG.status; nothing is there of
# what was killed.
timed() {
    status_file=$1.status
    rm -f "$status_file"
    shift
    began=$(date +%s)
    "$@" 2>&1
    echo "$? $(($(date +%s) - began))" >"$status_file"
}

# record NAME: one check, without a count of its own, that has ended.
record() {
    log=$(log_of "$1")
    status=killed
    [ ! -f "$log.status" ] || read -r status seconds <"$log.status"
    if [ "$status" = 0 ]; then
        passed=$((passed + 1))
        say "ok: $1 ($seconds s)"
    else
        has_failed "$1" "$log"
    fi
}

# has_failed WHAT LOG: one more failure, told now and once more at the end.
failures=
has_failed() {
    failed=$((failed + 1))
    say "FAILED: $1"
    failures="$failures
FAILED: $1 ($2)"
}

# count NAME COMMAND...: what it says is shown and kept.
count() {
    name=$1
    shift
    timed "$(log_of "$name")" "$@" | tee "$(log_of "$name")"
    record "$name"
}

# beside NAME PROGRAM...: the same, beside what follows, until "together" shows what became of it.
# meanwhile NAME COMMAND...: until the end; what is begun with "beside" leaves it the processor.
n_beside=0
n_meanwhile=0
in_background() {
    number=$1
    name=$2
    shift 2
    printf '%s\n' "$name" >"$top/build/logs/$number.name"
    timed "$(log_of "$name")" "$@" >"$(log_of "$name")" &
    echo $! >"$top/build/logs/$number.pid"
}

beside() {
    n_beside=$((n_beside + 1))
    name=$1
    shift
    in_background "beside-$n_beside" "$name" nice "$@"
}

meanwhile() {
    n_meanwhile=$((n_meanwhile + 1))
    in_background "meanwhile-$n_meanwhile" "$@"
}

collect() {
    wait "$(cat "$top/build/logs/$1.pid")" || :
    name=$(cat "$top/build/logs/$1.name")
    cat "$(log_of "$name")"
    record "$name"
}

together() {
    for number in $(seq "$n_beside"); do
        collect "beside-$number"
    done
    n_beside=0
}

# Adds up what automake's test harness has left in a build folder.
count_tests() {
    for word in $(sed -n 's/^# \([A-Z]*\): *\([0-9]*\)$/\1=\2/p' "$1/test-suite.log" 2>/dev/null); do
        case $word in
            PASS=* | XFAIL=*) passed=$((passed + ${word#*=})) ;;
            FAIL=* | XPASS=* | ERROR=*) failed=$((failed + ${word#*=})) ;;
        esac
    done
}

# skips_in LOG: what was skipped, by reason, and how often.
skips_in() {
    sed -n 's/^SKIP: .*# SKIP *//p' "$1" | sort | uniq -c | sort -rn |
        while read -r times why; do
            say "skipped, $times x: $why"
        done
}

# tests_in FOLDER [VARIABLE=VALUE...]: make check there. An integration test waits for half of its
# time, so one more of them runs at a time than there are processors; $CHAPI_TESTS_WORKERS is for a
# check that is not alone.
tests_in() {
    folder=$1
    shift
    rm -f "$folder/test-suite.log"
    if env CHAPI_TESTS_WORKERS="${CHAPI_TESTS_WORKERS:-$(($(nproc) + 1))}" "$@" \
        make -C "$folder" -j "$(nproc)" check >"$folder/check.log" 2>&1; then
        result=0
    else
        result=1
    fi
    if [ ! -f "$folder/test-suite.log" ]; then
        grep -E -B 2 -A 12 '(error|warning|undefined reference)' "$folder/check.log" | head -n 60
        has_failed "the tests in $folder could not be built" "$folder/check.log"
        return
    fi
    grep -hE '^(FAIL|ERROR|XPASS): ' "$folder/check.log" | sort | uniq
    skips_in "$folder/check.log"
    sed -n 's/^# \([A-Z]*: *[0-9]*\)$/   \1/p' "$folder/test-suite.log" | tr -s ' ' | paste -s -d ' '
    before=$failed
    count_tests "$folder"
    if [ $result != 0 ]; then
        [ "$failed" != "$before" ] || failed=$((failed + 1))
        failures="$failures
$(grep -hE '^(FAIL|ERROR|XPASS): ' "$folder/check.log" | sort | uniq) ($folder/test-suite.log)"
        grep -vE '^(PASS: |SKIP: |ok [0-9])' "$folder/test-suite.log"
    fi
}

tell() {
    step "done"
    [ -z "$failures" ] || say "What failed, and what it said:$failures"
    say "$passed passed, $failed failed"
}

# Whatever was written by tests, and by the programs that they ran: no secret may be in it. All
# secrets of tests begin with the words in tests/lib/secrets. That file is not in the folder of a
# test of this one.
no_secret_in_logs() {
    told=$(find "$top/build" -name deps -prune -o -name '*.log' -type f -print0 |
        xargs -0 -r grep -l -F -f "$top/tests/lib/secrets")
    [ -z "$told" ] || { printf '%s\n' "$told"; return 1; }
}

finished=no
finish() {
    together
    for number in $(seq "$n_meanwhile"); do
        collect "meanwhile-$number"
    done
    [ ! -f "$top/tests/lib/secrets" ] || count "no secret is in any log" no_secret_in_logs
    finished=yes
    tell
    [ "$failed" = 0 ] && [ "$passed" != 0 ]
    exit
}

# For a trap: what ends by "die" still says what it has done. It has said why.
ended_early() {
    [ "$finished" = no ] || return 0
    has_failed "all that was to follow" "see above"
    tell
    exit 1
}
