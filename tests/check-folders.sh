#!/bin/sh
# SPDX-License-Identifier: MIT
# Do all programs, units and pages mean the same folder of settings? One test of "make check", which speaks
# TAP. It is configure's sysconfdir, of which nothing may have an idea of its own; "make distcheck" has
# another than the default. From make: top_srcdir, top_builddir, sysconfdir.
set -u
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}" "${top_builddir:=$PWD}" "${sysconfdir:=/etc}"
root=$(mktemp -d) || exit 1
trap 'rm -rf "$root"' EXIT
settings=$sysconfdir/chapi/chapi-gw.conf
. "$top_srcdir/tests/lib/tap.sh"

# Text of programs that names /etc by hand, other than for what is the system's.
by_hand() {
    grep -n -E '^[^*]*"[^"]*/etc(/|")' "$top_srcdir"/clients/*.c "$top_srcdir"/common/*.c \
        "$top_srcdir"/gateway/*.c "$top_srcdir"/libchapi-ipc/*.c | grep -v -E '/etc/(machine-id|resolv.conf|systemd/)'
}

# Other folders of settings that pages name, each once.
in_pages() {
    grep -h -o '[^ :,]*/etc/chapi' "$top_builddir"/doc/built/*.[1-8] | sort -u | grep -v -x -F "$sysconfdir/chapi"
}

is "configure --help" "$("$top_srcdir/configure" --help | sed -n 's/^ *--sysconfdir=.*\[\(.*\)\]$/\1/p')" /etc
is "chapi-gw --help" \
    "$("$top_builddir/gateway/chapi-gw" --help | sed -n 's/.*read FILE, not \(.*\);.*/\1/p')" "$settings"
echo secret | "$top_builddir/clients/chapi-ctl" setup --root "$root" --app-id 1 --key k --secret-file - \
    --cluster eu --name pi --no-check 2>"$root/said" || sed 's/^/# /' "$root/said"
is "chapi-ctl setup writes the settings" "$(find "$root" -name hub.conf)" "$root$settings.d/hub.conf"
is "and the secret" "$(find "$root" -name secret)" "$root$sysconfdir/chapi/secret"
unit=$top_builddir/systemd/chapi-serve@.service
if [ -f "$unit" ]; then
    is "the unit of commands" "$(sed -n 's/^ExecStart=.* --from //p' "$unit")" "$sysconfdir/chapi/serve.d/%i.ini"
else
    skip "the unit of commands" "configured without units"
fi
is "the page of the settings" "$(grep -c -x -F ".It Pa $settings" "$top_builddir/doc/built/chapi-gw.conf.5")" 1
is "no page names another" "$(in_pages)" ""
is "no source names it by hand" "$(by_hand)" ""
end
