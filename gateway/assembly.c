/* SPDX-License-Identifier: MIT */
/*
 * Records in assembly: see assembly.h.
 *
 * One list, in the order in which time runs out: all have the same time. There are so few of
 * them that a record is searched for. Those that have ended stay in it without their parts
 * until their time is over, or until the place is needed.
 */
#include "gateway/assembly.h"

#include <errno.h>
#include <stdlib.h>

#include "libchapi-ipc/list.h"

#define ENDED_PER_PLACE 4	/* entries for each record that can wait, ended ones included */
/* What is too large is told again so long after it was told at the earliest. */
#define TELL_AGAIN_MS 500
#define TELL_AGAIN_PART_MS 5000	/* by another part than the first, of which there are many */

struct assembly {
	struct list link;
	struct span channel;
	struct buf id;
	unsigned int n, n_there;
	bool deflated;
	uint8_t digest[32];
	uint64_t until_ms;
	/* Its outcome is told: when time runs out nothing more is said but to a repeat. */
	bool ended;
	size_t too_large;	/* nor is anything collected: its size, as far as known; or 0 */
	uint64_t told_ms;	/* when that was told last */
	bool has_retry;		/* one of its parts said so */
	struct buf retry, to;
	int64_t retry_ms, timeout_ms;	/* by keep_times(), retry_ms as it was then: */
	uint64_t retry_at_ms;
	struct buf *slices;	/* n of them; NULL: none is there */
	size_t bytes;		/* what it is charged */
	size_t size;		/* of the slices */
};

struct assemblies {
	struct assemblies_limits limits;
	struct list all;	/* the next to be late first */
	unsigned int n, n_waiting;
	size_t bytes;
};

/* ---- one record ------------------------------------------------------------------------- */

static void drop_slices(struct assemblies *as, struct assembly *a)
{
	if (!a->slices)
		return;
	for (unsigned int i = 0; i < a->n; i++)
		buf_deinit(&a->slices[i]);
	free(a->slices);
	a->slices = NULL;
	a->n_there = 0;
	a->size = 0;
	as->bytes -= a->bytes;
	a->bytes = 0;
	as->n_waiting--;
}

static void forget(struct assemblies *as, struct assembly *a)
{
	drop_slices(as, a);
	list_del(&a->link);
	as->n--;
	buf_deinit(&a->id);
	buf_deinit(&a->retry);
	buf_deinit(&a->to);
	free(a);
}

/* Its outcome is known from now on. */
static void end(struct assemblies *as, struct assembly *a, uint64_t now_ms)
{
	drop_slices(as, a);
	a->ended = true;
	a->until_ms = now_ms + as->limits.complete_ms;
	list_del(&a->link);
	list_add_tail(&as->all, &a->link);
}

static struct assembly *find(struct assemblies *as, struct span channel, struct span id)
{
	struct assembly *a;

	list_for_each(a, &as->all, struct assembly, link)
		if (span_equal(a->channel, channel) && span_equal(buf_span(&a->id), id))
			return a;
	return NULL;
}

static bool is_part_of(const struct part *part, const struct assembly *a)
{
	return part->n == a->n && part->deflated == a->deflated &&
	       memcmp(part->digest, a->digest, sizeof(a->digest)) == 0;
}

/* ---- places ----------------------------------------------------------------------------- */

static struct assembly *oldest_without_parts(struct assemblies *as)
{
	struct assembly *a;

	list_for_each(a, &as->all, struct assembly, link)
		if (!a->slices)
			return a;
	return NULL;
}

/* Room for what its parts are counted with, and a place among those that wait. */
static int begin(struct assemblies *as, struct assembly *a, uint64_t now_ms)
{
	size_t bytes = sizeof(*a) + a->n * sizeof(*a->slices);

	if (as->n_waiting >= as->limits.n_max || as->bytes + bytes > as->limits.bytes_max)
		return ASSEMBLY_E_FULL;
	a->slices = calloc(a->n, sizeof(*a->slices));
	if (!a->slices)
		return -ENOMEM;
	a->has_retry = false;
	a->retry_ms = a->timeout_ms = 0;
	a->retry_at_ms = now_ms;
	a->bytes = bytes;
	as->bytes += bytes;
	as->n_waiting++;
	a->until_ms = now_ms + as->limits.complete_ms;
	list_del(&a->link);
	list_add_tail(&as->all, &a->link);
	return 0;
}

static int add(struct assemblies *as, struct span channel, const struct part *part,
	       struct assembly **ret_assembly)
{
	struct assembly *a, *old;

	if (as->n >= as->limits.n_max * ENDED_PER_PLACE && (old = oldest_without_parts(as)))
		forget(as, old);
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	list_init(&a->link);
	list_add_tail(&as->all, &a->link);
	as->n++;
	a->channel = channel;
	a->n = part->n;
	a->deflated = part->deflated;
	memcpy(a->digest, part->digest, sizeof(a->digest));
	buf_put(&a->id, buf_data(&part->id), part->id.len);
	if (buf_error(&a->id)) {
		forget(as, a);
		return -ENOMEM;
	}
	*ret_assembly = a;
	return 0;
}

