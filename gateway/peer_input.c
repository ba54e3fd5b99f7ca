/* SPDX-License-Identifier: MIT */
/*
 * What local connections send: reading, and the messages that are read.
 *
 * One large read for each readiness, into a buffer that all connections share; every whole
 * message in it is handed to the router where it lies. Only the beginning of a message whose rest
 * has not come is kept, in memory of the connection, so an idle connection owns none. A
 * connection is not read while it does not take its answers, and when its messages took long
 * the others come first.
 *
 * The end of input is not the end of the connection. A shell's "echo ... | socat" closes its
 * sending side and waits: such a caller stays until its calls are answered. Has the other end
 * closed both ways (POLLHUP), or was it a provider, whose answers cannot come any more, it
 * leaves at once. That a half-closed caller has died is seen within a second.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "gateway/log.h"
#include "gateway/peer_private.h"
#include "libchapi-ipc/mp.h"
#include "libchapi-ipc/mp_scan.h"

#define TURN_STEPS 400000		/* of router_work(), by one in a row: some milliseconds */
#define SCRATCH_KEPT ((size_t)64 * 1024)

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

void peer_resume(struct peer *p)
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

void peer_go_on(struct peer *p)
{
	if (!p->overworked)
		return;
	p->overworked = false;
	if (p->state == PEER_OPEN && !p->paused)
		event_active(&p->readable, EV_READ, 0);
}

/* Whole messages in the usual form, read before the first of them is handled. */
struct ahead {
	size_t n;
	size_t lens[ROUTER_EXPECT_MAX];
	struct message messages[ROUTER_EXPECT_MAX];
};

static void read_ahead(const struct peer *p, struct span bytes, struct ahead *ret)
{
	size_t used = 0;

	ret->n = 0;
	if (!frame_begins_msgpack(&p->reader))
		return;
	while (ret->n < ROUTER_EXPECT_MAX &&
	       message_read_usual(span_of(bytes.p + used, bytes.len - used), p->reader.max,
				  &ret->messages[ret->n], &ret->lens[ret->n]) == 0)
		used += ret->lens[ret->n++];
}

/* May its next message be handled? */
static bool goes_on(const struct peer *p)
{
	return p->state == PEER_OPEN && !p->paused && !p->overworked;
}

/* What the message just handled has led to; most: as much work as may be done. */
static inline void look_after(struct peer *p, uint64_t most)
{
	if (is_slow_caller(p))
		peer_pause(p);
	if (router_work(p->peers->router) > most)
		peer_put_off(p);
}

/* Most messages. Returns their bytes. */
static size_t take_ahead(struct peer *p, const struct ahead *ahead, uint64_t most)
{
	size_t used = 0;

	if (ahead->n > 1)
		router_expect(p->peers->router, &p->party, ahead->messages, ahead->n);
	for (size_t i = 0; i < ahead->n && goes_on(p); i++) {
		message_deliver(p, &ahead->messages[i]);
		used += ahead->lens[i];
		look_after(p, most);
	}
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
	struct ahead ahead;
	size_t used = 0;
	bool more = false;

	while (used < bytes.len && goes_on(p) && !more) {
		read_ahead(p, span_of(bytes.p + used, bytes.len - used), &ahead);
		used += take_ahead(p, &ahead, most);
		if (ahead.n == ROUTER_EXPECT_MAX || used == bytes.len || !goes_on(p))
			continue;
		used += take_any(p, span_of(bytes.p + used, bytes.len - used), &more);
		look_after(p, most);
	}
	return p->state == PEER_OPEN ? used : bytes.len;
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

void peer_on_asked_timer(evutil_socket_t fd UNUSED, short what UNUSED, void *data)
{
	struct peers *peers = data;
	bool any = false;
	struct peer *p;

	list_for_each(p, &peers->all, struct peer, link) {
		if (p->state != PEER_ASKED)
			continue;
		if (is_hung_up(p))
			peer_break(p);
		else
			any = true;
	}
	peers_remove_leaving(peers);
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

void peer_on_readable(evutil_socket_t fd UNUSED, short what UNUSED, void *data)
{
	struct peer *p = data;
	struct span bytes;
	ssize_t n;

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
	peers_remove_leaving(p->peers);	/* the next to be read finds its names free */
}
