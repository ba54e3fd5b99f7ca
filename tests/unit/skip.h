/* SPDX-License-Identifier: MIT */
/*
 * To leave a test that cannot be run here, and say why. cmocka's own skip() is "not ok" in TAP,
 * which automake takes for a failure.
 */
#ifndef CHAPI_TESTS_SKIP_H
#define CHAPI_TESTS_SKIP_H

#define SKIP(why) \
	do { \
		print_message("# skipped: %s\n", why); \
		return; \
	} while (0)

#endif
