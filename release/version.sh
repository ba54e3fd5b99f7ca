#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints the version of the sources in the folder above, without a newline, for configure.ac.
#
# A tarball has it in .tarball-version. A clone has what "git describe" says: "0.2.0" at the tag
# v0.2.0, "0.2.0-3-g1234abc" three commits later. A clone without tags has the number of the next
# release, which is at the top of NEWS, and how far it is from the first commit: "0.1.0-dev410-g1234abc";
# "0.1.0-g1234abc" if its history is cut off. A folder that is none of these, and a machine without git,
# have the number alone. What apt makes of these: debian-changelog.sh.
top=${1:-$(cd "$(dirname "$0")/.." && pwd)}

next_release() {
    sed -n '1s/^chapi \([0-9][0-9.]*\).*/\1/p' "$top/NEWS"
}

git_here() {
    git -C "$top" "$@" 2>/dev/null
}

# Of a clone without tags, that of a clone with a whole history only.
distance() {
    [ "$(git_here rev-parse --is-shallow-repository)" = true ] ||
        printf -- '-dev%s' "$(git_here rev-list --count HEAD)"
}

# Of this folder: another repository that it may lie in says nothing about it.
described() {
    [ -e "$top/.git" ] || return 1
    tag=$(git_here describe --tags --match 'v[0-9]*') && { echo "${tag#v}"; return; }
    commit=$(git_here rev-parse --short HEAD) && echo "$(next_release)$(distance)-g$commit"
}

if [ -f "$top/.tarball-version" ]; then
    version=$(cat "$top/.tarball-version")
else
    version=$(described) || version=$(next_release)
fi
[ -n "$version" ] || { echo "version.sh: no version at the top of $top/NEWS" >&2; exit 1; }
printf '%s' "$version"
