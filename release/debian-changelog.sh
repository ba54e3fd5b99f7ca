#!/bin/sh
# SPDX-License-Identifier: MIT
# Gives the packages of a snapshot, what lies between two releases, a version of their own: apt takes
# it for newer than the release and the snapshots before it, and for older than the next release.
#
#   debian-changelog.sh VERSION [FOLDER]    FOLDER: unpacked sources; default: the current one
#
# VERSION is what version.sh says. "0.2.0-3-g1234abc" becomes 0.2.0+3.g1234abc, "0.1.0-dev410-g1234abc"
# 0.1.0~dev410.g1234abc, each with the packages' own -0chapi1; a release has what stands in
# debian/changelog. Prints what the packages will have.
set -eu
version=$1
folder=${2:-.}
changelog=$folder/debian/changelog

snapshot=$(printf '%s\n' "$version" |
    sed -n -e 's/^\([0-9.]*\)-dev\([0-9]*\)-g/\1~dev\2.g/p' -e 's/^\([0-9.]*\)-\([0-9]*\)-g/\1+\2.g/p')
case $version in
    *-g*) [ -n "$snapshot" ] || { echo "debian-changelog.sh: what comes before $version?" >&2; exit 1; } ;;
esac
written=$(sed -n '1s/^chapi (\([^)]*\)).*/\1/p' "$changelog")

new_entry() {
    printf 'chapi (%s) unstable; urgency=medium\n\n  * Snapshot: version %s.\n\n' "$1" "$version"
    printf ' -- %s  %s\n\n' "$(sed -n 's/^Maintainer: //p' "$folder/debian/control")" \
        "$(LC_ALL=C date -R -r "$folder/.tarball-version")"
}

# The entry at the top is the last release's, or of the one that is being prepared.
if [ -n "$snapshot" ]; then
    snapshot=$snapshot-0chapi1
    if dpkg --compare-versions "$written" lt "$snapshot"; then
        { new_entry "$snapshot"; cat "$changelog"; } >"$changelog.new"
    else
        sed "1s/([^)]*)/($snapshot)/" "$changelog" >"$changelog.new"
    fi
    mv "$changelog.new" "$changelog"
    written=$snapshot
fi
printf '%s\n' "$written"
