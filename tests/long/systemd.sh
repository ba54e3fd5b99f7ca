# SPDX-License-Identifier: MIT
# Stage of ./check --long: the packages under each release's systemd, side by side.
need_packages debootstrap:debootstrap
for suite in bookworm trixie; do
    beside "services under the systemd of $suite" "$top/tests/debian/systemd.sh" "$suite"
done
together
