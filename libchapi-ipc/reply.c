/* SPDX-License-Identifier: MIT */
/*
 * Replies: what a call is answered, read from a message or made here, and what the program asks
 * of it.
 */
#include "libchapi-ipc/reply.h"

#include <stdlib.h>

#include "libchapi-ipc/conn.h"
#include "libchapi-ipc/error.h"

#define NIL 0xc0

/* One piece of memory with everything in it. */
struct chapi_reply {
	int code;
	enum chapi_ran ran;
	const char *code_name, *message;
	struct span result, details;
	bool is_static;
	char memory[];		/* of the texts and values above */
};

static const uint8_t nil[] = { NIL };

#define REPLY_MADE_HERE(code_, ran_, name_, message_) \
	{ .code = code_, .ran = ran_, .code_name = name_, .message = message_, \
	  .result = { nil, 1 }, .details = { nil, 1 }, .is_static = true }

const chapi_reply reply_lost = REPLY_MADE_HERE(
	CHAPI_ERR_CONNECTION_LOST, CHAPI_RAN_UNKNOWN, "connection_lost",
	"the connection to the gateway was lost before the answer came");
const chapi_reply reply_unsent = REPLY_MADE_HERE(
	CHAPI_ERR_CONNECTION_LOST, CHAPI_RAN_NO, "connection_lost",
	"the connection to the gateway was lost before the request was sent");
const chapi_reply reply_late = REPLY_MADE_HERE(
	CHAPI_ERR_DEADLINE_EXCEEDED, CHAPI_RAN_UNKNOWN, "deadline_exceeded",
	"the gateway gave no answer in time");
const chapi_reply reply_large = REPLY_MADE_HERE(
	CHAPI_ERR_TOO_LARGE, CHAPI_RAN_YES, "too_large",
	"the answer is larger than this library takes (64 MiB)");

/* The parts of an answer, still in the message. */
struct answer {
	int code;
	enum chapi_ran ran;
	struct span code_name, message, result, details;
};

static enum chapi_ran ran_from_name(struct span name, enum chapi_ran otherwise)
{
	for (enum chapi_ran ran = CHAPI_RAN_NO; ran <= CHAPI_RAN_UNKNOWN; ran++)
		if (span_is(name, chapi_ran_name(ran)))
			return ran;
	return otherwise;
}

static void answer_read_error(struct answer *answer, struct span error)
{
	const struct error_info *info;
	struct mp_reader r = mp_reader(error);

	answer->code_name = conn_map_text(error, "code");
	info = error_info_by_name(answer->code_name);
	if (!info)
		info = error_info(CHAPI_ERR_INTERNAL);
	if (answer->code_name.len == 0)
		answer->code_name = span_str(info->name);
	answer->code = info->code;
	answer->ran = ran_from_name(conn_map_text(error, "ran"), info->ran);
	answer->message = conn_map_text(error, "message");
	if (answer->message.len == 0 && mp_read_str(&r, &answer->message) != 0)
		answer->message = span_str(info->sentence);
	if (mp_map_get(error, "details", &answer->details) != 0)
		answer->details = span_of(nil, 1);
}

/* full: the result is a record, with an error of its own. */
static void answer_read(struct answer *answer, const struct message *message, bool full)
{
	struct span error = message->error;

	*answer = (struct answer){ .ran = CHAPI_RAN_YES, .result = message->result,
				   .details = span_of(nil, 1) };
	if (!mp_is_nil(error))
		answer->result = span_of(nil, 1);
	else if (full && mp_map_get(message->result, "error", &error) != 0)
		return;
	if (!mp_is_nil(error))
		answer_read_error(answer, error);
}

static struct span store_span(char **w, struct span s)
{
	return span_of(conn_store(w, s), s.len);
}

static chapi_reply *reply_new(const struct answer *answer)
{
	chapi_reply *reply = malloc(sizeof(*reply) + answer->code_name.len + answer->message.len +
				    answer->result.len + answer->details.len + 4);
	char *w;

	if (!reply)
		return NULL;
	w = reply->memory;
	reply->code = answer->code;
	reply->ran = answer->ran;
	reply->is_static = false;
	reply->code_name = conn_store(&w, answer->code_name);
	reply->message = conn_store(&w, answer->message);
	reply->result = store_span(&w, answer->result);
	reply->details = store_span(&w, answer->details);
	return reply;
}

chapi_reply *reply_read(const struct message *message, bool full)
{
	struct answer answer;

	answer_read(&answer, message, full);
	return reply_new(&answer);
}

chapi_reply *chapi_reply_free(chapi_reply *reply)
{
	if (reply && !reply->is_static)
		free(reply);
	return NULL;
}

int chapi_reply_code(const chapi_reply *reply)
{
	return reply->code;
}

const char *chapi_reply_code_name(const chapi_reply *reply)
{
	return reply->code_name;
}

const char *chapi_reply_message(const chapi_reply *reply)
{
	return reply->message;
}

enum chapi_ran chapi_reply_ran(const chapi_reply *reply)
{
	return reply->ran;
}

const void *chapi_reply_result(const chapi_reply *reply, size_t *ret_len)
{
	*ret_len = reply->result.len;
	return reply->result.p;
}

const void *chapi_reply_details(const chapi_reply *reply, size_t *ret_len)
{
	*ret_len = reply->details.len;
	return reply->details.p;
}

static int span_to_json(struct span value, bool pretty, char **ret_text)
{
	return chapi_msgpack_to_json(value.p, value.len, pretty, ret_text, NULL, NULL, 0);
}

int chapi_reply_result_json(const chapi_reply *reply, bool pretty, char **ret_text)
{
	return span_to_json(reply->result, pretty, ret_text);
}

int chapi_reply_details_json(const chapi_reply *reply, bool pretty, char **ret_text)
{
	return span_to_json(reply->details, pretty, ret_text);
}
