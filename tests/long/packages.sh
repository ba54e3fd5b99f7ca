# SPDX-License-Identifier: MIT
# Stage of ./check --long: the Debian packages of each release, from lintian to purge, side by side.
for suite in bookworm trixie; do
    beside "packages of $suite" "$top/tests/debian/packages.sh" "$suite"
done
together
