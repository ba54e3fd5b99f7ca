#!/bin/sh
# SPDX-License-Identifier: MIT
# "make release" of what is committed, in a minimal system of its own: tarball, Debian packages,
# checksums; lintian looks the packages through. Prints the folder that they are in. What is there
# already is not built again.
#
#   tests/debian/build.sh [SUITE]    default: bookworm
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/lib/root.sh"

suite=${1:-bookworm}
commit=$(git -C "$top" rev-parse --short=12 HEAD)
packages=$base/packages/$suite-$commit
if [ -f "$packages/done" ]; then
    echo "$packages"
    exit
fi
in_namespace "$@"

# step WHAT COMMAND: in a build folder of the clone.
step() {
    run_in "$root" "cd /root/chapi && mkdir -p build/release && cd build/release && $2" >>"$root.log" 2>&1 ||
        { tail -n 40 "$root.log" >&2; die "$1 ($root.log)"; }
}

root=$base/build-$suite
make_root "$root" "$suite"
clone_into "$root"
# What the packages themselves need is left to "make release".
step "what chapi is built from is missing" \
    'top=/root/chapi && . /root/chapi/tests/lib/setup.sh && need_packages $build_packages xz-utils && make_configure'
step "there is no tarball" '../../configure && make dist'
step "make release has failed" "DEB_BUILD_OPTIONS='parallel=$(nproc) noautodbgsym' make release"
install_in "$root" lintian
run_in "$root" 'cd /root/chapi/build/release/release-* && lintian --fail-on error,warning *.changes' \
    >"$root.lintian" 2>&1 || { cat "$root.lintian" >&2; die "lintian has found something"; }
rm -rf "$packages"
mkdir -p "$packages"
cp "$root"/root/chapi/build/release/release-*/* "$packages/"
cp -r "$root/root/chapi/debian" "$packages/"
touch "$packages/done"
echo "$packages"
