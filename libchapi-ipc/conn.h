/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the client library share: the connection and how it is written to.
 *
 * conn.c moves bytes and finds messages in them, conn_run.c says when. conn_socket.c opens the
 * socket, reconnect.c makes a lost connection again. conn_values.c has what a program gives.
 * client.c keeps the calls made, names.c the names held, service.c the requests to them,
 * watch.c who watches, gateway_methods.c asks for the rest. All work on struct chapi_conn below.
 *
 * Any callback of the program may do anything with the connection, close it as well, and
 * wait on it, so that more messages are handled before the callback returns. Hence:
 * - what is handed to a callback is a copy of its own; the message is taken off the input
 *   with conn_taken() before, and nothing of it is looked at afterwards;
 * - a function that goes on after a callback does so between conn_enter() and conn_leave(),
 *   since chapi_close() frees the connection only when no such function is left;
 * - during a callback the connection may be lost, and made again: calls and requests of
 *   before are marked before the first of them is told, so that none is taken for a new one.
 */
#ifndef CHAPI_CONN_H
#define CHAPI_CONN_H

#include <stdbool.h>
#include <sys/un.h>

#include "libchapi-ipc/buf.h"
#include "libchapi-ipc/chapi-ipc.h"
#include "libchapi-ipc/frame.h"
#include "libchapi-ipc/hashtable.h"
#include "libchapi-ipc/list.h"
#include "libchapi-ipc/message.h"

/* Makes a lost connection again, see reconnect.c. */
struct reconnect {
	bool on;
	bool heard;		/* the gateway said something: the next wait is a short one */
	bool restoring;		/* something is still to be asked for again */
	int untold;		/* -CHAPI_ERR_* of a loss that the program does not know of yet */
	unsigned int n_tries;	/* since the gateway was heard */
	int64_t since_ms;	/* the connection is there */
	int64_t due_ms;		/* of the next try */
	chapi_change_fn fn;
	void *data;
};

