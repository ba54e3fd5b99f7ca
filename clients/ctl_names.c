/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl wait, pause, resume, drain, unregister: names, from outside.
 *
 * Each name is asked for by itself, and those behind one that fails too: what ends the command
 * is the first failure.
 */
#include "clients/ctl.h"

#include <limits.h>

/* Ours is later than the gateway's, which says what is missing. */
static int own_limit_ms(const struct ctl *ctl)
{
	if (ctl->timeout_ms == 0 || ctl->timeout_ms > INT_MAX - 2000)
		return CTL_NO_LIMIT;
	return (int)ctl->timeout_ms + 2000;
}

static json_t *make_options(const struct ctl *ctl)
{
	return ctl->timeout_ms > 0 ? json_pack("{s:I}", "timeout_ms", (json_int_t)ctl->timeout_ms)
				   : json_object();
}

/* What has been done is told with --json only, as an array of names. */
static int finish(const struct ctl *ctl, json_t *done, int status)
{
	int printed = ctl->json ? ctl_print_json(done) : 0;

	json_decref(done);
	return status != 0 ? status : printed;
}

static int ask_one(struct ctl *ctl, const char *method, json_t *args, int limit_ms)
{
	chapi_reply *reply CLEANUP(ctl_free_reply) = NULL;

	return ctl_ask(ctl, method, args, limit_ms, &reply);
}

static int steer(struct ctl *ctl, const char *method, char *const *names, int n)
{
	json_t *done = json_array();
	int first = 0, status;

	for (int i = 0; i < n; i++) {
		status = ask_one(ctl, method, json_pack("[s]", names[i]), CTL_LIMIT_MS);
		if (status == 0)
			json_array_append_new(done, json_string(names[i]));
		else if (first == 0)
			first = status;
	}
	return finish(ctl, done, first);
}

int ctl_pause(struct ctl *ctl, char *const *args, int n)
{
	return steer(ctl, "pause", args, n);
}

int ctl_resume(struct ctl *ctl, char *const *args, int n)
{
	return steer(ctl, "resume", args, n);
}

int ctl_unregister(struct ctl *ctl, char *const *args, int n)
{
	return steer(ctl, "unregister", args, n);
}

int ctl_drain(struct ctl *ctl, char *const *args, int n)
{
	json_t *done = json_array();
	int first = 0, status;

	for (int i = 0; i < n; i++) {
		status = ask_one(ctl, "drain", json_pack("[s,o]", args[i], make_options(ctl)),
				 own_limit_ms(ctl));
		if (status == 0)
			json_array_append_new(done, json_string(args[i]));
		else if (first == 0)
			first = status;
	}
	return finish(ctl, done, first);
}

int ctl_wait(struct ctl *ctl, char *const *args, int n)
{
	json_t *names = json_array();
	int status;

	for (int i = 0; i < n; i++)
		json_array_append_new(names, json_string(args[i]));
	status = ask_one(ctl, "wait", json_pack("[O,o]", names, make_options(ctl)),
			 own_limit_ms(ctl));
	if (status == 0)
		return finish(ctl, names, 0);
	json_decref(names);
	return status;
}
