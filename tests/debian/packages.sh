#!/bin/sh
# SPDX-License-Identifier: MIT
# The life of the packages on a system that runs: built and looked through by lintian, installed, set
# up, called, upgraded, removed, purged; and what debian/tests has.
#
#   tests/debian/packages.sh [SUITE]    default: bookworm
#
# Needs root and debootstrap. Prints "ok - ..." and "not ok - ..." lines.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/debian/system.sh"

start_system "${1:-bookworm}" python3 gcc libc6-dev pkg-config dpkg-dev

apt='DEBIAN_FRONTEND=noninteractive apt-get -y -qq --no-install-recommends'

inside "an installation asks nothing and says how to go on" "
    $apt install ./packages/chapi-*.deb </dev/null >install.log 2>&1
    grep '^chapi-gw serves local calls; to connect it to a hub: sudo chapi-ctl setup' install.log"
inside "local calls work at once" '
    systemctl is-active chapi-gw.socket chapi-gw.service
    systemctl is-enabled chapi-gw.socket chapi-gw.service
    chapi-serve hello -- date & trap "kill $!" EXIT
    chapi-ctl wait hello -t 20s; chapi-call hello'
inside "no gateway is started for every user" 'not systemctl --global is-enabled chapi-gw.service'
inside "the library, its headers and the module for Python" "
    $apt install ./packages/*.deb >/dev/null
    python3 -c 'import chapi'"
for test in remote-call compile; do
    inside "debian/tests/$test" "cd packages/debian && AUTOPKGTEST_TMP=\$(mktemp -d) sh tests/$test"
done

# ---- upgrade ------------------------------------------------------------------------------------

inside "a next version is made" '
    for package in chapi-gw chapi-tools; do
        rm -rf next; dpkg-deb -R packages/${package}_*.deb next
        sed -i "s/^Version: .*/&+next/" next/DEBIAN/control
        mkdir -p packages/next; dpkg-deb -b next packages/next/$package.deb >/dev/null
    done'
inside "an upgrade keeps settings, says nothing, and serves on" "
    printf '[gateway]\\nname = kept\\n' >/etc/chapi/chapi-gw.conf
    before=\$(systemctl show -P MainPID chapi-gw)
    $apt install ./packages/next/*.deb </dev/null >upgrade.log 2>&1
    not grep 'sudo chapi-ctl setup' upgrade.log
    test \"\$before\" != \"\$(systemctl show -P MainPID chapi-gw)\"
    systemctl is-active chapi-gw.socket chapi-gw.service
    chapi-ctl status | grep -q kept; chapi-call chapi.ping"

# ---- the end ------------------------------------------------------------------------------------

inside "removed, it does not run, and settings stay" "
    $apt remove chapi-gw chapi-tools chapi-hub >/dev/null 2>&1
    not systemctl is-active chapi-gw.socket chapi-gw.service
    test -f /etc/chapi/chapi-gw.conf; not test -e /usr/sbin/chapi-gw"
inside "purged, nothing is left" "
    $apt purge chapi-gw >/dev/null 2>&1
    not test -e /etc/chapi; not test -e /var/lib/chapi; not test -e /run/chapi/gw.sock
    not systemctl cat chapi-gw.service
    test -z \"\$(find /etc/systemd -name '*chapi*')\""
inside "it can be installed again" "
    $apt install ./packages/chapi-*.deb >/dev/null 2>&1; systemctl is-active chapi-gw; chapi-call chapi.ping"

finish_system chapi-gw
