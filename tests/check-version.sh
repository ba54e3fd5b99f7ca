#!/bin/sh
# SPDX-License-Identifier: MIT
# Does a build know its version, and a release what it lacks? One test of "make check", which
# speaks TAP. In a tarball's build, as "make distcheck" makes one, the version is the tarball's.
here=$(cd "$(dirname "$0")" && pwd)
: "${top_srcdir:=$(cd "$here/.." && pwd)}" "${top_builddir:=$PWD}"
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
. "$top_srcdir/tests/lib/tap.sh"

version() {
    "$top_srcdir/release/version.sh" "$folder/tree"
}

# git_in FOLDER COMMAND [ARGUMENT...]
git_in() {
    in=$folder/$1
    shift
    git -C "$in" -c user.name=n -c user.email=n@example.com "$@" >&2
}

commit_of() {
    git -C "$folder/$1" rev-parse --short HEAD
}

built() {
    sed -n 's/^#define PACKAGE_VERSION "\(.*\)"$/\1/p' "$top_builddir/config.h"
}

described() {
    git_in . init -q
    git_in . commit -q --allow-empty -m other
    is "in somebody else's repository" "$(version)" 1.2.3
    git_in tree init -q
    git_in tree commit -q --allow-empty -m first
    is "in a clone without tags" "$(version)" "1.2.3-dev1-g$(commit_of tree)"
    git_in tree commit -q --allow-empty -m next
    is "a commit later" "$(version)" "1.2.3-dev2-g$(commit_of tree)"
    git_in . clone -q --depth 1 "file://$folder/tree" shallow
    cp "$folder/tree/NEWS" "$folder/shallow/"
    is "in a clone without all of its history" "$("$top_srcdir/release/version.sh" "$folder/shallow")" \
        "1.2.3-g$(commit_of tree)"
    git_in tree tag v1.2.4
    is "at a tag" "$(version)" 1.2.4
    git_in tree commit -q --allow-empty -m second
    is "behind a tag" "$(version)" "1.2.4-1-g$(commit_of tree)"
}

# packages_of VERSION CHANGELOG-VERSION: the version of their packages, as it stands in the changelog then.
packages_of() {
    mkdir -p "$folder/sources/debian"
    echo "Maintainer: somebody <somebody@chapi.example>" >"$folder/sources/debian/control"
    echo "$1" >"$folder/sources/.tarball-version"
    printf 'chapi (%s) unstable; urgency=medium\n\n  * Release.\n\n -- %s\n' "$2" \
        'somebody <somebody@chapi.example>  Thu, 24 Dec 2026 00:00:00 +0000' >"$folder/sources/debian/changelog"
    "$top_srcdir/release/debian-changelog.sh" "$1" "$folder/sources" >/dev/null
    dpkg-parsechangelog -l "$folder/sources/debian/changelog" -S Version
}

# newer WHAT VERSION CHANGELOG-VERSION: than the one before.
newer() {
    last=$now
    now=$(packages_of "$2" "$3")
    is "packages $1 are newer" "$(dpkg --compare-versions "$last" lt "$now" || echo "$now, not after $last")" ""
}

ordered() {
    now=$(packages_of 1.2.3-dev9-gfffffff 1.2.3-0chapi1)
    newer "of the next snapshot" 1.2.3-dev10-g0000000 1.2.3-0chapi1
    newer "of the release" 1.2.3 1.2.3-0chapi1
    newer "of a snapshot after it" 1.2.3-9-gfffffff 1.2.3-0chapi1
    newer "of one with the next release in the changelog" 1.2.3-10-g0000000 1.2.4-0chapi1
    newer "of the next release" 1.2.4 1.2.4-0chapi1
    is "versions that have no order are refused" "$(packages_of 1.2.3-g1234abc 1.2.3-0chapi1 2>&1 | head -n 1)" \
        "debian-changelog.sh: what comes before 1.2.3-g1234abc?"
}

# Why the folder "next" cannot be released: refuses WORDS, of the reason.
refuses() {
    why=$(cd "$folder/next" && release/release.sh tarball 1.2.3 out 2>&1)
    is "no release: $1" "$(printf '%s' "$why" | grep -o -m 1 "$1")" "$1"
}

# client FILE LINE: no release while the file has another version; its line is as in these sources.
client() {
    # shellcheck disable=SC2059    # the line is a format
    printf "$2\n" 1.2.30 >"$1"
    refuses "$1 is of another version"
    # shellcheck disable=SC2059
    printf "$2\n" 1.2.3 >"$1"
    # shellcheck disable=SC2059
    is "$1 has such a line" "$(sed 's/[0-9]*\.[0-9]*\.[0-9]*/%s/' "$top_srcdir/$1" | grep -c -x -F -e "$2")" 1
}

