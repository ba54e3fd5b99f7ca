/* SPDX-License-Identifier: MIT */
/*
 * What became of the requests of remote callers: see outcome.h.
 *
 * Ended ones are in a list in the order of their end, those of them with an answer in a second
 * one: both are in the order in which they are given up, so that nothing is searched for.
 * Whoever is too old goes when somebody looks or adds; no timer is needed for that.
 */
#include "gateway/outcome.h"

#include <errno.h>
#include <stdlib.h>

#include "gateway/siphash.h"
#include "libchapi-ipc/list.h"

#define CHAINS 4096		/* a power of two */
#define REPEAT_EVERY_MS 1000	/* an answer is not repeated more often */

struct outcome {
	struct outcome *next;		/* in its chain */
	struct list ended, kept;	/* kept: has an answer */
	uint64_t hash;			/* of the id */
	uint64_t digest[2];
	bool any, running;
	enum chapi_ran ran;
	bool repeated;
	uint64_t ended_ms, until_ms, repeated_ms;
	void *data;
	uint8_t *text;			/* channel, answer; NULL: no answer */
	size_t channel_len, answer_len;
	size_t id_len;
	uint8_t id[];
};

struct outcomes {
	struct outcomes_limits limits;
	uint64_t seed[4];
	size_t n, bytes;
	uint64_t forgotten_ms;		/* the latest end of those that are not known any more */
	bool has_forgotten;
	struct list ended, kept;	/* the oldest first */
	struct outcome *chains[CHAINS];
};

/* ---- ids -------------------------------------------------------------------------------- */

struct outcome_key outcomes_key(const struct outcomes *o, struct span id, struct span api,
				struct span params)
{
	/*
	 * The hash of api is the key for the hash of params: no end of the one is taken for the
	 * other's start.
	 */
	const uint64_t of_api[] = { siphash(o->seed, api), siphash(o->seed + 2, api), 0 };
	const uint64_t turned[] = { of_api[1], of_api[0] };

	return (struct outcome_key){
		.id = id,
		.digest = { siphash(of_api, params), siphash(turned, params) },
	};
}

static struct outcome *find(const struct outcomes *o, struct span id, uint64_t hash)
{
	struct outcome *outcome = o->chains[hash % CHAINS];

	while (outcome &&
	       (outcome->hash != hash || !span_equal(span_of(outcome->id, outcome->id_len), id)))
		outcome = outcome->next;
	return outcome;
}

static void drop_answer(struct outcomes *o, struct outcome *outcome)
{
	if (!outcome->text)
		return;
	o->bytes -= outcome->channel_len + outcome->answer_len;
	list_del(&outcome->kept);
	free(outcome->text);
	outcome->text = NULL;
}

void outcomes_drop(struct outcomes *o, struct outcome *outcome)
{
	struct outcome **at = &o->chains[outcome->hash % CHAINS];

	while (*at != outcome)
		at = &(*at)->next;
	*at = outcome->next;
	drop_answer(o, outcome);
	list_del(&outcome->ended);
	o->n--;
	free(outcome);
}

static void note_forgotten(struct outcomes *o, uint64_t ended_ms)
{
	o->forgotten_ms = MAX(o->forgotten_ms, ended_ms);
	o->has_forgotten = true;
}

/* One that has ended. */
static void forget(struct outcomes *o, struct outcome *outcome)
{
	note_forgotten(o, outcome->ended_ms);
	outcomes_drop(o, outcome);
}

static void expire(struct outcomes *o, uint64_t now_ms)
{
	struct outcome *oldest;

	while ((oldest = list_first(&o->ended, struct outcome, ended)) &&
	       now_ms >= oldest->ended_ms + o->limits.keep_ms)
		forget(o, oldest);
}

/* ---- answers ---------------------------------------------------------------------------- */

static void make_room(struct outcomes *o, size_t len)
{
	struct outcome *oldest;

	while (o->bytes + len > o->limits.bytes_max &&
	       (oldest = list_first(&o->kept, struct outcome, kept)))
		drop_answer(o, oldest);
}

static void keep(struct outcomes *o, struct outcome *outcome, struct span channel,
		 struct span answer)
{
	size_t len = channel.len + answer.len;

	if (answer.len == 0 || len > o->limits.bytes_max)
		return;
	make_room(o, len);
	outcome->text = malloc(len);
	if (!outcome->text)
		return;
	memcpy(outcome->text, channel.p, channel.len);
	memcpy(outcome->text + channel.len, answer.p, answer.len);
	outcome->channel_len = channel.len;
	outcome->answer_len = answer.len;
	list_add_tail(&o->kept, &outcome->kept);
	o->bytes += len;
}

/* ---- verbs ------------------------------------------------------------------------------ */

static bool is_same(const struct outcome *outcome, const struct outcome_key *key)
{
	return outcome->any || key->any ||
	       memcmp(outcome->digest, key->digest, sizeof(key->digest)) == 0;
}

static enum repeat look_at_answer(struct outcome *outcome, uint64_t now_ms)
{
	if (!outcome->text)
		return REPEAT_OF_LOST;
	if (outcome->repeated && now_ms - outcome->repeated_ms < REPEAT_EVERY_MS)
		return REPEAT_TOO_SOON;
	outcome->repeated = true;
	outcome->repeated_ms = now_ms;
	return REPEAT_OF_ENDED;
}

/* Of one whose time is over nothing is lost that anybody asks for. */
static struct outcome *find_timely(struct outcomes *o, struct span id, uint64_t now_ms)
{
	struct outcome *outcome;

