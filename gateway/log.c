/* SPDX-License-Identifier: MIT */
/*
 * The log: one line, one write(2), so that lines of the two threads never mix.
 *
 * Nothing is buffered and nothing is allocated; a line that standard error does not take is
 * lost, as there is nobody left to tell. Lines that come again are found by repeats.h.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/utf8.h"
#include "gateway/journal.h"
#include "gateway/repeats.h"

#define LINE_MAX_LEN REPEATS_LINE_MAX

enum log_style { STYLE_PLAIN, STYLE_JOURNAL, STYLE_TERMINAL };

/* Set at start, read by both threads. */
static _Atomic int log_level = LOG_LEVEL_INFO;
static _Atomic int log_style = STYLE_PLAIN;
static const char *journal_path = JOURNAL_SOCKET;

static void write_unrepeated(void *data, int level, const char *text);

/* The lines that were written last, from their topics on. */
static struct {
	pthread_mutex_t mutex;
	struct repeats repeats;
	bool counts_turns;		/* not of the level debug */
	_Atomic bool is_holding;	/* something, to be asked without the mutex */
} last = {
	.mutex = PTHREAD_MUTEX_INITIALIZER,
	.repeats = { .period_max = 1, .write = write_unrepeated },
};

static struct repeats *lock_repeats(void)
{
	pthread_mutex_lock(&last.mutex);
	return &last.repeats;
}

static void unlock_repeats(void)
{
	last.is_holding = repeats_due_ms(&last.repeats) != UINT64_MAX;
	pthread_mutex_unlock(&last.mutex);
}

static const struct {
	int priority;		/* of syslog(3), for the journal */
	const char *word;	/* for everybody else */
} levels[] = {
	[LOG_LEVEL_ERROR] = { 3, "error: " },
	[LOG_LEVEL_WARN] = { 4, "warning: " },
	[LOG_LEVEL_INFO] = { 6, "" },
	[LOG_LEVEL_DEBUG] = { 7, "debug: " },
};

/* $JOURNAL_STREAM is inherited by whoever is started with another standard error, too: it
 * holds only if it names the file that ours is. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void log_open(enum log_level level)
{
	last.counts_turns = false;
	repeats_init(&last.repeats, 1, write_unrepeated, NULL);
	log_set_level(level);
	if (stderr_is_journal())
		log_style = STYLE_JOURNAL;
	else if (isatty(STDERR_FILENO))
		log_style = STYLE_TERMINAL;
	else
		log_style = STYLE_PLAIN;
}

/* Who looks for a fault wants to see each line when it comes. */
void log_set_level(enum log_level level)
{
	struct repeats *repeats = lock_repeats();
	bool in_turns = last.counts_turns && level < LOG_LEVEL_DEBUG;

	log_level = level;
	repeats_forget(repeats);
	repeats->period_max = in_turns ? REPEATS_PERIOD_MAX : 1;
	unlock_repeats();
}

enum log_level log_get_level(void)
{
	return (enum log_level)log_level;
}

static size_t put_time(char *line, size_t len)
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	return (size_t)snprintf(line, len, "%02d:%02d:%02d.%03ld ", tm.tm_hour, tm.tm_min,
				tm.tm_sec, now.tv_nsec / 1000000);
}

/* What stands before the topic. */
static size_t put_prefix(char *line, size_t len, enum log_level level)
{
	if (log_style == STYLE_JOURNAL)
		return (size_t)snprintf(line, len, "<%d>", levels[level].priority);
	return log_style == STYLE_TERMINAL ? put_time(line, len) : 0;
}

static size_t put_topic(char *line, size_t len, enum log_level level, const char *topic)
{
	return (size_t)snprintf(line, len, "%.32s: %s", topic,
				log_style == STYLE_JOURNAL ? "" : levels[level].word);
}

/* One event stays one line, whatever it was made of. */
static void flatten(char *text)
{
	for (; *text; text++)
		if (*text == '\n' || *text == '\r')
			*text = ' ';
}

/* What did not fit: the end makes room for "...", between two characters. */
static size_t cut(char *text, size_t len)
{
	size_t n = len - 3;

	while (n > 0 && utf8_is_tail((uint8_t)text[n]))
		n--;
	memcpy(text + n, "...", 4);
	return n + 3;
}

static void write_all(const char *line, size_t len)
{
	ssize_t n;

	do
		n = write(STDERR_FILENO, line, len);
	while (n < 0 && errno == EINTR);
}

/* text: from the topic on. */
static void write_line(enum log_level level, const char *text)
{
	char line[LINE_MAX_LEN + 32];
	size_t n = put_prefix(line, sizeof(line), level);

	n += (size_t)snprintf(line + n, sizeof(line) - n, "%s\n", text);
	write_all(line, n);
}

/* ---- lines that come again --------------------------------------------------------------- */

