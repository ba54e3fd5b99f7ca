/* SPDX-License-Identifier: MIT */
/*
 * HTTP requests to the hub, signed.
 *
 * To find an algorithm by its name and to set it up costs OpenSSL ten times what it takes to hash
 * so little: that is done with the first request, and kept. What is signed seldom is sign.h's.
 *
 * Pusher: "HTTP API authentication".
 */
#ifndef CHAPI_SIGNER_H
#define CHAPI_SIGNER_H

#include "libchapi-ipc/buf.h"

struct sign_request {
	const char *method;
	const char *signed_path;	/* they differ with a path prefix only */
	const char *path;		/* what is requested */
	/* Further parameters in the order of their names, raw, or NULL:
	 * "filter_by_prefix=presence-&info=user_count". */
	const char *query;
	struct span body;		/* empty: no body_md5 */
	int64_t unix_s;
};

struct signer;

/* For one thread at a time. */
int signer_new(struct signer **ret_signer) MUST_CHECK;
struct signer *signer_free(struct signer *signer);

/* The request target: PATH?auth_key=...&auth_signature=...; -ENOTSUP: OpenSSL does not do that. */
int signer_put_target(struct signer *signer, const struct sign_request *request, const char *key,
		      const char *secret, struct buf *out) MUST_CHECK;

#endif
