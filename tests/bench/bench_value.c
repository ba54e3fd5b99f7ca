/* SPDX-License-Identifier: MIT */
/*
 * What the conversion of values costs: JSON to MessagePack and back, beside jansson's parse and
 * dump of the same texts. One JSON line for each size of text.
 *
 * Each size is measured in a process of its own, so that the most memory it ever had
 * can be told: the growth of the resident set, over the length of the text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "libchapi-ipc/value.h"

#define WORK_BYTES (8u << 20)	/* text that is converted for one figure */

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long most_kb(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static void die(const char *why)
{
	fprintf(stderr, "bench_value: %s\n", why);
	exit(1);
}

/* A list of records such as sensors and their users make, at least size bytes of them. */
static void make_text(struct buf *text, size_t size)
{
	buf_put_byte(text, '[');
	for (unsigned int i = 0; text->len < size; i++)
		buf_printf(text,
			   "%s{\"id\":%u,\"name\":\"sensor-%u\",\"time\":17%08u.%06u,"
			   "\"value\":%u.%u,\"ok\":%s,\"note\":%s,"
			   "\"tags\":[\"kitchen\",\"\\u00e9t\\u00e9\",\"a \\\"b\\\"\"]}",
			   i ? "," : "", i, i % 97, i * 7919u % 100000000u, i * 31u % 1000000u,
			   i % 60, i % 10, i % 3 ? "true" : "false",
			   i % 5 ? "null" : "\"seen by nobody at all\"");
	buf_put_byte(text, ']');
	if (buf_error(text))
		die("out of memory");
}

static void ours(struct span text, struct buf *packed, struct buf *again)
{
	struct value_fault fault;

	buf_clear(packed);
	buf_clear(again);
	if (value_from_json(text, 24, packed, &fault) != 0 ||
	    value_to_json(buf_span(packed), 24, again, &fault) != 0)
		die(fault.text);
}

static void theirs(struct span text)
{
	json_t *value = json_loadb((const char *)text.p, text.len, 0, NULL);
	char *again = json_dumps(value, JSON_COMPACT);

	if (!again)
		die("jansson refused the text");
	free(again);
	json_decref(value);
}

static void measure(size_t size)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL, packed = BUF_NULL, again = BUF_NULL;
	double begin, mine, other;
	size_t times;
	long before;

	make_text(&text, size);
	times = WORK_BYTES / text.len;
	before = most_kb();
	ours(buf_span(&text), &packed, &again);
	long grown = most_kb() - before;
	begin = now_s();
	for (size_t i = 0; i < times; i++)
		ours(buf_span(&text), &packed, &again);
	mine = now_s() - begin;
	begin = now_s();
	for (size_t i = 0; i < times; i++)
		theirs(buf_span(&text));
	other = now_s() - begin;
	printf("{\"size\":%zu,\"ours_ns_byte\":%.3f,\"jansson_ns_byte\":%.3f,\"ratio\":%.2f,"
	       "\"memory_of_text\":%.2f}\n", text.len, mine * 1e9 / (double)(times * text.len),
	       other * 1e9 / (double)(times * text.len), other / mine,
	       (double)grown * 1024 / (double)text.len);
	fflush(stdout);
}

int main(void)
{
	static const size_t sizes[] = { 100, 1000, 10000, 100000, 1000000 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int status;

		if (fork() == 0) {
			measure(sizes[i]);
			_exit(0);
		}
		if (wait(&status) < 0 || status != 0)
			die("a measurement failed");
	}
	return 0;
}
