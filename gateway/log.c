/* SPDX-License-Identifier: MIT */
/*
 * The log: one line, one write(2), so that lines of the two threads never mix.
 *
 * Nothing is buffered and nothing is allocated; a line that standard error does not take is
 * lost, as there is nobody left to tell.
 */
#include "gateway/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LEN 2048

enum log_style { STYLE_PLAIN, STYLE_JOURNAL, STYLE_TERMINAL };

/* Set at start, read by both threads. */
static _Atomic int log_level = LOG_LEVEL_INFO;
static _Atomic int log_style = STYLE_PLAIN;

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
	log_set_level(level);
	if (stderr_is_journal())
		log_style = STYLE_JOURNAL;
	else if (isatty(STDERR_FILENO))
		log_style = STYLE_TERMINAL;
	else
		log_style = STYLE_PLAIN;
}

void log_set_level(enum log_level level)
{
	log_level = level;
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

static size_t put_head(char *line, size_t len, enum log_level level, const char *topic)
{
	size_t n = 0;

	if (log_style == STYLE_JOURNAL)
		return (size_t)snprintf(line, len, "<%d>%.32s: ", levels[level].priority, topic);
	if (log_style == STYLE_TERMINAL)
		n = put_time(line, len);
	return n + (size_t)snprintf(line + n, len - n, "%.32s: %s", topic, levels[level].word);
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

	while (n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80)
		n--;
	memcpy(text + n, "...", 4);
	return n + 3;
}

static void write_line(const char *line, size_t len)
{
	ssize_t n;

	do
		n = write(STDERR_FILENO, line, len);
	while (n < 0 && errno == EINTR);
}

void log_write(enum log_level level, const char *topic, const char *fmt, ...)
{
	int saved = errno;
	char line[LINE_MAX_LEN];
	size_t head, room;
	va_list args;
	int n;

	if ((int)level > log_level)
		return;
	head = put_head(line, sizeof(line) - 1, level, topic);
	room = sizeof(line) - 1 - head;
	va_start(args, fmt);
	errno = saved;	/* for %m */
	n = vsnprintf(line + head, room, fmt, args);
	va_end(args);
	if (n < 0)
		n = 0;
	if ((size_t)n >= room)
		n = (int)cut(line + head, room - 1);
	flatten(line + head);
	line[head + (size_t)n] = '\n';
	write_line(line, head + (size_t)n + 1);
	errno = saved;
}

/*
 * Length of the UTF-8 sequence at p that may stand in a log line as it is; 0: none such. What is
 * overlong, a surrogate, beyond U+10FFFF or a control character is none.
 */
static size_t printable_len(const uint8_t *p, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
	uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || c >> 11 == 0x1b)
		return 0;
	return c < 0x20 || (c >= 0x7f && c < 0xa0) ? 0 : n;
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
