/* SPDX-License-Identifier: MIT */
/*
 * Options that become a map, see args.h.
 */
#include "libchapi-ipc/args.h"

#include "libchapi-ipc/conn.h"

#define NIL 0xc0

void args_map_deinit(struct args_map *map)
{
	buf_deinit(&map->members);
	map->n = 0;
	map->error = 0;
}

static struct buf *member(struct args_map *map, const char *key)
{
	map->n++;
	mp_put_str(&map->members, key);
	return &map->members;
}

void args_str(struct args_map *map, const char *key, const char *value)
{
	if (value)
		mp_put_str(member(map, key), value);
}

void args_int(struct args_map *map, const char *key, int64_t value)
{
	if (value != 0)
		mp_put_int(member(map, key), value);
}

void args_zero(struct args_map *map, const char *key)
{
	mp_put_int(member(map, key), 0);
}

void args_true(struct args_map *map, const char *key, bool value)
{
	if (value)
		mp_put_bool(member(map, key), true);
}

void args_strs(struct args_map *map, const char *key, const char *const *values)
{
	struct buf *out;
	uint32_t n = 0;

	if (!values)
		return;
	while (values[n])
		n++;
	out = member(map, key);
	mp_put_array(out, n);
	for (uint32_t i = 0; i < n; i++)
		mp_put_str(out, values[i]);
}

static void put_json(struct args_map *map, struct buf *out, const char *text)
{
	const struct given given = given_json(text);
	int r = conn_put_given(out, &given, NIL);

	if (r < 0 && map->error == 0)
		map->error = r;
}

void args_json(struct args_map *map, const char *key, const char *text)
{
	if (text)
		put_json(map, member(map, key), text);
}

void args_members(struct args_map *map, const char *text)
{
	struct buf object CLEANUP(buf_deinit) = BUF_NULL;
	struct mp_reader r;
	uint32_t n;

	if (!text)
		return;
	put_json(map, &object, text);
	if (map->error < 0)
		return;
	r = mp_reader(buf_span(&object));
	if (mp_read_map(&r, &n) != 0) {
		map->error = -CHAPI_ERR_USAGE;
		return;
	}
	mp_put_raw(&map->members, mp_rest(&r));
	map->n += n;
}

static bool has_key(const struct args_map *map, struct span key)
{
	struct mp_reader r = mp_reader(buf_span(&map->members));
	struct span found;

	for (uint32_t i = 0; i < map->n; i++) {
		if (mp_read_raw(&r, &found) != 0 || mp_skip(&r) != 0)
			return false;
		if (span_equal(found, key))
			return true;
	}
	return false;
}

void args_merge(struct args_map *map, const struct args_map *other)
{
	struct mp_reader r = mp_reader(buf_span(&other->members));
	struct span key, value;

	for (uint32_t i = 0; i < other->n; i++) {
		if (mp_read_raw(&r, &key) != 0 || mp_read_raw(&r, &value) != 0)
			return;
		if (has_key(map, key))
			continue;
		mp_put_raw(&map->members, key);
		mp_put_raw(&map->members, value);
		map->n++;
	}
}

int args_error(const struct args_map *map)
{
	return map->error < 0 ? map->error : conn_buf_error(&map->members);
}

void args_put_map(struct buf *out, const struct args_map *map)
{
	mp_put_map(out, map->n);
	mp_put_raw(out, buf_span(&map->members));
}
