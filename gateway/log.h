/* SPDX-License-Identifier: MIT */
/*
 * One line per event on standard error: with a priority prefix ("<4>") for the journal when
 * started by systemd ($JOURNAL_STREAM), with the time on a terminal, plain otherwise. Lines
 * about a call go to the journal with fields of their own (journal.h).
 *
 * A line that comes again at once is counted, and the count is written: before the next other line,
 * and once a minute; so are lines that come again in turns (repeats.h). Text that came from outside
 * goes through log_escape(). Secrets, params and results are never logged. The log's state is the
 * one mutable global of the daemon.
 */
#ifndef CHAPI_LOG_H
#define CHAPI_LOG_H

#include "common/common.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_open(enum log_level level);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* Lines that come again in turns are counted, too, below the level debug. For whoever has a timer
 * for log_release(). */
void log_count_turns(void);
/* How long it may be until log_release() is called; -1: nothing is held back. */
int log_holds_ms(void);
/* Writes what is counted by now. */
void log_release(void);

/* topic: one word, the part of the gateway that speaks ("hub", "socket", "config"). */
void log_write(enum log_level level, const char *topic, const char *fmt, ...) PRINTF(3, 4);

/* A call that a line is about. */
struct log_call {
	struct span id, api;	/* text from outside, as it came; id: empty: it has none */
	const char *code;	/* how it ended; "ok" for a result */
	const char *caller;	/* NULL: not known, or gone */
};
/* fmt: what the line says behind that; text from outside as in log_write(). */
void log_call(enum log_level level, const struct log_call *call, const char *fmt, ...)
	PRINTF(3, 4);

/* Where the journal takes messages with fields; for tests. */
void log_set_journal(const char *path);

#define log_error(topic, ...) log_write(LOG_LEVEL_ERROR, topic, __VA_ARGS__)
#define log_warn(topic, ...) log_write(LOG_LEVEL_WARN, topic, __VA_ARGS__)
#define log_info(topic, ...) log_write(LOG_LEVEL_INFO, topic, __VA_ARGS__)
#define log_debug(topic, ...) log_write(LOG_LEVEL_DEBUG, topic, __VA_ARGS__)

/* Text from outside, made fit for a log line: control characters and what is not UTF-8 as \xNN, cut
 * with "..." at the size of out. Returns out. */
const char *log_escape(struct span text, char *out, size_t out_len);
#define LOG_TEXT_MAX 201
#define LOG_TEXT(text) log_escape(text, (char[LOG_TEXT_MAX]){ 0 }, LOG_TEXT_MAX)

#endif
