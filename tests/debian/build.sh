#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the Debian packages of what is committed, in a minimal system of its own, and looks them
# through with lintian. Prints the folder that they are in. What is there already is not built again.
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

root=$base/build-$suite
make_root "$root" "$suite"
install_in "$root" build-essential lintian
version=$("$top/release/version.sh")
source=$root/root/chapi-$version
mkdir -p "$source"
git -C "$top" archive HEAD | tar x -C "$source"
run_in "$root" "cd '/root/chapi-$version' && DEBIAN_FRONTEND=noninteractive apt-get build-dep -y -qq \
    --no-install-recommends ./" >>"$root.log" 2>&1 ||
    { tail -n 20 "$root.log" >&2; die "what packages are built from is missing"; }
run_in "$root" "cd '/root/chapi-$version' && mkdir -p build &&
    DEB_BUILD_OPTIONS='parallel=$(nproc) noautodbgsym' dpkg-buildpackage -us -uc -b" >>"$root.log" 2>&1 ||
    { tail -n 40 "$root.log" >&2; die "the packages could not be built ($root.log)"; }
run_in "$root" 'cd /root && lintian --fail-on error,warning *.changes' >"$root.lintian" 2>&1 ||
    { cat "$root.lintian" >&2; die "lintian has found something"; }
rm -rf "$packages"
mkdir -p "$packages"
cp "$root"/root/*.deb "$packages/"
cp -r "$source/debian" "$packages/"
touch "$packages/done"
echo "$packages"
