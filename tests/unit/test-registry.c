/* SPDX-License-Identifier: MIT */
/*
 * Names, who holds them, and who may see them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/registry.h"

#define N_MANY 20000

struct fixture {
	struct registry *registry;
	struct party parties[4];
};

static int setup(void **state)
{
	static const uint64_t seed[2] = { 1, 2 };
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(registry_new(seed, &f->registry), 0);
	for (size_t i = 0; i < ARRAY_SIZE(f->parties); i++)
		list_init(&f->parties[i].registrations);
	*state = f;
	return 0;
}

/* Whatever is still held is given up: nothing may be left of it. */
static int teardown(void **state)
{
	struct fixture *f = *state;
	struct holder *holder;

	for (size_t i = 0; i < ARRAY_SIZE(f->parties); i++) {
		while ((holder = list_first(&f->parties[i].registrations, struct holder,
					    registered)))
			registry_remove(f->registry, holder);
		assert_int_equal(f->parties[i].n_registrations, 0);
	}
	assert_int_equal(registry_count(f->registry), 0);
	registry_free(f->registry);
	free(f);
	return 0;
}

static struct holder *add(struct fixture *f, const char *name, unsigned int party, bool standby)
{
	const struct api_options options = { .queue = 64 };
	struct holder *holder;

	assert_int_equal(registry_add(f->registry, span_str(name), &f->parties[party], &options,
				      standby, &holder), 0);
	return holder;
}

static struct api *find(const struct fixture *f, const char *name)
{
	return registry_find(f->registry, span_str(name));
}

/* ---- holders -------------------------------------------------------------------------- */

static void test_name_is_there_as_long_as_it_is_held(void **state)
{
	struct fixture *f = *state;
	struct holder *a = add(f, "door", 0, false), *b = add(f, "door", 1, true);

	assert_ptr_equal(a->api, b->api);
	assert_ptr_equal(find(f, "door"), a->api);
	assert_null(find(f, "doo"));
	assert_int_equal(registry_count(f->registry), 1);
	assert_int_equal(a->api->n_holders, 1);
	assert_int_equal(a->api->n_standbys, 1);
	registry_remove(f->registry, a);
	assert_ptr_equal(find(f, "door"), b->api);
	registry_remove(f->registry, b);
	assert_null(find(f, "door"));
	assert_int_equal(registry_count(f->registry), 0);
}

static void test_holders_are_found_by_their_party(void **state)
{
	struct fixture *f = *state;
	struct holder *a = add(f, "door", 0, false), *b = add(f, "door", 1, true);

	assert_ptr_equal(api_find_holder(a->api, &f->parties[0]), a);
	assert_ptr_equal(api_find_holder(a->api, &f->parties[1]), b);
	assert_null(api_find_holder(a->api, &f->parties[2]));
	assert_ptr_equal(api_holder(a->api), a);
}

static void test_promote_and_demote_go_to_the_end(void **state)
{
	struct fixture *f = *state;
	struct holder *a = add(f, "door", 0, false), *b = add(f, "door", 1, true);
	struct holder *c = add(f, "door", 2, true);

	holder_demote(a);
	assert_true(a->standby);
	assert_int_equal(a->api->n_holders, 0);
	assert_int_equal(a->api->n_standbys, 3);
	assert_ptr_equal(list_first(&a->api->standbys, struct holder, link), b);
	holder_promote(c);
	holder_promote(b);
	assert_false(b->standby);
	assert_ptr_equal(api_holder(a->api), c);
	assert_int_equal(a->api->n_holders, 2);
	assert_int_equal(a->api->n_standbys, 1);
}

