#!/bin/sh
# SPDX-License-Identifier: MIT
# What does systemd find wrong with our units? One test of "make check", which speaks TAP.
#
# They are installed into a folder of the test's own that looks like a system, so that nothing
# that the machine has or lacks counts: systemd-analyze verify there, and the score of their
# sandboxes. Without systemd-analyze all is skipped, aloud. From make: top_srcdir, top_builddir.
set -u
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}" "${top_builddir:=$PWD}"
LC_ALL=C.UTF-8
export LC_ALL

if ! systemd-analyze security --help >/dev/null 2>&1; then
    echo "1..0 # SKIP systemd-analyze is missing (Debian: systemd)"
    exit 0
fi
root=$(mktemp -d) || exit 1
trap 'rm -rf "$root"' EXIT
n=0
failed=0

# result NAME COMPLAINTS
result() {
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n - $1"
    else
        failed=1
        echo "not ok $n - $1"
        printf '%s\n' "$2" | sed 's/^/# /'
    fi
}

# make_system ROOT TEMPLATES: our units, and what they lean on: targets, the programs that they start.
make_system() {
    units=$1/usr/lib/systemd/system
    mkdir -p "$1/bin" "$1/usr/bin" "$1/usr/sbin" "$1/etc" "$units"
    cp /lib/systemd/system/*.target "$units/"
    for program in bin/kill usr/bin/chapi-serve usr/sbin/chapi-gw; do
        printf '#!/bin/sh\n' >"$1/$program"
        chmod 755 "$1/$program"
    done
    for unit in chapi-gw.service chapi-gw.socket chapi-serve@.service; do
        sed -e 's|@bindir@|/usr/bin|' -e 's|@sbindir@|/usr/sbin|' -e 's|@pkgdatadir@|/usr/share/chapi|' \
            -e 's|@sysconfdir@|/etc|' \
            "$2/$unit.in" >"$units/$unit"
    done
}

# verify ROOT UNIT: what systemd-analyze finds.
verify() {
    systemd-analyze verify --root="$1" --man=no "/usr/lib/systemd/system/$2" 2>&1
}

# The overall score of a unit in tenths.
score() {
    systemd-analyze security --offline=true --root="$root/system" "/usr/lib/systemd/system/$1" 2>/dev/null |
        sed -n 's/.*Overall exposure level for [^:]*: \([0-9]*\)\.\([0-9]\).*/\1\2/p'
}

check_score() {
    tenths=$(score "$1")
    if [ -z "$tenths" ]; then
        result "sandbox of $1" "systemd-analyze security gives no score"
    elif [ "$tenths" -ge 20 ]; then
        result "sandbox of $1" "exposure ${tenths%?}.${tenths#"${tenths%?}"}, and less than 2.0 is wanted"
    else
        result "sandbox of $1" ""
    fi
}

# value KEY FILE
value() {
    sed -n "s/^$1=//p" "$2"
}

# keeps_trying UNIT: what fails is started again for ever, as the limit of starts in a time is not met.
keeps_trying() {
    interval=$(value StartLimitIntervalSec "$1")
    [ "$interval" = 0 ] && return
    starts=$((interval / $(value RestartSec "$1") + 1))
    burst=$(value StartLimitBurst "$1")
    [ "$starts" -le "$burst" ] || echo "$starts starts in $interval s, and systemd gives up at $burst"
}

# A drop-in keeps what the unit forbids, but for devices.
check_drop_in() {
    folder=$root/system/etc/systemd/system/chapi-serve@x.service.d
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$1" "$folder/"
    result "drop-in $(basename "$1")" "$(verify "$root/system" chapi-serve@x.service)"
    rm -rf "$folder"
}

# Users' units are looked at as if they were the system's: systemd-analyze takes no other ones from a folder.
make_system "$root/system" "$top_srcdir/systemd"
make_system "$root/user" "$top_srcdir/systemd/user"
for whose in system user; do
    for unit in chapi-gw.service chapi-gw.socket chapi-serve@x.service; do
        result "$whose unit $unit" "$(verify "$root/$whose" $unit)"
    done
done
for unit in chapi-gw.service chapi-serve@.service; do
    for folder in systemd systemd/user; do
        result "$folder/$unit is started again for ever" "$(keeps_trying "$top_srcdir/$folder/$unit.in" 2>&1)"
    done
done
check_score chapi-gw.service
check_score chapi-serve@x.service
for drop_in in "$top_srcdir"/systemd/drop-ins/*.conf; do
    check_drop_in "$drop_in"
done
# The check itself: a unit that is wrong is found.
echo 'NoSuchKey=1' >>"$root/system/usr/lib/systemd/system/chapi-gw.service"
result "a wrong key is found" "$(verify "$root/system" chapi-gw.service | grep -q NoSuchKey || echo 'it is not')"
echo "1..$n"
exit $failed
