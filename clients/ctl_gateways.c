/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl gateways: which gateways the hub sees.
 */
#include "clients/ctl.h"

#include "clients/table.h"

static void print_gateways(const json_t *gateways)
{
	static const struct table_column columns[] = { { "NAME" }, { "" } };
	json_t *rows CLEANUP(ctl_free_json) = json_array();
	const json_t *gateway;
	size_t i;

	if (json_array_size(gateways) == 0) {
		cli_error("the hub sees no gateway");
		return;
	}
	json_array_foreach(gateways, i, gateway)
		json_array_append_new(rows, json_pack(
			"[s,s]", ctl_text(gateway, "name"),
			json_is_true(json_object_get(gateway, "self")) ? "this one" : ""));
	table_print(columns, ARRAY_SIZE(columns), rows);
}

int ctl_gateways(struct ctl *ctl, char *const *args UNUSED, int n UNUSED)
{
	return ctl_show(ctl, "gateways", json_array(), print_gateways);
}