static void test_holder_that_is_out_stays_readable(void **state)
{
	struct fixture *f = *state;
	struct holder *old = holder_ref(add(f, "door", 0, false)), *new;

	registry_remove(f->registry, old);
	assert_null(old->party);
	assert_false(old->api->listed);
	assert_string_equal(old->api->name, "door");
	new = add(f, "door", 1, false);
	assert_ptr_not_equal(new->api, old->api);	/* the same name, but another life of it */
	assert_ptr_equal(find(f, "door"), new->api);
	assert_null(holder_unref(old));
}

static void test_api_that_is_out_stays_readable(void **state)
{
	struct fixture *f = *state;
	struct holder *holder = add(f, "door", 0, false);
	struct api *api = api_ref(holder->api);

	registry_remove(f->registry, holder);
	assert_string_equal(api->name, "door");
	assert_null(api_unref(api));
	assert_null(api_unref(NULL));
}

static void test_options_are_copied(void **state)
{
	struct fixture *f = *state;
	char summary[] = "opens", params[] = "\xc0";
	struct api_options options = {
		.summary = span_str(summary), .params = span_of(params, 1), .concurrency = 3,
	};
	struct holder *holder;
	uint64_t serial;

	assert_int_equal(registry_add(f->registry, span_str("door"), &f->parties[0], &options,
				      false, &holder),
			 0);
	memset(summary, 'x', 5);
	params[0] = 'x';
	assert_true(span_is(holder->options.summary, "opens"));
	assert_true(span_is(holder->options.params, "\xc0"));
	assert_true(holder->described && holder->concurrency == 3);
	assert_int_equal(holder->options.tags.len, 0);
	serial = holder->serial;
	options = holder->options; /* as "update" does: its texts are its own */
	options.version = span_str("2");
	options.params = span_of(NULL, 0);
	options.concurrency = 0;
	assert_int_equal(registry_set_options(f->registry, holder, &options), 0);
	assert_true(span_is(holder->options.summary, "opens"));
	assert_true(span_is(holder->options.version, "2"));
	assert_true(holder->serial > serial);
	assert_false(holder->described || holder->concurrency != 0);
}

static void test_size_counts_texts(void **state UNUSED)
{
	const struct api_options none = { 0 }, some = {
		.summary = span_str("12345"), .result = span_str("123"),
	};

	assert_int_equal(holder_size(span_str("ab"), &some),
			 holder_size(span_str("ab"), &none) + 8);
	assert_int_equal(holder_size(span_str("abc"), &none),
			 holder_size(span_str("ab"), &none) + 1);
}

/* ---- looking around ------------------------------------------------------------------- */

static void assert_selected(const struct fixture *f, const char *pattern, enum party_origin origin,
			    const char *expected)
{
	struct api **apis;
	char names[200] = "";
	size_t n;

	assert_int_equal(registry_select(f->registry, span_str(pattern), origin, &apis, &n), 0);
	for (size_t i = 0; i < n; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s ",
			 apis[i]->name);
	free(apis);
	assert_string_equal(names, expected);
}

static void test_select_is_sorted_and_shows_what_may_be_seen(void **state)
{
	struct fixture *f = *state;
	struct holder *hidden = add(f, "b.hidden", 0, false);

	hidden->options.visibility = API_LOCAL;
	add(f, "c", 0, false);
	add(f, "b.2", 0, false);
	add(f, "b", 0, false);
	add(f, "b.1", 1, false);
	assert_selected(f, "*", PARTY_LOCAL, "b b.1 b.2 b.hidden c ");
	assert_selected(f, "*", PARTY_REMOTE, "b b.1 b.2 c ");
	assert_selected(f, "b.*", PARTY_REMOTE, "b.1 b.2 ");
	assert_selected(f, "x", PARTY_LOCAL, "");
	assert_true(api_is_seen(hidden->api, PARTY_LOCAL));
	assert_false(api_is_seen(hidden->api, PARTY_REMOTE));
}

static void test_select_of_nothing(void **state)
{
	assert_selected(*state, "*", PARTY_LOCAL, "");
}

/* ---- cost ----------------------------------------------------------------------------- */

