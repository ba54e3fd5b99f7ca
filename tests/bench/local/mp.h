/* SPDX-License-Identifier: MIT */
/* mp.h - the few MessagePack pieces a load generator needs: pack, and skip one object. */
#ifndef MP_H
#define MP_H
#include <stdint.h>
#include <string.h>

static inline uint8_t *mp_uint(uint8_t *p, uint32_t v)
{
    if (v < 128) { *p++ = (uint8_t)v; return p; }
    if (v < 256) { *p++ = 0xcc; *p++ = (uint8_t)v; return p; }
    if (v < 65536) { *p++ = 0xcd; *p++ = (uint8_t)(v >> 8); *p++ = (uint8_t)v; return p; }
    *p++ = 0xce; *p++ = (uint8_t)(v >> 24); *p++ = (uint8_t)(v >> 16); *p++ = (uint8_t)(v >> 8); *p++ = (uint8_t)v;
    return p;
}
static inline uint8_t *mp_array(uint8_t *p, uint32_t n)
{
    if (n < 16) *p++ = (uint8_t)(0x90 | n);
    else { *p++ = 0xdc; *p++ = (uint8_t)(n >> 8); *p++ = (uint8_t)n; }
    return p;
}
static inline uint8_t *mp_str(uint8_t *p, const char *s)
{
    size_t n = strlen(s);
    if (n < 32) *p++ = (uint8_t)(0xa0 | n);
    else { *p++ = 0xd9; *p++ = (uint8_t)n; }
    memcpy(p, s, n);
    return p + n;
}
static inline uint8_t *mp_bin_head(uint8_t *p, uint32_t n)
{
    if (n < 256) { *p++ = 0xc4; *p++ = (uint8_t)n; }
    else if (n < 65536) { *p++ = 0xc5; *p++ = (uint8_t)(n >> 8); *p++ = (uint8_t)n; }
    else { *p++ = 0xc6; *p++ = (uint8_t)(n >> 24); *p++ = (uint8_t)(n >> 16); *p++ = (uint8_t)(n >> 8); *p++ = (uint8_t)n; }
    return p;
}
static inline uint32_t mp_be(const uint8_t *p, int n)
{
    uint32_t v = 0;
    while (n--) v = v << 8 | *p++;
    return v;
}
/* Length of the object at p, 0 when [p, e) does not hold it whole, -1 when malformed.
 * Iterative: `left` objects remain, so nesting costs no stack. */
static inline long mp_skip(const uint8_t *p, const uint8_t *e)
{
    const uint8_t *s = p;
    uint64_t left = 1;
    while (left) {
        if (p >= e) return 0;
        uint8_t c = *p;
        size_t h = 1, body = 0;
        uint64_t kids = 0;
        if (c < 0x80 || c >= 0xe0) ;
        else if (c < 0x90) kids = 2u * (c & 15);
        else if (c < 0xa0) kids = c & 15;
        else if (c < 0xc0) body = c & 31;
        else switch (c) {
            case 0xc0: case 0xc2: case 0xc3: break;
            case 0xc4: case 0xd9: h = 2; break;
            case 0xc5: case 0xda: case 0xdc: case 0xde: h = 3; break;
            case 0xc6: case 0xdb: case 0xdd: case 0xdf: h = 5; break;
            case 0xc7: h = 3; break;
            case 0xc8: h = 4; break;
            case 0xc9: h = 6; break;
            case 0xca: case 0xce: case 0xd2: h = 5; break;
            case 0xcb: case 0xcf: case 0xd3: h = 9; break;
            case 0xcc: case 0xd0: h = 2; break;
            case 0xcd: case 0xd1: h = 3; break;
            case 0xd4: h = 3; break;
            case 0xd5: h = 4; break;
            case 0xd6: h = 6; break;
            case 0xd7: h = 10; break;
            case 0xd8: h = 18; break;
            default: return -1;                           /* 0xc1 */
        }
        if ((size_t)(e - p) < h) return 0;
        switch (c) {
            case 0xc4: case 0xd9: body = p[1]; break;
            case 0xc5: case 0xda: body = mp_be(p + 1, 2); break;
            case 0xc6: case 0xdb: body = mp_be(p + 1, 4); break;
            case 0xc7: body = p[1]; break;
            case 0xc8: body = mp_be(p + 1, 2); break;
            case 0xc9: body = mp_be(p + 1, 4); break;
            case 0xdc: kids = mp_be(p + 1, 2); break;
            case 0xdd: kids = mp_be(p + 1, 4); break;
            case 0xde: kids = 2ull * mp_be(p + 1, 2); break;
            case 0xdf: kids = 2ull * mp_be(p + 1, 4); break;
            default: break;
        }
        p += h;
        if ((size_t)(e - p) < body) return 0;
        p += body;
        left += kids;
        left--;
    }
    return p - s;
}
/* Reads an unsigned integer; returns bytes used, 0 incomplete, -1 not an unsigned integer. */
static inline long mp_get_uint(const uint8_t *p, const uint8_t *e, uint64_t *v)
{
    if (p >= e) return 0;
    if (*p < 0x80) { *v = *p; return 1; }
    int n = *p == 0xcc ? 1 : *p == 0xcd ? 2 : *p == 0xce ? 4 : *p == 0xcf ? 8 : 0;
    if (!n) return -1;
    if (e - p < n + 1) return 0;
    *v = n == 8 ? (uint64_t)mp_be(p + 1, 4) << 32 | mp_be(p + 5, 4) : mp_be(p + 1, n);
    return n + 1;
}
static inline long mp_get_str(const uint8_t *p, const uint8_t *e, const char **s, uint32_t *n)
{
    if (p >= e) return 0;
    int h = (*p & 0xe0) == 0xa0 ? 0 : *p == 0xd9 ? 1 : *p == 0xda ? 2 : *p == 0xdb ? 4 : -1;
    if (h < 0) return -1;
    if (e - p < 1 + h) return 0;
    *n = h ? mp_be(p + 1, h) : (uint32_t)(*p & 31);
    if ((size_t)(e - p) < 1 + (size_t)h + *n) return 0;
    *s = (const char *)p + 1 + h;
    return 1 + h + (long)*n;
}
/* Array header; bytes used, 0 incomplete, -1 not an array. */
static inline long mp_get_array(const uint8_t *p, const uint8_t *e, uint32_t *n)
{
    if (p >= e) return 0;
    if ((*p & 0xf0) == 0x90) { *n = *p & 15; return 1; }
    int h = *p == 0xdc ? 2 : *p == 0xdd ? 4 : -1;
    if (h < 0) return -1;
    if (e - p < 1 + h) return 0;
    *n = mp_be(p + 1, h);
    return 1 + h;
}
#endif
