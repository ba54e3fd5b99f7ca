/* SPDX-License-Identifier: MIT */
/*
 * Local connections.
 *
 * Reading: one large read for each readiness, into a buffer that all connections share;
 * every whole message in it is handled where it lies. Only the beginning of a message whose
 * rest has not come is kept, in memory of the connection, so an idle connection owns none.
 * Writing: messages are appended to the connection's output; peers_finish_turn() sends it, and
 * only what the socket does not take waits for its writability.
 *
 * Leaving: the router is not told while it is at work, and nothing is freed in a callback. A
 * connection is marked (peer_leave()). It is taken out of the router when the callback is done,
 * so that whoever is read next finds its names free, which may give others something to say; at
 * the end of the turn what was queued for it is sent; then it is freed.
 *
 * The end of input is not the end of the connection. A shell's "echo ... | socat" closes its
 * sending side and waits: such a caller stays until its calls are answered. Has the other end
 * closed both ways (POLLHUP), or was it a provider, whose answers cannot come any more, it
 * leaves at once. That a half-closed caller has died is seen within a second.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/peer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "gateway/log.h"
#include "gateway/wire.h"
#include "libchapi-ipc/mp.h"

#define READ_LEN ((size_t)128 * 1024)
#define REST_LEN ((size_t)4096)		/* up to so much is copied to the shared buffer again */
#define TURN_STEPS 400000		/* of router_work(), by one in a row: some milliseconds */
#define SPARES_MAX 8			/* output buffers kept for whoever speaks next */
#define SPARE_LEN ((size_t)64 * 1024)
#define SCRATCH_KEPT ((size_t)64 * 1024)
#define SMALL_ANSWER ((size_t)512)	/* such as an error */
#define SMALL_OUTPUT ((size_t)64 * 1024)	/* may wait, whatever waits for others */

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

static void peer_touch(struct peer *p)
{
	if (list_empty(&p->dirty))
		list_add_tail(&p->peers->dirty, &p->dirty);
}

/* ---- leaving ----------------------------------------------------------------------------- */

static void peer_leave(struct peer *p)
{
	if (p->state >= PEER_LEAVING)
		return;
	p->state = PEER_LEAVING;
	event_del(&p->readable);
	list_add_tail(&p->peers->leaving, &p->leaving);
}

/* As above, when nothing can be sent to it any more. */
static void peer_break(struct peer *p)
{
	p->broken = true;
	peer_leave(p);
	peer_touch(p);	/* if it was flushing, the end of the turn has to look at it again */
}

static void peer_close(struct peer *p, const char *why)
{
	log_info("socket", "closing the connection of %s: %s", p->party.caller, why);
	peer_break(p);
}

/* ---- output ------------------------------------------------------------------------------ */

/* Where to append what goes to this connection at the end of the turn. */
static struct buf *peer_output(struct peer *p)
{
	struct peers *peers = p->peers;

	if (p->out.cap == 0 && peers->n_spares > 0)
		p->out = peers->spares[--peers->n_spares];
	p->out.max = peers->config.output_max;	/* a reload may have changed it */
	peer_touch(p);
	return &p->out;
}

static void peer_give_back_output(struct peer *p)
{
	struct peers *peers = p->peers;

	if (p->out.cap > SPARE_LEN || peers->n_spares == SPARES_MAX) {
		buf_deinit(&p->out);
		return;
	}
	peers->spares[peers->n_spares++] = p->out;
	buf_init(&p->out, peers->config.output_max);
}

static void wait_writable(struct peer *p, bool on)
{
	if (p->writing == on)
		return;
	p->writing = on;
	if (!on)
		event_del(&p->writable);
	else if (event_add(&p->writable, &p->peers->stalled_after) < 0)
		peer_close(p, "no memory");
}

/* Sends until all is gone or the socket takes no more. A short write means that it is full. */
static void peer_send(struct peer *p)
{
	struct span s = buf_span(&p->out);
	ssize_t n;

	do
		n = send(p->fd, s.p, s.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN) {
		peer_break(p);
		return;
	}
	if (n > 0)
		buf_consume(&p->out, (size_t)n);
	wait_writable(p, p->out.len > 0);
}

/* Something could not be queued: all of it was too much, or there is no memory. */
static void peer_overflow(struct peer *p, int r)
{
	peer_close(p, r == -ENOBUFS ? "it does not take its answers" : "no memory");
}

static void peer_refuse(struct peer *p, const char *why)
{
	struct failure failure = {
		.code = CHAPI_ERR_BAD_MESSAGE, .ran = CHAPI_RAN_NO, .message = span_str(why),
	};
	int r = wire_put_refusal(p->reader.encoding, &failure, peer_output(p));

	if (r < 0)
		peer_overflow(p, r);
}

