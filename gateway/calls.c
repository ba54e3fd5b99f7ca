/* SPDX-License-Identifier: MIT */
/*
 * Calls in flight: see calls.h.
 *
 * Entries lie in blocks of 64. A block gives out its entries in turn, so that a number comes
 * back as late as possible; blocks are used one before the other, so that few calls touch
 * little memory. Some empty blocks are kept: in steady work nothing is allocated.
 *
 * Who asked finds its call by a hash of its number, among hashes that lie apart from the entries:
 * with many calls in flight each entry that is touched has to come from memory.
 */
#include "gateway/calls.h"

#include <errno.h>
#include <stdlib.h>

#include "gateway/hashindex.h"
#include "gateway/lines.h"

#define BLOCK_BITS 6
#define BLOCK_LEN (1U << BLOCK_BITS)
#define INDEX_BITS 18			/* the rest of the number counts uses */
#define BLOCKS_MAX (1U << (INDEX_BITS - BLOCK_BITS))
#define SPARE_MAX 16			/* empty blocks that are kept */
#define ENTRY_LINES 3			/* what begins and ends a call that does not wait */

struct block {
	struct call entries[BLOCK_LEN];	/* each from a line of the cache on */
	struct list link;		/* among those with a free entry */
	unsigned int index;
	unsigned int n_used;
	struct call *free_first, *free_last;
};

/* Where a block is, or was: its entries' uses are counted on. */
struct place {
	struct block *block;		/* NULL: none */
	uint32_t uses;			/* above INDEX_BITS: what a new block begins with */
};

struct calls {
	uint64_t seed[2];
	struct hash_index awaited;	/* entries that somebody waits for */
	size_t n_open, n_queued, n_abandoned;
	struct place *places;
	unsigned int n_places;
	unsigned int hole;		/* no place before it is free */
	unsigned int n_spare;		/* blocks without any entry in use */
	struct list blocks;		/* with a free entry */
};

int calls_new(const uint64_t seed[2], struct calls **ret_calls)
{
	struct calls *calls = calloc(1, sizeof(*calls));

	if (!calls)
		return -ENOMEM;
	list_init(&calls->blocks);
	if (hash_index_init(&calls->awaited) != 0) {
		free(calls);
		return -ENOMEM;
	}
	calls->seed[0] = seed[0];
	calls->seed[1] = seed[1];
	*ret_calls = calls;
	return 0;
}

struct calls *calls_free(struct calls *calls)
{
	if (!calls)
		return NULL;
	for (unsigned int i = 0; i < calls->n_places; i++)
		free(calls->places[i].block);
	free(calls->places);
	hash_index_deinit(&calls->awaited);
	free(calls);
	return NULL;
}

/* ---- entries -------------------------------------------------------------------------- */

static int find_hole(struct calls *calls, unsigned int *ret_index)
{
	unsigned int n = MAX(8U, calls->n_places * 2);
	struct place *places;

	while (calls->hole < calls->n_places && calls->places[calls->hole].block)
		calls->hole++;
	*ret_index = calls->hole;
	if (calls->hole < calls->n_places)
		return 0;
	if (calls->n_places == BLOCKS_MAX)
		return CALLS_E_FULL;
	places = realloc(calls->places, n * sizeof(*places));
	if (!places)
		return -ENOMEM;
	memset(places + calls->n_places, 0, (n - calls->n_places) * sizeof(*places));
	calls->places = places;
	calls->n_places = n;
	return 0;
}

static void block_put_entry(struct block *block, struct call *call)
{
	call->state = CALL_FREE;
	call->provider = NULL;
	call->next = NULL;
	if (block->free_first)
		block->free_last->next = call;
	else
		block->free_first = call;
	block->free_last = call;
}

/* What a call leaves as it found it, so that the next one need not set it. */
static void entry_init(struct call *call, uint32_t id)
{
	*call = (struct call){ .id = id };
	list_init(&call->made);
	list_init(&call->handled);
	list_init(&call->waiting);
	timer_init(&call->deadline);
}

static int block_new(struct calls *calls)
{
	struct block *block;
	unsigned int index;
	int rc = find_hole(calls, &index);

	if (rc != 0)
		return rc;
	block = alloc_lines(sizeof(*block));
	if (!block)
		return -ENOMEM;
	block->index = index;
	block->n_used = 0;
	block->free_first = block->free_last = NULL;
	for (unsigned int i = 0; i < BLOCK_LEN; i++) {
		entry_init(&block->entries[i], calls->places[index].uses | index << BLOCK_BITS | i);
		block_put_entry(block, &block->entries[i]);
	}
	calls->places[index].block = block;
	calls->n_spare++;
	list_init(&block->link);
	list_add_tail(&calls->blocks, &block->link);
	return 0;
}