struct chapi_conn {
	int fd;			/* -1 once the connection is over, or lost for a time */
	int error;		/* why it is over, -CHAPI_ERR_* */
	bool cut;		/* it takes nothing any more; what it sent is still read */
	bool stalled;		/* no memory for the next message: it is tried again */
	bool partial;		/* in holds no whole message: more has to come first */
	bool stopped;		/* chapi_stop() */
	bool closed;		/* chapi_close() */
	unsigned int n_inside;	/* functions that will go on with it, see above */
	struct buf in, out;
	size_t taking;		/* bytes of the message being handled, see conn_taken() */
	uint64_t n_sent;	/* bytes that the socket took, since it is there */
	struct frame_reader reader;
	uint32_t last_id;
	struct reconnect reconnect;
	struct hashtable calls;		/* struct call by id */
	struct list calls_in_order;
	struct hashtable handlers;		/* struct handler by name */
	struct list handlers_in_order;
	struct hashtable requests;		/* with the program, not answered yet, by id */
	struct list requests_in_order;
	struct list gone;		/* requests with the program whose connection is lost */
	struct list owed;		/* requests whose answer found no room: an error will do */
	int64_t refused;		/* id of a request that was too large, to be told so; -1 */
	struct list unwanted;		/* names that may be ours and must not: to be given back */
	struct list watches;		/* the one that counts is the last */
	chapi_name_fn name_fn;
	void *name_data;
	chapi_log_fn log;
	void *log_data;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* A value as a caller of the library gave it. */
struct given {
	const void *p;	/* NULL: none */
	size_t len;
	bool json;
};

static inline struct given given_msgpack(const void *p, size_t len)
{
	return (struct given){ .p = p, .len = len };
}

static inline struct given given_json(const char *text)
{
	return (struct given){ .p = text, .len = text ? strlen(text) : 0, .json = true };
}

static inline void conn_enter(struct chapi_conn *conn)
{
	conn->n_inside++;
}
/* 0, or why the connection is over; do not touch conn afterwards. */
int conn_leave(struct chapi_conn *conn);

static inline bool conn_is_open(const struct chapi_conn *conn)
{
	return conn->fd >= 0 && !conn->cut;
}

/* Times of the library: milliseconds of a clock that only goes forward. */
int64_t conn_clock_ms(void);

/* The message being handled has been copied or is not wanted: its spans end here. */
void conn_taken(struct chapi_conn *conn);

void conn_log(struct chapi_conn *conn, const char *fmt, ...) PRINTF(2, 3);

/* The text of a key of a MessagePack map; empty if there is none. */
struct span conn_map_text(struct span map, const char *key);
/* Copies s and a NUL to *w and moves on; returns where it is now. */
char *conn_store(char **w, struct span s);
/*
 * A struct of options as the program's header knew it, shorter or longer than ours: to keeps
 * its defaults beyond. from may be NULL. USAGE: from has no size.
 */
int conn_copy_options(void *to, size_t to_size, const void *from) MUST_CHECK;

/* One value into out, checked or converted; if none is given, the byte of MessagePack instead. */
int conn_put_given(struct buf *out, const struct given *given, uint8_t instead) MUST_CHECK;
/* -CHAPI_ERR_* for a failure that a buffer remembers. */
int conn_buf_error(const struct buf *b) MUST_CHECK;

/*
 * Writing a message: conn_begin(), appends to conn->out, conn_end() with what went wrong so
 * far. On failure the message is taken back and the -CHAPI_ERR_* returned.
 */
int conn_begin(struct chapi_conn *conn, size_t *ret_start) MUST_CHECK;
int conn_end(struct chapi_conn *conn, size_t start, int r) MUST_CHECK;
/* The same for an answer that says no: there is room for it when the program's have none. */
int conn_end_small(struct chapi_conn *conn, size_t start, int r) MUST_CHECK;

/* Reads once, and deals with every whole message that is there. */
void conn_receive(struct chapi_conn *conn);
/* Sends what the socket takes. */
void conn_flush(struct chapi_conn *conn);
/* Waits at most timeout_ms (-1: no limit) for anything to do, and does it. As chapi_process(). */
int conn_turn(struct chapi_conn *conn, int timeout_ms) MUST_CHECK;
/* A socket that is connected. 0, or -CHAPI_ERR_*. flags: as below. */
int conn_open_socket(const char *path, int flags, int *ret_fd) MUST_CHECK;
/* conn->path: 0, or -CHAPI_ERR_*. flags: SOCK_NONBLOCK, or 0 to wait for a place in its queue. */
int conn_dial(struct chapi_conn *conn, int flags) MUST_CHECK;

/*
 * Whatever handles a message returns 0, or -ENOMEM: then it has not been taken, and nothing
 * has happened; it is tried again.
 */

/* ---- client.c ---- */
int client_response(struct chapi_conn *conn, const struct message *message) MUST_CHECK;
int client_progress(struct chapi_conn *conn, const struct message *message) MUST_CHECK;
/* The answer to a call was over our limit. */
void client_too_large(struct chapi_conn *conn, uint32_t id);
/* Every call gets connection_lost. */
void client_lost(struct chapi_conn *conn);
/* chapi_method() with the array's bytes in args; the callback can be taken back. */
int client_ask_raw(struct chapi_conn *conn, const char *method, struct span args,
		   chapi_reply_fn fn, void *data, uint32_t *ret_id) MUST_CHECK;
void client_forget(struct chapi_conn *conn, uint32_t id);
/* Asks and waits; the gateway's no becomes a negative code. limit_ms: 0 is none. */
int client_ask_code(struct chapi_conn *conn, const char *method, const struct buf *args,
		    int64_t limit_ms, chapi_reply **ret_reply) MUST_CHECK;
/* The same, within CLIENT_LIMIT_MS; fn sees the reply, if one comes, before anything that came
 * behind it is handled. */
int client_ask_code_then(struct chapi_conn *conn, const char *method, const struct buf *args,
			 chapi_reply_fn fn, void *data, chapi_reply **ret_reply) MUST_CHECK;
#define CLIENT_LIMIT_MS 30000	/* of the gateway, where an answer needs no time */
#define CLIENT_GRACE_MS 2000	/* its own answer to a deadline comes within */

/* ---- names.c ---- */
struct handler;
/* The handler of a name, one that the gateway confirmed first; NULL: none. */
struct handler *names_find(const struct chapi_conn *conn, struct span name);
void names_call(const struct handler *handler, chapi_request *request);
int names_granted(struct chapi_conn *conn, const struct message *message) MUST_CHECK;
int names_revoked(struct chapi_conn *conn, const struct message *message) MUST_CHECK;
void names_lost(struct chapi_conn *conn);	/* all are to be asked for again */
/* Asks for them; not 0: some are left for the next time. */
int names_restore(struct chapi_conn *conn) MUST_CHECK;
/* Gives back what the gateway may have granted too late; not 0: some are left, as above. */
int names_give_back(struct chapi_conn *conn) MUST_CHECK;
void names_deinit(struct chapi_conn *conn);

/* ---- service.c ---- */
int service_request(struct chapi_conn *conn, const struct message *message) MUST_CHECK;
int service_cancel(struct chapi_conn *conn, const struct message *message) MUST_CHECK;
/* A request that is not even made, as it is too large. */
void service_refuse(struct chapi_conn *conn, uint32_t id);
/* Says so, if that is still to be said. -ENOMEM: nothing more may be read before it is. */
int service_tell_refused(struct chapi_conn *conn) MUST_CHECK;
/* Answers what is owed, as far as there is room. */
void service_pay(struct chapi_conn *conn);
void service_lost(struct chapi_conn *conn);	/* requests cannot be answered any more */
void service_tell_lost(struct chapi_conn *conn);	/* the program hears of that */
void service_orphan(struct chapi_conn *conn);	/* requests lose their connection, for good */

/* ---- watch.c ---- */
int watch_event(struct chapi_conn *conn, const struct message *message) MUST_CHECK;
void watch_lost(struct chapi_conn *conn);	/* as names_lost() and so on */
int watch_restore(struct chapi_conn *conn) MUST_CHECK;
void watch_deinit(struct chapi_conn *conn);

/* ---- reconnect.c ---- */
/* The connection is lost: plans the next try, if there is to be one. */
void reconnect_plan(struct chapi_conn *conn, int error);
/* Tells the program so, unless it has heard of it. */
void reconnect_tell_lost(struct chapi_conn *conn);
/* It will be made again: being without it is no error. */
bool reconnect_is_on(const struct chapi_conn *conn);
/* Tries, when it is time. */
void reconnect_process(struct chapi_conn *conn);
/* Asks again for what was there before, as far as there is memory. */
void reconnect_restore(struct chapi_conn *conn);
/* Milliseconds until reconnect_process() has something to do; -1: nothing. */
int reconnect_timeout_ms(const struct chapi_conn *conn);
/* What became of something asked for again: OK, or failed, with the gateway's answer. */
void reconnect_tell_reply(struct chapi_conn *conn, enum chapi_change_kind ok,
			  enum chapi_change_kind failed, const char *name,
			  const chapi_reply *reply);

#endif
