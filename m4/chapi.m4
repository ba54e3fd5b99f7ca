# SPDX-License-Identifier: MIT

# CHAPI_CHECK_CFLAGS([FLAGS])
# Adds each of them that the compiler takes without a word to CHAPI_CFLAGS.
AC_DEFUN([CHAPI_CHECK_CFLAGS], [
  for chapi_flag in $1; do
    AC_MSG_CHECKING([whether $CC takes $chapi_flag])
    chapi_saved=$CFLAGS
    CFLAGS="$CFLAGS -Werror $chapi_flag"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM()],
      [AC_MSG_RESULT([yes]); CHAPI_CFLAGS="$CHAPI_CFLAGS $chapi_flag"],
      [AC_MSG_RESULT([no])])
    CFLAGS=$chapi_saved
  done
])

# CHAPI_CHECK_LDFLAGS([FLAGS]): the same for the linker and CHAPI_LDFLAGS.
AC_DEFUN([CHAPI_CHECK_LDFLAGS], [
  for chapi_flag in $1; do
    AC_MSG_CHECKING([whether the linker takes $chapi_flag])
    chapi_saved=$LDFLAGS
    LDFLAGS="$LDFLAGS $chapi_flag"
    AC_LINK_IFELSE([AC_LANG_PROGRAM()],
      [AC_MSG_RESULT([yes]); CHAPI_LDFLAGS="$CHAPI_LDFLAGS $chapi_flag"],
      [AC_MSG_RESULT([no])])
    LDFLAGS=$chapi_saved
  done
])

# CHAPI_CHECK_FORTIFY
# Run-time checks of the C library need optimisation, and a compiler that does not define it by itself.
AC_DEFUN([CHAPI_CHECK_FORTIFY], [
  AC_MSG_CHECKING([for _FORTIFY_SOURCE])
  chapi_saved=$CFLAGS
  chapi_fortify=no
  for chapi_level in 3 2; do
    CFLAGS="$chapi_saved -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$chapi_level"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <string.h>
#ifndef __OPTIMIZE__
#error "not optimised"
#endif
]])], [chapi_fortify=$chapi_level; break])
  done
  CFLAGS=$chapi_saved
  AC_MSG_RESULT([$chapi_fortify])
  AS_IF([test $chapi_fortify != no],
    [CHAPI_CFLAGS="$CHAPI_CFLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$chapi_fortify"])
])

# CHAPI_CHECK_LTO
# Can the gateway be optimised as a whole? Its objects are then of both kinds (-ffat-lto-objects), and
# only chapi-gw itself is linked so: that takes some seconds, and there are some sixty
# programs of tests. Left alone where CFLAGS has an answer of its own, or optimises nothing.
# Sets chapi_lto to yes or no, and CHAPI_LTO_CFLAGS, CHAPI_LTO_LDFLAGS, CHAPI_NO_LTO_LDFLAGS (all the others).
AC_DEFUN([CHAPI_CHECK_LTO], [
  AC_MSG_CHECKING([whether $CC optimises whole programs])
  chapi_saved=$CFLAGS
  CFLAGS="$CFLAGS -Werror -flto=auto -ffat-lto-objects"
  chapi_lto=no
  AS_CASE([" $chapi_saved "], [*-flto*|*-fno-lto*], [],
    [AC_LINK_IFELSE([AC_LANG_PROGRAM([[#if defined __clang__ || !defined __OPTIMIZE__
#error "another compiler, or not optimised"
#endif
]])], [chapi_lto=yes])])
  CFLAGS=$chapi_saved
  AC_MSG_RESULT([$chapi_lto])
  AS_IF([test $chapi_lto = yes],
    [CHAPI_LTO_CFLAGS="-flto=auto -ffat-lto-objects"
     CHAPI_LTO_LDFLAGS=-flto=auto
     CHAPI_NO_LTO_LDFLAGS=-fno-lto])
])

# CHAPI_CHECK_MAP
# Does the linker take a symbol map? Condition HAVE_VERSION_SCRIPT.
AC_DEFUN([CHAPI_CHECK_MAP], [
  AC_MSG_CHECKING([whether the linker takes a symbol map])
  chapi_saved=$LDFLAGS
  echo 'CHAPI_TEST { global: main; local: *; };' > conftest.map
  LDFLAGS="$LDFLAGS -Wl,--version-script=conftest.map"
  AC_LINK_IFELSE([AC_LANG_PROGRAM()], [chapi_map=yes], [chapi_map=no])
  LDFLAGS=$chapi_saved
  rm -f conftest.map
  AC_MSG_RESULT([$chapi_map])
  AM_CONDITIONAL([HAVE_VERSION_SCRIPT], [test $chapi_map = yes])
])

# CHAPI_CHECK_FUZZER: can the compiler link a fuzz harness?
AC_DEFUN([CHAPI_CHECK_FUZZER], [
  AC_MSG_CHECKING([for libFuzzer])
  chapi_saved=$CFLAGS
  CFLAGS="$CFLAGS -fsanitize=fuzzer,$enable_sanitizers"
  AC_LINK_IFELSE([AC_LANG_SOURCE([[#include <stddef.h>
int LLVMFuzzerTestOneInput(const char *data, size_t len);
int LLVMFuzzerTestOneInput(const char *data, size_t len) { return data && len > 99; }]])],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([$CC cannot build fuzz harnesses: set CC=clang, and install its run-time library
(Debian: libclang-rt-dev, or libclang-rt-14-dev for clang 14)])])
  CFLAGS=$chapi_saved
])