/* ---- what the router has for it ---------------------------------------------------------- */

static struct peer *peer_of(struct party *party)
{
	return container_of(party, struct peer, party);
}

/* The last quarter of the output is left to answers, so that a slow provider that also
 * calls is not cut off for the requests that others have for it. */
static int on_request(struct party *to, const struct party_request *request, const char **ret_why)
{
	struct peer *p = peer_of(to);
	size_t limit = p->peers->config.output_max;
	int r;

	if (p->state != PEER_OPEN || p->out.len > limit / 4 * 3)
		return PARTY_E_FULL;
	r = wire_put_request(p->reader.encoding, request, peer_output(p), &p->peers->fault);
	if (r == WIRE_E_INEXPRESSIBLE) {
		*ret_why = p->peers->fault.text;
		return PARTY_E_INEXPRESSIBLE;
	}
	if (r != -ENOBUFS)
		return r;
	if (p->out.len > 0) {
		p->starved = true;
		return PARTY_E_FULL;
	}
	*ret_why = "they are larger than its output may be (output_per_peer)";
	return PARTY_E_INEXPRESSIBLE;
}

/* Bytes of a value in this connection's encoding; 0: there is no memory to find out. */
static size_t value_size(const struct peer *p, struct span value)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	struct value_fault fault;

	if (p->reader.encoding == ENCODING_MSGPACK)
		return value.len;
	if (value_to_json(value, MP_VALUE_DEPTH_MAX, &text, &fault) > 0 || buf_error(&text) != 0)
		return 0;
	return text.len;
}

static void put_sizes(const struct peer *p, const struct party_response *response, struct buf *out)
{
	const struct failure *failure = response->failure;

	mp_put_map(out, 3);
	mp_put_str(out, "size");
	mp_put_uint(out, value_size(p, failure ? failure->details : response->result));
	mp_put_str(out, "waiting");
	mp_put_uint(out, p->out.len);
	mp_put_str(out, "output_per_peer");
	mp_put_uint(out, p->peers->config.output_max);
}

/* In place of an answer: as JSON it has grown, or others wait to be read before it. */
static int put_too_large(struct peer *p, uint64_t token, const struct party_response *response)
{
	CLEANUP(buf_deinit) struct buf details = BUF_NULL;
	struct failure failure = {
		.code = CHAPI_ERR_TOO_LARGE,
		.ran = response->failure ? response->failure->ran : CHAPI_RAN_YES,
		.message = span_str("the answer is larger than the room that is left for this "
				    "connection's output (output_per_peer), or for that of all "
				    "(pinned_total); ask for less, or for less at once"),
	};
	struct party_response instead = *response;

	put_sizes(p, response, &details);
	if (buf_error(&details) == 0)
		failure.details = buf_span(&details);
	instead.failure = &failure;
	return wire_put_response(p->reader.encoding, (uint32_t)token, &instead, peer_output(p));
}

/* All connections together may have so much waiting. */
static bool may_wait(const struct peer *p, size_t len)
{
	return len <= SMALL_OUTPUT || router_may_wait(p->peers->router, &p->party, len);
}

/* The last eighth is for small answers, so that there is room to say which do not fit. */
static bool has_room(const struct peer *p, size_t before)
{
	size_t most = p->peers->config.output_max;

	if (p->out.len - before <= SMALL_ANSWER)
		return true;
	return p->out.len <= most / 8 * 7 && may_wait(p, p->out.len);
}

static void on_response(struct party *to, uint64_t token, const struct party_response *response)
{
	struct peer *p = peer_of(to);
	size_t before = p->out.len;
	int r;

	if (p->broken)
		return;
	r = wire_put_response(p->reader.encoding, (uint32_t)token, response, peer_output(p));
	if (r == -ENOBUFS || (r == 0 && !has_room(p, before))) {
		buf_truncate(&p->out, before);
		r = put_too_large(p, token, response);
	}
	if (r < 0)
		peer_overflow(p, r);
}

/* Only advice: a provider that takes no more gets none. */
static void on_cancel(struct party *to, uint32_t id)
{
	struct peer *p = peer_of(to);

	if (p->state == PEER_OPEN && wire_put_cancel(p->reader.encoding, id, peer_output(p)) < 0)
		log_debug("socket", "no room to tell %s of a cancelled call", to->caller);
}

