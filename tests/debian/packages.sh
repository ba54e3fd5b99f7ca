#!/bin/sh
# SPDX-License-Identifier: MIT
# The life of the packages on a system that runs: built and looked through by lintian, installed, set
# up, called, upgraded, removed, purged; and tested by autopkgtest.
#
#   tests/debian/packages.sh [SUITE]    default: bookworm
#
# Needs root and debootstrap. Prints "ok - ..." and "not ok - ..." lines.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/debian/system.sh"

start_system "${1:-bookworm}" python3 gcc libc6-dev pkg-config dpkg-dev sudo autopkgtest zsh fish bash-completion
cp "$top/tests/debian/type.py" "$root/usr/local/bin/"

apt='DEBIAN_FRONTEND=noninteractive apt-get -y -qq --no-install-recommends'

# ---- what README.md begins with, typed by an ordinary user --------------------------------------

# readme N: line N of its first block.
readme() {
    sed -n '/^```sh packages$/,/^```$/p' "$top/README.md" | sed "1d;\$d" | sed -n "$1p"
}
remote_call=$(sed -n 's/.*`\([^`]*remote-call.py\) --help`.*/\1/p' "$top/README.md")
newgrp=$(sed -n 's/.*`\(newgrp [^`]*\)`.*/\1/p' "$top/README.md")

inside "a user who may become root" '
    useradd -m pi; echo "pi ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/pi; cp packages/*.deb /home/pi/'
inside_or_end chapi-gw "$(readme 1)" "
    runuser -l pi -c 'type.py ontinue?=y -- $(readme 1)' >install.log
    cat install.log
    grep '^chapi-gw serves local calls; to connect it to a hub: sudo chapi-ctl setup' install.log
    not grep -i -e 'configuring chapi' -e 'warning.*chapi' -e 'unable to resolve' install.log"
inside "local calls work at once" '
    systemctl is-active chapi-gw.socket
    systemctl is-active chapi-gw.service
    systemctl is-enabled chapi-gw.socket
    systemctl is-enabled chapi-gw.service
    chapi-serve hello -- date & trap "kill $!" EXIT
    chapi-ctl wait hello -t 20s; chapi-call hello'
inside "a hub runs" '
    printf 0123456789abcdef >secret; chmod 600 secret
    systemd-run -q --unit=hub chapi-hub --app 1000:some-key --secret-file /root/secret --listen 127.0.0.1:'$hub_port
inside "a user who is not in the group is told so" '
    runuser -l pi -c "chapi-call chapi.ping" 2>refused.log && exit 1; grep "usermod -a -G chapi pi" refused.log'
with_wait "$(readme 2)" "
    runuser -l pi -c \"type.py 's id=1000' 's key=some-key' secret=0123456789abcdef Cluster= \\
        Host=127.0.0.1 port=$hub_port TLS=n Name=pi older=n Start=y 'Let pi'=y -- $(readme 2)\" >setup.log
    cat setup.log; grep 'the hub takes it' setup.log; not grep 0123456789abcdef setup.log
    until_true \"chapi-ctl status | grep -q '^hub .*up'\"
    test \"\$(stat -c '%a %U' /etc/chapi/secret)\" = '600 root'"
inside "$newgrp, in a session that began before" "
    session='setpriv --reuid pi --regid pi --clear-groups sh -c'
    not \$session 'chapi-call chapi.ping' 2>refused.log; grep '$newgrp' refused.log
    \$session 'echo chapi-call chapi.ping | $newgrp'"
with_wait "$(readme 3)" "
    runuser -l pi -c '$(readme 3)' & trap 'kill \$!' EXIT
    chapi-ctl wait hello -t 20s; runuser -l pi -c 'chapi-call hello'
    $remote_call --host 127.0.0.1 --port $hub_port --app 1000:some-key --secret-file secret \\
        --channel private-chapi-pi hello | tee answer; grep -q ':[0-9][0-9]' answer"

# ---- what else is in them -----------------------------------------------------------------------

inside "the shells find their completion" '
    zsh -c "autoload -U compinit; compinit -D; print \$_comps[chapi-call]" | grep -x _chapi
    fish -c "complete -C \"chapi-ctl log-level d\"" | grep -x debug
    bash -c ". /usr/share/bash-completion/bash_completion
        _comp_load chapi-ctl 2>/dev/null || _completion_loader chapi-ctl; complete -p chapi-ctl" | grep -w _chapi'
