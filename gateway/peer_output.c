/* SPDX-License-Identifier: MIT */
/*
 * What local connections are given: the router's party_ops, and sending.
 *
 * A message is appended to the connection's output. The end of the turn sends it (peer.c), and
 * only what the socket does not take waits for its writability. Who is given less when its
 * output grows, first progress and events, then requests, answers at last, is decided here.
 * How a message is written is wire.h.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <errno.h>
#include <sys/socket.h>

#include "gateway/log.h"
#include "gateway/peer_private.h"
#include "libchapi-ipc/mp.h"

#define SPARE_LEN ((size_t)64 * 1024)
#define SMALL_ANSWER ((size_t)512)	/* such as an error */
#define SMALL_OUTPUT ((size_t)64 * 1024)	/* may wait, whatever waits for others */

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

void peer_give_back_output(struct peer *p)
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
void peer_send(struct peer *p)
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

void peer_on_writable(evutil_socket_t fd UNUSED, short what, void *data)
{
	struct peer *p = data;

	if (what & EV_TIMEOUT) {
		peer_close(p, "it has not taken any output for too long");
		return;
	}
	peer_send(p);
	peer_touch(p);	/* the end of the turn sees what follows from it */
}

/* ---- what cannot be queued --------------------------------------------------------------- */

/* Something could not be queued: all of it was too much, or there is no memory. */
static void peer_overflow(struct peer *p, int r)
{
	peer_close(p, r == -ENOBUFS ? "it does not take its answers" : "no memory");
}

void peer_refuse(struct peer *p, const char *why)
{
	struct failure failure = {
		.code = CHAPI_ERR_BAD_MESSAGE, .ran = CHAPI_RAN_NO, .message = span_str(why),
	};
	int r = wire_put_refusal(p->reader.encoding, &failure, peer_output(p));

	if (r < 0)
		peer_overflow(p, r);
}

/* ---- what the router has for it ---------------------------------------------------------- */

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

const struct party_ops peer_ops = {
	.request = on_request,
	.response = on_response,
	.cancel = on_cancel,
	.progress = on_progress,
	.granted = on_granted,
	.revoked = on_revoked,
	.event = on_event,
};
