# SPDX-License-Identifier: MIT
# Stage of ./check --long: each fuzz harness for $CHAPI_FUZZ_S (60 s), as many at once as there are cores.
# What is found lies in build/fuzz/found; it belongs into tests/fuzz/corpus, with the mending.
need_packages clang:clang
clang_version=$(clang -dumpversion | cut -d . -f 1)
need_packages "libclang-rt-$clang_version-dev|libclang-common-$clang_version-dev"

if build_in "$top/build/fuzz" CC=clang --enable-fuzzer --disable-static CFLAGS='-O1 -g'; then
    find "$top/build/fuzz/tests/fuzz" -name 'fuzz-*' -type f ! -name '*.*' | sort |
        xargs -P "$(nproc)" -I HARNESS "$top/tests/fuzz/run-one.sh" HARNESS "$top/build/fuzz" "${CHAPI_FUZZ_S:-60}" |
        tee "$top/build/fuzz.log"
    passed=$((passed + $(grep -c '^ok: ' "$top/build/fuzz.log")))
    for harness in $(sed -n 's/^FAILED: \([^:,]*\).*/\1/p' "$top/build/fuzz.log"); do
        has_failed "$harness" "$top/build/fuzz/${harness#fuzz-}.log"
    done
else
    has_failed "builds for the fuzzer" "$top/build/fuzz/make.log"
fi
