/* SPDX-License-Identifier: MIT */
/*
 * The codes of errors, and what the public header says of them.
 *
 * One table for the outcomes of a call (1 to 22, chapi-ipc(7), "ERROR CODES"), ordered by code;
 * the trouble of the library itself (from 64) has a sentence and an exit status only.
 */
#include "libchapi-ipc/error.h"

#include <limits.h>

static const struct error_info infos[] = {
	{ CHAPI_ERR_API_ERROR, "api_error", CHAPI_RAN_YES, 1,
	  "The function ran and failed" },
	{ CHAPI_ERR_INVALID_ARGUMENT, "invalid_argument", CHAPI_RAN_NO, 65,
	  "An argument has the wrong type or value" },
	{ CHAPI_ERR_API_NOT_FOUND, "api_not_found", CHAPI_RAN_NO, 67,
	  "No such API is registered" },
	{ CHAPI_ERR_API_EXISTS, "api_exists", CHAPI_RAN_NO, 73,
	  "The name is taken by another provider" },
	{ CHAPI_ERR_PERMISSION_DENIED, "permission_denied", CHAPI_RAN_NO, 77,
	  "The gateway's rules do not allow this" },
	{ CHAPI_ERR_UNAUTHENTICATED, "unauthenticated", CHAPI_RAN_NO, 77,
	  "The proof of who is calling is missing or wrong" },
	{ CHAPI_ERR_FAILED_PRECONDITION, "failed_precondition", CHAPI_RAN_NO, 78,
	  "The gateway or the API is not set up for this" },
	{ CHAPI_ERR_BUSY, "busy", CHAPI_RAN_NO, 75,
	  "Too many calls wait already; try again later" },
	{ CHAPI_ERR_RATE_LIMITED, "rate_limited", CHAPI_RAN_NO, 75,
	  "Too many calls in a short time; try again later" },
	{ CHAPI_ERR_PAUSED, "paused", CHAPI_RAN_NO, 69,
	  "The API takes no calls for the time being" },
	{ CHAPI_ERR_HUB_DOWN, "hub_down", CHAPI_RAN_NO, 69,
	  "The gateway has no connection to the hub" },
	{ CHAPI_ERR_GATEWAY_NOT_FOUND, "gateway_not_found", CHAPI_RAN_UNKNOWN, 68,
	  "No gateway of that name answers" },
	{ CHAPI_ERR_TOO_LARGE, "too_large", CHAPI_RAN_NO, 65,
	  "The request or its answer is larger than allowed" },
	{ CHAPI_ERR_DEADLINE_EXCEEDED, "deadline_exceeded", CHAPI_RAN_UNKNOWN, 124,
	  "No answer came in time" },
	{ CHAPI_ERR_CANCELLED, "cancelled", CHAPI_RAN_UNKNOWN, 130,
	  "The call was cancelled" },
	{ CHAPI_ERR_PROVIDER_GONE, "provider_gone", CHAPI_RAN_UNKNOWN, 70,
	  "The process that answers this API ended before it answered" },
	{ CHAPI_ERR_ANSWER_LOST, "answer_lost", CHAPI_RAN_UNKNOWN, 74,
	  "The call was made before and its answer is no longer kept" },
	{ CHAPI_ERR_BAD_REPLY, "bad_reply", CHAPI_RAN_YES, 70,
	  "The function ran, but its answer cannot be read or passed on" },
	{ CHAPI_ERR_BAD_MESSAGE, "bad_message", CHAPI_RAN_NO, 76,
	  "A message does not follow the protocol" },
	{ CHAPI_ERR_VERSION_MISMATCH, "version_mismatch", CHAPI_RAN_NO, 76,
	  "The two sides speak different versions of the protocol" },
	{ CHAPI_ERR_INTERNAL, "internal", CHAPI_RAN_UNKNOWN, 70,
	  "Something went wrong inside the gateway" },
	{ CHAPI_ERR_CONNECTION_LOST, "connection_lost", CHAPI_RAN_UNKNOWN, 74,
	  "The connection to the gateway was lost" },
};

static bool is_outcome(int code)
{
	return code >= infos[0].code && code <= infos[ARRAY_SIZE(infos) - 1].code;
}

const struct error_info *error_info(int code)
{
	return &infos[(is_outcome(code) ? code : CHAPI_ERR_INTERNAL) - infos[0].code];
}

