/* SPDX-License-Identifier: MIT */
/*
 * A gateway that is played by a test, for the client library.
 *
 * It is the other end of the socket: it reads messages as JSON text and writes them from
 * JSON text, in the same process and thread. What it says to a function that waits is written
 * before the function is called.
 */
#ifndef CHAPI_TESTS_PLAYED_H
#define CHAPI_TESTS_PLAYED_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "libchapi-ipc/buf.h"
#include "libchapi-ipc/chapi-ipc.h"
#include "libchapi-ipc/frame.h"

#define LIMIT_MS 10000		/* of any wait: only a failure takes as long */
#define MIB ((size_t)1 << 20)

struct fixture {
	char folder[32], path[64];
	int listener, gateway;
	struct buf in;
	struct frame_reader reader;
	chapi_conn *conn;
	char log[256];
};

int listen_at(const char *path);
int setup(void **state);	/* a folder, the socket, a connection */
int teardown(void **state);

void gateway_leaves(struct fixture *f);
/* Takes the next connection. */
void gateway_accepts(struct fixture *f);
/* Bytes, or a message, from the gateway, while the connection reads. */
void gateway_send(struct fixture *f, const void *p, size_t len);
void gateway_say(struct fixture *f, const char *json);
/* Reads what is there; false: nothing. */
bool gateway_read(struct fixture *f);
/* The next message to the gateway, while the connection writes. */
void gateway_hear(struct fixture *f, struct buf *ret_message);
void gateway_hears(struct fixture *f, const char *json);
void gateway_hears_nothing(struct fixture *f);
/* One turn of the connection, with a limit. */
int process(struct fixture *f);

/* ---- what a program would do ---- */

/* The last reply of a callback. */
struct heard {
	int n, code;
	enum chapi_ran ran;
	char name[64], message[128], result[256], details[256];
};

void keep_reply(struct heard *heard, const chapi_reply *reply);
void on_reply(chapi_conn *conn, const chapi_reply *reply, void *data);	/* data: struct heard */
void on_request_echo(chapi_request *request, void *data);	/* data: int, counts; or NULL */
void on_request_keep(chapi_request *request, void *data);	/* data: chapi_request * */
/* Registers "f"; it takes the id 1 of a fresh connection. */
void register_f(struct fixture *f, chapi_request_fn fn, void *data);
/* The same, and a request 7 to it. */
chapi_request *keep_request(struct fixture *f);

#endif
