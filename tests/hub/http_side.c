/* SPDX-License-Identifier: MIT */
/*
 * The HTTP side of a session: see http_side.h.
 *
 * Answers are written as a whole by answer_send(), head and all, so that a test can have
 * any answer. libwebsockets reads the requests, and skips the rest of a body whose answer
 * is out already.
 */
#include "tests/hub/http_side.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "gateway/log.h"
#include "tests/hub/http_api.h"
#include "tests/hub/play.h"

#define PARAM_MAX 1024

static void cleanup_answer(struct http_answer *answer)
{
	http_answer_deinit(answer);
}

static void cleanup_buf(struct buf *b)
{
	buf_deinit(b);
}

/* ---- out ------------------------------------------------------------------------------ */

static void put_date(struct session *session, struct buf *out)
{
	time_t now = (time_t)session_unix_s(session);
	char text[64];
	struct tm tm;

	if (gmtime_r(&now, &tm) && strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm))
		buf_printf(out, "Date: %s\r\n", text);
}

static int answer_write(struct session *session, const struct http_answer *answer)
{
	CLEANUP(cleanup_buf) struct buf out = BUF_NULL;
	uint8_t *space = buf_reserve(&out, LWS_PRE);

	if (!space)
		return -1;
	buf_commit(&out, LWS_PRE);
	buf_printf(&out, "HTTP/1.1 %d %s\r\n", answer->status, http_status_text(answer->status));
	put_date(session, &out);
	buf_put(&out, buf_data(&answer->headers), answer->headers.len);
	buf_printf(&out, "Server: chapi-hub\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		   "Connection: %s\r\n\r\n", answer->type, answer->body.len,
		   session->close_after ? "close" : "keep-alive");
	buf_put(&out, buf_data(&answer->body), answer->body.len);
	if (buf_error(&out))
		return -1;
	return lws_write(session->wsi, (unsigned char *)buf_data(&out) + LWS_PRE, out.len - LWS_PRE,
			 LWS_WRITE_HTTP) < 0 ? -1 : 0;
}

/*
 * A POST that was sent before the one ahead of it was answered libwebsockets 4.1 takes apart
 * wrongly (it gives the head for the body), and then goes round for ever; 4.3 leaves both
 * unanswered. No client does that. But the signature shows it, and such a connection ends.
 */
static bool body_is_in_doubt(const struct http_answer *answer)
{
	return answer->status == 401;
}

static int answer_now(struct session *session, const struct http_answer *answer)
{
	if (body_is_in_doubt(answer))
		session->close_after = true;
	if (answer_write(session, answer) < 0 || body_is_in_doubt(answer) || session->fault.hang_up)
		return -1;
	if (lws_http_transaction_completed(session->wsi))
		return -1;
	return 0;
}

/* The answer is taken. */
static int answer_hold(struct session *session, struct http_answer *answer)
{
	session->held = *answer;
	*answer = (struct http_answer)HTTP_ANSWER_NULL;
	session->held_until_ms = server_now_ms() + session->fault.delay_ms;
	lws_set_timeout(session->wsi, NO_PENDING_TIMEOUT, 0);
	lws_set_timer_usecs(session->wsi, (lws_usec_t)(session->fault.delay_ms * 1000));
	return 0;
}

static int answer_release(struct session *session)
{
	CLEANUP(cleanup_answer) struct http_answer answer = session->held;

	session->held = (struct http_answer)HTTP_ANSWER_NULL;
	return answer_now(session, &answer);
}

/* A closed connection that has not read all there is is a reset one. */
static int end_without_answer(struct session *session)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	if (session->fault.reset)
		setsockopt(lws_get_socket_fd(session->wsi), SOL_SOCKET, SO_LINGER, &at_once,
			   sizeof(at_once));
	return -1;
}

/* The one way out for answers: here a script loses and delays them. What it puts into their
 * place is there already. */
static int answer_send(struct session *session, struct http_answer *answer)
{
	log_debug("http", "%s %s: %d", session->request.method ? session->request.method : "?",
		  LOG_TEXT(span_str(session->request.path)), answer->status);
	session->reading = false;
	buf_clear(&session->in);
	http_request_deinit(&session->request);
	if (session->fault.cut || session->fault.reset)
		return end_without_answer(session);
	if (session->fault.delay_ms)
		return answer_hold(session, answer);
	return answer_now(session, answer);
}

