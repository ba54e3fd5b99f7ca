/* SPDX-License-Identifier: MIT */
/* relay.h - wire format of the limit relay: 16-byte header, then len bytes.
 * to = destination: a provider number on a call, a connection number on a reply.
 * from = filled by the relay with the sender's connection number. */
#ifndef RELAY_H
#define RELAY_H
#include <stdint.h>
struct rhdr { uint32_t len, to, from, id; };
#define R_HELLO_PROVIDER 0xfffffff0u      /* to: HELLO; id = provider number (-1: a caller) */
#define R_REPLY 0x80000000u               /* to: this bit set = a reply to connection (to & ~bit) */
#endif
