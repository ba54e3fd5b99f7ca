/* SPDX-License-Identifier: MIT */
/*
 * libcurl's multi interface driven by libevent.
 *
 * A kept connection that turns out dead is replaced by libcurl by itself, and the request
 * sent once more, as long as not a byte of an answer has come: that can publish twice. But it asks
 * before each sending, so a request that must not be repeated ends there, see on_sending(). Its
 * body could also be such that libcurl cannot have it twice (a function that reads it), but then
 * head and body go apart: two packets, and the server reads twice.
 *
 * libcurl keeps for a while where a name leads. After a request without a good answer that is
 * looked up for each try, and one of its addresses taken by chance: the server may have moved, or
 * one of many be sick. A connection that brought such an answer is not kept.
 *
 * What an answer says is read in http_answer.c; that a connection may be made ahead is the business
 * of connections.c.
 *
 * Easy handles are used again, as making them is what costs. A transfer is never freed while
 * libcurl is calling: answers are handed out after curl_multi_socket_action() has returned.
 */
#include "gateway/http.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/connections.h"
#include "gateway/http_answer.h"
#include "gateway/proxy.h"
#include "libchapi-ipc/buf.h"
#include "libchapi-ipc/list.h"

#define NAMES_KEPT_S 60L		/* where a name leads, while nothing goes wrong */

struct http {
	struct event_base *base;
	CURLM *multi;
	struct curl_slist *headers;
	struct event *timer;
	struct list busy, idle;		/* of transfers */
	struct list sockets;
	bool dispatching;
	bool in_trouble;		/* the last request got no good answer */
	unsigned int n_busy;
	struct connections connections;
	char *origin, *ca_file, *proxy;
	CURLU *url;			/* the origin, in pieces; NULL: libcurl cannot read it */
	uint64_t timeout_ms;
};

struct transfer {
	struct list link;
	CURL *easy;
	http_fn fn;
	void *data;
	bool once;			/* never sent twice */
	bool begun;			/* to be sent */
	struct http_answer answer;
};

struct watch {
	struct list link;
	struct event *event;
};

/* ---- transfers ------------------------------------------------------------------------------ */

static void transfer_free(struct transfer *t)
{
	if (t->easy)
		curl_easy_cleanup(t->easy);
	http_answer_reset(&t->answer);
	list_del(&t->link);
	free(t);
}

static void transfer_reset(struct transfer *t)
{
	http_answer_reset(&t->answer);
	t->begun = false;
}

/* What a handle that has failed remembers of that is not the same in all versions. */
static void keep(struct http *http, struct transfer *t, CURLcode code)
{
	if (code != CURLE_OK) {
		transfer_free(t);
		return;
	}
	transfer_reset(t);
	list_add_tail(&http->idle, &t->link);
}

static void finish(struct http *http, struct transfer *t, CURLcode code)
{
	struct http_response response;

	curl_multi_remove_handle(http->multi, t->easy);
	http_answer_read(&t->answer, code, &response);
	list_del(&t->link);
	http->n_busy--;
	/* After a proxy's 407 it is libcurl that closes the connection. */
	http->in_trouble = code != CURLE_OK || http_is_sick(response.status);
	connections_answered(&http->connections, !http->in_trouble, http->n_busy);
	t->fn(t->data, &response);
	keep(http, t, code);
	connections_prepare(&http->connections, http->n_busy);
}

