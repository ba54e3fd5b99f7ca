/* SPDX-License-Identifier: MIT */
/*
 * The day's budget, kept: see ledger.h.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/ledger.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/fd.h"
#include "gateway/log.h"

#define FILE_MOST 4096		/* ours is far smaller */

struct ledger {
	struct budget budget;
	struct event *timer;		/* pending: there is something to write */
	uint64_t write_ms;
	char *dir, *path, *new_path;	/* NULL: no dir */
	bool is_open;			/* the file was looked at */
	bool is_behind;			/* something was counted since it was written */
	bool is_bad;			/* that it cannot be written was said */
};

/* ---- the file -------------------------------------------------------------------------------- */

static void complain(struct ledger *l, const char *path, const char *why)
{
	if (!l->is_bad)
		log_warn("budget", "%s: %s; the messages of the day are counted in memory only, "
			 "and from 0 after a restart: see state_dir in [gateway]", path, why);
	l->is_bad = true;
}

/* A FIFO in its place must not hold us up. */
static int read_file(const char *path, struct buf *out)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t *p = buf_make_room(out, FILE_MOST);
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (!p)
		return buf_error(out);
	n = read(fd, p, FILE_MOST);
	if (n < 0)
		return -errno;
	buf_commit(out, (size_t)n);
	return 0;
}

static void load(struct ledger *l)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	int r = read_file(l->path, &text);

	if (r == 0)
		r = budget_restore(&l->budget, buf_span(&text));
	if (r == BUDGET_E_DAMAGED)
		log_warn("budget", "%s is damaged; the messages of the day are counted from 0",
			 l->path);
	else if (r < 0 && r != -ENOENT)
		log_warn("budget",
			 "%s cannot be read: %s; the messages of the day are counted from 0",
			 l->path, strerror(-r));
}

/* With what is above it; dir is as it was afterwards. */
static int make_dir(char *dir)
{
	for (char *p = strchr(dir + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(dir, 0700);
		*p = '/';
	}
	return mkdir(dir, 0700) == 0 || errno == EEXIST ? 0 : -errno;
}

/* Whether there is a place for the file is said at once, not at the first write. */
static void open_file(struct ledger *l)
{
	int r;

	if (l->is_open || l->budget.limit == 0)
		return;
	l->is_open = true;
	if (!l->dir) {
		complain(l, "state_dir", "none is set");
		return;
	}
	r = make_dir(l->dir);
	if (r == 0 && access(l->dir, W_OK | X_OK) < 0)
		r = -errno;
	if (r < 0)
		complain(l, l->dir, strerror(-r));
	load(l);
}

static int write_new(struct ledger *l, struct span text)
{
	CLEANUP(fd_close) int fd = open(l->new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
					O_NOFOLLOW | O_NONBLOCK, 0600);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text.p, text.len);
	if (n < 0)
		return -errno;
	return (size_t)n == text.len ? 0 : -ENOSPC;
}

static int replace_file(struct ledger *l)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	int r;

	budget_put(&l->budget, &text);
	r = buf_error(&text);
	if (r == 0)
		r = write_new(l, buf_span(&text));
	if (r == 0 && rename(l->new_path, l->path) < 0)
		r = -errno;
	return r;
}

static void save(struct ledger *l)
{
	int r;

	if (!l->is_behind || !l->path || l->budget.limit == 0)
		return;
	r = replace_file(l);
	if (r < 0) {
		complain(l, l->path, strerror(-r));
		return;
	}
	if (l->is_bad)
		log_info("budget", "%s can be written again", l->path);
	l->is_bad = l->is_behind = false;
}

static void on_timer(evutil_socket_t fd UNUSED, short events UNUSED, void *arg)
{
	save(arg);
}

/* ---- counting -------------------------------------------------------------------------------- */

static void log_news(const struct ledger *l, int news)
{
	uint64_t messages = budget_messages(&l->budget.today.count);

	if (news == BUDGET_HIGH)
		log_warn("budget",
			 "80 %% of the day's messages are used: %" PRIu64 " of %u "
			 "(daily_messages)", messages, l->budget.limit);
	else
		log_warn("budget",
			 "95 %% of the day's messages are used: %" PRIu64 " of %u "
			 "(daily_messages); progress and proof of life stop until 00:00 UTC, "
			 "answers go on", messages, l->budget.limit);
}

void ledger_add(struct ledger *l, const struct budget_count *more, int64_t unix_s)
{
	const struct timeval tv = {
		.tv_sec = (time_t)(l->write_ms / 1000),
		.tv_usec = (suseconds_t)(l->write_ms % 1000 * 1000),
	};
	int news = budget_add(&l->budget, more, unix_s);

	if (news != 0)
		log_news(l, news);
	l->is_behind = true;
	if (l->path && !event_pending(l->timer, EV_TIMEOUT, NULL))
		event_add(l->timer, &tv);
}

bool ledger_is_low(struct ledger *l, int64_t unix_s)
{
	return budget_is_low(&l->budget, unix_s);
}

const struct budget *ledger_budget(struct ledger *l, int64_t unix_s)
{
	budget_turn(&l->budget, unix_s);
	return &l->budget;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int make_paths(struct ledger *l, const struct ledger_config *config)
{
	if (!config->dir)
		return 0;
	l->dir = strdup(config->dir);
	if (asprintf(&l->path, "%s/budget-%s", config->dir, config->name) < 0)
		l->path = NULL;
	if (asprintf(&l->new_path, "%s/budget-%s.new", config->dir, config->name) < 0)
		l->new_path = NULL;
	return l->dir && l->path && l->new_path ? 0 : -ENOMEM;
}

int ledger_new(struct event_base *base, const struct ledger_config *config,
	       struct ledger **ret_ledger)
{
	struct ledger *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	budget_init(&l->budget, config->limit);
	l->write_ms = config->write_ms;
	l->timer = evtimer_new(base, on_timer, l);
	r = l->timer ? make_paths(l, config) : -ENOMEM;
	if (r < 0) {
		ledger_free(l);
		return r;
	}
	open_file(l);
	*ret_ledger = l;
	return 0;
}

void ledger_set_limit(struct ledger *l, unsigned int limit)
{
	budget_set_limit(&l->budget, limit);
	open_file(l);
}

struct ledger *ledger_free(struct ledger *l)
{
	if (!l)
		return NULL;
	save(l);
	if (l->timer)
		event_free(l->timer);
	free(l->dir);
	free(l->path);
	free(l->new_path);
	free(l);
	return NULL;
}
