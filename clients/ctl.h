/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl: what its subcommands share, and what they are.
 *
 * chapi-ctl.c has the table of them and reads the command line; each ctl_*.c holds a family of
 * them. Asking the gateway is ctl.c's.
 */
#ifndef CHAPI_CLIENTS_CTL_H
#define CHAPI_CLIENTS_CTL_H

#include <jansson.h>

#include "clients/cli.h"
#include "clients/setup.h"

#define CTL_COUNT_UNSAID INT64_C(-1)

/* What the command line said. Each subcommand has some of the options: see its table. */
struct ctl {
	struct cli_common common;
	bool json;		/* before the subcommand or behind it */
	bool is_long;		/* list */
	bool bodies;		/* monitor */
	const char *kinds;	/* monitor: names with commas between them */
	int64_t count;		/* monitor, ping; or CTL_COUNT_UNSAID */
	int64_t timeout_ms;	/* wait, drain; 0: no limit */
	const char *textfile;	/* metrics */
	struct setup setup;
	chapi_conn *conn;	/* made when somebody asks */
};

/*
 * Runs one subcommand with its n arguments; returns the status to end with, all has been said.
 */
typedef int (*ctl_fn)(struct ctl *ctl, char *const *args, int n);

int ctl_complete(struct ctl *ctl, char *const *args, int n);	/* ctl_complete.c */
int ctl_describe(struct ctl *ctl, char *const *args, int n);	/* ctl_list.c */
int ctl_doctor(struct ctl *ctl, char *const *args, int n);	/* ctl_doctor.c */
int ctl_drain(struct ctl *ctl, char *const *args, int n);	/* ctl_names.c */
int ctl_gateways(struct ctl *ctl, char *const *args, int n);	/* ctl_gateways.c */
int ctl_list(struct ctl *ctl, char *const *args, int n);	/* ctl_list.c */
int ctl_log_level(struct ctl *ctl, char *const *args, int n);	/* ctl_admin.c */
int ctl_metrics(struct ctl *ctl, char *const *args, int n);	/* ctl_metrics.c */
int ctl_monitor(struct ctl *ctl, char *const *args, int n);	/* ctl_monitor.c */
int ctl_pause(struct ctl *ctl, char *const *args, int n);	/* ctl_names.c */
int ctl_ping(struct ctl *ctl, char *const *args, int n);	/* ctl_status.c */
int ctl_reload(struct ctl *ctl, char *const *args, int n);	/* ctl_admin.c */
int ctl_resume(struct ctl *ctl, char *const *args, int n);	/* ctl_names.c */
int ctl_setup(struct ctl *ctl, char *const *args, int n);	/* ctl_setup.c */
int ctl_stats(struct ctl *ctl, char *const *args, int n);	/* ctl_status.c */
int ctl_status(struct ctl *ctl, char *const *args, int n);	/* ctl_status.c */
int ctl_unregister(struct ctl *ctl, char *const *args, int n);	/* ctl_names.c */
int ctl_wait(struct ctl *ctl, char *const *args, int n);	/* ctl_names.c */

#define CTL_LIMIT_MS 30000	/* for answers that the gateway has at once */
#define CTL_NO_LIMIT 0

/* 0, or the status to end with, said already. */
int ctl_connect(struct ctl *ctl);
/*
 * Asks the gateway and waits for the answer. args: an array, taken (NULL: no memory). 0 and a
 * good answer, or the status to end with, said already.
 */
int ctl_ask(struct ctl *ctl, const char *method, json_t *args, int limit_ms,
	    chapi_reply **ret_reply);
/* As above; the result as a value. */
int ctl_ask_value(struct ctl *ctl, const char *method, json_t *args, json_t **ret_value);

/* As ctl_ask(), and then prints the result: as JSON with --json, else by print. */
int ctl_show(struct ctl *ctl, const char *method, json_t *args, void (*print)(const json_t *value));

/* A value that the subcommand made itself, as --json wants it. */
int ctl_print_json(const json_t *value);
int ctl_no_memory(void);

/*
 * A call of the gateway to itself, through the hub by one of its channels, as the event that it
 * takes for a request (ctl_trip.c). Negative CHAPI_ERR_*, and why in words; else 0 and how long it
 * took.
 */
int ctl_trip(chapi_conn *conn, const char *channel, const char *event, int64_t *ret_ms, char *why,
	     size_t why_len);

/* Of an object: text that is there, or ""; numbers or 0. */
const char *ctl_text(const json_t *object, const char *key);
double ctl_number(const json_t *object, const char *key);
long long ctl_integer(const json_t *object, const char *key);

/* For CLEANUP. */
void ctl_free_json(json_t **value);
void ctl_free_reply(chapi_reply **reply);

#endif
