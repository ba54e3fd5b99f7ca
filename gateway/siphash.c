/* SPDX-License-Identifier: MIT */
/*
 * SipHash-1-3: see siphash.h. Words are read in little-endian order on every machine, so that
 * the values of the test hold everywhere.
 */
#include "gateway/siphash.h"

struct sip {
	uint64_t a, b, c, d;
};

static inline uint64_t rotate(uint64_t v, unsigned int n)
{
	return v << n | v >> (64 - n);
}

static inline void sip_round(struct sip *s)
{
	s->a += s->b;
	s->b = rotate(s->b, 13) ^ s->a;
	s->a = rotate(s->a, 32);
	s->c += s->d;
	s->d = rotate(s->d, 16) ^ s->c;
	s->a += s->d;
	s->d = rotate(s->d, 21) ^ s->a;
	s->c += s->b;
	s->b = rotate(s->b, 17) ^ s->c;
	s->c = rotate(s->c, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
	s->d ^= word;
	sip_round(s);
	s->a ^= word;
}

/* 8 bytes as a number, the first one lowest: of this form compilers make one load. */
static inline uint64_t load_word(const uint8_t *p)
{
	return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
	       (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
	       (uint64_t)p[7] << 56;
}

/* Up to 7 bytes as a number, the first one lowest. */
static inline uint64_t load(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

uint64_t siphash(const uint64_t key[2], struct span text)
{
	struct sip s = {
		.a = key[0] ^ 0x736f6d6570736575ULL,
		.b = key[1] ^ 0x646f72616e646f6dULL,
		.c = key[0] ^ 0x6c7967656e657261ULL,
		.d = key[1] ^ 0x7465646279746573ULL,
	};
	size_t i = 0;

	for (; text.len - i >= 8; i += 8)
		sip_word(&s, load_word(text.p + i));
	sip_word(&s, load(text.p + i, text.len - i) | (uint64_t)text.len << 56);
	s.c ^= 0xff;
	for (int n = 0; n < 3; n++)
		sip_round(&s);
	return s.a ^ s.b ^ s.c ^ s.d;
}
