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

die() {
    printf 'fresh.sh: %s\n' "$*" >&2
    exit 1
}

[ $# -ge 1 ] || die "usage: tests/fresh.sh SUITE [COMMAND...]"
suite=$1
shift
[ "$(id -u)" = 0 ] || die "needs root (chroot, mounts in a namespace of its own)"
command -v debootstrap >/dev/null || apt-get install -y -qq debootstrap >/dev/null ||
    die "debootstrap is missing and could not be installed"

base=${CHAPI_FRESH_DIR:-/var/tmp/chapi-fresh}
root=$base/$suite
cache=$base/cache/$suite
mkdir -p "$cache/archives/partial" "$cache/debootstrap"

# Everything that is mounted is mounted in here and goes with it: nothing stays mounted.
if [ "${CHAPI_FRESH_INSIDE-}" != yes ]; then
    rm -rf "$root"
    CHAPI_FRESH_INSIDE=yes exec unshare -m -p -f --kill-child "$0" "$suite" "$@"
fi

debootstrap --variant=minbase --cache-dir="$cache/debootstrap" "$suite" "$root" >"$base/$suite.log" 2>&1 ||
    { tail -n 20 "$base/$suite.log" >&2; die "debootstrap failed"; }

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev"
mkdir -p "$root/var/cache/apt/archives"
mount --bind "$cache/archives" "$root/var/cache/apt/archives"
printf 'APT::Keep-Downloaded-Packages "true";\nBinary::apt-get::APT::Keep-Downloaded-Packages "true";\n' \
    >"$root/etc/apt/apt.conf.d/90keep"
rm -f "$root/etc/apt/apt.conf.d/docker-clean"
cp /etc/resolv.conf "$root/etc/resolv.conf"
# As the installer of a real system writes it.
printf '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n' >"$root/etc/hosts"

# The network may have a CA of its own: hand its certificates on, at the same paths.
ca=/etc/ssl/certs/ca-certificates.crt
hand_over() {
    [ -f "$1" ] || return 0
    mkdir -p "$root$(dirname "$1")"
    cp -L "$1" "$root$1"
}
if [ -f "$ca" ]; then
    mkdir -p "$root/usr/local/share/ca-certificates"
    awk -v folder="$root/usr/local/share/ca-certificates" \
        '/BEGIN CERT/ { n++ } n { print > (folder "/host-" n ".crt") }' "$ca"
fi
hand_over "$ca"
environment="HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM=${TERM:-dumb}"
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY \
    SSL_CERT_FILE NODE_EXTRA_CA_CERTS PIP_CERT CI; do
    eval "value=\${$name-}"
    [ -n "$value" ] || continue
    environment="$environment $name=$value"
    hand_over "$value"
done

# A clean clone of what is committed.
git -C "$top" bundle create "$root/root/chapi.bundle" HEAD >/dev/null 2>&1 ||
    die "nothing is committed yet"
inside() {
    # shellcheck disable=SC2086 # a list of words
    env -i $environment chroot "$root" /bin/sh -c "$1"
}
inside 'apt-get update -qq && apt-get install -y -qq --no-install-recommends git ca-certificates >/dev/null' \
    >>"$base/$suite.log" 2>&1 || { tail -n 20 "$base/$suite.log" >&2; die "git could not be installed inside"; }
inside 'cd /root && git -c advice.detachedHead=false clone -q chapi.bundle chapi' || die "the clone failed"

if [ $# -gt 0 ]; then
    inside "cd /root/chapi && $*"
    exit
fi
inside 'cd /root/chapi && ./demo' || die "./demo failed on a fresh $suite"
inside 'cd /root/chapi && ./check' || die "./check failed on a fresh $suite"
