/* SPDX-License-Identifier: MIT */
/*
 * libchapi-ipc: register names at a chapi gateway, answer calls, make calls.
 *
 * A connection (struct chapi_conn) is a Unix socket to chapi-gw. The library starts no
 * threads, prints nothing, never exits, raises no signal (SIGPIPE) and keeps no global state;
 * its sockets are closed on exec. It can be driven by any event loop (chapi_get_fd(),
 * chapi_get_events(), chapi_get_timeout_ms(), chapi_process()), or by itself (chapi_run(), and
 * the calls that wait).
 *
 * One connection, with its requests and replies, belongs to one thread at a time; several
 * connections are independent. The library takes no lock, and what it does is not for signal
 * handlers.
 *
 * Texts, values and options that are given are read before a function returns, and copied where
 * they are needed later; fn and data are kept as they are.
 *
 * Functions that can fail return 0 or a negative CHAPI_ERR_* (-CHAPI_ERR_NOMEM ...);
 * chapi_strerror() puts it into words. An out-parameter (ret_*) is set on success only.
 * Values (params, results, details) are MessagePack bytes, or JSON text in the functions
 * ending in _json; the table of how one becomes the other is in chapi-ipc(7).
 */
#ifndef CHAPI_IPC_H
#define CHAPI_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#define CHAPI_PROTOCOL_VERSION 1
#define CHAPI_DEFAULT_SOCKET "/run/chapi/gw.sock"

/*
 * What can go wrong. 1 to 63: outcomes of a call, the codes of chapi-ipc(7), "ERROR CODES". From
 * 64: trouble of the library itself. Values never change; new ones may come.
 */
enum chapi_err {
	CHAPI_OK = 0,
	CHAPI_ERR_API_ERROR = 1,
	CHAPI_ERR_INVALID_ARGUMENT = 2,
	CHAPI_ERR_API_NOT_FOUND = 3,
	CHAPI_ERR_API_EXISTS = 4,
	CHAPI_ERR_PERMISSION_DENIED = 5,
	CHAPI_ERR_UNAUTHENTICATED = 6,
	CHAPI_ERR_FAILED_PRECONDITION = 7,
	CHAPI_ERR_BUSY = 8,
	CHAPI_ERR_RATE_LIMITED = 9,
	CHAPI_ERR_PAUSED = 10,
	CHAPI_ERR_HUB_DOWN = 11,
	CHAPI_ERR_GATEWAY_NOT_FOUND = 12,
	CHAPI_ERR_TOO_LARGE = 13,
	CHAPI_ERR_DEADLINE_EXCEEDED = 14,
	CHAPI_ERR_CANCELLED = 15,
	CHAPI_ERR_PROVIDER_GONE = 16,
	CHAPI_ERR_ANSWER_LOST = 17,
	CHAPI_ERR_BAD_REPLY = 18,
	CHAPI_ERR_BAD_MESSAGE = 19,
	CHAPI_ERR_VERSION_MISMATCH = 20,
	CHAPI_ERR_INTERNAL = 21,
	CHAPI_ERR_CONNECTION_LOST = 22,

	CHAPI_ERR_NOMEM = 64,		/* no memory */
	CHAPI_ERR_NO_GATEWAY = 65,	/* nobody listens at the socket */
	CHAPI_ERR_ACCESS = 66,		/* the socket's owner, group and mode keep us out */
	CHAPI_ERR_PATH = 67,		/* the socket's path is too long, or empty */
	CHAPI_ERR_USAGE = 68,		/* an argument that no call may have */
	CHAPI_ERR_JSON = 69,		/* text that is no JSON, or has no MessagePack form */
	CHAPI_ERR_MSGPACK = 70,		/* bytes that are not one MessagePack value */
	CHAPI_ERR_INEXPRESSIBLE = 71,	/* a value that has no JSON form */
	CHAPI_ERR_GONE = 72,		/* the call or request is over (its connection is lost) */
	CHAPI_ERR_SYSTEM = 73,		/* a system call failed; errno says which way */
	CHAPI_ERR_FULL = 74,		/* 64 MiB wait to be sent: try again later */
};

/* Did the function start? What a caller has to know before it tries again. */
enum chapi_ran { CHAPI_RAN_NO, CHAPI_RAN_YES, CHAPI_RAN_UNKNOWN };

