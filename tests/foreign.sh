#!/bin/sh
# SPDX-License-Identifier: MIT
# Does chapi run on another processor? Builds it for the given architecture of Debian, in a minimal
# system in a folder, and runs the unit tests and some integration tests there under qemu's emulation.
#
#   tests/foreign.sh ARCHITECTURE    arm64, armhf
#
# Needs root, debootstrap, and a kernel that lets a namespace say what runs foreign programs
# (binfmt_misc, Linux 6.7), so that nothing is changed outside. Prints the sizes of the programs, what
# failed, and "N passed, N failed".
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/tests/lib/root.sh"

[ $# = 1 ] || die "usage: tests/foreign.sh ARCHITECTURE"
arch=$1
elf='\x7fELF%s\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00%s\x00'
case $arch in
    arm64) triplet=aarch64-linux-gnu qemu=qemu-aarch64-static class='\x02' machine='\xb7' ;;
    armhf) triplet=arm-linux-gnueabihf qemu=qemu-arm-static class='\x01' machine='\x28' ;;
    *) die "no architecture $arch (arm64, armhf)" ;;
esac
in_namespace "$@"
root=$base/foreign-$arch

# Through every edge: sockets, threads, HTTP, both encodings, large values, the log.
integration='test_calls test_remote test_large_values test_log'

# Foreign development files; the tools are the machine's own.
install_foreign() {
    run_in "$root" "dpkg --add-architecture $arch"
    packages=
    for package in libc6-dev libevent-dev libwebsockets-dev libcurl4-openssl-dev libssl-dev zlib1g-dev \
        libmsgpack-dev libjansson-dev libinih-dev libsodium-dev libcmocka-dev; do
        packages="$packages $package:$arch"
    done
    # shellcheck disable=SC2086 # a list of words
    install_in "$root" autoconf automake libtool make gcc libc6-dev "gcc-$triplet" pkg-config qemu-user-static \
        python3 python3-pytest python3-msgpack socat jq openssl procps $packages
}

build() {
    run_in "$root" "cd /root/chapi && autoreconf -fi && mkdir -p build/foreign && cd build/foreign &&
        export PKG_CONFIG_LIBDIR=/usr/lib/$triplet/pkgconfig:/usr/share/pkgconfig &&
        ../../configure --host=$triplet CFLAGS='-O2 -g -Werror' && make -j$(nproc) && make -j$(nproc) check TESTS=" \
        >>"$root.log" 2>&1 || { grep -E -A 12 'error:|warning:' "$root.log" >&2; die "it does not build ($root.log)"; }
}

# Programs without what only debuggers want.
print_sizes() {
    run_in "$root" "cd /root/chapi/build/foreign && make install-strip DESTDIR=/root/installed >/dev/null 2>&1 &&
        cd /root/installed/usr/local && ls -l bin/chapi-* sbin/chapi-gw lib/libchapi-ipc.so.?.?.?" |
        awk -v arch="$arch" '{ printf "size of %s on %s: %.0f KB\n", $NF, arch, $5 / 1000 }'
}

# in_foreign COMMAND: in a user namespace of its own, where foreign programs run by qemu. Users are
# who they are outside.
in_foreign() {
    rule=$(printf "$(printf '%s' ":$qemu:M::$elf:" | sed 's/\\/\\\\/g')" "$class" "$machine")
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    printf '%s%s:/usr/bin/%s:\n' "$rule" "$mask" "$qemu" >"$root/root/binfmt"
    rm -f "$root.begun" "$root.go"
    mkfifo "$root.begun" "$root.go"
    # shellcheck disable=SC2086 # a list of words
    env -i $root_environment unshare --user --mount sh -c '
        echo >"$0.begun"
        read -r _ <"$0.go"
        mount -t binfmt_misc binfmt_misc "$0/mnt" && cat "$0/root/binfmt" >"$0/mnt/register" || exit 125
        exec chroot "$0" /bin/sh -c "$1"' "$root" "$1" &
    process=$!
    read -r _ <"$root.begun"
    echo "0 0 65536" >"/proc/$process/uid_map" && echo "0 0 65536" >"/proc/$process/gid_map"
    echo >"$root.go"
    wait "$process"
}

make_root "$root" bookworm
install_foreign
clone_into "$root"
build
print_sizes
in_foreign "/root/chapi/build/foreign/gateway/chapi-gw --version" ||
    die "this kernel runs no foreign programs by a namespace's rule (it needs binfmt_misc, Linux 6.7)"
in_foreign "cd /root/chapi/build/foreign && CHAPI_TESTS=unit make -k -j$(nproc) check" >"$root.check.log" 2>&1 || :
# Documents and scripts are the same on all processors: what their checks skip is not told.
grep -hE '^(FAIL|ERROR|SKIP: tests/unit)' "$root.check.log" | sort | uniq || :
in_foreign "cd /root/chapi/build/foreign && CHAPI_TESTS_LIMIT=60 ../../tests/integration/run.sh $(
    for name in $integration; do echo "../../tests/integration/$name.py"; done | paste -s -d ' ')" \
    >"$root.integration.log" 2>&1 || :
grep '^not ok' "$root.integration.log" || :
count() {
    cat "$root.check.log" "$root.integration.log" | grep -c "$@" || :
}
n_passed=$(count -e '^PASS: ' -e '^ok ')
n_failed=$(count -e '^FAIL: ' -e '^ERROR: ' -e '^not ok ')
echo "$n_passed passed, $n_failed failed"
[ "$n_failed" = 0 ] && [ "$n_passed" -gt 0 ]
