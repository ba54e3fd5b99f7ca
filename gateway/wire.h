/* SPDX-License-Identifier: MIT */
/*
 * What the gateway says on a local connection, in the connection's encoding.
 *
 * Pure: appends to the output buffer of a connection and knows nothing else of it. What it
 * hears there is frame.h and message.h; values are converted by value.h.
 */
#ifndef CHAPI_WIRE_H
#define CHAPI_WIRE_H

#include "gateway/party.h"
#include "libchapi-ipc/buf.h"
#include "libchapi-ipc/frame.h"
#include "libchapi-ipc/value.h"

enum { WIRE_E_INEXPRESSIBLE = 1 };

/*
 * Each appends one message to out: 0, or -ENOMEM/-ENOBUFS, and out is as it was. An encoding
 * that is not known yet is JSON.
 */

/* [0, id, api, [params, meta]]. WIRE_E_INEXPRESSIBLE: params have no form in JSON, ret_fault
 * says where. */
int wire_put_request(enum encoding encoding, const struct party_request *request, struct buf *out,
		     struct value_fault *ret_fault) MUST_CHECK;
/* [1, id, error, result]. A result that has no form in JSON becomes bad_reply. */
int wire_put_response(enum encoding encoding, uint32_t id, const struct party_response *response,
		      struct buf *out) MUST_CHECK;
/* [2, "cancel", [id]] */
int wire_put_cancel(enum encoding encoding, uint32_t id, struct buf *out) MUST_CHECK;
/* [2, "progress", [id, value]] and [2, "event", [map]]. WIRE_E_INEXPRESSIBLE: it has no form
 * in JSON. */
int wire_put_progress(enum encoding encoding, uint32_t id, struct span value,
		      struct buf *out) MUST_CHECK;
int wire_put_event(enum encoding encoding, struct span event, struct buf *out) MUST_CHECK;
/* [2, "granted", [name]] and [2, "revoked", [name, reason]] */
int wire_put_granted(enum encoding encoding, struct span name, struct buf *out) MUST_CHECK;
int wire_put_revoked(enum encoding encoding, struct span name, const char *reason,
		     struct buf *out) MUST_CHECK;
/* [1, nil, error, nil]: about something that had no id. */
int wire_put_refusal(enum encoding encoding, const struct failure *failure,
		     struct buf *out) MUST_CHECK;

/* Type and id of a line that cannot be converted as a whole: false if it does not begin
 * "[0,id," or "[1,id,". */
bool wire_line_head(struct span line, int *ret_type, int64_t *ret_id);

#endif
