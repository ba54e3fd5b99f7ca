/* SPDX-License-Identifier: MIT */
/*
 * Values as programs hand them over: text or bytes in, memory of malloc() out.
 *
 * The conversion itself is value.h.
 */
#include "libchapi-ipc/chapi-ipc.h"

#include <stdio.h>

#include "config.h"
#include "libchapi-ipc/mp.h"
#include "libchapi-ipc/value.h"

const char *chapi_version(void)
{
	return PACKAGE_VERSION;
}

/* Why a conversion failed, as a code and in words. */
static int explain(int r, const struct value_fault *found, int syntax_error, char *fault,
		   size_t fault_len)
{
	int error = -CHAPI_ERR_NOMEM;

	if (r == VALUE_E_SYNTAX)
		error = -syntax_error;
	else if (r == VALUE_E_INEXPRESSIBLE)
		error = syntax_error == CHAPI_ERR_JSON ? -CHAPI_ERR_JSON : -CHAPI_ERR_INEXPRESSIBLE;
	if (fault && fault_len > 0)
		snprintf(fault, fault_len, "%s", r > 0 ? found->text : chapi_strerror(error));
	return error;
}

int chapi_json_to_msgpack(const char *text, size_t len, void **ret_value, size_t *ret_len,
			  char *fault, size_t fault_len)
{
	struct buf out = BUF_NULL;
	struct value_fault found;
	int r = value_from_json(span_of(text, len), MP_VALUE_DEPTH_MAX, &out, &found);

	if (r != 0) {
		buf_deinit(&out);
		return explain(r, &found, CHAPI_ERR_JSON, fault, fault_len);
	}
	*ret_value = out.p;
	*ret_len = out.len;
	return 0;
}

/* The limit is a message's: the record of a call is deeper than the values in it. */
int chapi_msgpack_to_json(const void *value, size_t len, bool pretty, char **ret_text,
			  size_t *ret_len, char *fault, size_t fault_len)
{
	int (*const convert)(struct span, unsigned int, struct buf *, struct value_fault *) =
		pretty ? value_to_json_pretty : value_to_json;
	struct buf out = BUF_NULL;
	struct value_fault found;
	int r = convert(span_of(value, len), MP_MESSAGE_DEPTH_MAX, &out, &found);

	buf_put_byte(&out, '\0');
	if (r == 0)
		r = buf_error(&out);
	if (r != 0) {
		buf_deinit(&out);
		return explain(r, &found, CHAPI_ERR_MSGPACK, fault, fault_len);
	}
	*ret_text = (char *)out.p;
	if (ret_len)
		*ret_len = out.len - 1;
	return 0;
}
