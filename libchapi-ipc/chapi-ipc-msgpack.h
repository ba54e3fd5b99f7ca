/* SPDX-License-Identifier: MIT */
/*
 * libchapi-ipc for users of msgpack-c: calls and answers packed with msgpack_sbuffer,
 * results unpacked to msgpack_object. Inline only: the library itself does not need
 * msgpack-c, and a program that uses this header links both.
 *
 * What comes from the library has been checked (depth, and counts against the bytes that
 * are there), so that unpacking it needs memory in proportion to its length.
 */
#ifndef CHAPI_IPC_MSGPACK_H
#define CHAPI_IPC_MSGPACK_H

#include <msgpack.h>

#include "chapi-ipc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* chapi_call(), chapi_call_wait(), chapi_method_wait() with what was packed into a buffer
 * (NULL: nothing). */
static inline int chapi_call_sbuffer(chapi_conn *conn, const char *api,
				     const msgpack_sbuffer *params,
				     const struct chapi_call_options *options, chapi_reply_fn fn,
				     void *data, uint32_t *ret_id)
{
	return chapi_call(conn, api, params ? params->data : NULL, params ? params->size : 0,
			  options, fn, data, ret_id);
}

static inline int chapi_call_wait_sbuffer(chapi_conn *conn, const char *api,
					  const msgpack_sbuffer *params,
					  const struct chapi_call_options *options,
					  chapi_reply **ret_reply)
{
	return chapi_call_wait(conn, api, params ? params->data : NULL, params ? params->size : 0,
			       options, ret_reply);
}

static inline int chapi_method_wait_sbuffer(chapi_conn *conn, const char *method,
					    const msgpack_sbuffer *args, int timeout_ms,
					    chapi_reply **ret_reply)
{
	return chapi_method_wait(conn, method, args ? args->data : NULL, args ? args->size : 0,
				 timeout_ms, ret_reply);
}

/* chapi_answer(). The buffer stays the caller's. */
static inline int chapi_answer_sbuffer(chapi_request *request, const msgpack_sbuffer *result)
{
	return chapi_answer(request, result ? result->data : NULL, result ? result->size : 0);
}

/*
 * One value as an object: ret is initialised here and freed with msgpack_unpacked_destroy();
 * strings in it point into value, which has to live as long. Errors: NOMEM, MSGPACK.
 */
static inline int chapi_unpack(const void *value, size_t len, msgpack_unpacked *ret)
{
	size_t off = 0;
	msgpack_unpack_return r;

	msgpack_unpacked_init(ret);
	r = msgpack_unpack_next(ret, (const char *)value, len, &off);
	if (r == MSGPACK_UNPACK_SUCCESS && off == len)
		return 0;
	msgpack_unpacked_destroy(ret);
	return r == MSGPACK_UNPACK_NOMEM_ERROR ? -CHAPI_ERR_NOMEM : -CHAPI_ERR_MSGPACK;
}

/* The result of a reply, the details of its error, the params of a request; borrowed from them. */
static inline int chapi_reply_unpack(const chapi_reply *reply, msgpack_unpacked *ret)
{
	size_t len;
	const void *value = chapi_reply_result(reply, &len);

	return chapi_unpack(value, len, ret);
}

static inline int chapi_reply_unpack_details(const chapi_reply *reply, msgpack_unpacked *ret)
{
	size_t len;
	const void *value = chapi_reply_details(reply, &len);

	return chapi_unpack(value, len, ret);
}

static inline int chapi_request_unpack(const chapi_request *request, msgpack_unpacked *ret)
{
	size_t len;
	const void *value = chapi_request_params(request, &len);

	return chapi_unpack(value, len, ret);
}

#ifdef __cplusplus
}
#endif

#endif
