/* SPDX-License-Identifier: MIT */
/*
 * Rights: subjects, patterns, defaults.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "gateway/policy.h"

#define OWN_UID 990

static const gid_t groups[] = { 20, 30 };
static const struct party alice = {
	.uid = 1000, .gid = 10, .groups = groups, .n_groups = ARRAY_SIZE(groups),
};
static const struct party bob = { .uid = 1001, .gid = 11 };
static const struct party root = { .uid = 0, .gid = 0 };
static const struct party own = { .uid = OWN_UID, .gid = OWN_UID };
static const struct party hub = { .origin = PARTY_REMOTE };	/* uid and gid 0: of no meaning */

static void policy_cleanup(struct policy **policy)
{
	policy_free(*policy);
}

#define POLICY(p, ...) \
	const struct policy_rule p##_rules[] = { __VA_ARGS__ }; \
	CLEANUP(policy_cleanup) struct policy *p = make(p##_rules, ARRAY_SIZE(p##_rules))

static struct policy *make(const struct policy_rule *rules, size_t n)
{
	struct policy *policy = NULL;

	assert_int_equal(policy_new(rules, n, OWN_UID, &policy), 0);
	return policy;
}

static bool may(const struct policy *policy, enum right right, const struct party *party,
		const char *object)
{
	return policy_allows(policy, right, party, span_str(object));
}

static void test_without_rules_defaults_hold(void **state UNUSED)
{
	static const enum right open[] = { RIGHT_CALL, RIGHT_REGISTER, RIGHT_LIST, RIGHT_OUTGOING };
	static const enum right closed[] = { RIGHT_PUBLISH, RIGHT_MONITOR, RIGHT_ADMIN };
	CLEANUP(policy_cleanup) struct policy *p = make(NULL, 0);

	for (size_t i = 0; i < ARRAY_SIZE(open); i++) {
		assert_true(may(p, open[i], &alice, "x"));
		assert_true(may(p, open[i], &root, "x"));
		assert_true(may(p, open[i], &hub, "x"));
		assert_true(right_is_for_all(open[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(closed); i++) {
		assert_false(may(p, closed[i], &alice, "x"));
		assert_true(may(p, closed[i], &root, "x"));
		assert_true(may(p, closed[i], &own, "x"));
		assert_false(may(p, closed[i], &hub, "x"));
		assert_false(right_is_for_all(closed[i]));
	}
}

static void test_one_rule_denies_the_rest(void **state UNUSED)
{
	POLICY(p, { RIGHT_CALL, SUBJECT_USER, 1000, "lights.*" });

	assert_true(may(p, RIGHT_CALL, &alice, "lights.kitchen"));
	assert_false(may(p, RIGHT_CALL, &alice, "chapi.ping"));
	assert_false(may(p, RIGHT_CALL, &bob, "lights.kitchen"));
	assert_false(may(p, RIGHT_CALL, &root, "lights.kitchen"));
	assert_false(may(p, RIGHT_CALL, &own, "lights.kitchen"));
	assert_false(may(p, RIGHT_CALL, &hub, "lights.kitchen"));
	assert_true(may(p, RIGHT_REGISTER, &bob, "lights.kitchen"));	/* another right */
}

static void test_rules_of_a_closed_right_open_it(void **state UNUSED)
{
	POLICY(p, { RIGHT_MONITOR, SUBJECT_GROUP, 30, "*" });

	assert_true(may(p, RIGHT_MONITOR, &alice, "x"));
	assert_false(may(p, RIGHT_MONITOR, &root, "x"));
	assert_true(may(p, RIGHT_ADMIN, &root, ""));
}

static void test_any_rule_of_several_allows(void **state UNUSED)
{
	POLICY(p, { RIGHT_CALL, SUBJECT_USER, 1000, "a.*" }, { RIGHT_LIST, SUBJECT_ANYBODY, 0,
	       "*" },
	       { RIGHT_CALL, SUBJECT_USER, 1001, "b" }, { RIGHT_CALL, SUBJECT_REMOTE, 0, "*.c" });

	assert_true(may(p, RIGHT_CALL, &alice, "a.x"));
	assert_false(may(p, RIGHT_CALL, &alice, "b"));
	assert_true(may(p, RIGHT_CALL, &bob, "b"));
	assert_true(may(p, RIGHT_CALL, &hub, "a.c"));
	assert_false(may(p, RIGHT_CALL, &alice, "b.c"));
}

static void test_groups_are_the_first_and_the_supplementary(void **state UNUSED)
{
	POLICY(p, { RIGHT_CALL, SUBJECT_GROUP, 10, "first" }, { RIGHT_CALL, SUBJECT_GROUP, 20,
	       "second" },
	       { RIGHT_CALL, SUBJECT_GROUP, 30, "third" }, { RIGHT_CALL, SUBJECT_GROUP, 1000,
	"uid" });

	assert_true(may(p, RIGHT_CALL, &alice, "first"));
	assert_true(may(p, RIGHT_CALL, &alice, "second"));
	assert_true(may(p, RIGHT_CALL, &alice, "third"));
	assert_false(may(p, RIGHT_CALL, &alice, "uid"));
	assert_false(may(p, RIGHT_CALL, &bob, "first"));
}

static void test_subjects_know_local_from_remote(void **state UNUSED)
{
	POLICY(p, { RIGHT_CALL, SUBJECT_ANYBODY, 0, "any" }, { RIGHT_CALL, SUBJECT_LOCAL, 0,
	       "local" },
	       { RIGHT_CALL, SUBJECT_REMOTE, 0, "remote" }, { RIGHT_CALL, SUBJECT_USER, 0, "root" },
	       { RIGHT_CALL, SUBJECT_GROUP, 0, "wheel" }, { RIGHT_CALL, SUBJECT_NOBODY, 0,
	"nobody" });

	assert_true(may(p, RIGHT_CALL, &alice, "any"));
	assert_true(may(p, RIGHT_CALL, &hub, "any"));
	assert_true(may(p, RIGHT_CALL, &alice, "local"));
	assert_false(may(p, RIGHT_CALL, &hub, "local"));
	assert_false(may(p, RIGHT_CALL, &root, "remote"));
	assert_true(may(p, RIGHT_CALL, &hub, "remote"));
	assert_true(may(p, RIGHT_CALL, &root, "root"));
	assert_false(may(p, RIGHT_CALL, &hub, "root"));
	assert_true(may(p, RIGHT_CALL, &root, "wheel"));
	assert_false(may(p, RIGHT_CALL, &hub, "wheel"));
	assert_false(may(p, RIGHT_CALL, &root, "nobody"));
	assert_false(may(p, RIGHT_CALL, &hub, "nobody"));
}

static void test_a_rule_about_nobody_denies_all(void **state UNUSED)
{
	POLICY(p, { RIGHT_ADMIN, SUBJECT_NOBODY, 0, "*" });

	assert_false(may(p, RIGHT_ADMIN, &root, ""));
	assert_false(may(p, RIGHT_ADMIN, &own, ""));
}

static void test_patterns_match_the_whole_object(void **state UNUSED)
{
	POLICY(p, { RIGHT_OUTGOING, SUBJECT_ANYBODY, 0, "greenhouse/*" },
	       { RIGHT_CALL, SUBJECT_ANYBODY, 0, "a*z" });

	assert_true(may(p, RIGHT_OUTGOING, &alice, "greenhouse/vents.open"));
	assert_false(may(p, RIGHT_OUTGOING, &alice, "greenhouses/vents"));
	assert_false(may(p, RIGHT_OUTGOING, &alice, "greenhouse"));
	assert_true(may(p, RIGHT_CALL, &alice, "a.b.z"));
	assert_false(may(p, RIGHT_CALL, &alice, "a.b.zz."));
	assert_false(may(p, RIGHT_CALL, &alice, "A.z"));
}

static void test_an_empty_object_is_matched_by_a_star(void **state UNUSED)
{
	POLICY(p, { RIGHT_ADMIN, SUBJECT_USER, 1000, "*" }, { RIGHT_ADMIN, SUBJECT_USER, 1001,
	       "lights.*" });

	assert_true(may(p, RIGHT_ADMIN, &alice, ""));
	assert_false(may(p, RIGHT_ADMIN, &bob, ""));
	assert_true(may(p, RIGHT_ADMIN, &bob, "lights.kitchen"));
}

static void test_own_channels_have_to_be_named(void **state UNUSED)
{
	CLEANUP(policy_cleanup) struct policy *none = make(NULL, 0);
	POLICY(p, { RIGHT_PUBLISH, SUBJECT_USER, 1000, "*" }, { RIGHT_PUBLISH, SUBJECT_USER, 1001,
	       "private-c*" },
	       { RIGHT_PUBLISH, SUBJECT_USER, 0, "private-chapi-*" },
	       { RIGHT_PUBLISH, SUBJECT_USER, OWN_UID, "private-chapi-x" });

	assert_true(may(p, RIGHT_PUBLISH, &alice, "notices"));
	assert_true(may(p, RIGHT_PUBLISH, &alice, "private-chapi"));
	assert_false(may(p, RIGHT_PUBLISH, &alice, "private-chapi-x"));
	assert_false(may(p, RIGHT_PUBLISH, &alice, "private-chapi-"));
	assert_true(may(p, RIGHT_PUBLISH, &bob, "private-cats"));
	assert_false(may(p, RIGHT_PUBLISH, &bob, "private-chapi-x"));
	assert_true(may(p, RIGHT_PUBLISH, &root, "private-chapi-x"));
	assert_true(may(p, RIGHT_PUBLISH, &own, "private-chapi-x"));
	assert_false(may(p, RIGHT_PUBLISH, &own, "private-chapi-y"));
	assert_true(may(none, RIGHT_PUBLISH, &root, "notices"));
	assert_false(may(none, RIGHT_PUBLISH, &root, "private-chapi-x"));
}

static void test_only_publishing_protects_own_channels(void **state UNUSED)
{
	POLICY(p, { RIGHT_CALL, SUBJECT_ANYBODY, 0, "*" });

	assert_true(may(p, RIGHT_CALL, &alice, "private-chapi-x"));
}

static void test_rules_are_copied(void **state UNUSED)
{
	char pattern[] = "a.*";
	struct policy_rule rule = { RIGHT_CALL, SUBJECT_ANYBODY, 0, pattern };
	CLEANUP(policy_cleanup) struct policy *p = make(&rule, 1);

	memset(pattern, 'x', 3);
	rule = (struct policy_rule){ .right = RIGHT_LIST };
	assert_true(may(p, RIGHT_CALL, &alice, "a.b"));
	assert_false(may(p, RIGHT_CALL, &alice, "xxx"));
}

static void test_rights_have_names(void **state UNUSED)
{
	assert_string_equal(right_name(RIGHT_CALL), "call");
	assert_string_equal(right_name(RIGHT_ADMIN), "admin");
	for (int i = 0; i < RIGHT_COUNT; i++)
		assert_non_null(right_name((enum right)i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_rules_defaults_hold),
		cmocka_unit_test(test_one_rule_denies_the_rest),
		cmocka_unit_test(test_rules_of_a_closed_right_open_it),
		cmocka_unit_test(test_any_rule_of_several_allows),
		cmocka_unit_test(test_groups_are_the_first_and_the_supplementary),
		cmocka_unit_test(test_subjects_know_local_from_remote),
		cmocka_unit_test(test_a_rule_about_nobody_denies_all),
		cmocka_unit_test(test_patterns_match_the_whole_object),
		cmocka_unit_test(test_an_empty_object_is_matched_by_a_star),
		cmocka_unit_test(test_own_channels_have_to_be_named),
		cmocka_unit_test(test_only_publishing_protects_own_channels),
		cmocka_unit_test(test_rules_are_copied),
		cmocka_unit_test(test_rights_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