/* One sentence for people; err is a CHAPI_ERR_*, negative or not. Static text, never NULL. */
const char *chapi_strerror(int err);
/* "api_not_found" for CHAPI_ERR_API_NOT_FOUND and so on; NULL from 64 up. Static text. */
const char *chapi_code_name(int err);
/* The reverse; CHAPI_ERR_INTERNAL for a name that is not known. */
int chapi_code_from_name(const char *name);
/* "no", "yes", "unknown". */
const char *chapi_ran_name(enum chapi_ran ran);
/* The exit status that the tools give for it, by the table of chapi-ipc(7), "ERROR CODES". */
int chapi_exit_status(int err);
/* "1.2.3" of the library that runs. */
const char *chapi_version(void);

/* ---- values ------------------------------------------------------------------------- */

/*
 * One value from JSON text to MessagePack bytes and back. The result is allocated with
 * malloc() and is the caller's to free(); text has a terminating NUL that *ret_len does not
 * count (of text, ret_len may be NULL). pretty: with line breaks and blanks, for people.
 * Errors: NOMEM, JSON, MSGPACK, INEXPRESSIBLE. fault: NULL, or room for one line (up to
 * fault_len bytes, NUL included) that says where and why.
 */
int chapi_json_to_msgpack(const char *text, size_t len, void **ret_value, size_t *ret_len,
			  char *fault, size_t fault_len);
int chapi_msgpack_to_json(const void *value, size_t len, bool pretty, char **ret_text,
			  size_t *ret_len, char *fault, size_t fault_len);

/* ---- connections -------------------------------------------------------------------- */

typedef struct chapi_conn chapi_conn;
/* An outcome of a call: the result, or an error. Valid as long as its owner says. */
typedef struct chapi_reply chapi_reply;

/*
 * Connects to the gateway. path: the socket, or NULL for $CHAPI_SOCKET, then
 * $XDG_RUNTIME_DIR/chapi/gw.sock if it exists, then CHAPI_DEFAULT_SOCKET. Does not wait for
 * the gateway (only if its queue of new connections is full: 5 s at most). Errors: NOMEM,
 * NO_GATEWAY, ACCESS, PATH, SYSTEM.
 */
int chapi_connect(const char *path, chapi_conn **ret_conn);

/*
 * The socket that chapi_connect(path, ...) would use, also if nobody is there: for messages to
 * people. ret_path: room for size bytes, NUL included. Errors: PATH.
 */
int chapi_find_socket(const char *path, char *ret_path, size_t size);

/*
 * Ends a connection. What waits to be sent goes out as far as the socket takes it at once;
 * to be sure of the rest, call chapi_run_once() first until POLLOUT is not among
 * chapi_get_events(). Calls in flight get their callbacks with connection_lost, from within;
 * requests not yet answered stay valid (see chapi_request). NULL is fine; returns NULL. May
 * be called from a callback: the function that called it back then returns 0 and conn must
 * not be used any more.
 */
chapi_conn *chapi_close(chapi_conn *conn);

/* The socket that the connection uses: the path, valid as long as conn. */
const char *chapi_get_path(const chapi_conn *conn);

/*
 * For an event loop: wait until fd is ready for the events (POLLIN, POLLOUT of poll(2)), or
 * until the time is over (-1: no limit, else milliseconds), then call chapi_process(). Ask
 * all three again after each call of any function of this connection. fd is -1 once the
 * connection is lost; with chapi_set_reconnect() only the time counts then, and the next
 * socket may have the same number: what epoll(7) and its like kept for the old one is gone.
 */
int chapi_get_fd(const chapi_conn *conn);
int chapi_get_events(const chapi_conn *conn);
int chapi_get_timeout_ms(const chapi_conn *conn);

/*
 * Reads, calls callbacks, writes, never blocks. 0, or from some time on
 * -CHAPI_ERR_CONNECTION_LOST: the gateway closed or the socket failed, all callbacks have
 * been told, the connection can only be closed. -CHAPI_ERR_BAD_MESSAGE: the peer does not
 * speak this protocol, likewise. With chapi_set_reconnect() neither is returned: the
 * connection is made again. -CHAPI_ERR_NOMEM: nothing is lost; what has come is tried again
 * at the next call. Reads 64 KiB at most, so that a loop has its turn: fd has to be
 * watched by level, not by edge.
 */
int chapi_process(chapi_conn *conn);

