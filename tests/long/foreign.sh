# SPDX-License-Identifier: MIT
# Stage of ./check --long: processors of other Raspberry Pis, under qemu, side by side.
need_packages debootstrap:debootstrap
for arch in arm64 armhf; do
    beside "build and tests for $arch" "$top/tests/foreign.sh" "$arch"
done
together
