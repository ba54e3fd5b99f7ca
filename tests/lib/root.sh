# SPDX-License-Identifier: MIT
# Debian systems in folders, for tests: made, entered, started.
#
# Sourced with $top (the checkout) set; needs root and debootstrap. Folders are under $base:
# $CHAPI_FRESH_DIR, or /var/tmp/chapi-fresh. Systems are made anew each time; packages are kept, those
# of each root apart as apt locks them, and for a day what debootstrap makes of them.
# Whatever is mounted is mounted in a namespace of the script's own and goes with it.
base=${CHAPI_FRESH_DIR:-/var/tmp/chapi-fresh}

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# in_namespace ARGUMENT...: the script again, alone with its mounts and processes. ARGUMENTS are its own.
in_namespace() {
    [ "${CHAPI_FRESH_INSIDE-}" != yes ] || return 0
    [ "$(id -u)" = 0 ] || die "needs root (chroot, mounts in a namespace of its own)"
    command -v debootstrap >/dev/null || apt-get install -y -qq debootstrap >/dev/null ||
        die "debootstrap is missing and could not be installed"
    CHAPI_FRESH_INSIDE=yes exec unshare -m -p -f --kill-child --mount-proc "$0" "$@"
}

# What the host's network needs: its certificates, at the same paths, and the variables that name them.
hand_over() {
    [ -f "$2" ] || return 0
    mkdir -p "$1$(dirname "$2")"
    cp -L "$2" "$1$2"
}
root_environment="HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM=${TERM:-dumb}"
hand_over_network() {
    ca=/etc/ssl/certs/ca-certificates.crt
    cp /etc/resolv.conf "$1/etc/resolv.conf"
    if [ -f "$ca" ]; then
        mkdir -p "$1/usr/local/share/ca-certificates"
        awk -v folder="$1/usr/local/share/ca-certificates" \
            '/BEGIN CERT/ { n++ } n { print > (folder "/host-" n ".crt") }' "$ca"
    fi
    hand_over "$1" "$ca"
    for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY \
        SSL_CERT_FILE NODE_EXTRA_CA_CERTS PIP_CERT CI; do
        eval "value=\${$name-}"
        [ -n "$value" ] || continue
        root_environment="$root_environment $name=$value"
        hand_over "$1" "$value"
    done
}

# unpack_system ROOT SUITE [DEBOOTSTRAP-ARGUMENT...]: as debootstrap makes it, or has made it for
# another root today. Who comes meanwhile waits for that.
unpack_system() {
    root=$1
    suite=$2
    shift 2
    kept=$cache/system$(printf '%s' "$*" | tr -c 'a-z0-9' -).tar
    (
        flock 9
        [ -z "$(find "$kept" -mmin -1440 2>/dev/null)" ] || exit 0
        rm -rf "$root"
        debootstrap --variant=minbase --cache-dir="$cache/debootstrap" "$@" "$suite" "$root" \
            >"$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; die "debootstrap failed"; }
        tar -C "$root" --one-file-system --xattrs --xattrs-include='*' -c -f "$kept.new" . && mv "$kept.new" "$kept"
    ) 9>"$kept.lock" || exit 1
    rm -rf "$root"
    mkdir "$root"
    tar -C "$root" --xattrs --xattrs-include='*' --same-owner -x -p -f "$kept" || die "$kept cannot be unpacked: remove it"
}

host_name=chapi-test
# make_root ROOT SUITE [DEBOOTSTRAP-ARGUMENT...]: a minimal system, ready to be run in.
make_root() {
    root=$1
    cache=$base/cache/$2
    archives=$cache/archives-$(basename "$root")
    mkdir -p "$archives/partial" "$cache/debootstrap"
    : >"$root.log"
    unpack_system "$@"
    # A power cut is not what these systems are for.
    echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --make-rslave "$root/dev"
    mkdir -p "$root/var/cache/apt/archives"
    mount --bind "$archives" "$root/var/cache/apt/archives"
    printf 'APT::Keep-Downloaded-Packages "true";\nBinary::apt-get::APT::Keep-Downloaded-Packages "true";\n' \
        >"$root/etc/apt/apt.conf.d/90keep"
    rm -f "$root/etc/apt/apt.conf.d/docker-clean"
    # As the installer of a real system writes it.
    printf '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t%s\n' \
        "$host_name" >"$root/etc/hosts"
    echo "$host_name" >"$root/etc/hostname"
    hand_over_network "$root"
}

