/* SPDX-License-Identifier: MIT */
/*
 * One look-up: a job that the loop and the thread share, and that the last of them frees.
 *
 * The thread writes the result, then the eventfd; the loop reads the eventfd, then the result.
 * How many threads there can be at once is limited by the time that the resolver takes to
 * give up and by that between two tries of the caller.
 */
#include "gateway/resolve.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STACK_LEN (256 * 1024)	/* name service modules run on it */

struct job {
	_Atomic int refs;
	_Atomic int done;
	int event_fd;
	struct resolve_result result;
	char host[];
};

struct resolve {
	struct job *job;
	struct event *readable;
	resolve_fn fn;
	void *data;
};

static int job_new(const char *host, struct job **ret_job)
{
	struct job *job = calloc(1, sizeof(*job) + strlen(host) + 1);
	int r;

	if (!job)
		return -ENOMEM;
	job->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (job->event_fd < 0) {
		r = -errno;
		free(job);
		return r;
	}
	memcpy(job->host, host, strlen(host) + 1);
	job->refs = 1;
	*ret_job = job;
	return 0;
}

static void job_unref(struct job *job)
{
	if (atomic_fetch_sub(&job->refs, 1) > 1)
		return;
	close(job->event_fd);
	free(job);
}

/* ---- in the thread -------------------------------------------------------------------------- */

static void keep_addresses(const struct addrinfo *found, struct address_list *ret)
{
	for (; found && ret->n < ADDRESSES_MAX; found = found->ai_next)
		if (getnameinfo(found->ai_addr, found->ai_addrlen, ret->text[ret->n], ADDRESS_LEN,
				NULL, 0, NI_NUMERICHOST) == 0)
			ret->n++;
}

static void look_up(const char *host, int flags, struct resolve_result *ret)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	struct addrinfo *list = NULL;
	int r = getaddrinfo(host, NULL, &hints, &list);
	const char *why = r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r);

	if (r == 0) {
		keep_addresses(list, &ret->list);
		freeaddrinfo(list);
		why = "it has no address";
	}
	if (ret->list.n == 0)
		snprintf(ret->error, sizeof(ret->error), "cannot find the address of %s: %s",
			 host, why);
}

static void job_finish(struct job *job)
{
	job->done = 1;
	(void)eventfd_write(job->event_fd, 1);
}

static void *thread_main(void *arg)
{
	struct job *job = arg;

	look_up(job->host, AI_ADDRCONFIG, &job->result);
	job_finish(job);
	job_unref(job);
	return NULL;
}

/* Signals are the loop's. */
static int start_thread(struct job *job)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	r = pthread_attr_init(&attr);
	if (r != 0)
		return -r;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_LEN);
	sigfillset(&all);
	job->refs++;
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, &attr, thread_main, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (r != 0)
		job->refs--;
	return -r;
}

/* ---- in the loop ---------------------------------------------------------------------------- */

static void on_readable(evutil_socket_t fd, short what UNUSED, void *arg)
{
	struct resolve *resolve = arg;
	struct job *job = resolve->job;
	eventfd_t count;

	(void)eventfd_read(fd, &count);
	if (!job->done)
		return;
	/* fn may free resolve. */
	job->refs++;
	resolve->fn(resolve->data, &job->result);
	job_unref(job);
}

/* Digits need no thread; the answer comes later all the same. */
static int begin(struct job *job)
{
	struct resolve_result result = { .list.n = 0 };

	look_up(job->host, AI_NUMERICHOST, &result);
	if (result.list.n == 0)
		return start_thread(job);
	job->result = result;
	job_finish(job);
	return 0;
}

int resolve_new(struct event_base *base, const char *host, resolve_fn fn, void *data,
		struct resolve **ret_resolve)
{
	struct resolve *resolve = calloc(1, sizeof(*resolve));
	int r;

	if (!resolve)
		return -ENOMEM;
	resolve->fn = fn;
	resolve->data = data;
	r = job_new(host, &resolve->job);
	if (r == 0) {
		resolve->readable = event_new(base, resolve->job->event_fd, EV_READ, on_readable,
					      resolve);
		r = resolve->readable && event_add(resolve->readable, NULL) == 0 ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = begin(resolve->job);
	if (r < 0) {
		resolve_free(resolve);
		return r;
	}
	*ret_resolve = resolve;
	return 0;
}

struct resolve *resolve_free(struct resolve *resolve)
{
	if (!resolve)
		return NULL;
	if (resolve->readable)
		event_free(resolve->readable);
	if (resolve->job)
		job_unref(resolve->job);
	free(resolve);
	return NULL;
}
