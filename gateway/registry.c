/* SPDX-License-Identifier: MIT */
/*
 * The names of functions and who holds them: see registry.h.
 *
 * The table is chained, with a number of chains that is a power of two, and seeded, since names
 * come from outside. It grows as names come and goes back to its first size when the last
 * one goes.
 */
#include "gateway/registry.h"

#include <errno.h>
#include <stdlib.h>

#include "gateway/lines.h"
#include "gateway/siphash.h"

#define CHAINS_LEAST 64
#define RECENT_BITS 9
#define TAIL_LEAST 4

/* A name that was found, and bytes of it, so that another is told apart without a look at it. */
struct recent {
	struct api *api;
	uint64_t tail;
};

struct registry {
	uint64_t seed[2];
	uint64_t n_serials;
	struct api **chains;
	size_t n_chains;
	size_t n_apis;
	struct recent recent[1 << RECENT_BITS];
};

const char *const api_policy_names[] = { "exclusive", "replace", "share", "standby", NULL };
const char *const api_visibility_names[] = { "remote", "local", NULL };

/* ---- the table ------------------------------------------------------------------------ */

int registry_new(const uint64_t seed[2], struct registry **ret_registry)
{
	struct registry *registry = calloc(1, sizeof(*registry));

	if (!registry)
		return -ENOMEM;
	registry->chains = calloc(CHAINS_LEAST, sizeof(*registry->chains));
	if (!registry->chains) {
		free(registry);
		return -ENOMEM;
	}
	registry->n_chains = CHAINS_LEAST;
	registry->seed[0] = seed[0];
	registry->seed[1] = seed[1];
	*ret_registry = registry;
	return 0;
}

struct registry *registry_free(struct registry *registry)
{
	if (!registry)
		return NULL;
	free(registry->chains);
	free(registry);
	return NULL;
}

static struct api **chain_of(const struct registry *registry, uint64_t hash)
{
	return &registry->chains[hash & (registry->n_chains - 1)];
}

static bool is_named(const struct api *api, struct span name, uint64_t hash)
{
	return api->hash == hash && span_equal(api_name(api), name);
}

static struct api *find(const struct registry *registry, struct span name, uint64_t hash)
{
	struct api *api = *chain_of(registry, hash);

	while (api && !is_named(api, name, hash))
		api = api->next;
	return api;
}

/* The last 8 bytes; of a shorter name, the first four and the last four. */
static uint64_t tail_of(struct span name)
{
	uint32_t halves[2];
	uint64_t tail;

	if (name.len >= sizeof(tail)) {
		memcpy(&tail, name.p + name.len - sizeof(tail), sizeof(tail));
		return tail;
	}
	memcpy(&halves[0], name.p, sizeof(halves[0]));
	memcpy(&halves[1], name.p + name.len - sizeof(halves[1]), sizeof(halves[1]));
	return (uint64_t)halves[1] << 32 | halves[0];
}

/*
 * Most calls are to few names. Those are found without a hash that nobody can foresee: whoever
 * chooses names that share a place here makes them as slow to find as all others, no slower.
 */
static struct recent *recent_of(struct registry *registry, struct span name, uint64_t *ret_tail)
{
	*ret_tail = tail_of(name);
	return &registry->recent[*ret_tail * 0x9e3779b97f4a7c15ULL >> (64 - RECENT_BITS)];
}

static struct api *look_up(const struct registry *registry, struct span name)
{
	return find(registry, name, siphash(registry->seed, name));
}

struct api *registry_find(struct registry *registry, struct span name)
{
	struct recent *recent;
	uint64_t tail;

	if (name.len < TAIL_LEAST)
		return look_up(registry, name);
	recent = recent_of(registry, name, &tail);
	if (recent->api && recent->tail == tail && span_equal(api_name(recent->api), name))
		return recent->api;
	recent->api = look_up(registry, name);
	recent->tail = tail;
	return recent->api;
}

/* One of them, with what is known of it: each step needs what the step before has asked for. */
struct expected {
	struct span name;
	struct recent *recent;
	uint64_t tail, hash;
	struct api *api;
};

/* Which of the names have to be looked for, by the table. Returns how many. */
static size_t expect_chains(struct registry *registry, const struct span *names, size_t n,
			    struct expected *ret)
{
	size_t n_sought = 0;

	for (size_t i = 0; i < n; i++) {
		struct expected *e = &ret[n_sought];

		if (names[i].len < TAIL_LEAST || names[i].len > API_NAME_MAX)
			continue;
		e->recent = recent_of(registry, names[i], &e->tail);
		if (e->recent->api && e->recent->tail == e->tail)
			continue;
		e->name = names[i];
		e->hash = siphash(registry->seed, names[i]);
		expect_lines(chain_of(registry, e->hash), 1);
		n_sought++;
	}
	return n_sought;
}

static void expect_apis(const struct registry *registry, struct expected *expected, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		expected[i].api = *chain_of(registry, expected[i].hash);
		if (expected[i].api)
			expect_lines(&expected[i].api->hash, 2);
	}
}

