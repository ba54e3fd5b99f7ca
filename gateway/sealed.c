/* SPDX-License-Identifier: MIT */
/*
 * Where the data of an event is opened and closed: see sealed.h.
 *
 * The data of an encrypted event is {"nonce":BASE64,"ciphertext":BASE64}, a secretbox of NaCl;
 * a channel's key is the SHA-256 of its name and the master key.
 */
#include <config.h>	/* HAVE_LIBSODIUM */

#include "gateway/sealed.h"

#include <errno.h>
#ifdef HAVE_LIBSODIUM
#include <sodium.h>
#endif

#include "gateway/sign.h"
#include "libchapi-ipc/base64.h"
#include "libchapi-ipc/json.h"

#define PREFIX "private-encrypted-"
#define NONCE_LEN 24
#define TAG_LEN 16
#define FRAME_LEN 60		/* of the data around the ciphertext, the nonce included */
#define DEPTH_MAX 4

#ifdef HAVE_LIBSODIUM
_Static_assert(crypto_secretbox_NONCEBYTES == NONCE_LEN, "the nonce of a secretbox");
_Static_assert(crypto_secretbox_MACBYTES == TAG_LEN, "the tag of a secretbox");
_Static_assert(crypto_secretbox_KEYBYTES == SEALED_KEY_LEN, "the key of a secretbox");
#endif

/* ---- sizes ------------------------------------------------------------------------------ */

bool sealed_is_encrypted(struct span channel)
{
	return channel.len >= sizeof(PREFIX) - 1 &&
	       memcmp(channel.p, PREFIX, sizeof(PREFIX) - 1) == 0;
}

size_t sealed_room(struct span channel, size_t max)
{
	size_t room;

	if (!sealed_is_encrypted(channel))
		return max;
	room = max > FRAME_LEN ? (max - FRAME_LEN) / 4 * 3 : 0;
	return room > TAG_LEN ? room - TAG_LEN : 0;
}

/* ---- boxes ------------------------------------------------------------------------------ */

#ifdef HAVE_LIBSODIUM

const char *sealed_why_not(void)
{
	return sodium_init() < 0 ? "libsodium does not work on this system" : NULL;
}

static int channel_key(const struct sealed *s, struct span channel, uint8_t ret[SEALED_KEY_LEN])
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	int r;

	buf_put(&text, channel.p, channel.len);
	buf_put(&text, s->key, sizeof(s->key));
	r = buf_error(&text);
	if (r == 0) {
		r = sign_sha256(buf_span(&text), ret);
		sign_wipe(text.p, text.len);
	}
	return r;
}

/* box: TAG_LEN longer than text. */
static int box_close(const struct sealed *s, struct span channel, struct span text,
		     uint8_t nonce[NONCE_LEN], uint8_t *box)
{
	uint8_t key[SEALED_KEY_LEN];
	int r = channel_key(s, channel, key);

	if (r < 0)
		return r;
	randombytes_buf(nonce, NONCE_LEN);
	r = crypto_secretbox_easy(box, text.p, text.len, nonce, key) == 0 ? 0 : -EINVAL;
	sign_wipe(key, sizeof(key));
	return r;
}

static int box_open(const struct sealed *s, struct span channel, struct span box,
		    const uint8_t nonce[NONCE_LEN], uint8_t *text)
{
	uint8_t key[SEALED_KEY_LEN];
	int r = channel_key(s, channel, key);

	if (r < 0)
		return r;
	r = crypto_secretbox_open_easy(text, box.p, box.len, nonce, key) == 0 ? 0 : SEALED_E_BAD;
	sign_wipe(key, sizeof(key));
	return r;
}

#else

const char *sealed_why_not(void)
{
	return "this program was built without libsodium";
}

static int box_close(const struct sealed *s UNUSED, struct span channel UNUSED,
		     struct span text UNUSED, uint8_t nonce[NONCE_LEN] UNUSED,
		     uint8_t *box UNUSED)
{
	return SEALED_E_NO_KEY;
}

