/* SPDX-License-Identifier: MIT */
/*
 * Local connections: coming, leaving, and the end of a turn.
 *
 * What they send is peer_input.c, what they are given peer_output.c.
 *
 * Leaving: the router is not told while it is at work, and nothing is freed in a callback. A
 * connection is marked (peer_leave()). It is taken out of the router when the callback is done,
 * so that whoever is read next finds its names free, which may give others something to say; at
 * the end of the turn what was queued for it is sent; then it is freed.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/log.h"
#include "gateway/peer_private.h"

/* ---- leaving ----------------------------------------------------------------------------- */

void peer_leave(struct peer *p)
{
	if (p->state >= PEER_LEAVING)
		return;
	p->state = PEER_LEAVING;
	event_del(&p->readable);
	list_add_tail(&p->peers->leaving, &p->leaving);
}

/* As above, when nothing can be sent to it any more. */
void peer_break(struct peer *p)
{
	p->broken = true;
	peer_leave(p);
	peer_touch(p);	/* if it was flushing, the end of the turn has to look at it again */
}

void peer_close(struct peer *p, const char *why)
{
	log_info("socket", "closing the connection of %s: %s", p->party.caller, why);
	peer_break(p);
}

/* The router answers those whom the peer leaves waiting: they are touched by that. */
void peers_remove_leaving(struct peers *peers)
{
	struct peer *p;

	while ((p = list_first(&peers->leaving, struct peer, leaving))) {
		list_del(&p->leaving);
		router_remove(peers->router, &p->party, turn_now(peers->turn));
		p->state = PEER_FLUSHING;
		peer_touch(p);
	}
}

/* ---- coming and going -------------------------------------------------------------------- */

static struct peer *peer_free(struct peer *p)
{
	if (!p)
		return NULL;
	event_del(&p->readable);
	event_del(&p->writable);
	list_del(&p->link);
	list_del(&p->dirty);
	list_del(&p->leaving);
	close(p->fd);
	router_charge_output(p->peers->router, &p->party, 0);
	buf_deinit(&p->in);
	buf_deinit(&p->out);
	free(p->groups);
	p->peers->n--;
	free(p);
	return NULL;
}