const struct error_info *error_info_by_name(struct span name)
{
	for (size_t i = 0; i < ARRAY_SIZE(infos); i++)
		if (span_is(name, infos[i].name))
			return &infos[i];
	return NULL;
}

/* Functions return codes as negative numbers. */
static int positive(int err)
{
	if (err == INT_MIN)
		return INT_MAX;
	return err < 0 ? -err : err;
}

const char *chapi_strerror(int err)
{
	int code = positive(err);

	switch ((enum chapi_err)code) {
	case CHAPI_OK:
		return "Success";
	case CHAPI_ERR_API_ERROR:
	case CHAPI_ERR_INVALID_ARGUMENT:
	case CHAPI_ERR_API_NOT_FOUND:
	case CHAPI_ERR_API_EXISTS:
	case CHAPI_ERR_PERMISSION_DENIED:
	case CHAPI_ERR_UNAUTHENTICATED:
	case CHAPI_ERR_FAILED_PRECONDITION:
	case CHAPI_ERR_BUSY:
	case CHAPI_ERR_RATE_LIMITED:
	case CHAPI_ERR_PAUSED:
	case CHAPI_ERR_HUB_DOWN:
	case CHAPI_ERR_GATEWAY_NOT_FOUND:
	case CHAPI_ERR_TOO_LARGE:
	case CHAPI_ERR_DEADLINE_EXCEEDED:
	case CHAPI_ERR_CANCELLED:
	case CHAPI_ERR_PROVIDER_GONE:
	case CHAPI_ERR_ANSWER_LOST:
	case CHAPI_ERR_BAD_REPLY:
	case CHAPI_ERR_BAD_MESSAGE:
	case CHAPI_ERR_VERSION_MISMATCH:
	case CHAPI_ERR_INTERNAL:
	case CHAPI_ERR_CONNECTION_LOST:
		return error_info(code)->sentence;
	case CHAPI_ERR_NOMEM:
		return "Out of memory";
	case CHAPI_ERR_NO_GATEWAY:
		return "No gateway listens at the socket; is chapi-gw running?";
	case CHAPI_ERR_ACCESS:
		return "The socket's owner, group and mode do not let this user in";
	case CHAPI_ERR_PATH:
		return "The path of the socket is too long, or none could be found";
	case CHAPI_ERR_USAGE:
		return "A function was called with a wrong argument or out of order";
	case CHAPI_ERR_JSON:
		return "The text is not one JSON value";
	case CHAPI_ERR_MSGPACK:
		return "The bytes are not one MessagePack value";
	case CHAPI_ERR_INEXPRESSIBLE:
		return "The value has no form in the other encoding";
	case CHAPI_ERR_GONE:
		return "The request is over: its connection is lost";
	case CHAPI_ERR_SYSTEM:
		return "A system call failed";
	case CHAPI_ERR_FULL:
		return "Too much waits to be sent; try again when some of it has gone";
	}
	return "Unknown error";
}

const char *chapi_code_name(int err)
{
	int code = positive(err);

	return is_outcome(code) ? error_info(code)->name : NULL;
}

int chapi_code_from_name(const char *name)
{
	const struct error_info *info = name ? error_info_by_name(span_str(name)) : NULL;

	return info ? info->code : CHAPI_ERR_INTERNAL;
}

const char *chapi_ran_name(enum chapi_ran ran)
{
	switch (ran) {
	case CHAPI_RAN_NO:
		return "no";
	case CHAPI_RAN_YES:
		return "yes";
	case CHAPI_RAN_UNKNOWN:
		return "unknown";
	}
	return "unknown";
}

int chapi_exit_status(int err)
{
	static const struct {
		int code, status;
	} own[] = {
		{ CHAPI_OK, 0 },		{ CHAPI_ERR_NOMEM, 70 },
		{ CHAPI_ERR_NO_GATEWAY, 69 },	{ CHAPI_ERR_ACCESS, 77 },
		{ CHAPI_ERR_PATH, 66 },		{ CHAPI_ERR_USAGE, 64 },
		{ CHAPI_ERR_JSON, 65 },		{ CHAPI_ERR_MSGPACK, 65 },
		{ CHAPI_ERR_INEXPRESSIBLE, 65 }, { CHAPI_ERR_GONE, 74 },
		{ CHAPI_ERR_SYSTEM, 71 },	{ CHAPI_ERR_FULL, 75 },
	};
	int code = positive(err);

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (own[i].code == code)
			return own[i].status;
	return error_info(code)->exit_status;
}
