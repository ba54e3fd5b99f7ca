/* SPDX-License-Identifier: MIT */
/*
 * What the codes of the hub mean: see close_code.h.
 */
#include "gateway/close_code.h"

#include "common/common.h"

/* The range decides what is done... */
static const struct {
	unsigned int first, last;
	enum retry retry;
	const char *sentence;
} code_ranges[] = {
	{ 1000, 1000, RETRY_BACKOFF, "the hub has ended the connection" },
	{ 1001, 1001, RETRY_BACKOFF, "the hub is going away" },
	{ 1002, 1003, RETRY_BACKOFF, "the hub did not like what it got" },
	{ 1006, 1006, RETRY_BACKOFF, "the connection broke off" },
	{ 1009, 1009, RETRY_BACKOFF, "a message was too large for the hub" },
	{ 1011, 1014, RETRY_BACKOFF, "the hub is in trouble" },
	{ 4000, 4099, RETRY_SLOWLY,
	  "the hub refuses this connection; check the settings of the app" },
	{ 4100, 4199, RETRY_OVER_CAPACITY, "the hub cannot take the connection now" },
	{ 4200, 4299, RETRY_AT_ONCE, "the hub asks for a new connection" },
	{ 4300, 4399, RETRY_BACKOFF, "the hub closed for an error of another kind" },
};

/* ...the code only explains. */
static const struct {
	unsigned int code;
	const char *sentence;
} code_sentences[] = {
	{ 4000, "the hub takes TLS connections only; set tls = yes, and port if it is set" },
	{ 4001, "the hub does not know this key; check key and cluster" },
	{ 4003, "the app is disabled; enable it at the hub" },
	{ 4004, "the app has as many connections as it may; close others or raise its limit" },
	{ 4005, "the hub does not know this path; check host, port and path_prefix" },
	{ 4006, "the hub cannot read our version; is there a proxy that changes the address?" },
	{ 4007, "the hub does not speak version 7 of the protocol; use another server" },
	{ 4008, "the hub got no protocol version; is there a proxy that cuts the address?" },
	{ 4009, "the hub does not authorise this connection; check key and secret_file" },
	{ 4100, "the hub is over capacity" },
	{ 4200, "the hub asks for a new connection, as it does when it restarts" },
	{ 4201, "the hub did not get our pong in time; is the network very slow?" },
	{ 4202, "the hub closed for inactivity" },
	{ 4301, "the hub refused a client event" },
	{ 4302, "the watch list is too long for the hub" },
};

enum retry close_code_retry(unsigned int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(code_ranges); i++)
		if (code >= code_ranges[i].first && code <= code_ranges[i].last)
			return code_ranges[i].retry;
	return RETRY_BACKOFF;
}

enum retry close_code_status_retry(unsigned int status)
{
	switch (status) {
	case 407:	/* a proxy may lock out whoever comes with a wrong password too often */
		return RETRY_SLOWLY;
	case 429:
	case 503:
		return RETRY_OVER_CAPACITY;
	default:
		return RETRY_BACKOFF;
	}
}

const char *close_code_sentence(unsigned int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(code_sentences); i++)
		if (code == code_sentences[i].code)
			return code_sentences[i].sentence;
	for (size_t i = 0; i < ARRAY_SIZE(code_ranges); i++)
		if (code >= code_ranges[i].first && code <= code_ranges[i].last)
			return code_ranges[i].sentence;
	return "the connection was closed";
}
