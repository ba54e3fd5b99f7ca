/* SPDX-License-Identifier: MIT */
/*
 * Fuzz harness: parts of records, a line each, into records.
 *
 * Whatever comes, limits hold, and what comes out is what its digest says. Between two lines goes
 * a second; a line that begins with '@' comes on another channel.
 */
#undef NDEBUG
#include <assert.h>

#include "gateway/assembly.h"
#include "gateway/sign.h"

#define RECORD_MAX 4096
#define BYTES_MAX 65536
#define N_MAX 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_record(const struct part *part, const struct buf *record)
{
	uint8_t digest[32];

	assert(record->len <= RECORD_MAX);
	assert(sign_sha256(buf_span(record), digest) == 0);
	assert(memcmp(digest, part->digest, sizeof(digest)) == 0);
}

static void take_part(struct assemblies *as, struct span channel, struct part *part,
		      uint64_t now_ms)
{
	struct buf record = BUF_NULL;
	size_t size;
	int r = assemblies_add(as, channel, part, now_ms, &record, &size);

	assert(r >= 0 && r <= ASSEMBLY_E_BAD);
	if (r == 0)
		check_record(part, &record);
	else
		assert(record.len == 0);
	if (r == ASSEMBLY_E_TOO_LARGE)
		assert(size > RECORD_MAX);
	buf_deinit(&record);
	assert(assemblies_bytes(as) <= BYTES_MAX && assemblies_count(as) <= N_MAX);
}

static void take_line(struct assemblies *as, struct span line, uint64_t now_ms)
{
	struct span channel = span_str("private-chapi-pi");
	struct part part = PART_NULL;
	int r;

	if (line.len > 0 && line.p[0] == '@') {
		line = span_of(line.p + 1, line.len - 1);
		channel = span_str("chapi");
	}
	r = part_parse(line, &part);
	assert(r == 0 || r == PARTS_E_BAD);
	if (r == 0) {
		assert(part.index < part.n && part.n <= PARTS_MAX && part.id.len > 0 &&
		       part.slice.len > 0);
		take_part(as, channel, &part, now_ms);
	}
	part_deinit(&part);
}

static void take_late(struct assemblies *as, uint64_t now_ms)
{
	struct part part = PART_NULL;
	struct span channel;

	while (assemblies_take_late(as, now_ms, &part, &channel))
		assert(part.id.len > 0);
	assert(assemblies_next_ms(as) > now_ms);
	part_deinit(&part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct assemblies_limits limits = {
		.record_max = RECORD_MAX,
		.bytes_max = BYTES_MAX,
		.n_max = N_MAX,
		.complete_ms = 5000,
	};
	struct assemblies *as;
	uint64_t now_ms = 1000;

	if (len == 0)
		return 0;
	assert(assemblies_new(&limits, &as) == 0);
	while (len > 0) {
		const uint8_t *end = memchr(data, '\n', len);
		size_t line_len = end ? (size_t)(end - data) : len;

		take_line(as, span_of(data, line_len), now_ms);
		take_late(as, now_ms);
		now_ms += 1000;
		data += line_len + (end != NULL);
		len -= line_len + (end != NULL);
	}
	take_late(as, now_ms + 5000);
	assert(assemblies_bytes(as) == 0 && assemblies_count(as) == 0);
	assemblies_free(as);
	return 0;
}