static void hand_out(struct http *http)
{
	struct transfer *t;
	CURLMsg *message;
	int left;

	http->dispatching = true;
	while ((message = curl_multi_info_read(http->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		finish(http, t, message->data.result);
	}
	http->dispatching = false;
}

/* ---- libcurl's sockets and timer -------------------------------------------------------- */

static void act(struct http *http, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(http->multi, fd, what, &running);
	hand_out(http);
}

static void on_socket(evutil_socket_t fd, short events, void *arg)
{
	act(arg, fd, ((events & EV_READ) ? CURL_CSELECT_IN : 0) |
			     ((events & EV_WRITE) ? CURL_CSELECT_OUT : 0));
}

static void on_timer(evutil_socket_t fd UNUSED, short events UNUSED, void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void watch_free(struct watch *watch)
{
	if (watch->event)
		event_free(watch->event);
	list_del(&watch->link);
	free(watch);
}

static struct watch *watch_new(struct http *http, curl_socket_t fd)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	list_add_tail(&http->sockets, &watch->link);
	watch->event = event_new(http->base, fd, 0, on_socket, http);
	if (watch->event)
		return watch;
	watch_free(watch);
	return NULL;
}

/* Called by libcurl: what to watch fd for. */
static int set_socket(CURL *easy UNUSED, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct watch *watch = socket_arg;
	struct http *http = arg;
	short events = EV_PERSIST;

	if (what == CURL_POLL_REMOVE) {
		if (watch)
			watch_free(watch);
		curl_multi_assign(http->multi, fd, NULL);
		return 0;
	}
	if (!watch)
		watch = watch_new(http, fd);
	if (!watch)
		return -1;
	if (what & CURL_POLL_IN)
		events |= EV_READ;
	if (what & CURL_POLL_OUT)
		events |= EV_WRITE;
	event_del(watch->event);
	event_assign(watch->event, http->base, fd, events, on_socket, http);
	event_add(watch->event, NULL);
	curl_multi_assign(http->multi, fd, watch);
	return 0;
}

/* Called by libcurl: when to call it. Never from here, it is in the middle of something. */
static int set_timer(CURLM *multi UNUSED, long ms, void *arg)
{
	struct http *http = arg;
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	if (ms < 0)
		event_del(http->timer);
	else
		event_add(http->timer, &tv);
	return 0;
}

/* ---- requests ------------------------------------------------------------------------------- */

static void set_trust(CURL *easy, const struct http *http)
{
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (!http->ca_file)
		return;
	/* A file replaces the system's one; the system's folder of the same stays. */
	curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
	curl_easy_setopt(easy, CURLOPT_CAPATH, X509_get_default_cert_dir());
}

static void set_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Else a look-up under way is waited for at the end. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
}

/* Called by libcurl before it sends the request; again only to repeat it on another connection. */
static int on_sending(void *arg, char *ip UNUSED, char *own_ip UNUSED, int port UNUSED,
		      int own_port UNUSED)
{
	struct transfer *t = arg;
	bool again = t->begun;

	t->begun = true;
	return again && t->once ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/*
 * libcurl takes a URL to pieces and puts it together again for each request, byte by byte: it gets
 * the origin in pieces, and the long query of ours apart from it. One that it cannot read it gets
 * as it is, and says so of each request.
 */
static void set_origin(CURL *easy, const struct http *http)
{
	if (http->url)
		curl_easy_setopt(easy, CURLOPT_CURLU, http->url);
	else
		curl_easy_setopt(easy, CURLOPT_URL, http->origin);
}

/* What holds for every request. */
static void set_options(CURL *easy, struct http *http, struct transfer *t)
{
	curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_sending);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, http->headers);
	curl_easy_setopt(easy, CURLOPT_PROXY, http->proxy ? http->proxy : "");
	connections_set_options(&http->connections, easy);
	http_answer_set_options(&t->answer);
	set_origin(easy, http);
	set_protocols(easy);
	set_trust(easy, http);
}

static struct transfer *transfer_new(struct http *http)
{
	struct transfer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	list_init(&t->link);
	t->easy = curl_easy_init();
	if (!t->easy) {
		transfer_free(t);
		return NULL;
	}
	t->answer.easy = t->easy;
	set_options(t->easy, http, t);
	return t;
}

static struct transfer *transfer_get(struct http *http)
{
	struct transfer *t = list_first(&http->idle, struct transfer, link);

	if (!t)
		return transfer_new(http);
	list_del(&t->link);
	return t;
}

/* False: out of memory, as far as one can tell. */
static bool set_body(CURL *easy, struct span body)
{
	return curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
				(curl_off_t)body.len) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS,
				body.len ? (const char *)body.p : "") == CURLE_OK;
}

/* An http proxy wants the whole of it in the request's line; through others there is a tunnel. */
static bool is_relayed(const struct http *http)
{
	return http->proxy && strncmp(http->origin, "http:", 5) == 0;
}

static bool set_target(CURL *easy, const struct http *http, const char *target)
{
	CLEANUP(buf_deinit) struct buf url = BUF_NULL;

	if (!is_relayed(http))
		return curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, target) == CURLE_OK;
	buf_put_str(&url, http->origin);
	buf_put(&url, target, strlen(target) + 1);
	return buf_error(&url) == 0 &&
	       curl_easy_setopt(easy, CURLOPT_URL, (const char *)buf_data(&url)) == CURLE_OK;
}

/* In trouble nothing is taken for granted: neither a connection, nor where the name leads. */
static bool set_way(CURL *easy, const struct http *http)
{
	const long fresh = http->in_trouble ? 1 : 0, kept_s = http->in_trouble ? 0 : NAMES_KEPT_S;

	/* Not every libcurl can do that. */
	(void)curl_easy_setopt(easy, CURLOPT_DNS_SHUFFLE_ADDRESSES, fresh);
	return curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, fresh) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 0L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, kept_s) == CURLE_OK;
}