/* The first part of a record. Without a place all of them would be refused: one is enough. */
static int add_first(struct assemblies *as, struct span channel, const struct part *part,
		     uint64_t now_ms, struct assembly **ret_assembly)
{
	struct assembly *a;
	int r = add(as, channel, part, &a);

	if (r < 0)
		return r;
	r = begin(as, a, now_ms);
	if (r == ASSEMBLY_E_FULL)
		end(as, a, now_ms);
	else if (r < 0)
		forget(as, a);
	else
		*ret_assembly = a;
	return r;
}

/* It has ended: a double of the hub, or its client repeats it, which every first part may begin. */
static int begin_again(struct assemblies *as, struct assembly *a, const struct part *part,
		       uint64_t now_ms)
{
	int r = begin(as, a, now_ms);

	return r == ASSEMBLY_E_FULL && part->index > 0 ? ASSEMBLY_WAITS : r;
}

static uint64_t tell_again_ms(const struct part *part)
{
	if (part->index == 0)
		return TELL_AGAIN_MS;
	return part->has_retry ? TELL_AGAIN_PART_MS : UINT64_MAX;
}

/*
 * It is beyond record_max, which has been told. What repeats it is told again, once, as that may
 * have been lost; the other parts of the first time say nothing new.
 */
static int refuse_again(struct assembly *a, const struct part *part, uint64_t now_ms,
			size_t *ret_size)
{
	if (now_ms - a->told_ms < tell_again_ms(part))
		return ASSEMBLY_WAITS;
	a->told_ms = now_ms;
	*ret_size = a->too_large;
	return ASSEMBLY_E_TOO_LARGE;
}

/* The record that a part belongs to. */
static int find_or_add(struct assemblies *as, struct span channel, const struct part *part,
		       uint64_t now_ms, struct assembly **ret_assembly, size_t *ret_size)
{
	struct assembly *a = find(as, channel, buf_span(&part->id));

	if (a && !is_part_of(part, a)) {
		bool clashes = a->slices;

		forget(as, a);
		if (clashes)
			return ASSEMBLY_E_CLASH;
		a = NULL;
	}
	if (!a)
		return add_first(as, channel, part, now_ms, ret_assembly);
	*ret_assembly = a;
	if (a->too_large > 0)
		return refuse_again(a, part, now_ms, ret_size);
	return a->slices ? 0 : begin_again(as, a, part, now_ms);
}

/* ---- parts ------------------------------------------------------------------------------ */

static int keep(struct assemblies *as, struct assembly *a, const struct part *part)
{
	struct buf *slice = &a->slices[part->index];
	size_t len = part->slice.len;

	if (slice->p)
		return 0;	/* it was there */
	if (a->size + len > as->limits.record_max)
		return ASSEMBLY_E_TOO_LARGE;
	if (as->bytes + len > as->limits.bytes_max)
		return ASSEMBLY_E_FULL;
	buf_put(slice, buf_data(&part->slice), len);
	if (buf_error(slice))
		return -ENOMEM;
	a->n_there++;
	a->size += len;
	a->bytes += len;
	as->bytes += len;
	return 0;
}

/* The first try grows older while parts wait for others. */
static void age_retry(struct assembly *a, uint64_t now_ms)
{
	if (a->retry_ms > 0)
		a->retry_ms += (int64_t)(now_ms - a->retry_at_ms);
	a->retry_at_ms = now_ms;
}

/* At most how old the first try is, as far as these say. */
static int64_t age_most_ms(int64_t retry_ms, int64_t timeout_ms)
{
	return retry_ms > 0 && timeout_ms > 0 ? retry_ms + timeout_ms : INT64_MAX;
}

/*
 * Each part that says how old it can be is right, so of several repeats the least counts. Of those
 * that do not say it, what would be longest.
 */
static void keep_times(struct assembly *a, const struct part *part)
{
	int64_t kept_ms = age_most_ms(a->retry_ms, a->timeout_ms);
	int64_t said_ms = age_most_ms(part->retry_ms, part->timeout_ms);

	if (said_ms < kept_ms) {
		a->retry_ms = part->retry_ms;
		a->timeout_ms = part->timeout_ms;
	} else if (kept_ms == INT64_MAX) {
		a->retry_ms = MAX(a->retry_ms, part->retry_ms);
		a->timeout_ms = MAX(a->timeout_ms, part->timeout_ms);
	}
}

/* Parts of the first try and of the repeat make up for each other: together they are a repeat. */
static int keep_retry(struct assembly *a, const struct part *part, uint64_t now_ms)
{
	age_retry(a, now_ms);
	if (!part->has_retry)
		return 0;
	a->has_retry = true;
	keep_times(a, part);
	buf_clear(&a->retry);
	buf_put(&a->retry, buf_data(&part->retry), part->retry.len);
	return buf_error(&a->retry);
}

