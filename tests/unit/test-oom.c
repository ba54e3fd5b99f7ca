/* SPDX-License-Identifier: MIT */
/*
 * The client library without memory: the n-th allocation fails, for each n, in a scenario
 * that touches all of it.
 *
 * What must hold: a function says NOMEM or what was asked for happens all the same; every
 * call that was accepted is answered once; nothing crashes; nothing stays allocated. malloc()
 * and its like are replaced in this program, also for the library. The gateway is played
 * here, without assertions: what it hears depends on what failed.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdbool.h>
#include <stdio.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
	__has_feature(memory_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

#ifdef SANITIZED
int main(void)
{
	puts("1..0 # SKIP sanitizers have a malloc() of their own");
	return 0;
}
#else

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libchapi-ipc/buf.h"
#include "libchapi-ipc/chapi-ipc.h"
#include "libchapi-ipc/frame.h"
#include "libchapi-ipc/message.h"
#include "libchapi-ipc/value.h"

/* ---- malloc ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

static struct {
	bool armed;		/* the library runs: its allocations count */
	long n, first, last;	/* which fail */
	long n_failed;
	long n_live;		/* blocks, whoever's */
} memory;

static bool memory_fails(void)
{
	if (!memory.armed)
		return false;
	memory.n++;
	if (memory.n < memory.first || memory.n > memory.last)
		return false;
	memory.n_failed++;
	return true;
}

#define REPLACED __attribute__((visibility("default"), noinline))

REPLACED void *malloc(size_t size)
{
	void *p = memory_fails() ? NULL : __libc_malloc(size);

	memory.n_live += p != NULL;
	return p;
}

REPLACED void *calloc(size_t n, size_t size)
{
	void *p = memory_fails() ? NULL : __libc_calloc(n, size);

	memory.n_live += p != NULL;
	return p;
}

REPLACED void *aligned_alloc(size_t alignment, size_t size)
{
	void *p = memory_fails() ? NULL : __libc_memalign(alignment, size);

	memory.n_live += p != NULL;
	return p;
}

REPLACED void *realloc(void *old, size_t size)
{
	void *p = memory_fails() ? NULL : __libc_realloc(old, size);

	memory.n_live += !old && p;
	return p;
}

REPLACED void free(void *p)
{
	memory.n_live -= p != NULL;
	__libc_free(p);
}

/* An expression of the library's. */
#define LIB(expression)                                                                            \
	({                                                                                         \
		memory.armed = true;                                                               \
		__typeof__(expression) result_ = (expression);                                     \
		memory.armed = false;                                                              \
		result_;                                                                           \
	})

/* ---- the gateway ---- */

struct world {
	struct sockaddr_un address;
	int listener, gateway;
	struct buf in;
	struct frame_reader reader;
	chapi_conn *conn;
	chapi_request *request;
	int n_asked, n_replies, n_good;	/* calls by callback */
	int n_progress, n_events, n_names, n_cancelled, n_connected, n_restored, n_answered;
	int n_errors;			/* functions that failed */
	int n_turns, n_waits;
};

#define TURNS_MAX 2000

