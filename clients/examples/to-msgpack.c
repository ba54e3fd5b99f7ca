/* SPDX-License-Identifier: MIT */
/*
 * JSON text to MessagePack: writes the bytes of its argument; or says what is wrong, and where.
 *
 *     cc -o to-msgpack to-msgpack.c $(pkg-config --cflags --libs chapi-ipc)
 *     ./to-msgpack '{"level": 3}' | hexdump -C
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <chapi-ipc.h>

int main(int argc, char **argv)
{
	const char *text = argc > 1 ? argv[1] : "";
	char fault[200];
	void *value;
	size_t len;
	int r = chapi_json_to_msgpack(text, strlen(text), &value, &len, fault, sizeof(fault));

	if (r < 0) {
		fprintf(stderr, "to-msgpack: %s: %s\n", chapi_strerror(r), fault);
		return chapi_exit_status(r);
	}
	fwrite(value, 1, len, stdout);
	free(value);
	return 0;
}
