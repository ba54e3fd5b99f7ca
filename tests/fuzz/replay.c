/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz harness without a fuzzer: on the files that are given, or, without any, on all
 * of its own corpus, as `make check` does, which wants to hear of it in TAP.
 *
 * The corpus of fuzz-NAME is corpus/NAME, found through $srcdir. A harness that finds a fault
 * aborts; the name of the file stands on standard error by then.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define INPUT_MAX ((size_t)1 << 20)

/* The bytes in memory of their own size, so that a sanitizer sees who reads too far. */
static int replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *room, *data;
	size_t len;

	if (!f) {
		perror(path);
		return 1;
	}
	fprintf(stderr, "%s\n", path);
	room = malloc(INPUT_MAX);
	len = room ? fread(room, 1, INPUT_MAX, f) : 0;
	fclose(f);
	data = room ? malloc(len ? len : 1) : NULL;
	if (data) {
		memcpy(data, room, len);
		LLVMFuzzerTestOneInput(data, len);
	}
	free(room);
	free(data);
	return data ? 0 : 1;
}

/* A corpus that is not there, or empty, is a fault: nothing would have been tried. */
static int replay_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	char file[1024];
	int n = 0, failed = 0;

	if (!folder) {
		perror(path);
		return 1;
	}
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		failed |= replay(file);
		n++;
	}
	closedir(folder);
	return n == 0 ? 1 : failed;
}

static int replay_corpus(const char *program)
{
	const char *srcdir = getenv("srcdir"), *name = program, *next;
	char path[512];
	int failed;

	while ((next = strstr(name, "fuzz-")))
		name = next + strlen("fuzz-");
	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", name);
	failed = replay_folder(path);
	printf("1..1\n%sok 1 - all of corpus/%s\n", failed ? "not " : "", name);
	return failed;
}

int main(int argc, char *argv[])
{
	int failed = 0;

	if (argc == 1)
		return replay_corpus(argv[0]);
	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	return failed;
}
