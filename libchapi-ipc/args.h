/* SPDX-License-Identifier: MIT */
/*
 * The params of the gateway's methods: options that become a map, whose members are counted
 * while they are added.
 *
 * What goes wrong (memory, JSON that is none) is remembered and told once, by args_put_map().
 */
#ifndef CHAPI_ARGS_H
#define CHAPI_ARGS_H

#include <stdbool.h>

#include "libchapi-ipc/buf.h"

struct args_map {
	struct buf members;	/* keys and values, without the map's head */
	uint32_t n;
	int error;		/* -CHAPI_ERR_* */
};

#define ARGS_MAP_NULL { .members = BUF_NULL }

void args_map_deinit(struct args_map *map);

/* What is NULL, 0 or false is left out. */
void args_str(struct args_map *map, const char *key, const char *value);
void args_int(struct args_map *map, const char *key, int64_t value);
void args_zero(struct args_map *map, const char *key);
void args_true(struct args_map *map, const char *key, bool value);
/* up to NULL */
void args_strs(struct args_map *map, const char *key, const char *const *values);
void args_json(struct args_map *map, const char *key, const char *text);
/* The members of one object more; USAGE if it is none. */
void args_members(struct args_map *map, const char *text);

/* Adds the members of other whose keys are not in map. */
void args_merge(struct args_map *map, const struct args_map *other);

/* 0, or what went wrong with it so far. */
int args_error(const struct args_map *map) MUST_CHECK;
void args_put_map(struct buf *out, const struct args_map *map);

#endif