/* Those that are there are recent from now on. */
static void expect_holders(struct expected *expected, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct expected *e = &expected[i];
		struct api *api = e->api;

		while (api && !is_named(api, e->name, e->hash))
			api = api->next;
		if (!api)
			continue;
		expect_lines(api_holder(api), 1);
		*e->recent = (struct recent){ .api = api, .tail = e->tail };
	}
}

void registry_expect(struct registry *registry, const struct span *names, size_t n)
{
	struct expected expected[REGISTRY_EXPECT_MAX];

	n = expect_chains(registry, names, MIN(n, (size_t)REGISTRY_EXPECT_MAX), expected);
	expect_apis(registry, expected, n);
	expect_holders(expected, n);
}

static void forget_recent(struct registry *registry, const struct api *api)
{
	struct recent *recent;
	uint64_t tail;

	if (api->name_len < TAIL_LEAST)
		return;
	recent = recent_of(registry, api_name(api), &tail);
	if (recent->api == api)
		recent->api = NULL;
}

static void link_api(struct registry *registry, struct api *api)
{
	struct api **chain = chain_of(registry, api->hash);

	api->next = *chain;
	*chain = api;
}

/* Without memory the table stays as it is: longer chains are slower, not wrong. */
static void resize(struct registry *registry, size_t n_chains)
{
	struct api **old = registry->chains;
	struct api **chains = calloc(n_chains, sizeof(*chains));
	size_t n_old = registry->n_chains;
	struct api *next;

	if (!chains)
		return;
	registry->chains = chains;
	registry->n_chains = n_chains;
	for (size_t i = 0; i < n_old; i++)
		for (struct api *api = old[i]; api; api = next) {
			next = api->next;
			link_api(registry, api);
		}
	free(old);
}

/* Chains are short, as each other name on the way to the one that is meant is a line of cache. */
static void insert(struct registry *registry, struct api *api)
{
	if (2 * registry->n_apis >= registry->n_chains)
		resize(registry, registry->n_chains * 2);
	link_api(registry, api);
	registry->n_apis++;
}

static void extract(struct registry *registry, struct api *api)
{
	struct api **at = chain_of(registry, api->hash);

	while (*at != api)
		at = &(*at)->next;
	*at = api->next;
	forget_recent(registry, api);
	registry->n_apis--;
	if (registry->n_apis == 0 && registry->n_chains > CHAINS_LEAST)
		resize(registry, CHAINS_LEAST);
}

/* ---- names and holders ---------------------------------------------------------------- */

static struct api *api_new(struct span name, uint64_t hash)
{
	struct api *api = alloc_lines(sizeof(*api) + name.len + 1);

	if (!api)
		return NULL;
	*api = (struct api){ .hash = hash, .name_len = (uint8_t)name.len, .listed = true };
	list_init(&api->holders);
	list_init(&api->standbys);
	list_init(&api->queue);
	list_init(&api->drains);
	list_init(&api->unsettled);
	memcpy(api->name, name.p, name.len);
	api->name[name.len] = '\0';
	return api;
}

struct api *api_ref(struct api *api)
{
	api->n_refs++;
	return api;
}

struct api *api_unref(struct api *api)
{
	if (api && --api->n_refs == 0)
		free(api);
	return NULL;
}

struct holder *api_find_holder(const struct api *api, const struct party *party)
{
	struct holder *holder;

	list_for_each(holder, &api->holders, struct holder, link)
		if (holder->party == party)
			return holder;
	list_for_each(holder, &api->standbys, struct holder, link)
		if (holder->party == party)
			return holder;
	return NULL;
}

/* The spans of a copy, one after the other. */
#define N_TEXTS 6

static void texts_of(struct api_options *options, struct span *ret[N_TEXTS])
{
	ret[0] = &options->summary;
	ret[1] = &options->description;
	ret[2] = &options->version;
	ret[3] = &options->tags;
	ret[4] = &options->params;
	ret[5] = &options->result;
}

static size_t texts_len(const struct api_options *options)
{
	return options->summary.len + options->description.len + options->version.len +
	       options->tags.len + options->params.len + options->result.len;
}

size_t holder_size(struct span name, const struct api_options *options)
{
	return sizeof(struct api) + name.len + 1 + sizeof(struct holder) + texts_len(options);
}

/* Copies the texts of options behind one another. NULL: no memory. */
static uint8_t *copy_texts(struct api_options *options)
{
	uint8_t *memory = malloc(texts_len(options) + 1), *w = memory;
	struct span *texts[N_TEXTS];

	if (!memory)
		return NULL;
	texts_of(options, texts);
	for (size_t i = 0; i < N_TEXTS; i++) {
		if (texts[i]->len > 0)
			memcpy(w, texts[i]->p, texts[i]->len);
		texts[i]->p = w;
		w += texts[i]->len;
	}
	return memory;
}

