/* SPDX-License-Identifier: MIT */
/*
 * Base64: see base64.h.
 */
#include "libchapi-ipc/base64.h"

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_len(size_t len)
{
	return (len + 2) / 3 * 4;
}

uint8_t *base64_write(uint8_t *w, const uint8_t *p, size_t len)
{
	for (; len > 0; p += MIN(len, 3), len -= MIN(len, 3)) {
		uint32_t v = (uint32_t)p[0] << 16;

		if (len > 1)
			v |= (uint32_t)p[1] << 8;
		if (len > 2)
			v |= p[2];
		*w++ = (uint8_t)digits[v >> 18];
		*w++ = (uint8_t)digits[v >> 12 & 63];
		*w++ = len > 1 ? (uint8_t)digits[v >> 6 & 63] : '=';
		*w++ = len > 2 ? (uint8_t)digits[v & 63] : '=';
	}
	return w;
}

void base64_put(struct buf *out, struct span bytes)
{
	uint8_t *w = buf_reserve(out, base64_len(bytes.len));

	if (!w)
		return;
	base64_write(w, bytes.p, bytes.len);
	buf_commit(out, base64_len(bytes.len));
}

static int digit_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(uint8_t *p, size_t len, size_t *ret_len)
{
	size_t pad = 0, i;
	uint8_t *w = p;
	uint32_t v = 0;

	if (len % 4 != 0)
		return false;
	while (pad < 2 && pad < len && p[len - 1 - pad] == '=')
		pad++;
	for (i = 0; i < len - pad; i++) {
		int digit = digit_of(p[i]);

		if (digit < 0)
			return false;
		v = v << 6 | (uint32_t)digit;
		if (i % 4 != 3)
			continue;
		*w++ = (uint8_t)(v >> 16);
		*w++ = (uint8_t)(v >> 8);
		*w++ = (uint8_t)v;
		v = 0;
	}
	if (pad == 1) {
		*w++ = (uint8_t)(v >> 10);
		*w++ = (uint8_t)(v >> 2);
	} else if (pad == 2) {
		*w++ = (uint8_t)(v >> 4);
	}
	*ret_len = (size_t)(w - p);
	return pad == 0 || (v & (pad == 1 ? 3 : 15)) == 0;
}
