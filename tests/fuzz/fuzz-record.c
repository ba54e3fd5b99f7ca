/* SPDX-License-Identifier: MIT */
/*
 * Fuzz harness: the data of a request, and a response made for it; cancel and progress.
 *
 * A response is JSON whatever the request said, and tells whose it is.
 */
#undef NDEBUG
#include <assert.h>

#include "gateway/record.h"
#include "gateway/record_notes.h"
#include "libchapi-ipc/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_json(struct span text)
{
	struct json_fault fault;
	struct span inner;

	assert(json_text(text, JSON_DEPTH_MAX, &inner, &fault) == 0);
}

static void check_origin(struct span response)
{
	struct buf gateway = BUF_NULL, instance = BUF_NULL;

	assert(record_response_origin(response, &gateway, &instance) == 0);
	assert(span_is(buf_span(&gateway), "pi") && span_is(buf_span(&instance), "i1"));
	buf_deinit(&gateway);
	buf_deinit(&instance);
}

/* With the params as result: they came as JSON, so they can go as JSON. */
static void check_response(const struct record_request *request, const struct failure *failure)
{
	const struct record_gateway gateway = { .gateway = "pi", .instance = "i1" };
	const struct party_response response = {
		.failure = failure,
		.result = buf_span(&request->params),
		.api = buf_span(&request->api),
		.call = buf_span(&request->id),
	};
	struct buf text = BUF_NULL, cached = BUF_NULL;

	assert(record_response_put(request, &response, &gateway, &text) == 0);
	check_json(buf_span(&text));
	check_origin(buf_span(&text));
	record_put_cached(buf_span(&text), &cached);
	check_json(buf_span(&cached));
	buf_deinit(&cached);
	buf_deinit(&text);
}

static void check_id(struct span id)
{
	assert(id.len <= RECORD_ID_MAX);
	for (size_t i = 0; i < id.len; i++)
		assert(id.p[i] >= ' ' && id.p[i] <= '~');
}

static void check_request(const struct record_request *request, int outcome)
{
	const struct failure failure = {
		.code = CHAPI_ERR_API_NOT_FOUND,
		.ran = CHAPI_RAN_NO,
		.message = span_str("no such function"),
	};

	check_id(buf_span(&request->id));
	if (outcome == 0)
		check_response(request, NULL);
	check_response(request, &failure);
}

static void read_notes(struct span text)
{
	struct buf id = BUF_NULL, value = BUF_NULL, again = BUF_NULL;
	uint32_t seq;
	int r = record_cancel_parse(text, &id);

	assert(r == 0 || r == RECORD_NOTE_E_NONE);
	if (r == 0) {		/* an id that no request has is no fault of this one */
		record_cancel_put(buf_span(&id), &again);
		check_json(buf_span(&again));
	}
	r = record_progress_parse(text, &id, &seq, &value);
	assert(r == 0 || r == RECORD_NOTE_E_NONE);
	buf_deinit(&again);
	buf_deinit(&value);
	buf_deinit(&id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf gateway = BUF_NULL, instance = BUF_NULL;
	struct record_request request;
	struct value_fault fault;
	int r;

	record_request_init(&request);
	r = record_request_parse(span_of(data, len), &request, &fault);
	assert(r == 0 || r == RECORD_E_NOT_OURS || r == RECORD_E_INVALID);
	if (r != RECORD_E_NOT_OURS)
		check_request(&request, r);
	record_request_deinit(&request);
	r = record_response_origin(span_of(data, len), &gateway, &instance);
	assert(r == 0 || r == RECORD_E_NOT_OURS);
	buf_deinit(&gateway);
	buf_deinit(&instance);
	read_notes(span_of(data, len));
	return 0;
}
