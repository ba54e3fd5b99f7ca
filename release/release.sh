#!/bin/sh
# SPDX-License-Identifier: MIT
# What is published of a release: the tarball, its packages, their checksums. Run by "make release",
# after "make distcheck" has made the tarball and found it good.
#
#   release.sh TARBALL VERSION FOLDER
#
# What the packages are built with, and is missing, is installed, which it says.
set -eu
tarball=$1
version=$2
folder=$3
top=$(cd "$(dirname "$0")/.." && pwd)

. "$top/tests/lib/setup.sh"

check_sources() {
    [ -f "$tarball" ] || die "there is no $tarball: run \"make distcheck\" first"
    now=$("$top/release/version.sh")
    [ "$now" = "$version" ] ||
        die "configured as $version, but this is $now: run \"autoreconf -fi\", configure, and \"make distcheck\""
    [ ! -e "$top/.git" ] || [ -z "$(git -C "$top" status --porcelain)" ] ||
        die "there is what is not committed (git status); builds are in folders below build/"
    printf '%s\n' "$version" | grep -q '^[0-9.]*-g' &&
        die "the history of this clone is cut off, so apt could not tell which packages are newer:" \
            "git fetch --unshallow --tags"
    return 0
}

# says FILE TEXT: which has the version.
says() {
    grep -q -F -e "$2" "$top/$1" || die "$1 is of another version; it is to say: $2"
}

# Of a version with a tag, and nothing behind it: do all that name it mean the same?
check_names() {
    case $version in
        *-g*) return ;;
        *[!0-9.]*) die "a release has a number alone, such as 0.2.0; the tag says $version" ;;
    esac
    head -n 1 "$top/NEWS" | grep -qx "chapi $version ([0-9-]*)" ||
        die "the first line of NEWS is not \"chapi $version (YEAR-MONTH-DAY)\""
    head -n 1 "$top/debian/changelog" | grep -q "^chapi ($version-" ||
        die "the top of debian/changelog is of another version"
    says clients/python/pyproject.toml "version = \"$version\""
    says clients/python/chapi/version.py "VERSION = '$version'"
    says clients/node/package.json "\"version\": \"$version\""
    says clients/node/lib/version.js "VERSION = '$version'"
    grep -q '^Maintainer: .*\.example>$' "$top/debian/control" &&
        die "debian/control: Maintainer is nobody yet; write who answers for these packages, and how to reach them"
    return 0
}

# What dpkg-checkbuilddeps misses, in the unpacked sources.
install_needs() {
    command -v dpkg-buildpackage >/dev/null && dpkg-checkbuilddeps 2>/dev/null && return
    command -v apt-get >/dev/null || die "there is no apt-get: packages are built on Debian"
    say "installing what the packages are built with"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        build-essential dpkg-dev fakeroot >"$work/log" 2>&1 || failed "dpkg-dev cannot be installed"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get build-dep -y -qq --no-install-recommends \
        ./ >"$work/log" 2>&1 || failed "what debian/control asks for cannot be installed"
}

# With the tests that failed, as what comes behind them is long.
failed() {
    tail -n 40 "$work/log" >&2
    grep -E '^(FAIL|ERROR): ' "$work/log" | sort -u | head -n 20 >&2 || :
    die "$1"
}

# From the tarball, as anybody would build them.
make_packages() {
    tar -x -f "$tarball" -C "$work"
    cd "$work/chapi-$version"
    install_needs
    theirs=$(release/debian-changelog.sh "$version")
    say "building the packages, version $theirs"
    # Whoever installs chapi-*.deb does not mean the debug symbols as well.
    export DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS-} noautodbgsym"
    dpkg-buildpackage -b -us -uc >"$work/log" 2>&1 || failed "the packages could not be built"
    mv "$work"/*.deb "$work"/*.buildinfo "$work"/*.changes "$folder/"
}

check_sources
check_names
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$folder"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
(make_packages)
cp "$tarball" "$folder/"
cd "$folder"
sha256sum -- * >"$work/SHA256SUMS"
mv "$work/SHA256SUMS" .
echo "in $folder:"
ls