static uint64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void write_unrepeated(void *data UNUSED, int level, const char *text)
{
	write_line((enum log_level)level, text);
}

/* Something else comes in between, on another way. */
static void interrupt(void)
{
	repeats_forget(lock_repeats());
	unlock_repeats();
}

void log_count_turns(void)
{
	last.counts_turns = true;
	log_set_level(log_get_level());
}

int log_holds_ms(void)
{
	uint64_t due, now;

	if (!last.is_holding)
		return -1;
	due = repeats_due_ms(lock_repeats());
	unlock_repeats();
	now = monotonic_ms();
	return due == UINT64_MAX ? -1 : due > now ? (int)(due - now) : 0;
}

void log_release(void)
{
	repeats_release(lock_repeats());
	unlock_repeats();
}

/* ---- writing ----------------------------------------------------------------------------- */

void log_write(enum log_level level, const char *topic, const char *fmt, ...)
{
	int saved = errno;
	char text[LINE_MAX_LEN];
	size_t head, room;
	va_list args;
	int n;

	if ((int)level > log_level)
		return;
	head = put_topic(text, sizeof(text) - 1, level, topic);
	room = sizeof(text) - 1 - head;
	va_start(args, fmt);
	errno = saved;	/* for %m */
	n = vsnprintf(text + head, room, fmt, args);
	va_end(args);
	if (n < 0)
		text[head] = '\0';
	else if ((size_t)n >= room)
		cut(text + head, room - 1);
	flatten(text + head);
	repeats_add(lock_repeats(), (int)level, text, monotonic_ms());
	unlock_repeats();
	errno = saved;
}

void log_set_journal(const char *path)
{
	journal_path = path;
}

/* A call's texts, fit for a line. */
struct call_texts {
	char id[LOG_TEXT_MAX], api[LOG_TEXT_MAX];
};

/* The journal has fields for what a line has in words; those without a value are left out. */
static bool send_call(enum log_level level, const struct log_call *call,
		      const struct call_texts *texts, const char *message)
{
	const char priority[] = { (char)('0' + levels[level].priority), '\0' };
	struct journal_field fields[] = {
		{ "MESSAGE", message },
		{ "PRIORITY", priority },
		{ "SYSLOG_IDENTIFIER", "chapi-gw" },
		{ "CHAPI_API", texts->api },
		{ "CHAPI_CODE", call->code },
		{ "CHAPI_CALL", texts->id },
		{ "CHAPI_CALLER", call->caller ? call->caller : "" },
	};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (*fields[i].value)
			fields[n++] = fields[i];
	if (log_style != STYLE_JOURNAL)
		return false;
	interrupt();
	return journal_send(journal_path, fields, n) == 0;
}

void log_call(enum log_level level, const struct log_call *call, const char *fmt, ...)
{
	char more[LINE_MAX_LEN / 2], text[LINE_MAX_LEN];
	struct call_texts texts;
	va_list args;

	if ((int)level > log_level)
		return;
	va_start(args, fmt);
	vsnprintf(more, sizeof(more), fmt, args);
	va_end(args);
	flatten(more);
	snprintf(text, sizeof(text), "%s%sof %s%s%s: %s%s",
		 log_escape(call->id, texts.id, sizeof(texts.id)), call->id.len > 0 ? " " : "",
		 log_escape(call->api, texts.api, sizeof(texts.api)),
		 call->caller ? " by " : "", call->caller ? call->caller : "", call->code, more);
	if (!send_call(level, call, &texts, text))
		log_write(level, "call", "%s", text);
}

/* ---- text from outside ------------------------------------------------------------------- */

/* Length of the character at p that may stand in a log line as it is; 0: none such. */
static size_t printable_len(const uint8_t *p, size_t len)
{
	size_t n = utf8_char_len(p, len);

	return utf8_is_control(p, n) ? 0 : n;
}

/* One character of text, as it goes into the line. Returns its length in text. */
static size_t escape_one(const uint8_t *p, size_t len, char ret[8], size_t *ret_len)
{
	size_t n = printable_len(p, len);

	if (n == 0) {
		*ret_len = (size_t)snprintf(ret, 8, "\\x%02x", p[0]);
		return 1;
	}
	memcpy(ret, p, n);
	*ret_len = n;
	return n;
}

const char *log_escape(struct span text, char *out, size_t out_len)
{
	size_t i = 0, o = 0, cut = 0;	/* cut: where "..." would still fit */

	while (i < text.len) {
		char c[8];
		size_t n, used = escape_one(text.p + i, text.len - i, c, &n);

		if (o + n + 1 > out_len) {
			snprintf(out + cut, out_len - cut, "...");
			return out;
		}
		memcpy(out + o, c, n);
		o += n;
		i += used;
		if (o + 4 <= out_len)
			cut = o;
	}
	out[o] = '\0';
	return out;
}
