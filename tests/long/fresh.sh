# SPDX-License-Identifier: MIT
# Stage of ./check --long: the demo and the whole check, on machines that have nothing, side by side.
need_packages debootstrap:debootstrap
for suite in bookworm trixie; do
    beside "demo and check on a fresh $suite" env CHAPI_TESTS_WORKERS="$(nproc)" "$top/tests/fresh.sh" "$suite"
done
together
