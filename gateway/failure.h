/* SPDX-License-Identifier: MIT */
/*
 * What a provider says when it fails, turned into what its caller is told.
 *
 * chapi-ipc(7), "Answers": a text, or a map of code, message, details. A few codes
 * are passed on as they are, every other is api_error with the provider's own code in
 * details.code. What cannot be read becomes bad_reply.
 */
#ifndef CHAPI_FAILURE_H
#define CHAPI_FAILURE_H

#include "gateway/party.h"
#include "libchapi-ipc/buf.h"

/*
 * error: one MessagePack value, not nil; depth: of it, or anything more. Texts of *ret point
 * into error or into scratch, whose content is replaced. Always gives a failure.
 */
void failure_read(struct span error, unsigned int depth, struct buf *scratch,
		      struct failure *ret);

#endif
