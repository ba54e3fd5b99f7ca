#!/bin/sh
# SPDX-License-Identifier: MIT
# What doc/raspberry-pi.md says to type where there are no packages: typed by an ordinary user, in a
# minimal system of this machine's processor that has nothing but git, sudo and a clone.
#
#   tests/debian/raspberry.sh [SUITE]    default: trixie
#
# Needs root and debootstrap. Prints "ok - ..." and "not ok - ..." lines.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/lib/root.sh"

in_namespace "$@"
suite=${1:-trixie}
root=$base/raspberry-$suite
block=$(sed -n '/^    sudo apt install/,/^$/s/^    //p' "$top/doc/raspberry-pi.md")
[ "$(printf '%s\n' "$block" | wc -l)" -ge 4 ] || die "doc/raspberry-pi.md has no such block any more"

# as_pi COMMAND: in the clone.
as_pi() {
    run_in "$root" "runuser -u pi -- sh -euc 'cd /home/pi/chapi; $1'"
}

make_root "$root" "$suite"
install_in "$root" sudo
clone_into "$root"
run_in "$root" '
    useradd -m pi; mv /root/chapi /home/pi/; chown -R pi: /home/pi
    echo "pi ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/pi
    echo "Defaults !env_reset" >>/etc/sudoers.d/pi
    echo "APT::Get::Assume-Yes \"true\";" >/etc/apt/apt.conf.d/90yes' || die "there can be no user"
# The unit tests are run by the other packages.
expect "what doc/raspberry-pi.md says to type" \
    as_pi "export DEB_BUILD_OPTIONS=\"nocheck parallel=$(nproc)\"; $block"
expect "what that has installed serves a call" as_pi '
    chapi-gw --config /dev/null --socket /home/pi/gw.sock &
    trap "kill $!" EXIT
    for _ in $(seq 100); do
        test -S /home/pi/gw.sock && break
        sleep 0.1
    done
    test "$(chapi-call -s /home/pi/gw.sock chapi.echo a:=1)" = "{\"a\":1}"'
[ "$n_failed" = 0 ]