/*
 * One wait (poll) of at most timeout_ms (-1: no limit) and one chapi_process(). A signal
 * that is caught ends the wait: 0; so does having sent all that waited to be sent. Who does
 * something at a certain time looks at a clock whether it has come.
 */
int chapi_run_once(chapi_conn *conn, int timeout_ms);
/*
 * Until a callback calls chapi_stop() or chapi_close() (0), or the connection is lost (as
 * chapi_process(): not with chapi_set_reconnect(), and running out of memory does not end it
 * either). -CHAPI_ERR_SYSTEM: poll(2) failed.
 */
int chapi_run(chapi_conn *conn);
/* Ends chapi_run() after the callback, or the next one at once if none runs. */
void chapi_stop(chapi_conn *conn);

/*
 * A function that is told what goes wrong where nobody asked (an answer to nothing, a
 * notification that is not known): one line of text, no newline. NULL: nobody.
 */
typedef void (*chapi_log_fn)(const char *line, void *data);
void chapi_set_log(chapi_conn *conn, chapi_log_fn fn, void *data);

/* ---- connecting again --------------------------------------------------------------- */

enum chapi_change_kind {
	CHAPI_LOST = 1,		/* the connection; error says why */
	CHAPI_CONNECTED = 2,	/* again; names and monitor have been asked for */
	CHAPI_NAME_RESTORED = 3,	/* name is registered again */
	CHAPI_NAME_FAILED = 4,	/* the gateway does not give name again: it is no longer held */
	CHAPI_MONITOR_RESTORED = 5,
	CHAPI_MONITOR_FAILED = 6,	/* no event comes any more */
};

/* What became of a connection. All of it is valid until the callback returns. */
struct chapi_change {
	size_t size;		/* sizeof(struct chapi_change) of the library that runs */
	enum chapi_change_kind kind;
	int error;		/* LOST and FAILED: a negative CHAPI_ERR_*; else 0 */
	const char *name;	/* of NAME_*; else NULL */
	const chapi_reply *reply;	/* of *_RESTORED, *_FAILED: the gateway's answer; or NULL */
};

/*
 * Called from chapi_process() and whatever calls it, not from chapi_close(). New kinds may
 * come: ignore those that are not known.
 */
typedef void (*chapi_change_fn)(chapi_conn *conn, const struct chapi_change *change, void *data);

/*
 * on: when the connection is lost, it is made again, as often and as long as it takes, after
 * waits that grow from 100 ms to 5 s (less up to a half, by chance). All of that happens in
 * chapi_process(), which does not block for it; meanwhile chapi_get_fd() is -1 and
 * chapi_get_timeout_ms() the time to the next try.
 *
 * - Calls in flight end with connection_lost; calls made meanwhile fail with
 *   -CHAPI_ERR_CONNECTION_LOST. None is made again by itself, as it may have run.
 * - Requests not yet answered are over, as if cancelled: chapi_answer() gives GONE.
 * - Names are registered again with their options (those of chapi_update() too), paused ones
 *   paused again, the monitor is started again. Their answers come as changes.
 *
 * fn: told what happens, or NULL. With on false (as in the beginning) fn is told of the loss
 * only. A connection that is lost already is made again too.
 */
void chapi_set_reconnect(chapi_conn *conn, bool on, chapi_change_fn fn, void *data);

/* ---- making calls ------------------------------------------------------------------- */

/*
 * What an answer says; its texts and bytes are valid as long as the reply. The code is CHAPI_OK
 * or a CHAPI_ERR_* from 1 to 63; INTERNAL for one that this library does not know.
 */
int chapi_reply_code(const chapi_reply *reply);
/* The code's name as it came, also of one that this library does not know. "" when OK. */
const char *chapi_reply_code_name(const chapi_reply *reply);
/* One line for people; "" when OK. */
const char *chapi_reply_message(const chapi_reply *reply);
/* Had the function begun when the error came? CHAPI_RAN_YES with a result. */
enum chapi_ran chapi_reply_ran(const chapi_reply *reply);
/* MessagePack bytes; the result (nil on error), the error's details (nil if none). */
const void *chapi_reply_result(const chapi_reply *reply, size_t *ret_len);
const void *chapi_reply_details(const chapi_reply *reply, size_t *ret_len);
/* The same as JSON text, allocated; errors as chapi_msgpack_to_json(). */
int chapi_reply_result_json(const chapi_reply *reply, bool pretty, char **ret_text);
int chapi_reply_details_json(const chapi_reply *reply, bool pretty, char **ret_text);
/* Frees a reply from a function that waits. NULL is fine; returns NULL. */
chapi_reply *chapi_reply_free(chapi_reply *reply);