static void accept_one(struct world *w)
{
	w->gateway = accept4(w->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert(w->gateway >= 0);
	buf_clear(&w->in);
	frame_reader_init(&w->reader, 1 << 20);
}

static void leave(struct world *w)
{
	if (w->gateway >= 0)
		close(w->gateway);
	w->gateway = -1;
}

static void say(struct world *w, const char *json)
{
	struct buf b = BUF_NULL;
	struct value_fault fault;

	assert(value_from_json(span_str(json), MP_MESSAGE_DEPTH_MAX, &b, &fault) == 0);
	assert(send(w->gateway, buf_data(&b), b.len, MSG_NOSIGNAL) == (ssize_t)b.len);
	buf_deinit(&b);
}

/* Without a wait: the library tries again at each call. */
static void turn(struct world *w)
{
	int r = LIB(chapi_process(w->conn));

	assert(r == 0 || r == -CHAPI_ERR_NOMEM);
	assert(++w->n_turns < TURNS_MAX);
}

/* The next message, if there is one. */
static bool hear(struct world *w, struct message *ret, struct frame *frame)
{
	uint8_t *room = buf_reserve(&w->in, 65536);
	ssize_t n = recv(w->gateway, room, 65536, 0);
	const char *why;
	int r;

	if (n > 0)
		buf_commit(&w->in, (size_t)n);
	r = frame_next(&w->reader, buf_data(&w->in), w->in.len, frame);
	if (r != 0) {
		assert(r == FRAME_E_MORE);
		buf_consume(&w->in, frame->used);
		return false;
	}
	assert(message_parse(frame->bytes, frame->depth, ret, &why) == 0);
	return true;
}

/* Says yes to the requests that are there, and counts the answers. */
static void answer_all(struct world *w)
{
	struct message m;
	struct frame frame;
	char text[64];

	turn(w);
	while (hear(w, &m, &frame)) {
		snprintf(text, sizeof(text), "[1,%u,null,{}]", m.id);
		if (m.type == MESSAGE_REQUEST)
			say(w, text);
		w->n_answered += m.type == MESSAGE_RESPONSE;
		buf_consume(&w->in, frame.used);
	}
	turn(w);
}

/* ---- the program ---- */

static void on_reply(chapi_conn *conn, const chapi_reply *reply, void *data)
{
	struct world *w = data;
	char *text = NULL;

	w->n_replies++;
	w->n_good += chapi_reply_code(reply) == CHAPI_OK;
	if (chapi_reply_result_json(reply, true, &text) < 0)
		w->n_errors++;
	free(text);
	if (w->n_replies == 1 && chapi_cancel(conn, 12345) != -CHAPI_ERR_GONE)
		w->n_errors++;
}

static void on_progress(chapi_conn *conn UNUSED, uint32_t id UNUSED, const void *value UNUSED,
			size_t len UNUSED, void *data)
{
	((struct world *)data)->n_progress++;
}

static void on_cancel(chapi_request *request, void *data)
{
	struct world *w = data;

	w->n_cancelled++;
	w->request = NULL;
	if (chapi_answer_error(request, "cancelled", "stopped", "{\"why\":[1,2,3]}") < 0)
		w->n_errors++;
}

static void on_request(chapi_request *request, void *data)
{
	struct world *w = data;
	char *text = NULL;

	if (chapi_request_params_json(request, false, &text) < 0)
		w->n_errors++;
	free(text);
	if (chapi_progress_json(request, "{\"percent\":[10,\"of a hundred\"]}") < 0)
		w->n_errors++;
	if (w->request) {
		if (chapi_answer_json(request, "{\"list\":[1,2,3,{\"deep\":\"er\"}]}") < 0)
			w->n_errors++;
		return;
	}
	chapi_request_on_cancel(request, on_cancel, w);
	w->request = request;
}

static void on_event(chapi_conn *conn UNUSED, const void *event UNUSED, size_t len UNUSED,
		     void *data)
{
	((struct world *)data)->n_events++;
}

static void on_name(chapi_conn *conn UNUSED, enum chapi_name_change change UNUSED,
		    const char *name UNUSED, const char *reason UNUSED, void *data)
{
	((struct world *)data)->n_names++;
}

static void on_change(chapi_conn *conn UNUSED, const struct chapi_change *change, void *data)
{
	struct world *w = data;

	w->n_connected += change->kind == CHAPI_CONNECTED;
	w->n_restored +=
		change->kind == CHAPI_NAME_RESTORED || change->kind == CHAPI_MONITOR_RESTORED;
}

/* ---- the scenario, in parts; each returns false when the program would give up ---- */

/* For functions that wait: the yes is there before they ask. */
static void say_yes(struct world *w)
{
	char answer[32];

	snprintf(answer, sizeof(answer), "[1,%d,null,{\"a\":1}]", ++w->n_waits);
	say(w, answer);
}

#define SAID(w, expression) (say_yes(w), LIB(expression))

static bool ask(struct world *w)
{
	static const char *const tags[] = { "a", "b", NULL }, *const names[] = { "f" };
	const struct chapi_api_options o = { .size = sizeof(o), .summary = "s", .policy = "share",
					     .tags = tags, .params_json = "{\"type\":\"object\"}",
					     .options_json = "{\"concurrency\":2}" };
	const struct chapi_monitor_options m = { .size = sizeof(m), .kinds = tags };
	const struct chapi_hello_options h = { .size = sizeof(h), .client = "c" };
	chapi_reply *reply = NULL;

	if (SAID(w, chapi_hello(w->conn, &h, NULL)) < 0 ||
	    SAID(w, chapi_register(w->conn, "f", &o, on_request, w, NULL)) < 0 ||
	    SAID(w, chapi_monitor(w->conn, &m, on_event, w, NULL)) < 0 ||
	    SAID(w, chapi_update(w->conn, "f", &o, NULL)) < 0 ||
	    SAID(w, chapi_pause(w->conn, "f", NULL)) < 0 ||
	    SAID(w, chapi_list(w->conn, "*", true, NULL)) < 0 ||
	    SAID(w, chapi_wait(w->conn, names, 1, 1000, NULL)) < 0 ||
	    SAID(w, chapi_publish_json(w->conn, "c", "e", "[1]", 0, NULL)) < 0 ||
	    SAID(w, chapi_drain(w->conn, "f", 10, NULL)) < 0 ||
	    SAID(w, chapi_method_wait_json(w->conn, "gateways", "[\"all\"]", 1000, &reply)) < 0)
		return false;
	LIB(chapi_reply_free(reply));
	return true;
}

static bool call(struct world *w)
{
	const struct chapi_call_options o = {
		.size = sizeof(o), .id = "label", .progress = on_progress, .progress_data = w
	};
	char text[64];
	uint32_t id;
	int r;

	for (int i = 0; i < 20; i++) {
		r = LIB(chapi_call_json(w->conn, "a.b", "{\"x\":[1,2.5]}", &o, on_reply, w, &id));
		w->n_asked += r == 0;
		w->n_errors += r < 0;
	}
	if (w->n_asked < 20)
		return false;
	snprintf(text, sizeof(text), "[2,\"progress\",[%u,{\"percent\":5}]]", id);
	say(w, text);
	answer_all(w);
	return w->n_replies == 20;
}

static void serve(struct world *w)
{
	say(w, "[0,7,\"f\",[{\"x\":1},{\"progress\":true,\"call\":\"c\"}]]");
	say(w, "[0,8,\"f\",[{\"x\":1},{\"progress\":true}]]");
	say(w, "[2,\"granted\",[\"f\"]]");
	say(w, "[2,\"event\",[{\"kind\":\"api\"}]]");
	say(w, "[2,\"cancel\",[7]]");
	for (int i = 0; i < 3; i++)
		answer_all(w);
}

static void reconnect(struct world *w)
{
	int r = LIB(chapi_call_json(w->conn, "lost", "{}", NULL, on_reply, w, NULL));

	w->n_asked += r == 0;
	w->n_errors += r < 0;
	leave(w);
	while (w->n_connected == 0) {
		turn(w);
		poll(NULL, 0, MAX(0, MIN(chapi_get_timeout_ms(w->conn), 20)));
	}
	accept_one(w);
	for (int i = 0; i < 4; i++)
		answer_all(w);
}

/* Everything that did not fail has happened. */
static void check_all(const struct world *w)
{
	assert(w->n_progress == 1 && w->n_names == 1 && w->n_events == 1 && w->n_cancelled == 1);
	assert(w->n_answered == 2);
	assert(w->n_restored == 2);
	assert(w->n_good == 20);
}

static void run(struct world *w)
{
	if (LIB(chapi_connect(w->address.sun_path, &w->conn)) < 0) {
		w->n_errors++;
		return;
	}
	accept_one(w);
	chapi_set_reconnect(w->conn, true, on_change, w);
	chapi_set_name_fn(w->conn, on_name, w);
	if (ask(w) && call(w)) {
		serve(w);
		reconnect(w);
		check_all(w);
	} else {
		w->n_errors++;
	}
	LIB(chapi_close(w->conn));
	assert(w->n_replies == w->n_asked);
	if (w->request)
		chapi_request_drop(w->request);
	leave(w);
	buf_deinit(&w->in);
}

/* ---- a request that is too large ---- */

#define LARGE (65 << 20)	/* the library takes 64 MiB and an envelope */

static void pour(struct world *w, const void *p, size_t len)
{
	const char *at = p;
	ssize_t n;

	while (len > 0) {
		n = send(w->gateway, at, len, MSG_NOSIGNAL);
		if (n < 0) {
			turn(w);
			continue;
		}
		at += n;
		len -= (size_t)n;
	}
}

/* [0,9,"f",[bin,{}]] */
static void pour_large(struct world *w)
{
	static const char head[] = "\x94\x00\x09\xa1" "f\x92\xc6\x04\x10\x00\x00";
	static char body[LARGE];

	_Static_assert(LARGE == 0x04100000, "the length in head");
	pour(w, head, sizeof(head) - 1);
	pour(w, body, sizeof(body));
	pour(w, "\x80", 1);
}

/* What came behind it in one read waits, and is not lost. */
static void run_large(struct world *w)
{
	if (LIB(chapi_connect(w->address.sun_path, &w->conn)) < 0) {
		w->n_errors++;
		return;
	}
	accept_one(w);
	pour_large(w);
	say(w, "[0,10,\"f\",[{},{}]]");
	for (int i = 0; i < 8; i++)
		answer_all(w);
	assert(w->n_answered == 2);
	LIB(chapi_close(w->conn));
	leave(w);
	buf_deinit(&w->in);
}

/* ---- the tests ---- */

static int listen_in(const char *folder, struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof(address->sun_path), "%s/gw.sock", folder);
	assert(bind(fd, (struct sockaddr *)address, sizeof(*address)) == 0);
	assert(listen(fd, 5) == 0);
	return fd;
}