static bool set_request(CURL *easy, const struct http *http, const struct http_request *request)
{
	if (!set_target(easy, http, request->target) || !set_way(easy, http))
		return false;
	if (request->get)
		return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
	return set_body(easy, request->body);
}

/* Connecting included. */
static void set_time(CURL *easy, uint64_t ms)
{
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)ms);
}

int http_send(struct http *http, const struct http_request *request, http_fn fn, void *data)
{
	struct transfer *t = transfer_get(http);

	if (!t)
		return -ENOMEM;
	t->fn = fn;
	t->data = data;
	t->once = request->once;
	t->answer.body_max = request->get ? HTTP_GET_BODY_MAX : HTTP_BODY_MAX;
	set_time(t->easy, request->within_ms > 0 ? MIN(request->within_ms, http->timeout_ms)
						 : http->timeout_ms);
	if (!set_request(t->easy, http, request) ||
	    curl_multi_add_handle(http->multi, t->easy) != CURLM_OK) {
		transfer_free(t);
		return -ENOMEM;
	}
	list_add_tail(&http->busy, &t->link);
	http->n_busy++;
	/* libcurl wishes to be called at once: still in this turn, without a wait in between. */
	event_active(http->timer, EV_TIMEOUT, 0);
	return 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

static bool add_header(struct http *http, const char *line)
{
	struct curl_slist *headers = curl_slist_append(http->headers, line);

	if (headers)
		http->headers = headers;
	return headers;
}

static void set_connections(struct http *http, unsigned int connections)
{
	http->connections.max = connections;
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)connections);
	curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)connections);
}

static bool open_multi(struct http *http, unsigned int connections)
{
	CURLM *multi = curl_multi_init();

	http->multi = multi;
	if (!multi)
		return false;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http);
	curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	set_connections(http, connections);
	return true;
}

static bool copy_text(const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return !text || *ret;
}

/* False: out of memory. */
static bool take_proxy(struct http *http, const char *text)
{
	CLEANUP(proxy_deinit) struct proxy proxy = PROXY_NULL;

	if (!text)
		return true;
	if (proxy_init(&proxy, text) == 0)
		http->proxy = proxy_url(&proxy);
	return http->proxy;
}

static CURLU *read_url(const char *text)
{
	CURLU *url = curl_url();

	if (url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK)
		return url;
	curl_url_cleanup(url);
	return NULL;
}

int http_new(struct event_base *base, const struct http_config *config, struct http **ret_http)
{
	struct http *http = calloc(1, sizeof(*http));

	if (!http)
		return -ENOMEM;
	list_init(&http->busy);
	list_init(&http->idle);
	list_init(&http->sockets);
	http->base = base;
	http->timeout_ms = config->timeout_ms;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(http);
		return -ENOMEM;
	}
	http->timer = evtimer_new(base, on_timer, http);
	if (connections_init(&http->connections, base) == 0 && http->timer &&
	    open_multi(http, config->connections) &&
	    copy_text(config->origin, &http->origin) &&
	    copy_text(config->ca_file, &http->ca_file) &&
	    take_proxy(http, config->proxy) &&
	    add_header(http, "Content-Type: application/json") &&
	    add_header(http, "Expect:")) {
		if (!is_relayed(http))
			http->url = read_url(http->origin);
		*ret_http = http;
		return 0;
	}
	http_free(http);
	return -ENOMEM;
}

static void free_transfers(struct http *http, struct list *transfers)
{
	struct transfer *t, *tmp;

	list_for_each_safe(t, tmp, transfers, struct transfer, link) {
		curl_multi_remove_handle(http->multi, t->easy);
		transfer_free(t);
	}
}

void http_set_limits(struct http *http, unsigned int connections, uint64_t timeout_ms)
{
	set_connections(http, connections);
	http->timeout_ms = timeout_ms;
}

struct http *http_free(struct http *http)
{
	struct watch *watch, *tmp;

	if (!http)
		return NULL;
	assert(!http->dispatching);
	free_transfers(http, &http->busy);
	free_transfers(http, &http->idle);
	if (http->multi)
		curl_multi_cleanup(http->multi);
	list_for_each_safe(watch, tmp, &http->sockets, struct watch, link)
		watch_free(watch);
	if (http->timer)
		event_free(http->timer);
	connections_deinit(&http->connections);
	curl_slist_free_all(http->headers);
	curl_url_cleanup(http->url);
	free(http->origin);
	free(http->ca_file);
	proxy_free_url(http->proxy);
	free(http);
	curl_global_cleanup();
	return NULL;
}
