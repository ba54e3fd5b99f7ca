#!/bin/sh
# SPDX-License-Identifier: MIT
# The packages under a systemd that runs: units, rights, credentials, reload, watchdog, restarts.
#
#   tests/debian/systemd.sh [SUITE]    default: bookworm
#
# Needs root and debootstrap. Prints "ok - ..." and "not ok - ..." lines.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/debian/system.sh"

start_system "${1:-bookworm}" python3 procps socat jq
cp "$top/clients/examples/remote-call.py" "$root/root/"

inside_or_end chapi-gw "the packages can be installed" \
    'cd packages && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ./chapi-*.deb'
with_wait "the service is ready when it is started" \
    'systemctl is-active chapi-gw.service; systemctl is-active chapi-gw.socket
    test "$(systemctl show -P Type chapi-gw)" = notify'
inside "the status line tells of the hub" \
    'systemctl show -P StatusText chapi-gw | grep -q "Local calls only"'
inside "it runs as chapi, without any capability" '
    pid=$(systemctl show -P MainPID chapi-gw)
    test "$(stat -c %U /proc/$pid)" = chapi
    grep -q "^CapEff:.0000000000000000$" /proc/$pid/status
    grep -q "^NoNewPrivs:.1$" /proc/$pid/status; grep -q "^Seccomp:.2$" /proc/$pid/status'
inside "a local call is answered" 'test "$(chapi-call chapi.echo a:=1)" = "{\"a\":1}"'
inside "the socket is for the group" '
    test "$(stat -c "%a %U %G" /run/chapi/gw.sock)" = "660 chapi chapi"
    useradd -m alice; useradd -m -G chapi bob
    not runuser -u alice -- chapi-call chapi.ping
    runuser -u bob -- chapi-call chapi.ping'
with_wait "the gateway sees who calls, and says whom it refuses" '
    printf "[policy]\ncall = user:bob *\nadmin = user:root *\nregister = user:root *\n" >/etc/chapi/chapi-gw.conf
    systemctl reload chapi-gw
    chapi-serve who -- id -un & trap "kill $!" EXIT; chapi-ctl wait who -t 10s
    runuser -u bob -- chapi-call who
    usermod -a -G chapi alice; not runuser -u alice -- chapi-call who
    until_true "journalctl -q -u chapi-gw CHAPI_API=who CHAPI_CODE=permission_denied CHAPI_CALLER=uid:$(id -u alice) PRIORITY=6 -o cat | grep ."
    rm /etc/chapi/chapi-gw.conf'
with_wait "a reload ends, and is said" '
    printf "[gateway]\nlog_level = debug\n" >/etc/chapi/chapi-gw.conf
    systemctl reload chapi-gw
    until_true "systemctl is-active -q chapi-gw"
    journalctl -u chapi-gw | grep -q Reloaded'
with_wait "a call has fields in the journal, and not its params" '
    chapi-call chapi.echo a=never-in-a-log; not chapi-call no.such.name
    until_true "journalctl -q -u chapi-gw CHAPI_API=chapi.echo CHAPI_CODE=ok PRIORITY=7 -o cat | grep ."
    until_true "journalctl -q -u chapi-gw CHAPI_API=no.such.name CHAPI_CODE=api_not_found -o cat | grep ."
    journalctl -q -u chapi-gw CHAPI_API=chapi.echo -o json | grep "\"CHAPI_CALL\":\"[^\"]"
    not sh -c "journalctl | grep never-in-a-log"'
with_wait "a reload with a wrong file changes nothing" '
    pid=$(systemctl show -P MainPID chapi-gw)
    printf "[gateway]\nnonsense = 1\n" >/etc/chapi/chapi-gw.conf
    systemctl reload chapi-gw
    until_true "journalctl -u chapi-gw | grep -q \"all stays as it was\""
    until_true "systemctl is-active -q chapi-gw"
    test "$pid" = "$(systemctl show -P MainPID chapi-gw)"; chapi-call chapi.ping'
with_wait "a start with a wrong file is not tried again and again" '
    not systemctl restart chapi-gw
    until_true "systemctl is-failed -q chapi-gw"
    sleep 2
    test "$(systemctl show -P NRestarts chapi-gw)" = 0
    test "$(systemctl show -P ExecMainStatus chapi-gw)" = 78
    rm /etc/chapi/chapi-gw.conf; systemctl reset-failed chapi-gw chapi-gw.socket; systemctl start chapi-gw.socket chapi-gw'