/* The first to be dropped when its caller does not read. */
static void on_progress(struct party *to, uint64_t token, struct span value)
{
	struct peer *p = peer_of(to);

	if (p->broken || p->out.len > p->peers->config.output_max / 4 ||
	    !may_wait(p, p->out.len + value.len))
		return;
	if (wire_put_progress(p->reader.encoding, (uint32_t)token, value, peer_output(p)) != 0)
		log_debug("socket", "a progress for %s was dropped", to->caller);
}

static void on_granted(struct party *to, struct span name)
{
	struct peer *p = peer_of(to);
	int r;

	if (p->state != PEER_OPEN)
		return;
	r = wire_put_granted(p->reader.encoding, name, peer_output(p));
	if (r < 0)
		peer_overflow(p, r);
}

static void on_revoked(struct party *to, struct span name, const char *reason)
{
	struct peer *p = peer_of(to);
	int r;

	if (p->state != PEER_OPEN)
		return;
	r = wire_put_revoked(p->reader.encoding, name, reason, peer_output(p));
	if (r < 0)
		peer_overflow(p, r);
}

/* Half of the output is left to what is more important than looking on. */
static int on_event(struct party *to, struct span event)
{
	struct peer *p = peer_of(to);
	int r;

	if (p->state > PEER_ASKED || p->out.len + event.len > p->peers->config.output_max / 2 ||
	    !may_wait(p, p->out.len + event.len))
		return PARTY_E_FULL;
	r = wire_put_event(p->reader.encoding, event, peer_output(p));
	if (r == WIRE_E_INEXPRESSIBLE)
		return PARTY_E_INEXPRESSIBLE;
	return r < 0 ? PARTY_E_FULL : 0;
}

static const struct party_ops peer_ops = {
	.request = on_request,
	.response = on_response,
	.cancel = on_cancel,
	.progress = on_progress,
	.granted = on_granted,
	.revoked = on_revoked,
	.event = on_event,
};

/* ---- messages ---------------------------------------------------------------------------- */

static void message_deliver(struct peer *p, const struct message *message)
{
	struct peers *peers = p->peers;

	if (router_message(peers->router, &p->party, message, turn_now(peers->turn)) != 0)
		peer_leave(p);
}

static void take_msgpack(struct peer *p, const struct frame *frame)
{
	struct message message;
	const char *why;

	if (message_parse(frame->bytes, frame->depth, &message, &why) == 0) {
		message_deliver(p, &message);
		return;
	}
	peer_refuse(p, why);
	peer_leave(p);
}

/*
 * A line that is no message. What has no form as MessagePack is still seen to be a request, or an
 * answer, so it costs just that. In what is no JSON an id is a guess: good enough to end the call
 * that a provider answers so, but nobody is answered by it.
 */
static void line_unreadable(struct peer *p, struct span line, int outcome, const char *why)
{
	struct peers *peers = p->peers;
	bool is_fine = outcome == VALUE_E_INEXPRESSIBLE;
	int type;
	int64_t id;
	bool known = wire_line_head(line, &type, &id);

	if (known && (is_fine || type == MESSAGE_RESPONSE))
		router_unreadable(peers->router, &p->party, type, id, why, turn_now(peers->turn));
	if (!known || !is_fine)
		peer_refuse(p, why);
}

static unsigned int depth_of(struct span value)
{
	struct mp_scan scan;
	size_t used;

	mp_scan_init(&scan, MP_MESSAGE_DEPTH_MAX);
	return mp_scan(&scan, value.p, value.len, &used) == 0 ? scan.depth_seen : UINT32_MAX;
}

static void take_line(struct peer *p, const struct frame *frame)
{
	struct buf *scratch = &p->peers->scratch;
	struct value_fault fault;
	struct message message;
	const char *why;
	int r;

	buf_clear(scratch);
	r = value_from_json(frame->bytes, MP_MESSAGE_DEPTH_MAX, scratch, &fault);
	if (r < 0)
		peer_close(p, "no memory");
	else if (r > 0)
		line_unreadable(p, frame->bytes, r, fault.text);
	else if (message_parse(buf_span(scratch), depth_of(buf_span(scratch)), &message, &why) != 0)
		line_unreadable(p, frame->bytes, VALUE_E_SYNTAX, why);
	else
		message_deliver(p, &message);
	buf_clear(scratch);
	buf_shrink(scratch, SCRATCH_KEPT);
}

static void take_message(struct peer *p, const struct frame *frame)
{
	if (p->reader.encoding == ENCODING_MSGPACK)
		take_msgpack(p, frame);
	else
		take_line(p, frame);
}

