#!/bin/sh
# SPDX-License-Identifier: MIT
# Does a newcomer's machine do? Makes a minimal Debian of the given suite in a folder, clones
# the project into it and runs ./demo and ./check there.
#
#   tests/fresh.sh SUITE [COMMAND...]    bookworm, trixie; a COMMAND in place of the two
#
# Needs root and debootstrap. The folder is $CHAPI_FRESH_DIR/SUITE (default
# /var/tmp/chapi-fresh); the system is made anew each time, packages are kept. What the host's
# network needs is handed on: resolv.conf, CA certificates, proxy variables.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)

. "$top/tests/lib/root.sh"

[ $# -ge 1 ] || die "usage: tests/fresh.sh SUITE [COMMAND...]"
in_namespace "$@"
suite=$1
shift
root=$base/$suite
make_root "$root" "$suite"
# As / is on a machine: a mount of its own, which a namespace needs to be made private.
mount --rbind "$root" "$root"

clone_into "$root"

if [ $# -gt 0 ]; then
    run_in "$root" "cd /root/chapi && $*"
    exit
fi
run_in "$root" 'cd /root/chapi && ./demo' || die "./demo failed on a fresh $suite"
run_in "$root" "cd /root/chapi && CHAPI_TESTS_WORKERS=${CHAPI_TESTS_WORKERS-} ./check" || die "./check failed on a fresh $suite"
