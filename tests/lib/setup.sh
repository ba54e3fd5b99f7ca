# SPDX-License-Identifier: MIT
# For ./demo and ./check: what a fresh machine lacks, and one way to build.
#
# Sourced with $top (the checkout) set. Installs Debian packages as root or through sudo,
# and says so before it does.

# What the gateway and its tools are built from. "a|b": whichever this release has.
build_packages='autoconf automake libtool make gcc pkg-config libc6-dev
libevent-dev libwebsockets-dev libcurl4-openssl-dev libssl-dev zlib1g-dev
libmsgpack-c-dev|libmsgpack-dev libjansson-dev libinih-dev libsodium-dev'

say() {
    printf '%s\n' "$*"
}

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "packages have to be installed: run this as root, or install sudo"
    fi
}

# Is one of "a|b" installed?
package_is_there() {
    old_ifs=$IFS
    IFS='|'
    for package in $1; do
        if dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
            IFS=$old_ifs
            return 0
        fi
    done
    IFS=$old_ifs
    return 1
}

# The first of "a|b" that the package lists know.
package_on_offer() {
    printf '%s\n' "$1" | tr '|' '\n' | while read -r package; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            printf '%s\n' "$package"
            break
        fi
    done
}

# need_packages WORD...: "package", "a|b", or "command:package" when any source of the
# command will do.
need_packages() {
    missing=
    for word in "$@"; do
        case $word in
            *:*) command -v "${word%%:*}" >/dev/null || missing="$missing ${word#*:}" ;;
            *) package_is_there "$word" || missing="$missing $word" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || die "these Debian packages are missing, and there is no apt-get:$missing"

    say "installing packages:$missing"
    as_root apt-get update -qq || die "the package lists could not be read (see above)"
    chosen=
    for word in $missing; do
        package=$(package_on_offer "$word")
        [ -n "$package" ] || die "no package $word in this system's package lists"
        chosen="$chosen $package"
    done
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        $chosen >"$top/build/packages.log" 2>&1 ||
        { tail -n 20 "$top/build/packages.log" >&2; die "the packages could not be installed"; }
}

# Makes ./configure when it is missing or older than what it is made from.
make_configure() {
    if [ -f "$top/configure" ] && [ -z "$(find "$top/configure.ac" "$top/Makefile.am" \
        "$top"/*/Makemodule.am "$top/m4/chapi.m4" -newer "$top/configure")" ]; then
        return 0
    fi
    say "making configure"
    (cd "$top" && autoreconf -fi) >"$top/build/autoreconf.log" 2>&1 ||
        { cat "$top/build/autoreconf.log" >&2; die "autoreconf failed"; }
}

# build_in FOLDER CONFIGURE-ARGUMENT...: configures once, makes everything; quiet unless it fails.
build_in() {
    folder=$1
    shift
    mkdir -p "$folder"
    if [ ! -f "$folder/Makefile" ] || [ "$top/configure" -nt "$folder/Makefile" ] ||
        [ "$*" != "$(cat "$folder/.arguments" 2>/dev/null)" ]; then
        (cd "$folder" && "$top/configure" "$@") >"$folder/configure.log" 2>&1 ||
            { tail -n 30 "$folder/configure.log" >&2; return 1; }
        printf '%s\n' "$*" >"$folder/.arguments"
    fi
    make -C "$folder" -j "$(nproc)" "${make_target:-all}" >"$folder/make.log" 2>&1 ||
        { grep -E -B 2 -A 12 '(error|warning|undefined reference)' "$folder/make.log" | head -n 80 >&2
          tail -n 5 "$folder/make.log" >&2; return 1; }
}