static void block_free(struct calls *calls, struct block *block)
{
	struct place *place = &calls->places[block->index];
	uint32_t id = 0;

	for (unsigned int i = 0; i < BLOCK_LEN; i++)
		id = MAX(id, block->entries[i].id);
	place->uses = id & ~(uint32_t)((1U << INDEX_BITS) - 1);
	place->block = NULL;
	calls->hole = MIN(calls->hole, block->index);
	calls->n_spare--;
	list_del(&block->link);
	free(block);
}

static struct block *block_of(const struct calls *calls, uint32_t id)
{
	unsigned int index = (id & ((1U << INDEX_BITS) - 1)) >> BLOCK_BITS;

	return index < calls->n_places ? calls->places[index].block : NULL;
}

/* Its place, as above; a call that is in flight has one. */
static struct call *entry_at(const struct calls *calls, uint32_t index)
{
	return &calls->places[index >> BLOCK_BITS].block->entries[index & (BLOCK_LEN - 1)];
}

static uint32_t index_of(const struct call *call)
{
	return call->id & ((1U << INDEX_BITS) - 1);
}

static int entry_new(struct calls *calls, struct call **ret_call)
{
	struct block *block;
	int rc;

	if (list_empty(&calls->blocks)) {
		rc = block_new(calls);
		if (rc != 0)
			return rc;
	}
	block = container_of(calls->blocks.next, struct block, link);
	*ret_call = block->free_first;
	block->free_first = block->free_first->next;
	if (block->free_first)
		expect_lines(block->free_first, ENTRY_LINES);
	else
		list_del(&block->link);
	if (block->n_used++ == 0)
		calls->n_spare--;
	return 0;
}

struct call *calls_get(const struct calls *calls, const struct party *provider, uint32_t id)
{
	struct block *block = block_of(calls, id);
	struct call *call;

	if (!block)
		return NULL;
	call = &block->entries[id & (BLOCK_LEN - 1)];
	return call->id == id && call->provider == provider && call->state != CALL_FREE
		? call : NULL;
}

/* ---- found by who asked --------------------------------------------------------------- */

/* The key has two numbers only; mixing them well and secretly is enough. */
static uint32_t hash_of(const struct calls *calls, const struct party *caller, uint64_t token)
{
	uint64_t h = (token ^ calls->seed[0]) * 0x9e3779b97f4a7c15ULL;

	h ^= (uintptr_t)caller ^ calls->seed[1];
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ULL;
	return (uint32_t)(h ^ h >> 32);
}

struct call *calls_find(const struct calls *calls, const struct party *caller, uint64_t token)
{
	uint32_t hash = hash_of(calls, caller, token), index;
	size_t step = 0;

	while (hash_index_next(&calls->awaited, hash, &step, &index)) {
		struct call *call = entry_at(calls, index);

		if (call->token == token && call->caller == caller)
			return call;
	}
	return NULL;
}

static void await(struct calls *calls, struct call *call, struct party *caller)
{
	call->caller = caller;
	call->hash = hash_of(calls, caller, call->token);
	hash_index_add(&calls->awaited, call->hash, index_of(call));
	caller->n_awaited++;
}

static void leave_caller(struct calls *calls, struct call *call)
{
	hash_index_del(&calls->awaited, call->hash, index_of(call));
	call->caller->n_awaited--;
}

/* ---- what will be asked for ----------------------------------------------------------- */

/* Returns how many there are. */
static size_t expect_entries(const struct calls *calls, const uint32_t *ids, size_t n,
			     const struct call *ret[CALLS_EXPECT_MAX])
{
	size_t n_there = 0;

	for (size_t i = 0; i < n; i++) {
		struct block *block = block_of(calls, ids[i]);

		if (!block)
			continue;
		ret[n_there] = &block->entries[ids[i] & (BLOCK_LEN - 1)];
		expect_lines(ret[n_there++], ENTRY_LINES);
	}
	return n_there;
}

void calls_expect(const struct calls *calls, const uint32_t *ids, size_t n)
{
	const struct call *entries[CALLS_EXPECT_MAX];

	n = expect_entries(calls, ids, MIN(n, (size_t)CALLS_EXPECT_MAX), entries);
	for (size_t i = 0; i < n; i++)
		hash_index_expect(&calls->awaited, entries[i]->hash);
}

void calls_expect_tokens(const struct calls *calls, const struct party *caller,
			 const uint64_t *tokens, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash_index_expect(&calls->awaited, hash_of(calls, caller, tokens[i]));
}

/* ---- calls ---------------------------------------------------------------------------- */

int calls_add(struct calls *calls, struct party *payer, uint64_t token, struct api *api,
	      bool oneway, struct call **ret_call)
{
	struct call *call;
	int rc = oneway ? 0 : hash_index_reserve(&calls->awaited);

	if (rc == 0)
		rc = entry_new(calls, &call);
	if (rc != 0)
		return rc;
	call->state = CALL_QUEUED;
	call->caller = NULL;
	call->payer = payer;
	call->token = token;
	call->oneway = oneway;
	call->origin = payer->origin;
	call->api = api_ref(api);
	list_add_tail(&payer->calls_made, &call->made);
	payer->n_calls_made++;
	calls->n_open++;
	calls->n_queued++;
	if (!oneway)
		await(calls, call, payer);
	*ret_call = call;
	return 0;
}