with_wait "one that is killed again and again comes back, and clients wait for it" '
    for _ in 1 2 3 4 5 6 7; do
        kill -KILL "$(systemctl show -P MainPID chapi-gw)"
        chapi-call -t 20s chapi.ping
        until_true "systemctl is-active -q chapi-gw"
    done'
inside "a client starts one that was stopped" '
    systemctl stop chapi-gw.service; not systemctl is-active -q chapi-gw.service
    chapi-call -t 20s chapi.ping; systemctl is-active -q chapi-gw.service'
inside "the socket outlives a restart" '
    before=$(stat -c %i /run/chapi/gw.sock); systemctl restart chapi-gw
    test "$before" = "$(stat -c %i /run/chapi/gw.sock)"; chapi-call chapi.ping'
with_wait "one that hangs is found by the watchdog" '
    mkdir -p /run/systemd/system/chapi-gw.service.d
    printf "[Service]\nWatchdogSec=2\n" >/run/systemd/system/chapi-gw.service.d/watchdog.conf
    systemctl daemon-reload; systemctl restart chapi-gw
    pid=$(systemctl show -P MainPID chapi-gw)
    fed() { systemctl show -P WatchdogTimestampMonotonic chapi-gw; }
    first=$(fed); until_true "test \$((\$(fed) - $first)) -gt 4000000"
    test "$pid" = "$(systemctl show -P MainPID chapi-gw)"
    kill -STOP "$pid"
    until_true "! test -d /proc/$pid"
    until_true "systemctl is-active -q chapi-gw"
    journalctl -u chapi-gw | grep -q -i "watchdog timeout"
    rm -r /run/systemd/system/chapi-gw.service.d; systemctl daemon-reload; systemctl restart chapi-gw'
inside "systemd-analyze has nothing to say, and the sandbox holds" '
    test -z "$(systemd-analyze verify --man=no chapi-gw.service chapi-gw.socket 2>&1)"
    pid=$(systemctl show -P MainPID chapi-gw)
    not nsenter -t "$pid" -m touch /usr/x
    test -z "$(nsenter -t "$pid" -m ls /home)"'

# ---- the hub ----------------------------------------------------------------------------------

inside "a hub runs" '
    printf 0123456789abcdef >/root/secret; chmod 600 /root/secret
    systemd-run -q --unit=hub chapi-hub --app 1000:some-key --secret-file /root/secret --listen 127.0.0.1:'$hub_port
hub_config='[pusher]\napp_id = 1000\nkey = some-key\nhost = 127.0.0.1\nport = '$hub_port'\ntls = no\n'
hub_config="$hub_config"'[gateway]\nname = pi\n'
with_wait "the secret is a credential, which only root can read outside" '
    install -m 600 /root/secret /etc/chapi/secret
    mkdir -p /etc/systemd/system/chapi-gw.service.d
    printf "[Service]\nLoadCredential=pusher-secret:/etc/chapi/secret\n" \
        >/etc/systemd/system/chapi-gw.service.d/credentials.conf
    printf "'"$hub_config"'" >/etc/chapi/chapi-gw.conf
    systemctl daemon-reload; systemctl restart chapi-gw
    until_true "systemctl show -P StatusText chapi-gw | grep -q \": up\""'
inside "a remote call is answered" '
    python3 remote-call.py --host 127.0.0.1 --port '$hub_port' --app 1000:some-key --secret-file secret \
        --channel private-chapi-pi chapi.echo "{\"a\": 1}" | grep -q "\"a\": *1"'
with_wait "a reload keeps the credential" '
    printf "[gateway]\nlog_level = debug\n" >/etc/chapi/chapi-gw.conf.d.tmp
    mkdir -p /etc/chapi/chapi-gw.conf.d; mv /etc/chapi/chapi-gw.conf.d.tmp /etc/chapi/chapi-gw.conf.d/log.conf
    systemctl reload chapi-gw; until_true "systemctl is-active -q chapi-gw"
    test -z "$(journalctl -u chapi-gw --since -5s | grep "all stays as it was")"'
with_wait "the status line tells when the hub has gone" '
    systemctl stop hub
    until_true "systemctl show -P StatusText chapi-gw | grep -q waiting"'
