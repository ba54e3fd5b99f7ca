# SPDX-License-Identifier: MIT
# Stage of ./check --long: processors of other Raspberry Pis, under qemu.
for arch in arm64 armhf; do
    count "build and tests for $arch" "$top/tests/foreign.sh" "$arch"
done
