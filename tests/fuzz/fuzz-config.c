/* SPDX-License-Identifier: MIT */
/*
 * Fuzz harness: a configuration file.
 *
 * It is loaded, or there is one line that says why not and which line it is about; what was
 * loaded prints, and the print does not show the secret.
 */
#include <config.h>	/* _GNU_SOURCE */

#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/inifile.h"
#include "gateway/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool on_entry(void *data, const struct inifile_entry *entry, struct inifile_fault *fault)
{
	unsigned int *line = data;

	assert(entry->section && (!entry->name || entry->value));
	assert(entry->line >= *line);
	assert(!fault->text[0]);
	*line = entry->line;
	return true;
}

static void read_entries(const uint8_t *data, size_t len)
{
	struct inifile_fault fault = { 0 };
	unsigned int line = 0;
	FILE *in = len > 0 ? fmemopen((void *)(uintptr_t)data, len, "r") : NULL;
	int r;

	if (!in)
		return;
	r = inifile_read(in, on_entry, &line, &fault);
	/* the first fault counts, and entries behind it may have been told */
	assert(r == 0 || (r == INIFILE_E_FAULT && fault.text[0] && fault.line > 0));
	fclose(in);
}

static void check_print(const struct config *config)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert(out);
	config_print(config, out);
	fclose(out);
	assert(len > 0);
	free(text);
}

static void load(const char *path)
{
	const struct config_options options = { .file = path, .log_level = "error" };
	struct config_fault fault = { 0 };
	struct config config;

	if (config_load(&options, &config, &fault) != 0) {
		assert(fault.text[0] && !strchr(fault.text, '\n') && fault.status != 0);
		return;
	}
	assert(config.name && config.socket);
	check_print(&config);
	config_deinit(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char path[40];
	int fd = memfd_create("fuzz-config", MFD_CLOEXEC);

	log_set_level(LOG_LEVEL_ERROR);
	read_entries(data, len);
	if (fd < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write(fd, data, len) == (ssize_t)len)
		load(path);
	close(fd);
	return 0;
}
