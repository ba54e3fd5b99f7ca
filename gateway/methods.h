/* SPDX-License-Identifier: MIT */
/*
 * What a local process may ask of the gateway: chapi-ipc(7), "METHODS".
 */
#ifndef CHAPI_METHODS_H
#define CHAPI_METHODS_H

#include "gateway/router_private.h"

struct method {
	const char *name;
	uint32_t n_args_least, n_args_most;
	const char *usage;
	enum outcome (*run)(struct request *q);
};

/* NULL: there is none. */
const struct method *method_find(struct span name);
/* "call, register, ..." for people, in ret. */
void method_names(char *ret, size_t len);

/* Numbers up to here are whole in every encoding; as milliseconds, long enough for anybody. */
#define NUMBER_MOST (1LL << 53)

/* For the functions behind the table: takes the next of the params; false: the failure is set. */
bool request_read_text(struct request *q, const char *what, struct span *ret) MUST_CHECK;
/* Options may be left out. Their meaning is checked by the caller. */
struct option;
bool request_read_options(struct request *q, const struct option *table, size_t n,
			  void *ret) MUST_CHECK;

/* inspect.c: what is there, in results of methods and of built-in functions. */
enum outcome inspect_list(struct request *q, struct span pattern, bool is_long);
enum outcome inspect_describe(struct request *q, struct span name);
enum outcome inspect_status(struct request *q);
enum outcome inspect_stats(struct request *q);
enum outcome inspect_stats_of(struct request *q, struct span name);
void inspect_put_limits(struct buf *b, const struct router_limits *limits);

#endif