/*
 * How far a call is: value is what its provider says of it (MessagePack bytes, valid until
 * the callback returns), id the number of the call. Never called after its answer. Progress
 * may get lost on its way when somebody reads slowly; answers do not.
 */
typedef void (*chapi_progress_fn)(chapi_conn *conn, uint32_t id, const void *value, size_t len,
				  void *data);

/*
 * Options of a call; NULL where one is taken means all defaults. Set by name, so that the
 * struct can grow: struct chapi_call_options o = { .size = sizeof(o), .timeout_ms = 500 };
 *
 * full: the result is the record of the call (chapi-ipc(7), "CALL RECORDS"), also of one that
 * failed; the reply's code, message, ran and details tell of the error in it.
 * oneway: the answer (nil) comes as soon as the provider has the call, or it waits in the
 * queue of the name; what becomes of it then is not told, and our leaving does not end it.
 * raw: a provider that would turn what it has into a value is asked not to (chapi-serve(1)
 * answers with its command's end and output then); others answer as always.
 */
struct chapi_call_options {
	size_t size;		/* sizeof(struct chapi_call_options) */
	int64_t timeout_ms;	/* 0: the API's own (30 s unless it says otherwise) */
	const char *id;		/* a label for logs; NULL: the gateway makes one */
	const char *to;		/* another gateway's name; NULL: this one */
	bool full;		/* see above */
	bool oneway;		/* see above; not together with progress */
	chapi_progress_fn progress;	/* NULL: none is asked for */
	void *progress_data;
	bool raw;		/* see above */
};

/*
 * reply is valid until the callback returns. Called exactly once for each call that was
 * accepted, from chapi_process(), a function that waits, or chapi_close().
 */
typedef void (*chapi_reply_fn)(chapi_conn *conn, const chapi_reply *reply, void *data);

/*
 * Begins a call. params: one MessagePack value, copied (NULL, 0: an empty map). ret_id:
 * NULL, or where the number of the call goes. fn: NULL if nobody wants the answer. Errors
 * (then there is no callback, and nothing has run): NOMEM, USAGE, MSGPACK or JSON, FULL,
 * CONNECTION_LOST.
 *
 * When the connection is lost, the answer is connection_lost. Its chapi_reply_ran() is "no"
 * if the request had not been sent whole, else "unknown".
 */
int chapi_call(chapi_conn *conn, const char *api, const void *params, size_t len,
	       const struct chapi_call_options *options, chapi_reply_fn fn, void *data,
	       uint32_t *ret_id);
int chapi_call_json(chapi_conn *conn, const char *api, const char *params,
		    const struct chapi_call_options *options, chapi_reply_fn fn, void *data,
		    uint32_t *ret_id);

/*
 * Calls and waits for the answer; other callbacks of the connection may run meanwhile (a
 * handler that waits may be entered again, for the next request). Any answer of the gateway,
 * an error too, is 0 and a reply to be freed with chapi_reply_free(). If the gateway goes
 * away, or nothing came 2 s (with options->to: 4 s) after the time limit (options->timeout_ms;
 * 0: no limit on our side), the reply is made here (connection_lost, deadline_exceeded).
 * Negative as chapi_call().
 */
int chapi_call_wait(chapi_conn *conn, const char *api, const void *params, size_t len,
		    const struct chapi_call_options *options, chapi_reply **ret_reply);
int chapi_call_wait_json(chapi_conn *conn, const char *api, const char *params,
			 const struct chapi_call_options *options, chapi_reply **ret_reply);

/*
 * Asks for the end of a call (or method) in flight; the answer still comes, once: usually
 * cancelled, or what it was if the two crossed. id: from chapi_call() or a chapi_progress_fn, or
 * from chapi_method(): "wait", "drain" and "publish" can be cancelled, too.
 * Errors: GONE (no such call is in flight), NOMEM, FULL, CONNECTION_LOST.
 */
int chapi_cancel(chapi_conn *conn, uint32_t id);

