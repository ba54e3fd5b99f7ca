/* SPDX-License-Identifier: MIT */
/* stream.h - caller and provider loops over one stream socket, for hand-packed protocols.
 * A transport gives a codec; the loop keeps `window` calls outstanding, reads as
 * much as there is, handles every whole frame, then writes everything in one send. */
#ifndef STREAM_H
#define STREAM_H
#include "bench.h"

struct buf { uint8_t *p; size_t off, len, cap; };    /* bytes [off, off+len) are live */
void buf_need(struct buf *b, size_t n);              /* room for n more at the tail */
static inline uint8_t *buf_tail(struct buf *b) { return b->p + b->off + b->len; }
static inline void buf_put(struct buf *b, const void *d, size_t n)
{
    buf_need(b, n);
    memcpy(buf_tail(b), d, n);
    b->len += n;
}

#define ID_NONE 0xffffffffu

struct codec {
    int (*open_caller)(int idx);                     /* connected fd, handshake done, or -1 */
    int (*open_provider)(int idx);                   /* ditto, names registered */
    int (*open_idle)(int idx);
    void (*enc_call)(struct buf *out, uint32_t id, int name, const uint8_t *pl, size_t n);
    /* Provider: parse one frame at p; 0 = incomplete; append the answer to out. */
    size_t (*serve)(const uint8_t *p, size_t len, struct buf *out);
    /* Caller: parse one frame at p; 0 = incomplete; *id = ID_NONE when it is no reply. */
    size_t (*dec_reply)(const uint8_t *p, size_t len, uint32_t *id, const uint8_t **pl, size_t *n, struct buf *out);
};
void stream_caller(const struct codec *k, int idx);
void stream_provider(const struct codec *k, int idx);
void stream_provider_fds(const struct codec *k, int *fds, int n);
void stream_idle(const struct codec *k, int n);
int read_full(int fd, void *p, size_t n);
int write_full(int fd, const void *p, size_t n);
#endif
