/* SPDX-License-Identifier: MIT */
/*
 * What the libraries alone cost, to hold the gateway's figures against.
 *
 *   bench_floor start    ends at once: what it takes to load the same libraries
 *   bench_floor memory   sets up libcurl and libwebsockets as the gateway does, says "ready", waits
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>
#include <event2/event.h>
#include <jansson.h>
#include <libwebsockets.h>
#include <openssl/crypto.h>

static int set_up(void)
{
	static const struct lws_protocols protocols[] = {
		{ .name = "floor", .callback = lws_callback_http_dummy },
		{ 0 },
	};
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN,
		.protocols = protocols,
		.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
	};
	struct event_base *base = event_base_new();
	CURLM *multi;

	lws_set_log_level(0, NULL);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	multi = curl_multi_init();
	return base && multi && lws_create_context(&info) ? 0 : -1;
}

int main(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "memory") != 0)
		return json_null() && OpenSSL_version_num() ? 0 : 1;
	if (set_up() < 0)
		return 1;
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
