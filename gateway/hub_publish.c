/* SPDX-License-Identifier: MIT */
/*
 * What the hub side publishes, each from its event to what became of it: answers and progress of
 * remote calls, that we are there, events of local processes, the proof of life. How it goes out:
 * publisher.h.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/hub_private.h"

#include <errno.h>
#include <stdlib.h>

#include "gateway/others.h"
#include "gateway/turn.h"

/* Whose publication has to be told of. */
struct proof_ticket {
	struct list link;
	struct hub *hub;
	uint64_t number;
};

/* An event of a local process's own, on its way. */
struct publication {
	struct list link;
	struct hub *hub;
	uint64_t id;
};

static void proof_ticket_free(struct proof_ticket *ticket)
{
	list_del(&ticket->link);
	free(ticket);
}

static void on_proof_published(void *data, const struct outbox_end *end)
{
	struct proof_ticket *ticket = data;
	struct hub *hub = ticket->hub;

	proof_published(&hub->proof, ticket->number, !end->error, read_now().ms);
	proof_ticket_free(ticket);
	hub_arm_timer(hub);
}

static int publish_proof(struct hub *hub, struct proof_ticket *ticket)
{
	CLEANUP(buf_deinit) struct buf payload = BUF_NULL;
	int r;

	proof_put(&hub->proof, &payload);
	r = buf_error(&payload);
	if (r < 0)
		return r;
	return publisher_publish(hub->publisher, &(struct outbox_event){
		.channel = span_str(hub->config->channels[0]),
		.event = span_str(PROOF_EVENT),
		.payload = buf_span(&payload),
		.has_id = true,
		.deadline_ms = read_now().ms,
	}, on_proof_published, ticket);
}

void hub_send_proof(struct hub *hub, uint64_t now_ms)
{
	struct proof_ticket *ticket = hub_is_budget_low(hub) ? NULL : calloc(1, sizeof(*ticket));

	if (ticket) {
		ticket->hub = hub;
		ticket->number = hub->proof.number;
		list_add_tail(&hub->proof_tickets, &ticket->link);
		if (publish_proof(hub, ticket) == 0)
			return;
		proof_ticket_free(ticket);
	}
	proof_published(&hub->proof, hub->proof.number, false, now_ms);
}

/* Progress of a remote call, on its way. */
struct hub_progress {
	struct list link;
	struct hub *hub;
	void *of;
};

static void progress_free(struct hub_progress *progress)
{
	list_del(&progress->link);
	free(progress);
}

static void tell_of_loss(const void *answer, const char *why)
{
	struct span id, api;
	struct hub *hub = remote_answer_of(answer, &id, &api);

	hub->handler->answer_lost(hub->handler_data, id, api, why);
}

static void on_answer_published(void *data, const struct outbox_end *end)
{
	if (end->error)
		tell_of_loss(data, end->error);
	remote_published(data, end->status);
}

static void on_progress_published(void *data, const struct outbox_end *end UNUSED)
{
	struct hub_progress *progress = data;
	struct hub *hub = progress->hub;

	remote_progress_published(progress->of);
	progress_free(progress);
	hub_arm_timer(hub);
}

/* Answers go before: where they have to wait, or little is left of the day's budget, what can be
 * done without is left out. */
static bool is_room_for_more(struct hub *hub)
{
	struct outbox_status status;

	publisher_status(hub->publisher, &status);
	return !hub_is_budget_low(hub) && status.pause == OUTBOX_RUNNING &&
	       status.bytes_waiting <= hub->config->publish_queue / 2;
}

static bool publish_progress(struct hub *hub, const struct outbox_event *event, void *of)
{
	struct hub_progress *progress = malloc(sizeof(*progress));

	if (!progress)
		return false;
	*progress = (struct hub_progress){ .hub = hub, .of = of };
	list_init(&progress->link);
	list_add_tail(&hub->progress, &progress->link);
	if (publisher_publish(hub->publisher, event, on_progress_published, progress) == 0)
		return true;
	progress_free(progress);
	return false;
}