/*
 * Any method of the gateway (chapi-ipc(7), "METHODS"): args is one array of its params
 * (NULL: none), MessagePack or JSON text. timeout_ms: our own limit (0: none); when it is over
 * the gateway is asked to cancel. Otherwise as chapi_call() and chapi_call_wait().
 */
int chapi_method(chapi_conn *conn, const char *method, const void *args, size_t len,
		 chapi_reply_fn fn, void *data, uint32_t *ret_id);
int chapi_method_json(chapi_conn *conn, const char *method, const char *args, chapi_reply_fn fn,
		      void *data, uint32_t *ret_id);
int chapi_method_wait(chapi_conn *conn, const char *method, const void *args, size_t len,
		      int timeout_ms, chapi_reply **ret_reply);
int chapi_method_wait_json(chapi_conn *conn, const char *method, const char *args, int timeout_ms,
			   chapi_reply **ret_reply);

/* ---- asking the gateway ------------------------------------------------------------- */

/*
 * The functions below ask and wait, as chapi_call_wait(), but tell of the gateway's errors
 * too: 0, the negative code of its error (-CHAPI_ERR_PERMISSION_DENIED ...), or as
 * chapi_call(); -CHAPI_ERR_DEADLINE_EXCEEDED if it says nothing for 30 s. ret_reply: NULL, or
 * where the answer goes (chapi_reply_free()), also when it is an error; it is not set when
 * there was none (NOMEM, USAGE, MSGPACK, JSON, FULL, and CONNECTION_LOST before asking): have
 * NULL in it. What the results are is in chapi-ipc(7), "METHODS"; as text:
 *
 *	chapi_reply *reply = NULL;
 *	char *text;
 *	if (chapi_list(conn, "lights.*", false, &reply) == 0 &&
 *	    chapi_reply_result_json(reply, true, &text) == 0)
 *		puts(text), free(text);
 *	chapi_reply_free(reply);
 */

/* The names that fit a pattern (NULL: all); detailed: with all that chapi_describe() tells. */
int chapi_list(chapi_conn *conn, const char *pattern, bool detailed, chapi_reply **ret_reply);
/* One name: a map; -CHAPI_ERR_API_NOT_FOUND if it is not there. */
int chapi_describe(chapi_conn *conn, const char *name, chapi_reply **ret_reply);
/* The gateway: its link to the hub, limits, how much there is of what; a map. */
int chapi_status(chapi_conn *conn, chapi_reply **ret_reply);
/* Counters and times, a map. name: NULL for those of the whole gateway. */
int chapi_stats(chapi_conn *conn, const char *name, chapi_reply **ret_reply);

/*
 * Until all of n names are there. timeout_ms: the gateway's limit for it, then
 * -CHAPI_ERR_DEADLINE_EXCEEDED (0: none). USAGE: no names, or a negative time.
 */
int chapi_wait(chapi_conn *conn, const char *const *names, size_t n, int64_t timeout_ms,
	       chapi_reply **ret_reply);

/* What chapi_hello() says; NULL: nothing but the version of the protocol. */
struct chapi_hello_options {
	size_t size;		/* sizeof(struct chapi_hello_options) */
	const char *client;	/* the program's name, or NULL */
	const char *version;	/* and its version, or NULL */
	const char *app_key;	/* the hub app it wants to reach, or NULL; another one than the
				 * gateway's: -CHAPI_ERR_FAILED_PRECONDITION */
};

/*
 * Says who we are, asks who it is (its limits too). Nothing else depends on it. A gateway that
 * speaks no version of ours: -CHAPI_ERR_VERSION_MISMATCH.
 */
int chapi_hello(chapi_conn *conn, const struct chapi_hello_options *options,
		chapi_reply **ret_reply);

/*
 * Publishes an event on the hub; 0 when the hub has it. data: one MessagePack value, copied
 * (NULL, 0: nil), or JSON text. timeout_ms: our own limit (0: none). An error whose
 * chapi_reply_ran() is unknown may have been published.
 */
int chapi_publish(chapi_conn *conn, const char *channel, const char *event, const void *data,
		  size_t len, int timeout_ms, chapi_reply **ret_reply);
int chapi_publish_json(chapi_conn *conn, const char *channel, const char *event,
		       const char *data, int timeout_ms, chapi_reply **ret_reply);

