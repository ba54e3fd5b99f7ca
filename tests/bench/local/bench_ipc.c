/* SPDX-License-Identifier: MIT */
/*
 * Load generator for chapi-gw on libchapi-ipc: what a C program that uses the library costs.
 *
 * The calls of bench_chapi.c; the library does the packing, the framing and the table of calls.
 */
#define _GNU_SOURCE
#include "bench.h"
#include "mp.h"

#include <poll.h>

#include "chapi-ipc.h"

struct slot {
	uint32_t id;
	unsigned int number;
};

static struct cstat *stat_of;
static uint8_t *params;
static int caller_idx;
static char (*names)[24];

static void make_names(void)
{
	names = malloc((size_t)name_total() * sizeof(*names));
	if (!names)
		die("out of memory");
	for (int i = 0; i < name_total(); i++)
		snprintf(names[i], sizeof(names[i]), "echo%d", i);
}

static void must(int r, const char *what)
{
	if (r < 0)
		die("%s: %s", what, chapi_strerror(r));
}

static void on_reply(chapi_conn *conn, const chapi_reply *reply, void *data);

/* [bin(size)], with the number of the call in its first bytes. */
static void call(chapi_conn *conn, struct slot *slot)
{
	uint8_t *q = params;

	slot->id = slot_issue(&stat_of->sl, slot->number);
	q = mp_array(q, 1);
	q = mp_bin_head(q, (uint32_t)cfg.size);
	memcpy(q, &slot->id, sizeof(slot->id));
	must(chapi_call(conn, names[name_of(caller_idx, stat_of->sl.seq++)], params, (size_t)(q - params) + cfg.size, NULL, on_reply, slot, NULL),
	     "call");
}

static void on_reply(chapi_conn *conn, const chapi_reply *reply, void *data)
{
	struct slot *slot = data;
	size_t len = 0;
	const uint8_t *result = chapi_reply_result(reply, &len);
	size_t head = len - cfg.size;
	int good = result && len > cfg.size && !memcmp(result + head, &slot->id, sizeof(slot->id)) &&
		   result[len - 1] == 'x';

	slot_done(&stat_of->sl, stat_of, slot->id, good);
	call(conn, slot);
}

/* Until the run ends: the library's own loop would wait for a message that does not come. */
static void run(chapi_conn *conn)
{
	while (!bench_stop())
		must(chapi_run_once(conn, 100), "run");
}

static void caller(int idx)
{
	static struct slot slots[MAX_WINDOW];
	chapi_conn *conn;

	caller_idx = idx;
	stat_of = &S->c[idx];
	params = malloc(cfg.size + 16);
	if (!params)
		die("out of memory");
	memset(params, 'x', cfg.size + 16);
	make_names();
	must(chapi_connect(cfg.addr, &conn), "connect");
	bench_ready(&S->ready_call);
	bench_wait();
	for (int i = 0; i < cfg.window; i++) {
		slots[i].number = (unsigned int)i;
		call(conn, &slots[i]);
	}
	run(conn);
	for (;;)
		pause();
}

static void on_request(chapi_request *request, void *data)
{
	size_t len;
	const void *value = chapi_request_params(request, &len);

	(void)data;
	must(chapi_answer(request, value, len), "answer");
}

static void provider(int idx)
{
	chapi_conn *conn;

	make_names();
	must(chapi_connect(cfg.addr, &conn), "connect");
	for (int i = idx; i < name_total(); i += cfg.providers)
		must(chapi_register(conn, names[i], NULL, on_request, NULL, NULL), "register");
	bench_ready(&S->ready_prov);
	must(chapi_run(conn), "run");
	die("the provider's loop has ended");
}

static void idle(int n)
{
	chapi_conn *conn;

	for (int i = 0; i < n; i++)
		must(chapi_connect(cfg.addr, &conn), "idle connection");
	bench_ready(&S->ready_idle);
	for (;;)
		pause();
}

static int probe(void)
{
	chapi_reply *reply = NULL;
	chapi_conn *conn;
	int r = chapi_connect(cfg.addr, &conn);

	if (r < 0)
		return -1;
	r = chapi_hello(conn, NULL, &reply);
	chapi_reply_free(reply);
	chapi_close(conn);
	return r < 0 ? -1 : 0;
}

const struct transport T = { provider, caller, idle, probe, 0 };