/* A chain runs through api->next: its length is what a look-up goes through. */
static unsigned int steps_behind(const struct api *api)
{
	unsigned int n = 0;

	while ((api = api->next))
		n++;
	return n;
}

static void test_cost_does_not_grow_with_names(void **state)
{
	struct fixture *f = *state;
	unsigned int sum = 0, most = 0;
	char name[20];

	for (int i = 0; i < N_MANY; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		add(f, name, (unsigned int)i % 4, false);
	}
	assert_int_equal(registry_count(f->registry), N_MANY);
	for (int i = 0; i < N_MANY; i++) {
		unsigned int steps;

		snprintf(name, sizeof(name), "n%d", i);
		assert_non_null(find(f, name));
		steps = steps_behind(find(f, name));
		sum += steps;
		most = MAX(most, steps);
	}
	assert_true(sum < N_MANY);
	assert_true(most < 16);
}

/* ---- what will be asked for ----------------------------------------------------------- */

static void expect(struct fixture *f, const char *a, const char *b, const char *c)
{
	const struct span names[] = { span_str(a), span_str(b), span_str(c) };

	registry_expect(f->registry, names, ARRAY_SIZE(names));
}

/* Names that end alike share a place among the recent ones. */
static void test_names_that_are_expected_are_found(void **state)
{
	struct fixture *f = *state;
	struct holder *a = add(f, "front.door.open", 0, false);
	struct holder *b = add(f, "back.door.open", 1, false);

	expect(f, "front.door.open", "back.door.open", "nobodys.door.open");
	assert_ptr_equal(find(f, "front.door.open"), a->api);
	assert_ptr_equal(find(f, "back.door.open"), b->api);
	assert_null(find(f, "nobodys.door.open"));
	assert_null(find(f, "door.open"));
	expect(f, "", "x", "door.open");
}

/* Of short ones the same bytes stand for several names: what is found is compared. */
static void test_short_names_are_told_apart(void **state)
{
	static const char *const names[] = { "d", "do", "doo", "door", "doordoor", "a.doordoor" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		add(f, names[i], 0, false);
	for (unsigned int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			expect(f, "door", names[i], "doordoor");
			assert_string_equal(find(f, names[i])->name, names[i]);
		}
	registry_remove(f->registry, api_find_holder(find(f, "door"), &f->parties[0]));
	assert_null(find(f, "door"));
	assert_non_null(find(f, "doordoor"));
	assert_null(find(f, "door"));
}

static void test_name_that_goes_while_it_is_expected_is_not_found(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 2; i++) {
		add(f, "front.door.open", 0, false);
		add(f, "back.door.open", 1, false);
		expect(f, "front.door.open", "back.door.open", "front.door.open");
		registry_remove(f->registry, api_find_holder(find(f, "back.door.open"),
							     &f->parties[1]));
		assert_null(find(f, "back.door.open"));
		assert_non_null(find(f, "front.door.open"));
		expect(f, "back.door.open", "back.door.open", "front.door.open");
		registry_remove(f->registry, api_find_holder(find(f, "front.door.open"),
							     &f->parties[0]));
		assert_null(find(f, "front.door.open"));
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_name_is_there_as_long_as_it_is_held),
		TEST(test_holders_are_found_by_their_party),
		TEST(test_promote_and_demote_go_to_the_end),
		TEST(test_holder_that_is_out_stays_readable),
		TEST(test_api_that_is_out_stays_readable),
		TEST(test_options_are_copied),
		cmocka_unit_test(test_size_counts_texts),
		TEST(test_select_is_sorted_and_shows_what_may_be_seen),
		TEST(test_select_of_nothing),
		TEST(test_cost_does_not_grow_with_names),
		TEST(test_names_that_are_expected_are_found),
		TEST(test_short_names_are_told_apart),
		TEST(test_name_that_goes_while_it_is_expected_is_not_found),
	};

	return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