/* One event: a map (chapi-ipc(7), "MONITORS") as MessagePack, valid until the callback returns. */
typedef void (*chapi_event_fn)(chapi_conn *conn, const void *event, size_t len, void *data);

/* What to watch; NULL: everything that one may see, without bodies. Lists end with NULL. */
struct chapi_monitor_options {
	size_t size;		/* sizeof(struct chapi_monitor_options) */
	const char *const *kinds;	/* "request", "response", "api", "peer", "hub"; NULL: all */
	const char *const *apis;	/* patterns of names; NULL: all */
	bool bodies;		/* with params and results */
};

/*
 * From now on fn is called for each event, until the connection ends. Once more: instead of
 * the one before. fn may be called before this returns.
 */
int chapi_monitor(chapi_conn *conn, const struct chapi_monitor_options *options,
		  chapi_event_fn fn, void *data, chapi_reply **ret_reply);

/* ---- answering calls ---------------------------------------------------------------- */

/*
 * A request to be answered: belongs to the program from the moment its handler is called
 * until it is answered with one of chapi_answer*(), which frees it, in the handler or any
 * time later. It must be answered exactly once, or given up with chapi_request_drop().
 */
typedef struct chapi_request chapi_request;

/* Called for each request to a name, from chapi_process() and whatever calls it. */
typedef void (*chapi_request_fn)(chapi_request *request, void *data);

/* The name that was called. As all texts of a request, valid as long as the request. */
const char *chapi_request_api(const chapi_request *request);
/* MessagePack bytes, valid as long as the request. */
const void *chapi_request_params(const chapi_request *request, size_t *ret_len);
/* The same as JSON text, allocated; errors as chapi_msgpack_to_json(). */
int chapi_request_params_json(const chapi_request *request, bool pretty, char **ret_text);
/*
 * What the gateway says of it: the call's id, "local" or "remote", "uid:1000" or
 * "claimed:LABEL" ("" when not told); the caller's clock in Unix seconds (0: not told);
 * milliseconds left (-1: no limit told).
 */
const char *chapi_request_id(const chapi_request *request);
const char *chapi_request_origin(const chapi_request *request);
const char *chapi_request_caller(const chapi_request *request);
double chapi_request_time(const chapi_request *request);
int64_t chapi_request_timeout_ms(const chapi_request *request);
/* The connection it came by; NULL once that is closed. */
chapi_conn *chapi_request_conn(const chapi_request *request);
/* The caller asked to hear how far it is: chapi_progress() reaches somebody. */
bool chapi_request_wants_progress(const chapi_request *request);
/* Nobody hears what is answered; it has to be answered all the same. */
bool chapi_request_is_oneway(const chapi_request *request);
/* The caller would have what the function made as it is, instead of a value made of it. */
bool chapi_request_is_raw(const chapi_request *request);

/*
 * Does nobody wait for the answer any more? So it is when the caller cancelled or left, the
 * time was over, or the connection is lost. The request must be answered all the same (any
 * answer will do, "cancelled" is a good one): until then it counts as running.
 */
bool chapi_request_is_cancelled(const chapi_request *request);

/* May do anything with the request, answer it too. */
typedef void (*chapi_cancel_fn)(chapi_request *request, void *data);

/*
 * fn is called once, when the request is cancelled as above (at once and from within if it
 * is already), unless it has been answered before; not by chapi_close(). NULL: nobody.
 */
void chapi_request_on_cancel(chapi_request *request, chapi_cancel_fn fn, void *data);

/*
 * Tells the caller how far it is: one MessagePack value, copied, or JSON text. 0 too if the
 * caller did not ask for it: nothing is sent then. Errors, which leave the request as it was:
 * CANCELLED (nobody waits any more), GONE (its connection is lost), FULL (1 MiB waits to be
 * sent: progress gives way), NOMEM, MSGPACK, JSON.
 */
int chapi_progress(chapi_request *request, const void *value, size_t len);
int chapi_progress_json(chapi_request *request, const char *value);

/*
 * Answer and free the request, in every case. result: one MessagePack value, copied (NULL,
 * 0: nil). Errors: GONE (nobody is there to be answered any more); MSGPACK, JSON (the caller
 * gets api_error with the code bad_reply in its details); NOMEM, FULL (the caller gets
 * api_error as soon as there is room for that).
 */
