/* SPDX-License-Identifier: MIT */
/*
 * Who may do what: see policy.h.
 *
 * The first rule that matches decides, and what it says is yes: rules only allow. So it is enough
 * that one matches, and what none matches is denied.
 */
#include "gateway/policy.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "gateway/name.h"

/* The gateways' own channels: whoever may write there can pretend to be one. */
#define OWN_CHANNELS "private-chapi-"

struct policy {
	uid_t own_uid;
	bool has_rules[RIGHT_COUNT];
	size_t n_rules;
	struct policy_rule *rules;	/* their patterns are ours */
};

static const struct {
	const char *name;
	bool is_for_all;	/* without rules; else root and the gateway's own user */
} rights[RIGHT_COUNT] = {
	[RIGHT_CALL] = { "call", true },
	[RIGHT_REGISTER] = { "register", true },
	[RIGHT_LIST] = { "list", true },
	[RIGHT_OUTGOING] = { "outgoing", true },
	[RIGHT_PUBLISH] = { "publish", false },
	[RIGHT_MONITOR] = { "monitor", false },
	[RIGHT_ADMIN] = { "admin", false },
};

static void policy_cleanup(struct policy **policy)
{
	policy_free(*policy);
}

static int add_rule(struct policy *policy, const struct policy_rule *rule)
{
	struct policy_rule *copy = &policy->rules[policy->n_rules];

	assert((unsigned int)rule->right < RIGHT_COUNT);
	*copy = *rule;
	copy->pattern = strdup(rule->pattern);
	if (!copy->pattern)
		return -ENOMEM;
	policy->n_rules++;
	policy->has_rules[rule->right] = true;
	return 0;
}

int policy_new(const struct policy_rule *rules, size_t n, uid_t own_uid, struct policy **ret_policy)
{
	CLEANUP(policy_cleanup) struct policy *policy = calloc(1, sizeof(*policy));

	if (!policy)
		return -ENOMEM;
	policy->own_uid = own_uid;
	policy->rules = calloc(MAX(n, (size_t)1), sizeof(*policy->rules));
	if (!policy->rules)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (add_rule(policy, &rules[i]) != 0)
			return -ENOMEM;
	*ret_policy = policy;
	policy = NULL;
	return 0;
}

struct policy *policy_free(struct policy *policy)
{
	if (!policy)
		return NULL;
	for (size_t i = 0; i < policy->n_rules; i++)
		free((char *)policy->rules[i].pattern);
	free(policy->rules);
	free(policy);
	return NULL;
}

/* ---- questions --------------------------------------------------------------------------- */

static bool is_in_group(const struct party *party, gid_t gid)
{
	if (party->gid == gid)
		return true;
	for (size_t i = 0; i < party->n_groups; i++)
		if (party->groups[i] == gid)
			return true;
	return false;
}

/* A remote party has no user here, whatever its struct says. */
static bool subject_matches(const struct policy_rule *rule, const struct party *party)
{
	bool is_local = party->origin == PARTY_LOCAL;

	switch (rule->kind) {
	case SUBJECT_ANYBODY:
		return true;
	case SUBJECT_LOCAL:
		return is_local;
	case SUBJECT_USER:
		return is_local && party->uid == rule->id;
	case SUBJECT_GROUP:
		return is_local && is_in_group(party, rule->id);
	case SUBJECT_REMOTE:
		return !is_local;
	case SUBJECT_NOBODY:
		return false;
	}
	return false;
}

static bool is_protected(enum right right, struct span object)
{
	return right == RIGHT_PUBLISH && span_begins(object, OWN_CHANNELS);
}

static bool object_matches(const struct policy_rule *rule, struct span object)
{
	struct span pattern = span_str(rule->pattern);

	if (is_protected(rule->right, object) && !span_begins(pattern, OWN_CHANNELS))
		return false;
	return name_matches(object, pattern);
}

static bool is_allowed_by_default(const struct policy *policy, enum right right,
				  const struct party *party, struct span object)
{
	if (rights[right].is_for_all)
		return true;
	if (party->origin != PARTY_LOCAL || is_protected(right, object))
		return false;
	return party->uid == 0 || party->uid == policy->own_uid;
}

size_t policy_n_rules(const struct policy *policy)
{
	return policy->n_rules;
}

unsigned int policy_open_rights(const struct policy *policy)
{
	unsigned int open = 0;

	for (unsigned int i = 0; i < RIGHT_COUNT; i++)
		if (!policy || (!policy->has_rules[i] && rights[i].is_for_all))
			open |= 1U << i;
	return open;
}

bool policy_allows(const struct policy *policy, enum right right, const struct party *party,
		   struct span object)
{
	if (!policy->has_rules[right])
		return is_allowed_by_default(policy, right, party, object);
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->right == right && subject_matches(rule, party) &&
		    object_matches(rule, object))
			return true;
	}
	return false;
}

const char *right_name(enum right right)
{
	return rights[right].name;
}

bool right_is_for_all(enum right right)
{
	return rights[right].is_for_all;
}
