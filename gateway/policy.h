/* SPDX-License-Identifier: MIT */
/*
 * Who may do what: the rules of chapi-ipc(7), "RIGHTS", held against a party.
 *
 * Pure: subjects are numbers here; names of users and groups are looked up by whoever
 * makes the rules (rights.h). The first rule of a right that names the party and the object
 * decides. A right with rules denies what none of them matches; one without any has its
 * default.
 */
#ifndef CHAPI_POLICY_H
#define CHAPI_POLICY_H

#include "gateway/party.h"

enum right {
	RIGHT_CALL,		/* object: the name of a function */
	RIGHT_REGISTER,		/* likewise */
	RIGHT_LIST,		/* likewise */
	RIGHT_OUTGOING,		/* "GATEWAY/API" */
	RIGHT_PUBLISH,		/* a channel; private-chapi-* only by a pattern that begins so */
	RIGHT_MONITOR,		/* the name of a function */
	RIGHT_ADMIN,		/* the name of a function, or "" */
	RIGHT_COUNT
};

enum subject_kind {
	SUBJECT_ANYBODY,	/* the hub side, too */
	SUBJECT_LOCAL,		/* every local process */
	SUBJECT_USER,		/* a local process of that user */
	SUBJECT_GROUP,		/* a local process that is in that group */
	SUBJECT_REMOTE,		/* the hub side, all of it */
	SUBJECT_NOBODY,		/* a user that is not there: the rule is one, but matches nothing */
};

struct policy_rule {
	enum right right;
	enum subject_kind kind;
	uint32_t id;			/* SUBJECT_USER: a uid, SUBJECT_GROUP: a gid */
	const char *pattern;		/* '*' matches any characters; borrowed by policy_new() */
};

struct policy;

/* A copy of the rules, in their order. own_uid: the gateway's, which may all by default. */
int policy_new(const struct policy_rule *rules, size_t n, uid_t own_uid,
	       struct policy **ret_policy) MUST_CHECK;
struct policy *policy_free(struct policy *policy);

/* Bits by enum right: all have it, to whatever there is. policy NULL: each of them. */
unsigned int policy_open_rights(const struct policy *policy);
size_t policy_n_rules(const struct policy *policy);
bool policy_allows(const struct policy *policy, enum right right, const struct party *party,
		   struct span object);

/* "call", "register" and so on. */
const char *right_name(enum right right);
/* Without any rule: has everybody this right, or only root and the gateway's own user? */
bool right_is_for_all(enum right right);

#endif
