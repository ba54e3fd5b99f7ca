# SPDX-License-Identifier: MIT
# A stage of ./check --long, sourced by it: the Debian packages, from lintian to purge.
count "packages of bookworm" "$top/tests/debian/packages.sh" bookworm
