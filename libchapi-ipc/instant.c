/* SPDX-License-Identifier: MIT */
/*
 * Instants as RFC 3339 and as MessagePack's timestamp extension: see instant.h.
 */
#include "libchapi-ipc/instant.h"

#include <inttypes.h>
#include <stdio.h>

#include "libchapi-ipc/mp.h"

#define DAYS_OF_400_YEARS 146097
#define DAY_SECONDS 86400

struct date {
	unsigned int year, month, day;
};

static bool is_leap(unsigned int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned int month_days(unsigned int year, unsigned int month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 0000-01-01 to the first day of the year. */
static unsigned int year_start(unsigned int year)
{
	unsigned int before = year ? year - 1 : 0;

	/* The year 0 is a leap year itself. */
	return year * 365 + (year ? before / 4 - before / 100 + before / 400 + 1 : 0);
}

static unsigned int days_of(const struct date *d)
{
	unsigned int days = year_start(d->year) + d->day - 1;

	for (unsigned int m = 1; m < d->month; m++)
		days += month_days(d->year, m);
	return days;
}

static struct date date_of(unsigned int days)
{
	/* At most one year too late or too early. */
	struct date d = { (unsigned int)((uint64_t)days * 400 / DAYS_OF_400_YEARS), 1, 1 };

	while (year_start(d.year) > days)
		d.year--;
	while (year_start(d.year + 1) <= days)
		d.year++;
	days -= year_start(d.year);
	for (; days >= month_days(d.year, d.month); d.month++)
		days -= month_days(d.year, d.month);
	d.day += days;
	return d;
}

/* Exactly n digits. */
static bool digits_read(const uint8_t *p, unsigned int n, unsigned int *ret)
{
	*ret = 0;
	for (unsigned int i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*ret = *ret * 10 + (p[i] - '0');
	}
	return true;
}

/* ".5Z" and the like: up to nine digits; "Z" alone is none. */
static bool fraction_read(const uint8_t *p, size_t len, uint32_t *ret)
{
	unsigned int n = len > 2 ? (unsigned int)MIN(len - 2, 10) : 0, v = 0;

	if (p[len - 1] != 'Z')
		return false;
	if (len > 1 && (p[0] != '.' || n < 1 || n > 9 || !digits_read(p + 1, n, &v)))
		return false;
	for (; n < 9; n++)
		v *= 10;
	*ret = v;
	return true;
}

bool instant_parse(struct span s, struct instant *ret)
{
	const uint8_t *p = s.p;
	struct date d;
	unsigned int hour, minute, second;

	if (s.len < 20 || p[4] != '-' || p[7] != '-' || p[10] != 'T' || p[13] != ':' ||
	    p[16] != ':')
		return false;
	if (!digits_read(p, 4, &d.year) || !digits_read(p + 5, 2, &d.month) ||
	    !digits_read(p + 8, 2, &d.day) || !digits_read(p + 11, 2, &hour) ||
	    !digits_read(p + 14, 2, &minute) || !digits_read(p + 17, 2, &second))
		return false;
	if (d.month < 1 || d.month > 12 || d.day < 1 || d.day > month_days(d.year, d.month) ||
	    hour > 23 || minute > 59 || second > 59)
		return false;
	ret->seconds = INSTANT_SECONDS_MIN + (int64_t)days_of(&d) * DAY_SECONDS +
		       (int64_t)(hour * 3600 + minute * 60 + second);
	return fraction_read(p + 19, s.len - 19, &ret->nanoseconds);
}

size_t instant_format(const struct instant *t, char ret[INSTANT_TEXT_MAX])
{
	uint64_t seconds = (uint64_t)(t->seconds - INSTANT_SECONDS_MIN);
	struct date d = date_of((unsigned int)(seconds / DAY_SECONDS));
	unsigned int rest = (unsigned int)(seconds % DAY_SECONDS);
	size_t len = (size_t)snprintf(ret, INSTANT_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u",
				      d.year, d.month, d.day, rest / 3600, rest / 60 % 60,
				      rest % 60);

	if (t->nanoseconds) {
		len += (size_t)snprintf(ret + len, INSTANT_TEXT_MAX - len, ".%09" PRIu32,
					t->nanoseconds);
		while (ret[len - 1] == '0')
			len--;
	}
	ret[len++] = 'Z';
	return len;
}

bool instant_unpack(struct span s, struct instant *ret)
{
	uint64_t v;

	switch (s.len) {
	case 4:
		*ret = (struct instant){ (int64_t)mp_load_be(s.p, 4), 0 };
		return true;
	case 8:
		v = mp_load_be(s.p, 8);
		*ret = (struct instant){ (int64_t)(v & 0x3ffffffff), (uint32_t)(v >> 34) };
		return true;
	case 12:
		*ret = (struct instant){ (int64_t)mp_load_be(s.p + 4, 8),
					 (uint32_t)mp_load_be(s.p, 4) };
		return true;
	default:
		return false;
	}
}

uint8_t *instant_pack(uint8_t *w, const struct instant *t)
{
	uint64_t seconds = (uint64_t)t->seconds;

	if (t->seconds < 0 || seconds >> 34) {
		*w++ = 0xc7;
		*w++ = 12;
		*w++ = 0xff;
		return mp_w_be(mp_w_be(w, t->nanoseconds, 4), seconds, 8);
	}
	if (t->nanoseconds || seconds >> 32) {
		*w++ = 0xd7;
		*w++ = 0xff;
		return mp_w_be(w, (uint64_t)t->nanoseconds << 34 | seconds, 8);
	}
	*w++ = 0xd6;
	*w++ = 0xff;
	return mp_w_be(w, seconds, 4);
}