# Who makes a release is led to it, step by step; what comes next is the building.
refusals() {
    mkdir -p "$folder/next/release" "$folder/next/tests/lib" "$folder/next/debian"
    cp "$top_srcdir"/release/*.sh "$folder/next/release/"
    cp "$top_srcdir/tests/lib/setup.sh" "$folder/next/tests/lib/"
    cd "$folder/next" || exit 1
    echo 1.2.2 >.tarball-version
    refuses 'run "make distcheck" first'
    touch tarball
    refuses 'configured as 1.2.3, but this is 1.2.2'
    echo 1.2.3-g1234abc >.tarball-version
    is "no release: of a part of the history" \
        "$(release/release.sh tarball 1.2.3-g1234abc out 2>&1 | grep -o 'git fetch --unshallow --tags')" \
        "git fetch --unshallow --tags"
    echo 1.2.3-rc1 >.tarball-version
    is "no release: of more than a number" \
        "$(release/release.sh tarball 1.2.3-rc1 out 2>&1 | grep -o 'has a number alone')" 'has a number alone'
    echo 1.2.3 >.tarball-version
    echo 'chapi 1.2.3 (not released yet)' >NEWS
    refuses 'the first line of NEWS'
    echo 'chapi 1.2.3 (2026-12-24)' >NEWS
    echo 'chapi (1.2.2-1) unstable; urgency=medium' >debian/changelog
    refuses 'the top of debian/changelog'
    echo 'chapi (1.2.3-1) unstable; urgency=medium' >debian/changelog
    mkdir -p clients/python/chapi clients/node/lib
    client clients/python/pyproject.toml 'version = "%s"'
    client clients/python/chapi/version.py "VERSION = '%s'"
    client clients/node/package.json '  "version": "%s",'
    client clients/node/lib/version.js "export const VERSION = '%s';"
    echo 'Maintainer: nobody yet <nobody@chapi.example>' >debian/control
    refuses 'Maintainer is nobody yet'
    uncommitted
    cd - >/dev/null || exit 1
}

# A build below build/, as README.md has it, is in no release's way; another file is, as it could be in the
# tarball. These are before what is asked of the names.
uncommitted() {
    if ! command -v git >/dev/null || [ ! -f "$top_srcdir/.gitignore" ]; then
        skip "no release: what is not committed" "git is missing, or this is a tarball"
        return
    fi
    cp "$top_srcdir/.gitignore" .
    git_in next init -q
    git_in next add -A
    git_in next commit -q -m all
    mkdir -p build/mine
    touch build/mine/config.h
    refuses 'Maintainer is nobody yet'
    touch stray
    refuses 'there is what is not committed'
}

mkdir "$folder/tree"
echo 'chapi 1.2.3 (not released yet)' >"$folder/tree/NEWS"
is "in a folder without history" "$(version)" 1.2.3
if command -v git >/dev/null; then
    # What whoever runs this has configured says nothing here.
    HOME=$folder GIT_CONFIG_NOSYSTEM=1
    unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
    export HOME GIT_CONFIG_NOSYSTEM
    described
else
    skip "in a clone" "git is missing"
fi
echo 1.2.2 >"$folder/tree/.tarball-version"
is "in a tarball" "$(version)" 1.2.2
if command -v dpkg-parsechangelog >/dev/null; then
    ordered
else
    skip "the order of packages" "dpkg-dev is missing"
fi
refusals

# What Makefile.am does not name is in no tarball, and so in no package.
not_named() {
    git -C "$top_srcdir" ls-files debian | while read -r file; do
        grep -q -F -w -e "$file" "$top_srcdir/Makefile.am" || echo "$file"
    done
}
if git -C "$top_srcdir" rev-parse --verify -q HEAD >/dev/null 2>&1; then
    is "all of debian/ goes into a tarball" "$(not_named)" ""
else
    skip "all of debian/ goes into a tarball" "these sources have no history"
fi
is "chapi-gw has it" "$("$top_builddir/gateway/chapi-gw" --version | sed -n '1s/^chapi-gw //p')" "$(built)"
if [ -f "$top_srcdir/.tarball-version" ]; then
    is "a tarball's build has the tarball's" "$(built)" "$(cat "$top_srcdir/.tarball-version")"
else
    skip "a tarball's build has the tarball's" "these sources are no tarball's"
fi
end
