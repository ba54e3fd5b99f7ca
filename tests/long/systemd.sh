# SPDX-License-Identifier: MIT
# Stage of ./check --long: the packages under each release's systemd. Those of the stage packages, if
# they are being built, are waited for.
together
for suite in bookworm trixie; do
    count "services under the systemd of $suite" "$top/tests/debian/systemd.sh" "$suite"
done
