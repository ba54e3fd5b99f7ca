/* SPDX-License-Identifier: MIT */
/*
 * The files of the app's secret and of the encrypted channels' master key: named by a key, or
 * handed over by the service manager. How such a file is read is secret.h.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/config_private.h"
#include "gateway/sealed.h"
#include "gateway/secret.h"
#include "libchapi-ipc/base64.h"

/* ---- the secret -------------------------------------------------------------------------- */

static int take_secret(struct loader *l, const struct inifile_place *place, const char *path,
		       char **ret)
{
	struct secret secret;
	const char *why;
	int r = secret_read(path, &secret, &why);

	if (r == 0)
		*ret = strdup(secret.text);
	explicit_bzero(&secret, sizeof(secret));
	if (r != 0)
		return loader_fail_at(l, place, "secret file %s: %s", path, why);
	return *ret ? 0 : loader_no_memory(l);
}

int loader_read_secret(struct loader *l)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char path[512];

	if (l->config->secret_file)
		return take_secret(l, loader_place(l, "pusher", "secret_file"),
				   l->config->secret_file, &l->config->secret);
	if (!dir || !*dir)
		return loader_fail_at(l, &l->pusher, "[pusher] lacks secret_file, and there is no "
				      "service credential pusher-secret");
	snprintf(path, sizeof(path), "%s/pusher-secret", dir);
	return take_secret(l, &l->pusher, path, &l->config->secret);
}

/* ---- the key of encrypted channels ------------------------------------------------------- */

static bool is_master_key(const char *text)
{
	uint8_t bytes[sizeof(((struct secret *)0)->text)];
	size_t len = strlen(text);
	bool is_one;

	memcpy(bytes, text, len);
	is_one = base64_decode(bytes, len, &len) && len == SEALED_KEY_LEN;
	explicit_bzero(bytes, sizeof(bytes));
	return is_one;
}

static int take_master_key(struct loader *l, const struct inifile_place *place, const char *path)
{
	const char *why_not = sealed_why_not();

	if (why_not)
		return loader_fail_at(l, place, "a key of encrypted channels is set, and they "
				      "cannot be had: %s", why_not);
	if (take_secret(l, place, path, &l->config->master_key) != 0)
		return -1;
	return is_master_key(l->config->master_key) ? 0 :
		loader_fail_at(l, place, "secret file %s: a master key is 32 bytes in base64, "
			       "44 characters; make one with: openssl rand -base64 32", path);
}

int loader_read_master_key(struct loader *l)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	const char *file = l->config->encryption_master_key_file;
	char path[512];

	if (file)
		return take_master_key(l, loader_place(l, "pusher", "encryption_master_key_file"),
				       file);
	if (!dir || !*dir)
		return 0;
	snprintf(path, sizeof(path), "%s/pusher-master-key", dir);
	return access(path, F_OK) == 0 ? take_master_key(l, &l->pusher, path) : 0;
}

int loader_check_encrypted(struct loader *l)
{
	const struct inifile_place *place = loader_place(l, "remote", "channel");
	const struct config *c = l->config;

	for (size_t i = 0; i < c->n_channels; i++) {
		if (c->master_key || !sealed_is_encrypted(span_str(c->channels[i])))
			continue;
		if (sealed_why_not())
			return loader_fail_at(l, place, "channel %s is encrypted, which cannot be "
					      "had: %s; use a private- one", c->channels[i],
					      sealed_why_not());
		return loader_fail_at(l, place, "channel %s is encrypted: set "
				      "encryption_master_key_file, or the service credential "
				      "pusher-master-key", c->channels[i]);
	}
	return 0;
}
