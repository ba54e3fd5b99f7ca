# SPDX-License-Identifier: MIT
# A stage of ./check --long, sourced by it: the packages under a systemd that runs.
count "services under systemd" "$top/tests/debian/systemd.sh" bookworm
