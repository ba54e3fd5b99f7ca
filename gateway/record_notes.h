/* SPDX-License-Identifier: MIT */
/*
 * The small records of the remote protocol, about a request that runs: cancel and progress.
 *
 * Pure; written by one side and read by the other, so both are here. Requests and responses
 * are record.h.
 */
#ifndef CHAPI_RECORD_NOTES_H
#define CHAPI_RECORD_NOTES_H

#include "libchapi-ipc/buf.h"

enum {
	RECORD_NOTE_E_NONE = 1,		/* no such record, or has no form in the other encoding */
};

/* {"id"}. out remembers a failure. */
void record_cancel_put(struct span id, struct buf *out);
/* id: emptied before. 0, RECORD_NOTE_E_NONE or -ENOMEM. */
int record_cancel_parse(struct span text, struct buf *id) MUST_CHECK;

/* {"id","seq","value"}; value: JSON. out remembers a failure. */
void record_progress_put(struct span id, uint32_t seq, struct span value, struct buf *out);
/* id and value (MessagePack): emptied before. 0, RECORD_NOTE_E_NONE or -ENOMEM. */
int record_progress_parse(struct span text, struct buf *id, uint32_t *ret_seq,
			  struct buf *value) MUST_CHECK;

#endif