/* Answers, and ends the connection: what follows on it cannot be made sense of. */
static int PRINTF(3, 4) give_up(struct session *session, int status, const char *fmt, ...)
{
	CLEANUP(cleanup_answer) struct http_answer answer = HTTP_ANSWER_NULL;
	char text[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	http_answer_text(&answer, status, "%s", text);
	session->close_after = true;
	log_debug("http", "%d: %s", status, text);
	if (answer_write(session, &answer) < 0)
		log_debug("http", "the answer could not be written");
	return -1;
}

/* ---- in ------------------------------------------------------------------------------- */

/*
 * libwebsockets takes ';' for a separator as well as '&', but it is legal in a channel's
 * name, hence in a value. A part without '=' was cut off from the one before it.
 */
static int read_params(struct session *session, struct http_request *request)
{
	char param[PARAM_MAX], whole[2 * PARAM_MAX] = "";
	int r = 0;

	for (int i = 0; r == 0 && session_url_param(session, i, param, sizeof(param)); i++) {
		if (*whole && !strchr(param, '=') && strlen(whole) < PARAM_MAX) {
			strcat(strcat(whole, ";"), param);
			continue;
		}
		if (*whole)
			r = http_request_add(request, whole);
		strcpy(whole, param);
	}
	if (r == 0 && *whole)
		r = http_request_add(request, whole);
	return r;
}

static bool asks_to_close(struct session *session)
{
	char version[16], connection[64];
	const char *v = session_header(session, WSI_TOKEN_HTTP, version, sizeof(version));
	const char *c = session_header(session, WSI_TOKEN_CONNECTION, connection,
				       sizeof(connection));

	if (c && strcasecmp(c, "close") == 0)
		return true;
	return (!v || strcmp(v, "HTTP/1.1") != 0) && !(c && strcasecmp(c, "keep-alive") == 0);
}

static const char *method_of(struct session *session)
{
	if (lws_hdr_total_length(session->wsi, WSI_TOKEN_POST_URI) > 0)
		return "POST";
	if (lws_hdr_total_length(session->wsi, WSI_TOKEN_GET_URI) > 0)
		return "GET";
	return NULL;
}

static int answer_request(struct session *session)
{
	CLEANUP(cleanup_answer) struct http_answer answer = HTTP_ANSWER_NULL;

	session->request.body = buf_span(&session->in);
	if (!play_request(session, &answer)) {
		http_api_handle(session_app(session), &session->request,
				session_unix_s(session), &answer);
		play_answer(session, &answer);
	}
	return answer_send(session, &answer);
}

static int refuse_length(struct session *session, unsigned long long length)
{
	CLEANUP(cleanup_answer) struct http_answer answer = HTTP_ANSWER_NULL;

	http_answer_text(&answer, 413, "The body of the request exceeds the allowed maximum "
			 "(%d bytes): it has %llu", HTTP_API_BODY_MAX, length);
	return answer_send(session, &answer);
}

static void begin_body(struct session *session)
{
	uint64_t timeout_ms = session_http_timeout_ms(session);

	session->reading = true;
	session->deadline_ms = server_now_ms() + timeout_ms;
	lws_set_timer_usecs(session->wsi, (lws_usec_t)(timeout_ms * 1000));
}

/* A body, if there is one, comes afterwards, and its end is told. */
static int take_request(struct session *session, const char *method)
{
	char text[32];
	const char *length_text;
	unsigned long long length;

	length_text = session_header(session, WSI_TOKEN_HTTP_CONTENT_LENGTH, text, sizeof(text));
	if (!length_text && strcmp(method, "POST") == 0)
		return give_up(session, 411, "A request with a body needs a Content-Length");
	if (!length_text)
		return answer_request(session);
	if (length_text[strspn(length_text, "0123456789")] != '\0' || !*length_text)
		return give_up(session, 400, "Invalid Content-Length");
	length = strtoull(length_text, NULL, 10);
	if (length == 0 && strcmp(method, "POST") != 0)
		return answer_request(session);
	begin_body(session);
	return length > HTTP_API_BODY_MAX ? refuse_length(session, length) : 0;
}

int http_side_request(struct session *session, const char *path)
{
	const char *method = method_of(session);
	char transfer[64];

	session->close_after = asks_to_close(session);
	session->fault = (struct answer_fault){ .cut = false };
	if (!method)
		return give_up(session, 405, "Only GET and POST are served");
	if (session_header(session, WSI_TOKEN_HTTP_TRANSFER_ENCODING, transfer, sizeof(transfer)))
		return give_up(session, 411, "A request with a body needs a Content-Length, "
			       "chunks are not taken");
	http_request_deinit(&session->request);
	buf_deinit(&session->in);
	buf_init(&session->in, HTTP_API_BODY_MAX);
	if (http_request_init(&session->request, method, path) != 0)
		return give_up(session, 500, "The hub is out of memory");
	if (read_params(session, &session->request) != 0)
		return give_up(session, 400, "Too many parameters in the URL");
	return take_request(session, method);
}

int http_side_body(struct session *session, const void *p, size_t len)
{
	if (!session->reading)
		return 0;
	buf_put(&session->in, p, len);
	if (buf_error(&session->in))
		return give_up(session, 413, "The body of the request is too large for the hub");
	return 0;
}

int http_side_body_end(struct session *session)
{
	return session->reading ? answer_request(session) : 0;
}

/* The timer is never taken back: it may be that of a request long answered. */
int http_side_timer(struct session *session)
{
	if (session->held.status != 0 && server_now_ms() >= session->held_until_ms)
		return answer_release(session);
	if (!session->reading || server_now_ms() < session->deadline_ms)
		return 0;
	return give_up(session, 408, "The body of the request did not come in time");
}

int http_side_refuse_upgrade(struct session *session)
{
	return give_up(session, 400, "The only upgrade is that to WebSocket; all else is HTTP/1.1");
}

void http_side_deinit(struct session *session)
{
	http_request_deinit(&session->request);
	http_answer_deinit(&session->held);
	buf_deinit(&session->in);
}
