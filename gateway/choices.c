/* SPDX-License-Identifier: MIT */
/*
 * Values of enumerations, found by their hash: see choices.h.
 *
 * One table for all enumerations of a match: a slot belongs to the enumeration whose bytes `of`
 * points to. One that was asked for has a slot of its own, its mark, without a value.
 *
 * The hash is no secret, so whoever makes the description can have all values fall on one
 * place: each slot that is passed is a step, and those are limited.
 */
#include "gateway/choices.h"

#include <stdlib.h>

#define FEW 16			/* so many are looked at one by one, if they are short */
#define FEW_BYTES 1024
#define SLOTS_LEAST 256

struct choice {
	const uint8_t *of;	/* NULL: free */
	const uint8_t *value;	/* NULL: the mark of the enumeration */
	uint64_t hash;		/* of a mark: is the enumeration in the table? */
};

void choices_deinit(struct choices *choices)
{
	free(choices->slots);
	*choices = (struct choices){ 0 };
}

static bool find_slowly(struct steps *steps, struct span all, const struct mp_reader *value)
{
	struct mp_reader r = mp_reader(all), a, b;
	struct span choice;
	uint32_t n;

	if (mp_read_array(&r, &n) != 0)
		return false;
	for (; n > 0 && steps->left > 0 && mp_read_raw(&r, &choice) == 0; n--) {
		a = mp_reader(choice);
		b = *value;
		steps_spend_bytes(steps, choice.p, choice.p + choice.len);
		if (value_is_same(steps, &a, &b))
			return true;
	}
	return false;
}

/* ---- the table --------------------------------------------------------------------------- */

static size_t place_of(const struct choices *choices, const uint8_t *of, uint64_t hash)
{
	uint64_t h = (hash ^ (uint64_t)(uintptr_t)of) * 0x9e3779b97f4a7c15;

	return (size_t)(h >> 32) & (choices->n_slots - 1);
}

static size_t next_of(const struct choices *choices, size_t i)
{
	return (i + 1) & (choices->n_slots - 1);
}

/* There is room. */
static struct choice *add(struct choices *choices, const struct choice *choice)
{
	size_t i = place_of(choices, choice->of, choice->value ? choice->hash : 0);

	while (choices->slots[i].of)
		i = next_of(choices, i);
	choices->slots[i] = *choice;
	choices->n_used++;
	return &choices->slots[i];
}

/* Room for n more, half of the slots staying free. False: there is no memory. */
static bool make_room(struct choices *choices, size_t n)
{
	struct choices larger = { .n_slots = MAX(choices->n_slots, (size_t)SLOTS_LEAST) };

	while (larger.n_slots < 2 * (choices->n_used + n))
		larger.n_slots *= 2;
	if (larger.n_slots == choices->n_slots)
		return true;
	larger.slots = calloc(larger.n_slots, sizeof(*larger.slots));
	if (!larger.slots)
		return false;
	for (size_t i = 0; i < choices->n_slots; i++)
		if (choices->slots[i].of)
			add(&larger, &choices->slots[i]);
	free(choices->slots);
	*choices = larger;
	return true;
}

/* NULL: it was not asked for before. */
static struct choice *find_mark(const struct choices *choices, const uint8_t *of)
{
	if (choices->n_slots == 0)
		return NULL;
	for (size_t i = place_of(choices, of, 0); choices->slots[i].of; i = next_of(choices, i))
		if (choices->slots[i].of == of && !choices->slots[i].value)
			return &choices->slots[i];
	return NULL;
}

static bool find_quickly(const struct choices *choices, struct steps *steps, struct span all,
			 const struct mp_reader *value)
{
	struct mp_reader r = *value, a, b;
	uint64_t hash = value_hash(steps, &r);
	size_t i = place_of(choices, all.p, hash);

	for (; choices->slots[i].of && steps->left > 0; i = next_of(choices, i)) {
		const struct choice *c = &choices->slots[i];

		steps_spend(steps, 1);
		if (c->of != all.p || !c->value || c->hash != hash)
			continue;
		a = (struct mp_reader){ .p = c->value, .end = all.p + all.len };
		b = *value;
		if (value_is_same(steps, &a, &b))
			return true;
	}
	return false;
}

/* Values that stand there twice are added once. False: there is no memory. */
static bool add_all(struct choices *choices, struct steps *steps, struct span all)
{
	struct mp_reader r = mp_reader(all), at;
	struct span value;
	uint32_t n;

	if (mp_read_array(&r, &n) != 0 || !make_room(choices, n))
		return false;
	for (; n > 0 && steps->left > 0 && mp_read_raw(&r, &value) == 0; n--) {
		at = mp_reader(value);
		if (find_quickly(choices, steps, all, &at))
			continue;
		add(choices, &(struct choice){
				     .of = all.p, .value = value.p, .hash = value_hash(steps, &at),
			     });
	}
	find_mark(choices, all.p)->hash = true;
	return true;
}

/* ---- asking ------------------------------------------------------------------------------ */

bool choices_find(struct choices *choices, struct steps *steps, struct span all,
		  struct mp_reader value)
{
	struct mp_reader r = mp_reader(all);
	struct choice *mark;
	uint32_t n;

	if (mp_read_array(&r, &n) != 0 || (n <= FEW && all.len <= FEW_BYTES))
		return find_slowly(steps, all, &value);
	mark = find_mark(choices, all.p);
	if (mark && (mark->hash || add_all(choices, steps, all)))
		return find_quickly(choices, steps, all, &value);
	if (!mark && make_room(choices, 1))
		add(choices, &(struct choice){ .of = all.p });
	return find_slowly(steps, all, &value);
}