static void take_frame(struct peer *p, int outcome, const struct frame *frame)
{
	struct peers *peers = p->peers;

	switch (outcome) {
	case 0:
		take_message(p, frame);
		break;
	case FRAME_E_TOO_LARGE:
		router_too_large(peers->router, &p->party, frame->type, frame->id, frame->size,
				 turn_now(peers->turn));
		break;
	case FRAME_E_BAD:
		peer_refuse(p, "this cannot be read as MessagePack, or is nested too deeply");
		peer_leave(p);
		break;
	case FRAME_E_UNKNOWN:
		peer_refuse(p, "a message is an array: MessagePack-RPC, or JSON on a line of its "
			       "own, such as [0,1,\"list\",[]]");
		peer_leave(p);
		break;
	default:
		peer_refuse(p, "a message is far beyond the limit of the setting max_message");
		peer_leave(p);
	}
}

/* A caller that does not take its answers is not asked for more questions; a provider's
 * answers are always welcome, as they make its output no longer. */
static bool is_slow_caller(const struct peer *p)
{
	if (p->out.len <= p->peers->config.output_max / 2)
		return false;
	return p->party.n_calls_handled == 0 || p->party.n_awaited > 0;
}

static void peer_pause(struct peer *p)
{
	p->paused = true;
	p->backlog = true;
	event_del(&p->readable);
}

static void peer_resume(struct peer *p)
{
	if (!p->paused || p->state != PEER_OPEN || p->out.len > p->peers->config.output_max / 4)
		return;
	p->paused = false;
	if (event_add(&p->readable, NULL) < 0)
		peer_close(p, "no memory");
	else	/* what it sent before is not announced again */
		event_active(&p->readable, EV_READ, 0);
}

/* Its messages took so long that the others come first now; the end of the turn goes on. */
static void peer_put_off(struct peer *p)
{
	p->overworked = true;
	p->backlog = true;
	peer_touch(p);
}

static void peer_go_on(struct peer *p)
{
	if (!p->overworked)
		return;
	p->overworked = false;
	if (p->state == PEER_OPEN && !p->paused)
		event_active(&p->readable, EV_READ, 0);
}

/* Most messages: a whole one in the usual form. Returns its bytes; 0: it is another. */
static size_t take_usual(struct peer *p, struct span bytes)
{
	struct message message;
	size_t used;

	if (!frame_begins_msgpack(&p->reader) ||
	    message_read_usual(bytes, p->reader.max, &message, &used) != 0)
		return 0;
	message_deliver(p, &message);
	return used;
}

/* Any message. Returns the bytes that are done with; *ret_more: it is not whole. */
static size_t take_any(struct peer *p, struct span bytes, bool *ret_more)
{
	struct frame frame;
	int outcome = frame_next(&p->reader, bytes.p, bytes.len, &frame);

	*ret_more = outcome == FRAME_E_MORE;
	if (!*ret_more)
		take_frame(p, outcome, &frame);
	return frame.used;
}

/* Handles the whole messages in bytes. Returns how much of them is done with. */
static size_t take_input(struct peer *p, struct span bytes)
{
	uint64_t most = router_work(p->peers->router) + TURN_STEPS;
	size_t used = 0, n;
	bool more = false;

	while (used < bytes.len && p->state == PEER_OPEN && !p->paused && !p->overworked) {
		struct span rest = span_of(bytes.p + used, bytes.len - used);

		n = take_usual(p, rest);
		used += n > 0 ? n : take_any(p, rest, &more);
		if (more)
			break;
		if (is_slow_caller(p))
			peer_pause(p);
		if (router_work(p->peers->router) > most)
			peer_put_off(p);
	}
	return p->state == PEER_OPEN ? used : bytes.len;
}

/* The router answers those whom the peer leaves waiting: they are touched by that. */
static void remove_leaving(struct peers *peers)
{
	struct peer *p;

	while ((p = list_first(&peers->leaving, struct peer, leaving))) {
		list_del(&p->leaving);
		router_remove(peers->router, &p->party, turn_now(peers->turn));
		p->state = PEER_FLUSHING;
		peer_touch(p);
	}
}

/* ---- reading ----------------------------------------------------------------------------- */

/* Closed both ways, as far as we are concerned: nobody reads what is sent. */
static bool is_hung_up(const struct peer *p)
{
	struct pollfd pfd = { .fd = p->fd };

	return poll(&pfd, 1, 0) < 0 || (pfd.revents & (POLLHUP | POLLERR));
}

/* Half-closed connections are not read any more: whether somebody is still there is asked now
 * and then. */
static void watch_asked(struct peers *peers)
{
	static const struct timeval second = { .tv_sec = 1 };

	if (!evtimer_pending(&peers->asked_timer, NULL) &&
	    evtimer_add(&peers->asked_timer, &second) < 0)
		log_error("socket", "no memory to watch half-closed connections");
}