/* Returns how many allocations failed: fewer than asked for when the scenario needs less. */
static long run_without(void (*scenario)(struct world *w), const struct world *fresh, long first,
			long n)
{
	struct world w = *fresh;
	long n_live = memory.n_live;

	memory.n = memory.n_failed = 0;
	memory.first = first;
	memory.last = first + n - 1;
	scenario(&w);
	if (memory.n_live != n_live || (memory.n_failed == 0 && w.n_errors > 0)) {
		printf("# allocation %ld: %ld blocks are left, %d functions failed\n", first,
		       memory.n_live - n_live, w.n_errors);
		exit(1);
	}
	return memory.n_failed;
}

int main(void)
{
	static const int in_a_row[] = { 1, 3 };
	char folder[] = "/tmp/chapi-oom-XXXXXX";
	struct world fresh = { .gateway = -1 };
	long n;

	assert(mkdtemp(folder));
	setvbuf(stdout, NULL, _IONBF, 0);
	fresh.listener = listen_in(folder, &fresh.address);
	puts("1..3");
	for (size_t i = 0; i < ARRAY_SIZE(in_a_row); i++) {
		for (n = 1; run_without(run, &fresh, n, in_a_row[i]) > 0; n++)
			;
		assert(n > 50);
		printf("ok %zu - %d failures in a row, from each of %ld allocations on\n", i + 1,
		       in_a_row[i], n - 1);
	}
	for (n = 1; run_without(run_large, &fresh, n, 3) > 0; n++)
		;
	assert(n > 3);
	printf("ok 3 - a request that is too large, without each of %ld allocations\n", n - 1);
	close(fresh.listener);
	unlink(fresh.address.sun_path);
	rmdir(folder);
	return 0;
}
#endif