static void set_terms(struct holder *holder, const struct api_options *options)
{
	holder->options = *options;
	holder->timeout_ms = options->timeout_ms;
	holder->timeout_max_ms = options->timeout_max_ms;
	holder->concurrency = (unsigned int)options->concurrency;
	holder->described = options->params.len > 0;
}

int registry_set_options(struct registry *registry, struct holder *holder,
			 const struct api_options *options)
{
	struct api_options copy = *options;
	uint8_t *texts = copy_texts(&copy);

	if (!texts)
		return -ENOMEM;
	free(holder->texts);
	holder->texts = texts;
	set_terms(holder, &copy);
	holder->serial = ++registry->n_serials;
	return 0;
}

static struct holder *holder_new(struct registry *registry, const struct api_options *options)
{
	struct holder *holder = alloc_lines(sizeof(*holder));

	if (!holder)
		return NULL;
	*holder = (struct holder){ .n_refs = 1 };
	list_init(&holder->drains);
	if (registry_set_options(registry, holder, options) != 0) {
		free(holder);
		return NULL;
	}
	return holder;
}

static struct api *find_or_make(struct registry *registry, struct span name)
{
	uint64_t hash = siphash(registry->seed, name);
	struct api *api = find(registry, name, hash);

	if (api)
		return api;
	api = api_new(name, hash);
	if (api)
		insert(registry, api);
	return api;
}

static void enlist(struct holder *holder)
{
	struct api *api = holder->api;

	list_add_tail(holder->standby ? &api->standbys : &api->holders, &holder->link);
	if (holder->standby)
		api->n_standbys++;
	else
		api->n_holders++;
}

static void delist(struct holder *holder)
{
	list_del(&holder->link);
	if (holder->standby)
		holder->api->n_standbys--;
	else
		holder->api->n_holders--;
}

int registry_add(struct registry *registry, struct span name, struct party *party,
		 const struct api_options *options, bool standby, struct holder **ret_holder)
{
	struct holder *holder = holder_new(registry, options);
	struct api *api = holder ? find_or_make(registry, name) : NULL;

	if (!api) {
		if (holder)
			free(holder->texts);
		free(holder);
		return -ENOMEM;
	}
	holder->api = api_ref(api);
	holder->party = party;
	holder->standby = standby;
	enlist(holder);
	list_add_tail(&party->registrations, &holder->registered);
	party->n_registrations++;
	*ret_holder = holder;
	return 0;
}

void registry_remove(struct registry *registry, struct holder *holder)
{
	struct api *api = holder->api;

	delist(holder);
	list_del(&holder->registered);
	holder->party->n_registrations--;
	holder->party = NULL;
	if (api->n_holders + api->n_standbys == 0) {
		extract(registry, api);
		api->listed = false;
	}
	holder_unref(holder);
}

void holder_demote(struct holder *holder)
{
	delist(holder);
	holder->standby = true;
	enlist(holder);
}

void holder_promote(struct holder *holder)
{
	delist(holder);
	holder->standby = false;
	enlist(holder);
}

struct holder *holder_ref(struct holder *holder)
{
	holder->n_refs++;
	return holder;
}

struct holder *holder_unref(struct holder *holder)
{
	if (!holder || --holder->n_refs > 0)
		return NULL;
	api_unref(holder->api);
	free(holder->texts);
	free(holder);
	return NULL;
}

/* ---- looking around ------------------------------------------------------------------- */

size_t registry_count(const struct registry *registry)
{
	return registry->n_apis;
}

bool api_is_seen(const struct api *api, enum party_origin origin)
{
	return origin == PARTY_LOCAL || api_holder(api)->options.visibility == API_REMOTE;
}

static int compare(const void *a, const void *b)
{
	const struct api *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

int registry_select(const struct registry *registry, struct span pattern, enum party_origin origin,
		    struct api ***ret_apis, size_t *ret_n)
{
	struct api **apis = malloc((registry->n_apis + 1) * sizeof(struct api *));
	size_t n = 0;

	if (!apis)
		return -ENOMEM;
	for (size_t i = 0; i < registry->n_chains; i++)
		for (struct api *api = registry->chains[i]; api; api = api->next)
			if (api_is_seen(api, origin) && name_matches(api_name(api), pattern))
				apis[n++] = api;
	qsort(apis, n, sizeof(struct api *), compare);
	*ret_apis = apis;
	*ret_n = n;
	return 0;
}

/* ---- states and terms ------------------------------------------------------------------ */

const char *holder_state(const struct holder *holder)
{
	if (holder->draining)
		return "draining";
	if (holder->paused)
		return "paused";
	return holder->standby ? "standby" : "active";
}

const char *api_state(const struct api *api)
{
	if (api->draining)
		return "draining";
	if (api->paused)
		return "paused";
	return api_is_ready(api) ? "active" : holder_state(api_holder(api));
}

bool api_same_terms(const struct api_options *a, const struct api_options *b)
{
	return a->visibility == b->visibility && a->timeout_ms == b->timeout_ms &&
	       a->timeout_max_ms == b->timeout_max_ms && span_equal(a->params, b->params) &&
	       span_equal(a->result, b->result);
}