# run_in ROOT COMMAND
run_in() {
    # shellcheck disable=SC2086 # a list of words
    env -i $root_environment chroot "$1" /bin/sh -c "$2"
}

# install_in ROOT PACKAGE...; quiet unless it fails.
install_in() {
    root=$1
    shift
    run_in "$root" "apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $*" >>"$root.log" 2>&1 ||
        { tail -n 20 "$root.log" >&2; die "packages could not be installed: $*"; }
}

# clone_into ROOT: what is committed, as /root/chapi there.
clone_into() {
    git -C "$top" bundle create "$1/root/chapi.bundle" HEAD >/dev/null 2>&1 || die "nothing is committed yet"
    install_in "$1" git ca-certificates
    run_in "$1" 'cd /root && git -c advice.detachedHead=false -c init.defaultBranch=main clone -q chapi.bundle chapi' ||
        die "the clone failed"
}

# ---- a system that runs ------------------------------------------------------------------------

# What is not the system's own is put out of its sight. systemd wants to find its root mounted, which
# chroot would not give it: so the roots are exchanged. It puts credentials into place from a mount
# namespace aside, so its mounts have to be shared, which it leaves to whoever makes a container; else
# their folders are empty, and "Permission denied" is all that an ordinary user sees of that.
boot_script='
mount --make-rprivate /
mount --bind "$0" "$0" && cd "$0"
mount -t proc proc proc
mount -t sysfs sysfs sys 2>/dev/null || mount --rbind /sys sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs dev
for device in null zero full random urandom tty; do
    touch dev/$device && mount --bind /dev/$device dev/$device
done
mkdir dev/shm dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
hostname -F etc/hostname
mkdir -p mnt
pivot_root . mnt
exec env -i container=docker PATH=/usr/sbin:/usr/bin:/sbin:/bin /bin/sh -c \
    "cd /; umount -l /mnt; mount --make-rshared /; exec /lib/systemd/systemd --show-status=false"'

# boot ROOT: starts systemd in it and waits until it is up. $init is its process.
boot() {
    umount -R "$1/dev" "$1/proc" 2>/dev/null || :
    unshare --mount --pid --fork --mount-proc --ipc --uts --cgroup --kill-child \
        sh -c "$boot_script" "$1" >"$1.boot.log" 2>&1 &
    boot_process=$!
    trap 'kill "$init" "$boot_process" 2>/dev/null' EXIT
    for _ in $(seq 300); do
        init=$(pgrep -P "$boot_process" -o) && case $(in_system 'systemctl is-system-running' 2>/dev/null) in
            running | degraded) return 0 ;;
        esac
        sleep 0.2
    done
    cat "$1.boot.log" >&2
    die "systemd does not come up"
}

# in_system COMMAND: in the system that runs, as root.
in_system() {
    # shellcheck disable=SC2086 # a list of words
    env -i $root_environment nsenter -t "$init" -m -u -i -p -C /bin/sh -c "cd /root; $1"
}

# ---- results -----------------------------------------------------------------------------------

n_failed=0
# expect NAME COMMAND...
expect() {
    name=$1
    shift
    if "$@" >"$root.expect.log" 2>&1; then
        echo "ok - $name"
    else
        echo "not ok - $name"
        sed 's/^/#   /' "$root.expect.log"
        n_failed=$((n_failed + 1))
    fi
}

# inside NAME COMMAND: the same, in the system that runs. Every step of the command has to succeed;
# "not STEP" has to fail ("! STEP" would not count for set -e).
inside() {
    expect "$1" in_system "set -e; not() { ! \"\$@\"; }; $2"
}
