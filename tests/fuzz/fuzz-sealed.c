/* SPDX-License-Identifier: MIT */
/*
 * Fuzz harness: data of an event on an encrypted channel; and any text closed, then opened.
 */
#undef NDEBUG
#include <assert.h>

#include "gateway/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_round(const struct sealed *sealed, struct span channel, struct span text)
{
	struct buf closed = BUF_NULL, opened = BUF_NULL;
	struct span event, again;

	assert(sealed_close(sealed, channel, text, &closed, &event) == 0);
	assert(sealed_room(channel, event.len) >= text.len);
	assert(sealed_open(sealed, channel, event, &opened, &again) == 0);
	assert(span_equal(again, text));
	buf_deinit(&closed);
	buf_deinit(&opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct span channel = span_str("private-encrypted-vault_7");
	struct buf store = BUF_NULL;
	uint8_t key[SEALED_KEY_LEN];
	struct sealed sealed;
	struct span text;
	int r;

	if (sealed_why_not())
		return 0;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	assert(sealed_init(&sealed, key) == 0);
	r = sealed_open(&sealed, channel, span_of(data, len), &store, &text);
	assert(r == 0 || (r == SEALED_E_BAD && store.len == 0));
	check_round(&sealed, channel, span_of(data, len));
	buf_deinit(&store);
	sealed_deinit(&sealed);
	return 0;
}
