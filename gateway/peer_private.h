/* SPDX-License-Identifier: MIT */
/*
 * What the files of the local connections share. Nobody else includes this.
 *
 *     peer.c          coming, leaving, and the end of a turn
 *     peer_input.c    reading, and the messages that are read
 *     peer_output.c   what the router has for a connection, and sending
 */
#ifndef CHAPI_PEER_PRIVATE_H
#define CHAPI_PEER_PRIVATE_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "gateway/peer.h"
#include "gateway/wire.h"

#define READ_LEN ((size_t)128 * 1024)
#define REST_LEN ((size_t)4096)		/* up to so much is copied to the shared buffer again */
#define SPARES_MAX 8			/* output buffers kept for whoever speaks next */

enum peer_state {
	PEER_OPEN,
	PEER_ASKED,	/* has closed its sending side, and waits for answers */
	PEER_LEAVING,	/* to be taken out of the router at the end of the turn */
	PEER_FLUSHING,	/* out of the router; what was queued is being sent */
};

struct peer {
	struct party party;
	struct peers *peers;
	struct list link;		/* among all */
	struct list dirty;		/* among those that have something to say */
	struct list leaving;
	int fd;
	enum peer_state state;
	bool broken;			/* nothing can be sent any more */
	bool paused;			/* not read until its output has drained */
	bool overworked;		/* not read until the others have had their turn */
	bool backlog;			/* there may be whole messages in `in`, from before that */
	bool writing;			/* waits for writability */
	bool starved;			/* a request needs its whole output */
	struct frame_reader reader;
	struct buf in, out;
	struct event readable, writable;
	gid_t *groups;
};

struct peers {
	struct event_base *base;
	struct router *router;
	struct turn *turn;
	struct peers_config config;
	struct timeval stalled_after;
	struct list all, dirty, leaving;
	struct event asked_timer;	/* while there are connections of state PEER_ASKED */
	unsigned int n;
	struct buf scratch;		/* a JSON line as MessagePack */
	struct value_fault fault;	/* why a request could not be written */
	struct buf spares[SPARES_MAX];
	unsigned int n_spares;
	uint8_t shared[REST_LEN + READ_LEN];
};

/* The end of the turn looks at it. */
static inline void peer_touch(struct peer *p)
{
	if (list_empty(&p->dirty))
		list_add_tail(&p->peers->dirty, &p->dirty);
}

/* ---- peer.c ---- */

/* It is taken out at the end of the turn; what was queued for it is sent. */
void peer_leave(struct peer *p);
/* As above, when nothing can be sent to it any more; and says why. */
void peer_break(struct peer *p);
void peer_close(struct peer *p, const char *why);
/* Those that are leaving are taken out of the router, so that their names are free. */
void peers_remove_leaving(struct peers *peers);

/* ---- peer_input.c ---- */

void peer_on_readable(evutil_socket_t fd, short what, void *data);
/* Of struct peers: half-closed connections are looked at. */
void peer_on_asked_timer(evutil_socket_t fd, short what, void *data);
/* Reading goes on, if it was put off and may again. */
void peer_resume(struct peer *p);
void peer_go_on(struct peer *p);

/* ---- peer_output.c ---- */

extern const struct party_ops peer_ops;

static inline struct peer *peer_of(struct party *party)
{
	return container_of(party, struct peer, party);
}

void peer_on_writable(evutil_socket_t fd, short what, void *data);
/* Sends until all is gone or the socket takes no more. */
void peer_send(struct peer *p);
/* Memory of an output in which nothing waits. */
void peer_give_back_output(struct peer *p);
/* Tells it that what it sent is no message. */
void peer_refuse(struct peer *p, const char *why);

#endif
