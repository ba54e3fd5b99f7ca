#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what the integration tests try the gateway against, and what Debian does not have: an
# independent hub (soketi), the official clients for Node and for Python, and what clients/python can
# use: the newest websockets in venv, the oldest that it has to do with in websockets-10.4.
#
#   tests/integration/setup.sh DIR
#
# Afterwards SOKETI_DIR=DIR makes the tests use it. Nothing outside DIR is changed. A second run finds
# everything there and ends at once. Needs node and npm, python3 with venv, and the network.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

say() {
    printf 'setup.sh: %s\n' "$*"
}

die() {
    printf 'setup.sh: %s\n' "$*" >&2
    exit 1
}

[ $# -eq 1 ] || die "usage: tests/integration/setup.sh DIR"
mkdir -p "$1"
dir=$(cd "$1" && pwd)

# quietly LOG COMMAND...: its output is shown when it fails only.
quietly() {
    log=$dir/$1
    shift
    "$@" >"$log" 2>&1 || { tail -n 30 "$log" >&2; die "failed: $*"; }
}

# done_before NAME LIST / remember NAME LIST: has this very list been installed?
done_before() {
    [ -f "$dir/.$1.stamp" ] && [ "$(cat "$dir/.$1.stamp")" = "$(cksum <"$2")" ]
}
remember() {
    cksum <"$2" >"$dir/.$1.stamp"
}

# Before version 10 npm refuses the override of one dependency (Debian has 9.2).
npm_install() {
    version=$(npm --version)
    if [ "${version%%.*}" -lt 10 ]; then
        say "npm $version is too old for the list of packages: npm 10 is fetched for this one use"
        set -- npx -y npm@10
    else
        set -- npm
    fi
    (cd "$dir" && quietly npm.log "$@" install --no-package-lock --no-audit --no-fund --loglevel=error)
}

install_node() {
    list=$here/node/package.json
    if done_before node "$list" && [ -d "$dir/node_modules/@soketi/soketi" ]; then
        say "Node packages are there"
        return
    fi
    command -v npm >/dev/null || die "npm is missing (Debian: nodejs npm)"
    say "installing Node packages into $dir/node_modules: $(sed -n \
        '/"dependencies"/,/}/s/^ *"\([^"]*\)": "\([0-9][^"]*\)".*/\1 \2/p' "$list" | paste -s -d , -)"
    cp "$list" "$dir/package.json"
    npm_install
    remember node "$list"
}

# The distribution's interpreter first: it sees the distribution's pytest and msgpack.
find_python() {
    for python in /usr/bin/python3 "${PYTHON3:-python3}" python3; do
        "$python" -c 'import venv, ensurepip' 2>/dev/null && return
    done
    die "no python3 that can make a virtual environment (Debian: python3-venv)"
}

install_python() {
    list=$here/requirements.txt
    old=websockets-10.4
    if done_before python "$list" && [ -d "$dir/$old" ] && "$dir/venv/bin/python3" -c 'import pytest, msgpack' 2>/dev/null; then
        say "Python packages are there"
        return
    fi
    find_python
    say "installing Python packages into $dir/venv: $(grep -v '^#' "$list" | paste -s -d , -)"
    rm -rf "$dir/venv"
    quietly venv.log "$python" -m venv --system-site-packages "$dir/venv"
    quietly pip.log "$dir/venv/bin/python3" -m pip install --disable-pip-version-check -q -r "$list"
    for module in pytest msgpack; do
        "$dir/venv/bin/python3" -c "import $module" 2>/dev/null && continue
        say "installing $module for Python too, as the system has none"
        quietly pip.log "$dir/venv/bin/python3" -m pip install --disable-pip-version-check -q "$module"
    done
    quietly pip.log "$dir/venv/bin/python3" -m pip install --disable-pip-version-check -q --no-deps \
        --upgrade --target "$dir/$old" "websockets==${old#*-}"
    remember python "$list"
}

install_node
install_python
say "done; SOKETI_DIR=$dir makes the integration tests use it"