static void on_asked_timer(evutil_socket_t fd, short what, void *data)
{
	struct peers *peers = data;
	bool any = false;
	struct peer *p;

	(void)fd;
	(void)what;
	list_for_each(p, &peers->all, struct peer, link) {
		if (p->state != PEER_ASKED)
			continue;
		if (is_hung_up(p))
			peer_break(p);
		else
			any = true;
	}
	remove_leaving(peers);
	if (any)
		watch_asked(peers);
}

static void end_of_input(struct peer *p)
{
	/* The last line may lack its end. */
	if (p->reader.encoding == ENCODING_JSON && p->in.len > 0) {
		buf_put_byte(&p->in, '\n');
		buf_consume(&p->in, take_input(p, buf_span(&p->in)));
	}
	if (p->state != PEER_OPEN)
		return;
	if (is_hung_up(p)) {
		peer_break(p);
	} else if (p->party.n_registrations > 0 || p->party.n_calls_handled > 0 ||
		   (p->party.n_awaited == 0 && !p->party.monitor)) {
		peer_leave(p);
	} else {
		p->state = PEER_ASKED;
		event_del(&p->readable);
		watch_asked(p->peers);
	}
}

/* Reads behind what is kept. What was read is in the shared buffer unless much is kept. */
static ssize_t read_more(struct peer *p, struct span *ret_bytes)
{
	uint8_t *shared = p->peers->shared;
	bool large = p->in.len > REST_LEN;
	uint8_t *at = large ? buf_reserve(&p->in, READ_LEN) : shared + p->in.len;
	ssize_t n;

	if (!at) {
		errno = ENOMEM;
		return -1;
	}
	n = recv(p->fd, at, READ_LEN, MSG_DONTWAIT);
	if (n <= 0)
		return n;
	if (large) {
		buf_commit(&p->in, (size_t)n);
		*ret_bytes = buf_span(&p->in);
		return n;
	}
	if (p->in.len > 0)
		memcpy(shared, buf_data(&p->in), p->in.len);
	*ret_bytes = span_of(shared, p->in.len + (size_t)n);
	return n;
}

/* Of the bytes at hand, the first `used` are done with: the others are kept. */
static void keep_rest(struct peer *p, struct span bytes, size_t used)
{
	if (bytes.p == buf_data(&p->in)) {
		buf_consume(&p->in, used);
	} else {
		buf_clear(&p->in);
		buf_put(&p->in, bytes.p + used, bytes.len - used);
	}
	if (buf_error(&p->in) < 0)
		peer_close(p, "no memory");
	buf_shrink(&p->in, 0);
}

/* What was left lying when it was paused. */
static void take_backlog(struct peer *p)
{
	struct span bytes = buf_span(&p->in);

	p->backlog = false;
	keep_rest(p, bytes, take_input(p, bytes));
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
	struct peer *p = data;
	struct span bytes;
	ssize_t n;

	(void)fd;
	(void)what;
	if (p->overworked)
		return;
	if (p->backlog && !p->paused)
		take_backlog(p);
	if (p->state != PEER_OPEN || p->paused || p->overworked)
		return;
	n = read_more(p, &bytes);
	if (n > 0)
		keep_rest(p, bytes, take_input(p, bytes));
	else if (n == 0)
		end_of_input(p);
	else if (errno == ENOMEM)
		peer_close(p, "no memory");
	else if (errno != EAGAIN && errno != EINTR)
		peer_break(p);
	remove_leaving(p->peers);	/* the next to be read finds its names free */
}

static void on_writable(evutil_socket_t fd, short what, void *data)
{
	struct peer *p = data;

	(void)fd;
	if (what & EV_TIMEOUT) {
		peer_close(p, "it has not taken any output for too long");
		return;
	}
	peer_send(p);
	peer_touch(p);	/* the end of the turn sees what follows from it */
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
	event_assign(&p->readable, peers->base, fd, EV_READ | EV_PERSIST, on_readable, p);
	event_assign(&p->writable, peers->base, fd, EV_WRITE | EV_PERSIST, on_writable, p);
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
	remove_leaving(peers);
	while ((p = list_first(&peers->dirty, struct peer, dirty))) {
		list_del(&p->dirty);
		peer_flush(p);
		if (is_done(p)) {
			log_debug("socket", "%s has left", p->party.caller);
			peer_free(p);
		}
		remove_leaving(peers);
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
	evtimer_assign(&peers->asked_timer, base, on_asked_timer, peers);
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
