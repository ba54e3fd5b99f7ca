/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl: asking the gateway, for all subcommands. See ctl.h.
 */
#include "clients/ctl.h"

#include <string.h>

#include "clients/output.h"

void ctl_free_json(json_t **value)
{
	json_decref(*value);
	*value = NULL;
}

void ctl_free_reply(chapi_reply **reply)
{
	*reply = chapi_reply_free(*reply);
}

int ctl_no_memory(void)
{
	return cli_fail("the answer", -CHAPI_ERR_NOMEM);
}

int ctl_connect(struct ctl *ctl)
{
	return ctl->conn ? 0 : cli_connect(&ctl->common, &ctl->conn);
}

/* Whether something ran is no question here: the gateway did it, or did not. */
static int say_refused(const chapi_reply *reply)
{
	cli_error("%s (%s)", chapi_reply_message(reply), chapi_reply_code_name(reply));
	return chapi_exit_status(chapi_reply_code(reply));
}

static int ask(struct ctl *ctl, const char *method, const char *args, int limit_ms,
	       chapi_reply **ret_reply)
{
	int status = ctl_connect(ctl), r;

	if (status != 0)
		return status;
	r = chapi_method_wait_json(ctl->conn, method, args, limit_ms, ret_reply);
	if (r < 0)
		return cli_fail(method, r);
	return chapi_reply_code(*ret_reply) == CHAPI_OK ? 0 : say_refused(*ret_reply);
}

int ctl_ask(struct ctl *ctl, const char *method, json_t *args, int limit_ms,
	    chapi_reply **ret_reply)
{
	char *text CLEANUP(cli_free) = args ? json_dumps(args, JSON_COMPACT) : NULL;

	json_decref(args);
	return text ? ask(ctl, method, text, limit_ms, ret_reply) : ctl_no_memory();
}

static int load(const chapi_reply *reply, json_t **ret_value)
{
	char *text CLEANUP(cli_free) = NULL;
	int r = chapi_reply_result_json(reply, false, &text);

	if (r < 0)
		return cli_fail("the answer", r);
	*ret_value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL,
				NULL);
	return *ret_value ? 0 : ctl_no_memory();
}

int ctl_ask_value(struct ctl *ctl, const char *method, json_t *args, json_t **ret_value)
{
	chapi_reply *reply CLEANUP(ctl_free_reply) = NULL;
	int status = ctl_ask(ctl, method, args, CTL_LIMIT_MS, &reply);

	return status != 0 ? status : load(reply, ret_value);
}

int ctl_show(struct ctl *ctl, const char *method, json_t *args, void (*print)(const json_t *value))
{
	chapi_reply *reply CLEANUP(ctl_free_reply) = NULL;
	json_t *value CLEANUP(ctl_free_json) = NULL;
	int status = ctl_ask(ctl, method, args, CTL_LIMIT_MS, &reply);
	const void *result;
	size_t len;

	if (status != 0)
		return status;
	if (ctl->json) {
		result = chapi_reply_result(reply, &len);
		return output_value(result, len);
	}
	status = load(reply, &value);
	if (status == 0)
		print(value);
	return status;
}

int ctl_print_json(const json_t *value)
{
	char *text CLEANUP(cli_free) = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY)
					     : NULL;
	void *packed CLEANUP(cli_free) = NULL;
	size_t len;

	if (!text || chapi_json_to_msgpack(text, strlen(text), &packed, &len, NULL, 0) < 0)
		return ctl_no_memory();
	return output_value(packed, len);
}

const char *ctl_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

double ctl_number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

long long ctl_integer(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_real(value) ? (long long)json_real_value(value)
				   : (long long)json_integer_value(value);
}