inside "no gateway is started for every user" 'not systemctl --global is-enabled chapi-gw.service'
inside "the library, its headers and the module for Python" "
    $apt install ./packages/*.deb >/dev/null
    python3 -c 'import chapi'"

# ---- upgrade ------------------------------------------------------------------------------------

# The version of the commit after this one, in packages; its name sorts before that of any other.
next_version() {
    version=$(cd "$CHAPI_PACKAGES" && echo chapi-*.tar.xz | sed 's/^chapi-\(.*\)\.tar\.xz$/\1/')
    case $version in
        *-g*) ;;
        *) version=$version-0-g ;;
    esac
    rm -rf "$root.next" && mkdir "$root.next" && cp -r "$CHAPI_PACKAGES/debian" "$root.next/"
    touch "$root.next/.tarball-version"
    next=$(echo "$version" | awk 'match($0, /[0-9]+-g/) {
        print substr($0, 1, RSTART - 1) substr($0, RSTART) + 1 "-g0000000" }')
    "$top/release/debian-changelog.sh" "$next" "$root.next"
}
next=$(next_version)
inside "a next snapshot is on offer" '
    for package in chapi-gw chapi-tools; do
        rm -rf next; dpkg-deb -R packages/${package}_*.deb next
        sed -i "s/^Version: .*/Version: '"$next"'/" next/DEBIAN/control
        mkdir -p /srv/next; dpkg-deb -b next /srv/next/$package.deb >/dev/null
    done
    cd /srv/next; dpkg-scanpackages . >Packages; echo "deb [trusted=yes] file:/srv/next ./" >/root/next.list'
apt_next="$apt -o Dir::Etc::SourceList=/root/next.list -o Dir::Etc::SourceParts=- -o APT::Get::List-Cleanup=no"
with_wait "commands are served by a unit" '
    mkdir -p /etc/chapi/serve.d; printf "[now]\ncommand = date\n" >/etc/chapi/serve.d/basics.ini
    systemctl enable -q --now chapi-serve@basics; chapi-ctl wait now -t 20s
    test -d /var/lib/private/chapi-serve/basics'
with_wait "two users have managers of their own, one a gateway, and commands" '
    useradd -m eve; loginctl enable-linger pi; loginctl enable-linger eve
    for user in pi eve; do until_true "test -S /run/user/$(id -u $user)/systemd/private"; done
    runuser -l pi -c "mkdir -p .config/chapi/serve.d
        printf \"[mine]\ncommand = id -un\n\" >.config/chapi/serve.d/mine.ini"
    as pi systemctl --user enable -q --now chapi-gw.socket chapi-gw.service chapi-serve@mine
    as pi chapi-ctl wait mine -t 20s; as pi chapi-call mine | grep pi'
with_wait "an upgrade keeps settings, says nothing, and serves on" "
    printf '[gateway]\\nlog_level = debug\\n' >/etc/chapi/chapi-gw.conf
    serving=\$(systemctl show -P MainPID chapi-serve@basics)
    of_pi() { as pi systemctl --user show -P MainPID \$1; }
    gateway_of_pi=\$(of_pi chapi-gw); serving_of_pi=\$(of_pi chapi-serve@mine)
    before=\$(systemctl show -P MainPID chapi-gw); socket=\$(stat -c %i /run/chapi/gw.sock)
    $apt_next update; $apt_next upgrade </dev/null >upgrade.log 2>&1; cat upgrade.log
    test '$next' = \"\$(dpkg-query -W -f '\${Version}' chapi-gw)\"
    not grep -e 'sudo chapi-ctl setup' -e 'Could not' upgrade.log
    test \"\$socket\" = \"\$(stat -c %i /run/chapi/gw.sock)\"
    test \"\$before\" != \"\$(systemctl show -P MainPID chapi-gw)\"
    systemctl is-active chapi-gw.socket
    systemctl is-active chapi-gw.service
    systemctl is-active chapi-serve@basics
    test \"\$serving\" != \"\$(systemctl show -P MainPID chapi-serve@basics)\"
    test no = \"\$(systemctl show -P NeedDaemonReload chapi-serve@basics)\"
    chapi-ctl wait now -t 20s; chapi-call now
    grep -q debug /etc/chapi/chapi-gw.conf; chapi-call chapi.ping
    until_true \"chapi-ctl status | grep -q '^hub .*up'\"
    until_true \"test \\\$(of_pi chapi-gw) != \$gateway_of_pi\"
    until_true \"test \\\$(of_pi chapi-serve@mine) != \$serving_of_pi\"
    as pi chapi-ctl wait mine -t 20s; as pi chapi-call mine | grep pi
    not as eve systemctl --user is-active chapi-gw.service"

