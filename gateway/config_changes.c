/* SPDX-License-Identifier: MIT */
/*
 * Two configurations, before and after a reload: which keys differ, and those that can change
 * without a restart taken over.
 */
#include "gateway/config_keys.h"

/* One that was or will be without is told by its section or its file. */
static bool is_other(const char *a, const char *b)
{
	return a && b && strcmp(a, b) != 0;
}

static bool is_secret_changed(const struct config_key *key, const struct config *a,
			      const struct config *b)
{
	if (strcmp(key->name, "secret_file") == 0)
		return is_other(a->secret, b->secret);
	return strcmp(key->name, "encryption_master_key_file") == 0 &&
	       is_other(a->master_key, b->master_key);
}

void config_changes(const struct config *old, const struct config *fresh, config_change_fn fn,
		    void *data)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (!config_key_equals(key, old, fresh) || is_secret_changed(key, old, fresh))
			fn(data, key->section, key->name, key->reloadable);
	}
}

static void swap_rules(struct config *a, struct config *b)
{
	struct config_rule *rules = a->rules;
	size_t n = a->n_rules;

	a->rules = b->rules;
	a->n_rules = b->n_rules;
	b->rules = rules;
	b->n_rules = n;
}

void config_take_reloadable(struct config *to, struct config *fresh)
{
	for (size_t i = 0; i < config_n_keys; i++)
		if (config_keys[i].reloadable && config_keys[i].type != CONFIG_RULE)
			config_key_swap(&config_keys[i], to, fresh);
	swap_rules(to, fresh);	/* all rights are reloadable */
}
