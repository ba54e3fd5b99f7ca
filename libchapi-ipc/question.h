/* SPDX-License-Identifier: MIT */
/*
 * Questions to the gateway: checked as the program gives them, and written into a request. What
 * becomes of them is client.c.
 */
#ifndef CHAPI_QUESTION_H
#define CHAPI_QUESTION_H

#include "conn.h"

/* A method and what to put into its params. All of it is borrowed. */
struct question {
	const char *method;
	const char *api;			/* call: */
	struct given params;
	struct chapi_call_options options;
	struct span args;			/* any other method: the elements, and how many */
	uint32_t n_args;
};

/* 0 or -CHAPI_ERR_*. options may be of an older, shorter struct, or of a newer, longer one. */
int question_call(struct question *q, const char *api, struct given params,
		  const struct chapi_call_options *options) MUST_CHECK;
/* args: an array, or empty: none. */
int question_method(struct question *q, const char *method, struct span args) MUST_CHECK;

/* The request, appended. 0 or -CHAPI_ERR_*: what was given is no value. */
int question_put(struct buf *out, uint32_t id, const struct question *q) MUST_CHECK;

#endif