/* A process in no group but its own has none. */
static int read_groups(struct peer *p)
{
	socklen_t len = 0;

	if (getsockopt(p->fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 || errno != ERANGE)
		return 0;
	p->groups = malloc(len);
	if (!p->groups)
		return -ENOMEM;
	if (getsockopt(p->fd, SOL_SOCKET, SO_PEERGROUPS, p->groups, &len) < 0)
		return -errno;
	p->party.groups = p->groups;
	p->party.n_groups = len / sizeof(gid_t);
	return 0;
}

static int read_credentials(struct peer *p)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(p->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	p->party.uid = cred.uid;
	p->party.gid = cred.gid;
	snprintf(p->party.caller, sizeof(p->party.caller), "uid:%lu", (unsigned long)cred.uid);
	return read_groups(p);
}

static void peer_init(struct peer *p, struct peers *peers, int fd)
{
	*p = (struct peer){ .peers = peers, .fd = fd };
	p->party.ops = &peer_ops;
	p->party.origin = PARTY_LOCAL;
	list_add_tail(&peers->all, &p->link);
	list_init(&p->dirty);
	list_init(&p->leaving);
	frame_reader_init(&p->reader, peers->config.max_message);
	buf_init(&p->in, 0);
	buf_init(&p->out, peers->config.output_max);
	event_assign(&p->readable, peers->base, fd, EV_READ | EV_PERSIST, peer_on_readable, p);
	event_assign(&p->writable, peers->base, fd, EV_WRITE | EV_PERSIST, peer_on_writable, p);
	peers->n++;
}

/* Its encoding is not known yet: a line of JSON can be read by people at least. */
static void tell_full(const struct peers *peers, int fd)
{
	static const char line[] = "[1,null,{\"code\":\"busy\",\"message\":\"the gateway has as "
				   "many connections as the setting peers allows\","
				   "\"ran\":\"no\","
				   "\"details\":{\"retry_after_ms\":1000}},null]\n";

	log_warn("socket", "a connection is refused: there are %u already (setting peers)",
		 peers->n);
	if (send(fd, line, sizeof(line) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("socket", "it could not be told: %s", strerror(errno));
}

void peers_accept(struct peers *peers, int fd)
{
	struct peer *p;
	int r;

	if (peers->n >= peers->config.max) {
		tell_full(peers, fd);
		close(fd);
		return;
	}
	p = malloc(sizeof(*p));
	if (!p) {
		log_error("socket", "no memory for a connection");
		close(fd);
		return;
	}
	peer_init(p, peers, fd);
	r = read_credentials(p);
	if (r == 0 && event_add(&p->readable, NULL) < 0)
		r = -ENOMEM;
	if (r < 0) {
		log_error("socket", "a connection cannot be served: %s", strerror(-r));
		peer_free(p);
		return;
	}
	router_add(peers->router, &p->party, turn_now(peers->turn));
	log_debug("socket", "%s has connected, %u connections now", p->party.caller, peers->n);
}

/* ---- the end of a turn ------------------------------------------------------------------- */

static void take_offenders(struct peers *peers)
{
	struct party *party;

	while ((party = router_next_offender(peers->router)))
		if (party->ops == &peer_ops)
			peer_close(peer_of(party), "too many calls that it has not answered");
}

static bool is_done(const struct peer *p)
{
	return p->state == PEER_FLUSHING && (p->broken || p->out.len == 0);
}

/* Never without progress in between, or a request that does not fit would be tried for ever. */
static bool has_room_again(struct peer *p)
{
	size_t most = p->starved ? 0 : p->peers->config.output_max / 4;

	if (!p->party.blocked || p->state != PEER_OPEN || p->out.len > most)
		return false;
	p->starved = false;
	return true;
}

static void peer_flush(struct peer *p)
{
	if (p->out.len > 0 && !p->broken && !p->writing)
		peer_send(p);
	if (p->out.len == 0 && p->out.cap > 0)
		peer_give_back_output(p);
	if (p->state == PEER_ASKED && p->party.n_awaited == 0 && !p->party.monitor)
		peer_leave(p);
	if (has_room_again(p))
		router_writable(p->peers->router, &p->party, turn_now(p->peers->turn));
	if (p->out.len != p->party.output)
		router_charge_output(p->peers->router, &p->party, p->out.len);
	peer_resume(p);
	peer_go_on(p);
}

void peers_finish_turn(struct peers *peers)
{
	struct peer *p;

	take_offenders(peers);
	peers_remove_leaving(peers);
	while ((p = list_first(&peers->dirty, struct peer, dirty))) {
		list_del(&p->dirty);
		peer_flush(p);
		if (is_done(p)) {
			log_debug("socket", "%s has left", p->party.caller);
			peer_free(p);
		}
		peers_remove_leaving(peers);
	}
}

bool peers_are_idle(const struct peers *peers)
{
	const struct peer *p;

	list_for_each(p, &peers->all, struct peer, link)
		if (p->out.len > 0 && !p->broken)
			return false;
	return true;
}

void peers_set_limits(struct peers *peers, const struct peers_config *config)
{
	peers->config = *config;
	peers->stalled_after.tv_sec = (time_t)(config->stalled_after_ms / 1000);
	peers->stalled_after.tv_usec = (suseconds_t)(config->stalled_after_ms % 1000 * 1000);
}

int peers_new(struct event_base *base, struct router *router, struct turn *turn,
	      const struct peers_config *config, struct peers **ret_peers)
{
	struct peers *peers = malloc(sizeof(*peers));

	if (!peers)
		return -ENOMEM;
	memset(peers, 0, offsetof(struct peers, shared));
	peers->base = base;
	peers->router = router;
	peers->turn = turn;
	peers_set_limits(peers, config);
	list_init(&peers->all);
	list_init(&peers->dirty);
	list_init(&peers->leaving);
	evtimer_assign(&peers->asked_timer, base, peer_on_asked_timer, peers);
	*ret_peers = peers;
	return 0;
}

struct peers *peers_free(struct peers *peers)
{
	struct peer *p, *tmp;

	if (!peers)
		return NULL;
	evtimer_del(&peers->asked_timer);
	list_for_each(p, &peers->all, struct peer, link)
		peer_leave(p);
	peers_finish_turn(peers);
	list_for_each_safe(p, tmp, &peers->all, struct peer, link)
		peer_free(p);
	while (peers->n_spares > 0)
		buf_deinit(&peers->spares[--peers->n_spares]);
	buf_deinit(&peers->scratch);
	free(peers);
	return NULL;
}
