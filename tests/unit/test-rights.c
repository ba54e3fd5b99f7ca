/* SPDX-License-Identifier: MIT */
/*
 * The rules of [policy] made into rights: names of users and groups, and how they are printed.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "gateway/rights.h"

static const struct party root = { .uid = 0, .gid = 0 };
static const struct party other = { .uid = 54321, .gid = 54322 };
static const struct party hub = { .origin = PARTY_REMOTE };

static void policy_cleanup(struct policy **policy)
{
	policy_free(*policy);
}

/* The rules of a configuration that has nothing else; texts are constants. */
#define RULES(...) ((struct config){ \
	.rules = (struct config_rule[]){ __VA_ARGS__ }, \
	.n_rules = ARRAY_SIZE(((struct config_rule[]){ __VA_ARGS__ })) })
#define RULE(right, subject, pattern) { CONFIG_RIGHT_##right, (char *)(subject), (char *)(pattern) }

static struct policy *make(const struct config *config)
{
	struct policy *policy = NULL;

	assert_int_equal(rights_make(config, &policy), 0);
	return policy;
}

static bool may_call(const struct policy *policy, const struct party *party, const char *name)
{
	return policy_allows(policy, RIGHT_CALL, party, span_str(name));
}

static void test_users_and_groups_are_looked_up(void **state UNUSED)
{
	struct config config = RULES(RULE(CALL, "user:root", "a"), RULE(CALL, "group:root", "b"),
				     RULE(CALL, "user:54321", "c"), RULE(CALL, "group:54322", "d"));
	CLEANUP(policy_cleanup) struct policy *policy = make(&config);

	assert_true(may_call(policy, &root, "a"));
	assert_true(may_call(policy, &root, "b"));
	assert_false(may_call(policy, &root, "c"));
	assert_true(may_call(policy, &other, "c"));
	assert_true(may_call(policy, &other, "d"));
	assert_false(may_call(policy, &other, "a"));
	assert_false(may_call(policy, &hub, "a"));
}

static void test_other_subjects_are_taken_by_name(void **state UNUSED)
{
	struct config config = RULES(RULE(CALL, "*", "any"), RULE(CALL, "remote", "remote"),
				     RULE(CALL, "user:*", "user"), RULE(CALL, "group:*", "group"));
	CLEANUP(policy_cleanup) struct policy *policy = make(&config);

	assert_true(may_call(policy, &other, "any"));
	assert_true(may_call(policy, &hub, "any"));
	assert_false(may_call(policy, &other, "remote"));
	assert_true(may_call(policy, &hub, "remote"));
	assert_true(may_call(policy, &other, "user"));
	assert_false(may_call(policy, &hub, "user"));
	assert_true(may_call(policy, &other, "group"));
	assert_false(may_call(policy, &hub, "group"));
}

static void test_a_stranger_in_a_rule_leaves_nobody(void **state UNUSED)
{
	static const char *const subjects[] = { "user:no-such-user", "group:no-such-group",
		"user:4294967295", "user:99999999999999999999", "user:0x0", "user:-1", "user: 0" };

	log_open(LOG_LEVEL_ERROR);
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		struct config config = RULES(RULE(CALL, subjects[i], "*"));
		CLEANUP(policy_cleanup) struct policy *policy = make(&config);

		assert_false(may_call(policy, &root, "x"));
		assert_false(may_call(policy, &other, "x"));
		assert_false(may_call(policy, &hub, "x"));
	}
}

static void test_without_rules_root_and_own_user_look_after_it(void **state UNUSED)
{
	struct config config = { 0 };
	const struct party own = { .uid = geteuid() };
	CLEANUP(policy_cleanup) struct policy *policy = make(&config);

	assert_true(policy_allows(policy, RIGHT_ADMIN, &root, span_str("")));
	assert_true(policy_allows(policy, RIGHT_ADMIN, &own, span_str("")));
	assert_false(policy_allows(policy, RIGHT_ADMIN, &other, span_str("")));
	assert_true(may_call(policy, &hub, "x"));
}

static void test_each_right_of_the_file_is_its_own(void **state UNUSED)
{
	struct config config = RULES(RULE(CALL, "*", "x"), RULE(REGISTER, "*", "x"),
		RULE(LIST, "*", "x"), RULE(OUTGOING, "*", "x"), RULE(PUBLISH, "*", "x"),
		RULE(MONITOR, "*", "x"), RULE(ADMIN, "*", "x"));

	for (size_t i = 0; i < RIGHT_COUNT; i++) {
		const struct config one = { .rules = &config.rules[i], .n_rules = 1 };
		CLEANUP(policy_cleanup) struct policy *policy = make(&one);

		assert_true(policy_allows(policy, (enum right)i, &other, span_str("x")));
		assert_false(policy_allows(policy, (enum right)i, &root, span_str("y")));
	}
}

static void test_rights_are_printed_for_people(void **state UNUSED)
{
	struct config config = RULES(RULE(CALL, "user:root", "a.*"), RULE(LIST, "*", "*"),
		RULE(CALL, "user:no-such-user", "b"), RULE(CALL, "group:54322", "c"),
		RULE(PUBLISH, "user:*", "n\x1b-*"));
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	rights_print(&config, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text,
		 "Who may do what:\n"
		 "  call      user:root (0): a.*\n"
		 "            user:no-such-user (not known here: nobody): b\n"
		 "            group:54322: c\n"
		 "            nobody else\n"
		 "  register  everyone, local or remote (the default)\n"
		 "  list      everyone, local or remote: *\n"
		 "            nobody else\n"
		 "  outgoing  everyone, local or remote (the default)\n"
		 "  publish   every local process: n\\x1b-*\n"
		 "            nobody else\n"
		 "  monitor   root and the gateway's own user (the default)\n"
		 "  admin     root and the gateway's own user (the default)\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_users_and_groups_are_looked_up),
		cmocka_unit_test(test_other_subjects_are_taken_by_name),
		cmocka_unit_test(test_a_stranger_in_a_rule_leaves_nobody),
		cmocka_unit_test(test_without_rules_root_and_own_user_look_after_it),
		cmocka_unit_test(test_each_right_of_the_file_is_its_own),
		cmocka_unit_test(test_rights_are_printed_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
