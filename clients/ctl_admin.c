/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl reload, log-level: settings of the gateway that runs.
 */
#include "clients/ctl.h"

#include <stdio.h>

#include "clients/table.h"

static void print_keys(const json_t *keys, const char *what)
{
	const json_t *key;
	size_t i;

	json_array_foreach(keys, i, key) {
		table_print_text(json_string_value(key) ? json_string_value(key) : "?");
		printf("  %s\n", what);
	}
}

static void print_reloaded(const json_t *value)
{
	const json_t *changed = json_object_get(value, "changed");
	const json_t *restart = json_object_get(value, "restart");

	if (json_array_size(changed) + json_array_size(restart) == 0)
		puts("nothing has changed");
	print_keys(changed, "has changed");
	print_keys(restart, "has changed, which takes a restart: the old value holds");
}

int ctl_reload(struct ctl *ctl, char *const *args UNUSED, int n UNUSED)
{
	return ctl_show(ctl, "reload", json_array(), print_reloaded);
}

static void print_nothing(const json_t *value UNUSED)
{
}

int ctl_log_level(struct ctl *ctl, char *const *args, int n UNUSED)
{
	return ctl_show(ctl, "log_level", json_pack("[s]", args[0]), print_nothing);
}
