/* SPDX-License-Identifier: MIT */
/*
 * The configuration: one table of keys drives the files, the command line's check, the sample
 * file and chapi-gw.conf(5).
 *
 * Reads files and the secret; decides nothing about their use. The table is config_keys.h.
 */
#ifndef CHAPI_CONFIG_H
#define CHAPI_CONFIG_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "common/common.h"
#include "gateway/log.h"

#define CONFIG_CHANNELS_MAX 16

enum config_visibility { CONFIG_VISIBILITY_REMOTE, CONFIG_VISIBILITY_LOCAL };

/* What [policy] is about. */
enum config_right {
	CONFIG_RIGHT_CALL,
	CONFIG_RIGHT_REGISTER,
	CONFIG_RIGHT_LIST,
	CONFIG_RIGHT_OUTGOING,
	CONFIG_RIGHT_PUBLISH,
	CONFIG_RIGHT_MONITOR,
	CONFIG_RIGHT_ADMIN,
};

/* One line of [policy]. */
struct config_rule {
	enum config_right right;
	char *subject;			/* "user:NAME", "group:NAME", "remote", "*" */
	char *pattern;
};

struct config {
	/* [pusher]; pusher is false when the section is not there: local calls only */
	bool pusher;
	char *app_id, *key;
	char *secret_file;
	/* From secret_file or the credential "pusher-secret"; wiped by config_deinit(). */
	char *secret;
	char *cluster;			/* NULL: host is set */
	char *host, *http_host;		/* filled in from cluster where not given */
	unsigned int port, http_port;	/* likewise */
	bool tls;
	char *ca_file, *origin, *path_prefix, *proxy;
	bool sign_with_prefix;
	char *encryption_master_key_file;
	/* Of encrypted channels: base64 of SEALED_KEY_LEN bytes, wiped likewise; NULL: none. */
	char *master_key;
	uint64_t ping_interval_ms, pong_timeout_ms;

	/* [gateway] */
	char *name;
	char *socket;
	mode_t socket_mode;
	char *socket_group;		/* NULL: the process's own */
	char *state_dir;
	enum config_visibility default_visibility;
	enum log_level log_level;
	uint64_t stop_timeout_ms;
	size_t max_message;

	/* [remote] */
	char *channels[CONFIG_CHANNELS_MAX];
	size_t n_channels;
	char *request_event, *response_event;
	bool answer_unknown;
	char *reply_channels[CONFIG_CHANNELS_MAX];	/* patterns */
	size_t n_reply_channels;
	size_t max_event_bytes, max_request_bytes, max_record;	/* max_request_bytes 0: no limit */
	unsigned int max_calls, max_rate;			/* max_rate 0: no limit */
	uint64_t answer_store_time_ms;
	size_t answer_store_bytes;
	unsigned int daily_messages;				/* 0: no budget */

	/* [limits]; peers 0: by the open-file limit */
	unsigned int calls_per_peer, names_per_peer, peers;
	size_t pinned_per_peer, pinned_total, output_per_peer;
	uint64_t stalled_after_ms;

	/* [timing] */
	uint64_t handshake_ms, subscribe_ms, backoff_least_ms, backoff_most_ms, backoff_reset_ms;
	uint64_t probe_ms;
	uint64_t proof_of_life_ms;			/* 0: off */
	uint64_t publish_timeout_ms, publish_grace_ms;
	unsigned int publish_connections, batch;
	size_t publish_queue;

	/* [policy]: the first match decides */
	struct config_rule *rules;
	size_t n_rules;
};

/* One line that says what is wrong: "FILE:LINE: what, what is allowed". */
struct config_fault {
	char text[512];
	int status;	/* what the program ends with: 64 (an option), 66, 70 (no memory) or 78 */
};

struct config_options {
	const char *file;		/* --config; NULL: the default of the mode */
	bool user;			/* --user */
	const char *socket;		/* --socket, over all files */
	const char *log_level;		/* --log-level, likewise */
};

/*
 * Defaults, then the file and FILE.d, then the options, then secrets. 0, or -1 and ret_fault. What
 * is allowed but doubtful is logged.
 */
int config_load(const struct config_options *options, struct config *ret_config,
		struct config_fault *ret_fault) MUST_CHECK;
void config_deinit(struct config *config);

/* --print-config: secrets as (hidden). */
void config_print(const struct config *config, FILE *out);
/* Every key with its help and default. */
void config_print_sample(FILE *out);

/* reloadable: it can change without a restart. */
typedef void (*config_change_fn)(void *data, const char *section, const char *name,
				 bool reloadable);

/*
 * For a reload: load into a fresh struct, see what differs, take what can be taken.
 *
 * Tells each key whose value is not the same in both, in the order of the table; a right of
 * [policy] is a key; another secret is told as the key of its file.
 */
void config_changes(const struct config *old, const struct config *fresh, config_change_fn fn,
		    void *data);
/*
 * The reloadable values of fresh become those of to, in place: whoever reads to when it needs a
 * value has the new one at once, who keeps a copy has to be told. The old ones are in fresh
 * then, until config_deinit().
 */
void config_take_reloadable(struct config *to, struct config *fresh);

/* The file that config_load() begins with, "" if there is none to be had. */
void config_path(const struct config_options *options, char *ret, size_t len);

#define CONFIG_NAME_MAX 64
/*
 * A gateway's name out of a host name: what names cannot have becomes '-'; the names that
 * every such machine has get 4 digits of a hash of machine_id ("": not known). 0 or -errno.
 */
int config_name_from_host(const char *host, const char *machine_id,
			  char ret[CONFIG_NAME_MAX + 1]) MUST_CHECK;

#endif
