# SPDX-License-Identifier: MIT
# Stage of ./check --long: the Debian packages of each release, from lintian to purge, and how they
# are built by hand, side by side.
need_packages debootstrap:debootstrap
for suite in bookworm trixie; do
    beside "packages of $suite" "$top/tests/debian/packages.sh" "$suite"
done
beside "what doc/raspberry-pi.md says to type" "$top/tests/debian/raspberry.sh"
together