static int box_open(const struct sealed *s UNUSED, struct span channel UNUSED,
		    struct span box UNUSED, const uint8_t nonce[NONCE_LEN] UNUSED,
		    uint8_t *text UNUSED)
{
	return SEALED_E_NO_KEY;
}

#endif

/* ---- their text ------------------------------------------------------------------------- */

static int close_box(const struct sealed *s, struct span channel, struct span text, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf box = BUF_NULL;
	uint8_t *w = buf_reserve(&box, text.len + TAG_LEN);
	uint8_t nonce[NONCE_LEN];
	int r;

	if (!w)
		return -ENOMEM;
	r = box_close(s, channel, text, nonce, w);
	if (r != 0)
		return r;
	buf_commit(&box, text.len + TAG_LEN);
	buf_put_str(out, "{\"nonce\":\"");
	base64_put(out, span_of(nonce, sizeof(nonce)));
	buf_put_str(out, "\",\"ciphertext\":\"");
	base64_put(out, buf_span(&box));
	buf_put_str(out, "\"}");
	return buf_error(out);
}

/* Two of one name: the last counts. */
static int read_base64(struct span value, struct buf *out)
{
	size_t len;
	int r;

	buf_clear(out);
	r = json_get_string(value, out);
	if (r != 0)
		return r < 0 ? r : SEALED_E_BAD;
	if (out->len == 0 || !base64_decode(out->p + out->off, out->len, &len))
		return SEALED_E_BAD;
	buf_truncate(out, len);
	return 0;
}

static int read_data(struct span data, struct buf *nonce, struct buf *box)
{
	struct span object, key, value;
	struct json_reader reader;
	struct json_fault fault;

	if (json_text(data, DEPTH_MAX, &object, &fault) || json_enter_object(object, &reader))
		return SEALED_E_BAD;
	while (!json_next_member(&reader, &key, &value)) {
		struct buf *out = json_key_is(key, "nonce") ? nonce :
				  json_key_is(key, "ciphertext") ? box : NULL;
		int r = out ? read_base64(value, out) : 0;

		if (r != 0)
			return r;
	}
	return nonce->len == NONCE_LEN && box->len >= TAG_LEN ? 0 : SEALED_E_BAD;
}

static int open_box(const struct sealed *s, struct span channel, struct span data, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf nonce = BUF_NULL, box = BUF_NULL;
	int r = read_data(data, &nonce, &box);
	uint8_t *w;

	if (r != 0)
		return r;
	w = buf_reserve(out, MAX(box.len - TAG_LEN, 1));
	if (!w)
		return -ENOMEM;
	r = box_open(s, channel, buf_span(&box), buf_data(&nonce), w);
	if (r == 0)
		buf_commit(out, box.len - TAG_LEN);
	return r;
}

/* ---- public ----------------------------------------------------------------------------- */

int sealed_init(struct sealed *s, const uint8_t *key)
{
	*s = (struct sealed){ .has_key = key };
	if (!key)
		return 0;
	memcpy(s->key, key, sizeof(s->key));
	return sealed_why_not() ? -ENOTSUP : 0;
}

void sealed_deinit(struct sealed *s)
{
	sign_wipe(s, sizeof(*s));
}

static int convert(const struct sealed *s, struct span channel, struct span from, struct buf *store,
		   struct span *ret,
		   int (*with_key)(const struct sealed *, struct span, struct span, struct buf *))
{
	size_t len_before = store->len;
	int r;

	*ret = from;
	if (!sealed_is_encrypted(channel))
		return 0;
	if (!s->has_key)
		return SEALED_E_NO_KEY;
	r = with_key(s, channel, from, store);
	if (r != 0)
		buf_truncate(store, len_before);
	else
		*ret = span_of(buf_data(store) + len_before, store->len - len_before);
	return r;
}

int sealed_close(const struct sealed *s, struct span channel, struct span text, struct buf *store,
		 struct span *ret)
{
	return convert(s, channel, text, store, ret, close_box);
}

int sealed_open(const struct sealed *s, struct span channel, struct span data, struct buf *store,
		struct span *ret)
{
	return convert(s, channel, data, store, ret, open_box);
}