/* Our own connection does not get it: it would come back to us, and count. But for what we asked
 * ourselves. */
bool hub_publish_record(void *data, const struct remote_publication *publication)
{
	struct hub *hub = data;
	const struct outbox_event event = {
		.channel = publication->channel,
		.event = publication->event,
		.payload = publication->payload,
		.exclude_own = !others_listens(hub->others, publication->channel),
		.has_id = publication->has_id,
		.deadline_ms = MAX(publication->deadline_ms, read_now().ms),
	};
	int r;

	if (!publication->answer && !is_room_for_more(hub))
		return false;
	if (publication->progress_of)
		return publish_progress(hub, &event, publication->progress_of);
	if (!publication->answer)
		return publisher_publish(hub->publisher, &event, NULL, NULL) == 0;
	r = publisher_publish(hub->publisher, &event, on_answer_published, publication->answer);
	if (r == 0)
		return true;
	hub->n_dropped++;
	tell_of_loss(publication->answer, r == PUBLISHER_E_FULL ?
		     "too much waits already (publish_queue)" : strerror(-r));
	return false;
}

static void publication_free(struct publication *p)
{
	list_del(&p->link);
	free(p);
}

/* Whether it may have been sent on only the outbox knows: one of its tries may be in doubt. */
static void on_published(void *data, const struct outbox_end *end)
{
	struct publication *p = data;
	struct hub *hub = p->hub;
	uint64_t id = p->id;
	bool refused = end->status >= 400 && end->status < 500 && end->status != 408 &&
		       end->status != 429;

	publication_free(p);
	hub->handler->published(hub->handler_data, id,
				refused ? CHAPI_ERR_FAILED_PRECONDITION : CHAPI_ERR_HUB_DOWN,
				end->in_doubt ? CHAPI_RAN_UNKNOWN : CHAPI_RAN_NO, end->error);
}

int hub_publish(struct hub *hub, struct span channel, struct span event, struct span text,
		uint64_t id)
{
	const struct outbox_event out = {
		.channel = channel,
		.event = event,
		.payload = text,
		.deadline_ms = read_now().ms + hub->config->publish_timeout_ms,
	};
	struct publication *p = malloc(sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct publication){ .hub = hub, .id = id };
	list_init(&p->link);
	list_add_tail(&hub->publications, &p->link);
	r = publisher_publish(hub->publisher, &out, on_published, p);
	if (r == 0)
		return 0;
	publication_free(p);
	return r == PUBLISHER_E_FULL ? -ENOBUFS : r == PUBLISHER_E_NO_KEY ? -ENOKEY : r;
}

bool hub_withdraw(struct hub *hub, uint64_t id)
{
	struct publication *p;

	list_for_each(p, &hub->publications, struct publication, link)
		if (p->id == id)
			break;
	if (&p->link == &hub->publications || !publisher_withdraw(hub->publisher, p))
		return false;
	publication_free(p);
	return true;
}

bool hub_is_idle(const struct hub *hub)
{
	struct outbox_status status;

	publisher_status(hub->publisher, &status);
	return status.n_waiting == 0;
}

void hub_publications_init(struct hub *hub)
{
	list_init(&hub->proof_tickets);
	list_init(&hub->publications);
	list_init(&hub->progress);
}

void hub_publications_deinit(struct hub *hub)
{
	struct publication *publication;
	struct hub_progress *progress;
	struct proof_ticket *ticket;

	while ((publication = list_first(&hub->publications, struct publication, link)))
		publication_free(publication);
	while ((progress = list_first(&hub->progress, struct hub_progress, link)))
		progress_free(progress);
	while ((ticket = list_first(&hub->proof_tickets, struct proof_ticket, link)))
		proof_ticket_free(ticket);
}