with_wait "what a policy refuses is not started anew, of users either" "
    printf '#!/bin/sh\necho \"\$*\" >>/root/asked\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    pids() {
        systemctl show -P MainPID chapi-gw chapi-serve@basics
        as pi systemctl --user show -P MainPID chapi-gw chapi-serve@mine
    }
    before=\$(pids); $apt_next install --reinstall chapi-gw chapi-tools >/dev/null 2>&1
    rm /usr/sbin/policy-rc.d; cat asked
    until_true \"as pi systemctl --user list-jobs | grep 'No jobs'\"
    test \"\$before\" = \"\$(pids)\"
    for unit in chapi-gw.service chapi-serve@basics.service 'chapi-serve@\*.service'; do
        grep -x \"\$unit restart\" asked
    done"

# ---- the end ------------------------------------------------------------------------------------

# break_off PACKAGE: the last step of its prerm fails.
break_off='break_off() {
    prerm=/var/lib/dpkg/info/$1.prerm
    [ -f "$prerm" ] || printf "#!/bin/sh\n" >"$prerm"
    cp "$prerm" saved; echo "exit 1" >>"$prerm"; chmod 755 "$prerm"
    not dpkg --remove "$1"; cat saved >"$prerm"
}'
with_wait "a removal that is broken off changes nothing" "$break_off
    break_off chapi-tools; break_off chapi-gw
    systemctl is-active chapi-gw.socket
    systemctl is-active chapi-gw.service
    systemctl is-active chapi-serve@basics
    chapi-ctl wait now -t 20s; chapi-call now; as pi chapi-call mine"
with_wait "removed, it does not run, and settings stay" "
    systemctl stop hub
    $apt remove chapi-gw chapi-tools chapi-hub >/dev/null 2>&1
    not systemctl is-active chapi-gw.socket chapi-gw.service chapi-serve@basics
    for unit in chapi-gw.socket chapi-gw.service chapi-serve@mine; do
        until_true \"! as pi systemctl --user is-active \$unit\"
    done
    test -f /etc/chapi/chapi-gw.conf; test -f /etc/chapi/secret; not test -e /usr/sbin/chapi-gw"
by_hand='/etc/chapi/chapi-gw.conf
/etc/chapi/chapi-gw.conf.d/more.conf
/etc/chapi/serve.d/basics.ini
/etc/systemd/system/chapi-gw.service.d/more.conf'
inside "purged, nothing is left but what was written by hand" "
    for file in chapi/chapi-gw.conf.d/more.conf systemd/system/chapi-gw.service.d/more.conf; do
        printf '# mine\n' >/etc/\$file
    done
    $apt purge chapi-gw chapi-tools >purge.log 2>&1; cat purge.log
    grep '^written by hand, and left: .*/chapi-gw.service.d/more.conf' purge.log
    not ls -d /var/lib/chapi* /var/lib/private/chapi* /run/chapi; not systemctl cat chapi-gw.service
    test '$by_hand' = \"\$(find /etc/chapi /etc/systemd/system/*chapi* -type f | sort)\""
inside "it can be installed again" "
    $apt install ./packages/chapi-*.deb >/dev/null 2>&1; systemctl is-active chapi-gw; chapi-call chapi.ping"
inside "purged once more, nothing is left at all" "
    rm $(echo "$by_hand" | paste -s -d ' '); rmdir /etc/chapi/serve.d
    $apt purge chapi-gw chapi-tools >purge.log 2>&1; cat purge.log
    not grep 'written by hand' purge.log; not test -e /etc/chapi
    test -z \"\$(find /etc/systemd -name '*chapi*')\""

# ---- as Debian's own machines test them ---------------------------------------------------------

# They bring what debian/tests/control asks for. This system is a container, and nobody else's, which
# the runner cannot know.
inside "nothing of chapi is installed" "
    $apt purge '~nchapi' >/dev/null 2>&1; not sh -c 'dpkg -l \"*chapi*\" | grep ^ii'"
# But what apt had to download, and what users have.
inside "and no file is left" '
    find /etc /run /usr /var -name "*chapi*" -not -path "/run/user/*" -not -path "/var/cache/apt/*" \
        -not -path "/var/lib/apt/lists/*" >left; cat left; not test -s left'
inside "autopkgtest runs debian/tests" "
    autopkgtest --no-built-binaries --ignore-restrictions=isolation-container --user=pi \
        --summary-file=/root/summary packages/*.deb packages/ -- null >autopkgtest.log 2>&1 || tail -n 60 autopkgtest.log
    cat summary; not grep -v -w PASS summary
    test \"\$(grep -c -w PASS summary)\" = \"\$(grep -c ^Tests: packages/debian/tests/control)\""

finish_system chapi-gw
