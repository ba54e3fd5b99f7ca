/* SPDX-License-Identifier: MIT */
/*
 * How the command behind chapi-serve went: see run.h.
 */
#include "clients/run.h"

#include <string.h>

enum { RUN_STATUS, RUN_SIGNAL, RUN_STDOUT, RUN_STDERR, RUN_CODE, N_KEYS, N_RUN = RUN_CODE };

static const char *const keys[N_KEYS] = { "status", "signal", "stdout", "stderr", "code" };

static bool is_output(const msgpack_object *o)
{
	return o && (o->type == MSGPACK_OBJECT_STR || o->type == MSGPACK_OBJECT_BIN);
}

static int find_key(const msgpack_object *key)
{
	if (key->type != MSGPACK_OBJECT_STR)
		return N_KEYS;
	for (int i = 0; i < N_KEYS; i++)
		if (key->via.str.size == strlen(keys[i]) &&
		    memcmp(key->via.str.ptr, keys[i], key->via.str.size) == 0)
			return i;
	return N_KEYS;
}

/* Values by key; NULL: not there. How many of the map are others is returned, -1: it is no map. */
static int split(const msgpack_object *value, const msgpack_object *values[N_KEYS])
{
	int at, n_others = 0;

	if (value->type != MSGPACK_OBJECT_MAP)
		return -1;
	for (uint32_t i = 0; i < value->via.map.size; i++) {
		at = find_key(&value->via.map.ptr[i].key);
		if (at < N_KEYS)
			values[at] = &value->via.map.ptr[i].val;
		n_others += at >= N_RUN;
	}
	return n_others;
}

/* What is not there, or nil, is 0; -1: it is no number that a command ends with. */
static int number_of(const msgpack_object *o)
{
	if (!o || o->type == MSGPACK_OBJECT_NIL)
		return 0;
	if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER || o->via.u64 > 255)
		return -1;
	return (int)o->via.u64;
}

/* As a shell has it; 0: none that tells of a failure. */
static int status_of(int status, int signal)
{
	if (status != 0)
		return status > 0 ? status : 0;
	return signal > 0 && signal < 128 ? 128 + signal : 0;
}

static struct run make_run(const msgpack_object *values[N_KEYS])
{
	return (struct run){
		.status = status_of(number_of(values[RUN_STATUS]), number_of(values[RUN_SIGNAL])),
		.out = is_output(values[RUN_STDOUT]) ? values[RUN_STDOUT] : NULL,
		.err = is_output(values[RUN_STDERR]) ? values[RUN_STDERR] : NULL,
	};
}

bool run_read_result(const msgpack_object *value, struct run *ret_run)
{
	const msgpack_object *values[N_KEYS] = { NULL };

	if (split(value, values) != 0 || !values[RUN_SIGNAL] || !is_output(values[RUN_STDOUT]) ||
	    !is_output(values[RUN_STDERR]) || !values[RUN_STATUS] ||
	    values[RUN_STATUS]->type != MSGPACK_OBJECT_POSITIVE_INTEGER ||
	    values[RUN_STATUS]->via.u64 != 0)
		return false;
	*ret_run = make_run(values);
	return true;
}

bool run_read_details(const msgpack_object *value, struct run *ret_run)
{
	const msgpack_object *values[N_KEYS] = { NULL };
	struct run run;

	if (split(value, values) < 0 || values[RUN_CODE])
		return false;
	run = make_run(values);
	if (run.status == 0)
		return false;
	*ret_run = run;
	return true;
}

/* Both kinds have their length and their bytes. */
void run_write(const msgpack_object *output, FILE *to)
{
	if (output && output->type == MSGPACK_OBJECT_STR)
		fwrite(output->via.str.ptr, 1, output->via.str.size, to);
	else if (output)
		fwrite(output->via.bin.ptr, 1, output->via.bin.size, to);
}