	expire(o, now_ms);
	outcome = find(o, id, siphash(o->seed, id));
	if (!outcome || outcome->running || now_ms < outcome->until_ms)
		return outcome;
	outcomes_drop(o, outcome);
	return NULL;
}

enum repeat outcomes_look(struct outcomes *o, const struct outcome_key *key, uint64_t now_ms,
			  struct outcome **ret_outcome)
{
	struct outcome *outcome = find_timely(o, key->id, now_ms);

	*ret_outcome = outcome;
	if (!outcome)
		return REPEAT_OF_NONE;
	if (!is_same(outcome, key))
		return outcome->running ? REPEAT_REUSES_RUNNING : REPEAT_REUSES_ENDED;
	return outcome->running ? REPEAT_OF_RUNNING : look_at_answer(outcome, now_ms);
}

static struct outcome *outcome_new(const struct outcome_key *key, void *data)
{
	struct outcome *outcome = calloc(1, sizeof(*outcome) + key->id.len);

	if (!outcome)
		return NULL;
	list_init(&outcome->ended);
	list_init(&outcome->kept);
	memcpy(outcome->digest, key->digest, sizeof(outcome->digest));
	outcome->any = key->any;
	outcome->running = true;
	outcome->data = data;
	outcome->id_len = key->id.len;
	memcpy(outcome->id, key->id.p, key->id.len);
	return outcome;
}

/* The oldest that has ended gives way. */
static bool has_place(struct outcomes *o)
{
	struct outcome *oldest = list_first(&o->ended, struct outcome, ended);

	if (o->n < o->limits.n_max)
		return true;
	if (!oldest)
		return false;
	forget(o, oldest);
	return true;
}

int outcomes_add(struct outcomes *o, const struct outcome_key *key, void *data, uint64_t now_ms,
		 struct outcome **ret_outcome)
{
	struct outcome *outcome;

	expire(o, now_ms);
	if (!has_place(o))
		return OUTCOMES_E_FULL;
	outcome = outcome_new(key, data);
	if (!outcome)
		return -ENOMEM;
	outcome->hash = siphash(o->seed, key->id);
	outcome->next = o->chains[outcome->hash % CHAINS];
	o->chains[outcome->hash % CHAINS] = outcome;
	o->n++;
	*ret_outcome = outcome;
	return 0;
}

void outcomes_end(struct outcomes *o, struct outcome *outcome, const struct outcome_end *end)
{
	outcome->running = false;
	outcome->data = NULL;
	outcome->ran = end->ran;
	outcome->ended_ms = end->at_ms;
	outcome->until_ms = end->until_ms;
	list_add_tail(&o->ended, &outcome->ended);
	keep(o, outcome, end->channel, end->answer);
	expire(o, end->at_ms);
}

void outcomes_put(struct outcomes *o, const struct outcome_key *key, const struct outcome_end *end)
{
	struct outcome *outcome;

	if (outcomes_add(o, key, NULL, end->at_ms, &outcome) == 0)
		outcomes_end(o, outcome, end);
	else
		note_forgotten(o, end->at_ms);
}

void outcomes_amend(struct outcomes *o, struct span id, struct span channel, struct span answer)
{
	struct outcome *outcome = find(o, id, siphash(o->seed, id));

	if (!outcome || !outcome->text)
		return;
	drop_answer(o, outcome);
	keep(o, outcome, channel, answer);
}

void outcomes_set_limits(struct outcomes *o, const struct outcomes_limits *limits, uint64_t now_ms)
{
	o->limits = *limits;
	expire(o, now_ms);
	make_room(o, 0);
	while (o->n > o->limits.n_max && !list_empty(&o->ended))
		forget(o, list_first(&o->ended, struct outcome, ended));
}

/* ---- life and queries ------------------------------------------------------------------- */

int outcomes_new(const struct outcomes_limits *limits, const uint64_t seed[4],
		 struct outcomes **ret_outcomes)
{
	struct outcomes *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->limits = *limits;
	memcpy(o->seed, seed, sizeof(o->seed));
	list_init(&o->ended);
	list_init(&o->kept);
	*ret_outcomes = o;
	return 0;
}

struct outcomes *outcomes_free(struct outcomes *o)
{
	if (!o)
		return NULL;
	for (size_t i = 0; i < CHAINS; i++)
		while (o->chains[i])
			outcomes_drop(o, o->chains[i]);
	free(o);
	return NULL;
}

bool outcomes_has(const struct outcomes *o, struct span id)
{
	return find(o, id, siphash(o->seed, id));
}

bool outcomes_forgot_since(const struct outcomes *o, uint64_t since_ms)
{
	return o->has_forgotten && o->forgotten_ms >= since_ms;
}

void *outcomes_running(const struct outcomes *o, struct span id)
{
	const struct outcome *outcome = find(o, id, siphash(o->seed, id));

	return outcome ? outcome->data : NULL;
}

enum chapi_ran outcome_ran(const struct outcome *outcome)
{
	return outcome->ran;
}

struct span outcome_channel(const struct outcome *outcome)
{
	return span_of(outcome->text, outcome->text ? outcome->channel_len : 0);
}

struct span outcome_answer(const struct outcome *outcome)
{
	return span_of(outcome->text ? outcome->text + outcome->channel_len : NULL,
		       outcome->text ? outcome->answer_len : 0);
}

size_t outcomes_count(const struct outcomes *o)
{
	return o->n;
}

size_t outcomes_bytes(const struct outcomes *o)
{
	return o->bytes;
}
