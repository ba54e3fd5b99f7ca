# SPDX-License-Identifier: MIT
# A system that runs, with the packages in it: the head of the tests beside this file.
#
# Sourced with $top (the checkout) set.
. "$top/tests/lib/root.sh"

# What these tests wait with, in the system: until_true COMMAND, for half a minute.
until_true='until_true() {
    for _ in $(seq 150); do eval "$1" && return; sleep 0.2; done; echo "never: $1"; return 1
}'

# start_system SUITE PACKAGE...: the script begins again in a namespace of its own, and goes on when
# systemd is up, with these Debian packages installed and those of chapi in /root/packages.
start_system() {
    suite=$1
    shift
    if [ "${CHAPI_FRESH_INSIDE-}" != yes ]; then
        CHAPI_PACKAGES=${CHAPI_PACKAGES:-$("$top/tests/debian/build.sh" "$suite")} || exit 1
        export CHAPI_PACKAGES
    fi
    in_namespace "$suite"
    root=$base/$(basename "$0" .sh)-$suite
    make_root "$root" "$suite" --include=systemd,systemd-sysv,dbus,libpam-systemd,dbus-user-session
    mkdir "$root/root/packages"
    cp -r "$CHAPI_PACKAGES"/* "$root/root/packages/"
    install_in "$root" "$@"
    boot "$root"
    # Free, as these systems have the machine's network, and run side by side.
    hub_port=$(python3 -c 'import socket
with socket.create_server(("127.0.0.1", 0)) as s:
    print(s.getsockname()[1])')
}

# as USER COMMAND...: with the user's own manager and gateway.
as_user='as() {
    who=$1; shift; runuser -u "$who" -- env XDG_RUNTIME_DIR="/run/user/$(id -u "$who")" "$@"
}'

with_wait() {
    inside "$1" "$until_true; $as_user; $2"
}

# Without this nothing that follows says anything: inside_or_end UNIT NAME COMMAND.
inside_or_end() {
    inside "$2" "$3"
    [ "$n_failed" = 0 ] || finish_system "$1"
}

# finish_system UNIT...: their journal if something went wrong, and the exit status.
finish_system() {
    [ "$n_failed" != 0 ] || exit 0
    in_system "journalctl --no-pager $(printf " -u '%s'" "$@") | tail -n 60" | sed 's/^/# /'
    exit 1
}