int calls_enqueue(struct call *call, struct span params, struct span caller_text)
{
	uint8_t *kept = malloc(params.len + caller_text.len + 1);

	if (!kept)
		return -ENOMEM;
	memcpy(kept, params.p, params.len);
	if (caller_text.len > 0)
		memcpy(kept + params.len, caller_text.p, caller_text.len);
	call->kept = kept;
	call->params = span_of(kept, params.len);
	call->caller_text = span_of(kept + params.len, caller_text.len);
	list_add_tail(&call->api->queue, &call->waiting);
	call->api->n_queued++;
	return 0;
}

void calls_dequeue(struct call *call)
{
	if (list_empty(&call->waiting))
		return;
	list_del(&call->waiting);
	call->api->n_queued--;
}

void calls_forget_copies(struct call *call)
{
	free(call->kept);
	call->kept = NULL;
	call->params = call->caller_text = span_of(NULL, 0);
}

void calls_hand(struct calls *calls, struct call *call, struct holder *holder)
{
	call->state = CALL_RUNNING;
	call->holder = holder_ref(holder);
	call->provider = holder->party;
	list_add_tail(&holder->party->calls_handled, &call->handled);
	holder->party->n_calls_handled++;
	holder->n_running++;
	call->api->n_running++;
	calls->n_queued--;
}

static void leave_provider(struct call *call)
{
	list_del(&call->handled);
	call->provider->n_calls_handled--;
	call->holder->n_running--;
	call->api->n_running--;
}

void calls_hand_back(struct calls *calls, struct call *call)
{
	leave_provider(call);
	call->state = CALL_QUEUED;
	call->provider = NULL;
	call->holder = holder_unref(call->holder);
	calls->n_queued++;
}

void calls_orphan(struct call *call)
{
	list_del(&call->made);
	call->payer->n_calls_made--;
	call->payer = NULL;
}

void calls_abandon(struct calls *calls, struct call *call)
{
	if (call->caller)
		leave_caller(calls, call);
	call->caller = NULL;
	if (call->payer)
		calls_orphan(call);
	call->state = CALL_ABANDONED;
	call->provider->n_abandoned++;
	calls->n_open--;
	calls->n_abandoned++;
}

/* The parties stay named in the entry: whoever took it out has to tell them. */
void calls_take(struct calls *calls, struct call *call)
{
	if (call->state == CALL_ABANDONED) {
		call->provider->n_abandoned--;
		calls->n_abandoned--;
	} else {
		calls->n_open--;
	}
	if (call->caller)
		leave_caller(calls, call);
	if (call->payer) {
		list_del(&call->made);
		call->payer->n_calls_made--;
	}
	if (call->kept)
		calls_dequeue(call);
	if (call->state == CALL_QUEUED)
		calls->n_queued--;
	else
		leave_provider(call);
	call->id += 1U << INDEX_BITS;
}

void calls_put(struct calls *calls, struct call *call)
{
	struct call *first = call - (call->id & (BLOCK_LEN - 1));
	struct block *block = container_of(first, struct block, entries[0]);

	call->holder = holder_unref(call->holder);
	call->api = api_unref(call->api);
	if (call->kept)
		calls_forget_copies(call);
	if (!block->free_first)
		list_add_tail(&calls->blocks, &block->link);
	block_put_entry(block, call);
	if (--block->n_used > 0)
		return;
	calls->n_spare++;
	if (calls->n_spare > SPARE_MAX)
		block_free(calls, block);
}

void calls_trim(struct calls *calls)
{
	struct block *block, *next;

	list_for_each_safe(block, next, &calls->blocks, struct block, link)
		if (block->n_used == 0 && calls->n_spare > 1)
			block_free(calls, block);
	hash_index_trim(&calls->awaited);
}

size_t calls_count(const struct calls *calls)
{
	return calls->n_open;
}

size_t calls_count_queued(const struct calls *calls)
{
	return calls->n_queued;
}

size_t calls_count_abandoned(const struct calls *calls)
{
	return calls->n_abandoned;
}

struct call *calls_each(const struct calls *calls, uint32_t *at)
{
	struct block *block;
	struct call *call;

	while (*at >> BLOCK_BITS < calls->n_places) {
		block = calls->places[*at >> BLOCK_BITS].block;
		if (!block) {
			*at = ((*at >> BLOCK_BITS) + 1) << BLOCK_BITS;
			continue;
		}
		call = &block->entries[*at & (BLOCK_LEN - 1)];
		(*at)++;
		if (call->state != CALL_FREE)
			return call;
	}
	return NULL;
}