int chapi_answer(chapi_request *request, const void *result, size_t len);
int chapi_answer_json(chapi_request *request, const char *result);
/*
 * The function failed. code: one of the program's own, shown to the caller in details.code
 * (NULL: none), or "invalid_argument", "busy", "cancelled", "permission_denied",
 * "failed_precondition", which are passed on as they are. message: one line, or NULL.
 * details_json: one JSON value, or NULL. Errors as chapi_answer().
 */
int chapi_answer_error(chapi_request *request, const char *code, const char *message,
		       const char *details_json);
/* Frees it; the caller gets api_error "the provider gave up". NULL is fine. */
void chapi_request_drop(chapi_request *request);

/* ---- names -------------------------------------------------------------------------- */

/*
 * Options of a name; chapi-ipc(7), "register". NULL where one is taken: all defaults. What is
 * 0, false or NULL is not told: in chapi_register() the gateway's default holds then, in
 * chapi_update() what was before.
 */
struct chapi_api_options {
	size_t size;			/* sizeof(struct chapi_api_options) */
	const char *summary;		/* one line for people */
	const char *options_json;	/* any further options, one JSON object */
	const char *policy;		/* "exclusive", "replace", "share", "standby" */
	const char *visibility;		/* "local", "remote" */
	int64_t concurrency;		/* calls that this provider gets at once; 0: no limit */
	int64_t queue;			/* calls that wait beyond that; 0: 64; -1: none may wait */
	int64_t timeout_ms;		/* of callers that name none; 0: 30000 */
	int64_t timeout_max_ms;		/* the most that a caller gets; 0: 600000 */
	bool idempotent;		/* doing it twice is harmless */
	const char *description;	/* for people, any length */
	const char *version;
	const char *const *tags;	/* ends with NULL */
	const char *params_json;	/* descriptions of the values, a subset of JSON Schema */
	const char *result_json;
};

/*
 * These functions ask and wait, and return, as chapi_list() above. While the connection is
 * lost and not yet made again they fail with -CHAPI_ERR_CONNECTION_LOST.
 */

/*
 * Registers a name. Requests to it then go to fn, which may be called before this returns.
 * name is copied. Errors besides: USAGE (no name or fn, options_json is no object), JSON. When
 * the gateway has not answered in time (DEADLINE_EXCEEDED) and grants it later, the name is given
 * back at once.
 */
int chapi_register(chapi_conn *conn, const char *name, const struct chapi_api_options *options,
		   chapi_request_fn fn, void *data, chapi_reply **ret_reply);
/*
 * Gives the name back; requests already here may still be answered. fn is not called any
 * more afterwards, whatever this returns (but for NOMEM and FULL: nothing has been asked).
 */
int chapi_unregister(chapi_conn *conn, const char *name, chapi_reply **ret_reply);
/* Changes options of a name that this connection holds. */
int chapi_update(chapi_conn *conn, const char *name, const struct chapi_api_options *options,
		 chapi_reply **ret_reply);
/*
 * No new calls to our part of the name, and calls again. With the right "admin", and not
 * holding the name: to the whole of it. After -CHAPI_ERR_DEADLINE_EXCEEDED, no answer came, it
 * may still take effect: the other of the two, asked for behind it, undoes that.
 */
int chapi_pause(chapi_conn *conn, const char *name, chapi_reply **ret_reply);
int chapi_resume(chapi_conn *conn, const char *name, chapi_reply **ret_reply);
/*
 * No new calls, and wait until none is running; requests are handled meanwhile. After
 * timeout_ms (0: no limit) -CHAPI_ERR_DEADLINE_EXCEEDED, still without new calls;
 * chapi_resume() ends it.
 */
int chapi_drain(chapi_conn *conn, const char *name, int64_t timeout_ms, chapi_reply **ret_reply);

enum chapi_name_change {
	CHAPI_NAME_GRANTED = 1,	/* a standby holds the name now */
	CHAPI_NAME_REVOKED = 2,	/* the name is lost; its requests may still be answered */
};

/* reason: of REVOKED ("replaced", "admin", "reload"), else "". Valid until fn returns. */
typedef void (*chapi_name_fn)(chapi_conn *conn, enum chapi_name_change change, const char *name,
			      const char *reason, void *data);

/* Who is told what the gateway does with our names; NULL: nobody. */
void chapi_set_name_fn(chapi_conn *conn, chapi_name_fn fn, void *data);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