inside "the journal has no secret" 'test -z "$(journalctl | grep 0123456789abcdef)"'

# ---- commands as services -----------------------------------------------------------------------

with_wait "commands of a file are served, as a user of their own" '
    mkdir -p /etc/chapi/serve.d
    printf "[whoami]\ncommand = id -u\n[home]\ncommand = ls /home\n" >/etc/chapi/serve.d/basics.ini
    systemctl enable -q --now chapi-serve@basics
    chapi-ctl wait whoami home -t 20s
    test "$(chapi-call whoami)" -gt 1000; not chapi-call home
    systemctl is-active -q chapi-serve@basics'
with_wait "commands come back after the gateway is started again" '
    systemctl restart chapi-gw; chapi-ctl wait whoami -t 20s; chapi-call whoami'
# As a board's pins are there: a device of a group. Anybody with the rights may open this one.
inside "a device, a group, and a command that opens it" '
    minor=$(awk "/ (tun|fuse)\$/ { print \$1; exit }" /proc/misc)
    groupadd -f gpio; mknod -m 660 /dev/pin c 10 "$minor"; chgrp gpio /dev/pin
    printf "[devices]\ncommand = ls /dev\n[pin]\ncommand = sh -c \": >/dev/pin\"\n" >/etc/chapi/serve.d/pins.ini
    mkdir -p /etc/systemd/system/chapi-serve@pins.service.d'
pins='drop_in() {
    sed "s/char-gpiochip/$1/" /usr/share/chapi/drop-ins/gpio.conf \
        >/etc/systemd/system/chapi-serve@pins.service.d/gpio.conf
}
serve() { systemctl daemon-reload; systemctl restart chapi-serve@pins; chapi-ctl wait pin devices -t 20s; }
'
with_wait "the box shows no devices" "$pins"'
    serve; test -z "$(chapi-call devices | grep pin)"; not chapi-call pin'
with_wait "a drop-in lets in its own driver only" "$pins"'
    drop_in char-gpiochip; serve
    until_true "chapi-call devices | grep -q pin"
    not chapi-call pin 2>pin.log; cat pin.log; grep -q "not permitted" pin.log'
with_wait "a drop-in gives its devices to its group" "$pins"'
    drop_in char-misc; serve; until_true "chapi-call pin"
    chgrp root /dev/pin; not chapi-call pin 2>pin.log; cat pin.log; grep -q "Permission denied" pin.log'
with_wait "the other drop-ins are taken, where there are their groups" '
    getent group video; not getent group i2c; groupadd -f render
    for name in i2c camera; do
        folder=/etc/systemd/system/chapi-serve@$name.service.d
        mkdir -p $folder; cp /usr/share/chapi/drop-ins/$name.conf $folder/
        printf "[$name]\ncommand = id -G\n" >/etc/chapi/serve.d/$name.ini
    done
    systemctl daemon-reload; systemctl start chapi-serve@camera chapi-serve@i2c
    until_true "test \$(systemctl show -P ExecMainStatus chapi-serve@i2c) = 216"
    groupadd i2c
    chapi-ctl wait i2c camera -t 20s
    in_group() { chapi-call "$1" | grep -w "$(getent group "$2" | cut -d : -f 3)"; }
    in_group i2c i2c; in_group camera video; in_group camera render'

# ---- a user's own ---------------------------------------------------------------------------------

with_wait "a user has a gateway of her own" '
    loginctl enable-linger alice; uid=$(id -u alice)
    until_true "test -S /run/user/$uid/systemd/private"
    as alice systemctl --user enable -q --now chapi-gw.socket chapi-gw.service
    test "$(stat -c "%a %U" /run/user/$uid/chapi/gw.sock)" = "600 alice"
    as alice chapi-call chapi.ping
    as alice systemctl --user is-active chapi-gw.service'
with_wait "a user serves commands of her own" '
    runuser -l alice -c "mkdir -p .config/chapi/serve.d; touch mine
        printf \"[mine]\ncommand = ls /home/alice\n\" >.config/chapi/serve.d/mine.ini"
    as alice systemctl --user enable -q --now chapi-serve@mine
    as alice chapi-ctl wait mine -t 20s; as alice chapi-call mine | grep mine
    not chapi-ctl describe mine'

finish_system chapi-gw "chapi-serve@*"
