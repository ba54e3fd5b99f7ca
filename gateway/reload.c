/* SPDX-License-Identifier: MIT */
/*
 * The configuration read again: see reload.h.
 */
#include "gateway/reload.h"

#include <stdio.h>

#include "libchapi-ipc/mp.h"

/* Keys of one sort, as "section.name", and how many: a MessagePack array without its head. */
struct keys {
	struct buf texts;
	uint32_t n;
};

struct changes {
	struct keys changed, restart;
};

static void changes_deinit(struct changes *changes)
{
	buf_deinit(&changes->changed.texts);
	buf_deinit(&changes->restart.texts);
}

static void on_change(void *data, const char *section, const char *name, bool reloadable)
{
	struct changes *changes = data;
	struct keys *keys = reloadable ? &changes->changed : &changes->restart;
	char key[100];

	snprintf(key, sizeof(key), "%s.%s", section, name);
	mp_put_str(&keys->texts, key);
	keys->n++;
	if (reloadable)
		log_info("config", "%s has changed", key);
	else
		log_warn("config", "%s has changed, which takes a restart: the old value holds",
			 key);
}

static void put_keys(struct buf *out, const char *name, const struct keys *keys)
{
	mp_put_str(out, name);
	mp_put_array(out, keys->n);
	mp_put_raw(out, buf_span(&keys->texts));
}

int reload_config(const struct config_options *options, struct config *config, struct buf *out,
		  char *why, size_t why_len)
{
	CLEANUP(changes_deinit) struct changes changes = { { BUF_NULL, 0 }, { BUF_NULL, 0 } };
	struct config_fault fault;
	struct config fresh;

	if (config_load(options, &fresh, &fault) != 0) {
		snprintf(why, why_len, "%s", fault.text);
		return -1;
	}
	config_changes(config, &fresh, on_change, &changes);
	config_take_reloadable(config, &fresh);
	config_deinit(&fresh);
	if (changes.changed.n + changes.restart.n == 0)
		log_info("config", "read again: nothing has changed");
	mp_put_map(out, 2);
	put_keys(out, "changed", &changes.changed);
	put_keys(out, "restart", &changes.restart);
	return 0;
}