static int join(const struct assemblies *as, const struct assembly *a, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf bytes = BUF_NULL;
	int r;

	for (unsigned int i = 0; i < a->n; i++)
		buf_put(&bytes, buf_data(&a->slices[i]), a->slices[i].len);
	r = buf_error(&bytes);
	if (r == 0)
		r = parts_join(buf_span(&bytes), a->deflated, a->digest, as->limits.record_max,
			       out);
	return r == PARTS_E_BAD ? ASSEMBLY_E_BAD :
	       r == PARTS_E_TOO_LARGE ? ASSEMBLY_E_TOO_LARGE : r;
}

/* Whom one of its parts names. */
static int keep_to(struct assembly *a, const struct part *part)
{
	if (a->to.len == 0)
		buf_put(&a->to, buf_data(&part->to), part->to.len);
	return buf_error(&a->to);
}

static int copy(const struct buf *from, struct buf *to)
{
	buf_clear(to);
	buf_put(to, buf_data(from), from->len);
	return buf_error(to);
}

/* What any of its parts has said, whatever becomes of this one. */
static int share(struct assembly *a, struct part *part, uint64_t now_ms)
{
	int r = keep_retry(a, part, now_ms);

	if (r == 0)
		r = keep_to(a, part);
	if (r < 0)
		return r;
	part->has_retry = a->has_retry;
	part->retry_ms = a->retry_ms;
	part->timeout_ms = a->timeout_ms;
	r = copy(&a->retry, &part->retry);
	return r < 0 ? r : copy(&a->to, &part->to);
}

static int take(struct assemblies *as, struct assembly *a, struct part *part, uint64_t now_ms,
		struct buf *out, size_t *ret_size)
{
	int r = share(a, part, now_ms);

	if (r == 0)
		r = keep(as, a, part);
	*ret_size = a->size + part->slice.len;
	if (r != 0)
		return r;
	if (a->n_there < a->n)
		return ASSEMBLY_WAITS;
	*ret_size = as->limits.record_max + 1;	/* more than can be, if it is too large inflated */
	return join(as, a, out);
}

int assemblies_add(struct assemblies *as, struct span channel, struct part *part,
		   uint64_t now_ms, struct buf *out, size_t *ret_size)
{
	struct assembly *a;
	int r;

	*ret_size = 0;
	r = find_or_add(as, channel, part, now_ms, &a, ret_size);
	if (r != 0)
		return r;
	r = take(as, a, part, now_ms, out, ret_size);
	if (r == ASSEMBLY_WAITS)
		return r;
	if (r < 0) {
		forget(as, a);
		return r;
	}
	a->too_large = r == ASSEMBLY_E_TOO_LARGE ? *ret_size : 0;
	a->told_ms = now_ms;
	end(as, a, now_ms);
	return r;
}

/* ---- time ------------------------------------------------------------------------------- */

/* from is empty then. */
static void move(struct buf *from, struct buf *to)
{
	buf_deinit(to);
	*to = *from;
	*from = (struct buf)BUF_NULL;
}

bool assemblies_take_late(struct assemblies *as, uint64_t now_ms, struct part *part,
			  struct span *ret_channel)
{
	struct assembly *a;

	while ((a = list_first(&as->all, struct assembly, link)) && now_ms >= a->until_ms) {
		bool tell = a->slices && (!a->ended || a->has_retry);

		if (tell) {
			move(&a->id, &part->id);
			move(&a->retry, &part->retry);
			move(&a->to, &part->to);
			age_retry(a, now_ms);
			part->has_retry = a->has_retry;
			part->retry_ms = a->retry_ms;
			part->timeout_ms = a->timeout_ms;
			*ret_channel = a->channel;
		}
		forget(as, a);
		if (tell)
			return true;
	}
	return false;
}

uint64_t assemblies_next_ms(const struct assemblies *as)
{
	const struct assembly *a = list_first(&as->all, struct assembly, link);

	return a ? a->until_ms : UINT64_MAX;
}

/* ---- life and queries ------------------------------------------------------------------- */

/* What is there stays until its time is over. */
void assemblies_set_limits(struct assemblies *as, const struct assemblies_limits *limits)
{
	uint64_t complete_ms = as->limits.complete_ms;

	as->limits = *limits;
	as->limits.complete_ms = complete_ms;	/* the order of the list relies on it */
}

int assemblies_new(const struct assemblies_limits *limits, struct assemblies **ret_assemblies)
{
	struct assemblies *as = calloc(1, sizeof(*as));

	if (!as)
		return -ENOMEM;
	as->limits = *limits;
	list_init(&as->all);
	*ret_assemblies = as;
	return 0;
}

struct assemblies *assemblies_free(struct assemblies *as)
{
	struct assembly *a, *tmp;

	if (!as)
		return NULL;
	list_for_each_safe(a, tmp, &as->all, struct assembly, link)
		forget(as, a);
	free(as);
	return NULL;
}

unsigned int assemblies_count(const struct assemblies *as)
{
	return as->n_waiting;
}

size_t assemblies_bytes(const struct assemblies *as)
{
	return as->bytes;
}
