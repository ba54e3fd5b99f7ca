# SPDX-License-Identifier: MIT
# Stage of ./check --long: hosts in network namespaces; here a test that is skipped has failed.
need_packages ip:iproute2 nft:nftables openssl:openssl
netns() {
    build_in "$top/build/plain" CFLAGS='-O2 -g -Werror' || return 1
    for round in 1 2 3; do
        (cd "$top/build/plain" && "$top/tests/integration/run.sh" "$top/tests/integration/test_netns.py") \
            >"$top/build/netns.log" 2>&1
        if grep -q -e '^not ok' -e '# SKIP' "$top/build/netns.log" || ! grep -q '^ok' "$top/build/netns.log"; then
            tail -n 60 "$top/build/netns.log"
            say "in round $round"
            return 1
        fi
    done
}
count "hosts in network namespaces, three times" netns
