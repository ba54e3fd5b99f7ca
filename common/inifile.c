/* SPDX-License-Identifier: MIT */
/*
 * Reading INI files by inih, with a reader of ours in front of it.
 *
 * inih tells its handler no line number, cuts long lines, joins an indented line to the one
 * before, drops what follows " ;" and reports no empty section. So each line passes through
 * read_line(), which counts, refuses what would be misread, and notes sections itself.
 */
#include "common/inifile.h"

#include <errno.h>
#include <stdarg.h>

#include <ini.h>

#define SECTION_LEN_MAX 128	/* of chapi-serve they are names of APIs */

struct reading {
	FILE *in;
	inifile_fn fn;
	void *data;
	unsigned int line;
	char section[SECTION_LEN_MAX + 1];
	struct inifile_fault *fault;
	bool failed;
	int error;	/* -errno of the stream */
};

static void PRINTF(2, 3) fail(struct reading *r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(r->fault->text, sizeof(r->fault->text), fmt, args);
	va_end(args);
	r->failed = true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Reads up to the line's end, which it leaves out. False: nothing more, or a fault. */
static bool take_line(struct reading *r, char *str, size_t len_max)
{
	size_t len = 0;
	int c;

	r->line++;
	while ((c = getc(r->in)) != EOF && c != '\n') {
		if (c == '\0') {
			fail(r, "a NUL byte; the file has to be plain text");
			return false;
		}
		if (len == len_max) {
			fail(r, "the line is too long, at most %zu bytes are allowed", len_max);
			return false;
		}
		str[len++] = (char)c;
	}
	str[len] = '\0';
	if (c == EOF && ferror(r->in))
		r->error = -(errno ? errno : EIO);
	return r->error == 0 && (c != EOF || len > 0);
}

static void drop_byte_order_mark(char *str)
{
	if (strncmp(str, "\xef\xbb\xbf", 3) == 0)
		memmove(str, str + 3, strlen(str + 3) + 1);
}

/* "[name]", nothing behind it but blanks. */
static bool enter_section(struct reading *r, const char *str)
{
	struct inifile_entry entry = { .section = r->section, .line = r->line };
	const char *end = strchr(str, ']'), *rest = end ? end + 1 : "";

	while (is_blank(*rest))
		rest++;
	if (!end || *rest) {
		fail(r, "a section is written [name], alone on its line");
		return false;
	}
	if (end - str - 1 > SECTION_LEN_MAX) {
		fail(r, "the section's name is too long, at most %d bytes are allowed",
		     SECTION_LEN_MAX);
		return false;
	}
	memcpy(r->section, str + 1, (size_t)(end - str - 1));
	r->section[end - str - 1] = '\0';
	if (!r->fn(r->data, &entry, r->fault))
		r->failed = true;
	return !r->failed;
}

static bool check_setting(struct reading *r, const char *str)
{
	const char *p = str;

	while ((p = strchr(p + 1, ';')))
		if (is_blank(p[-1])) {
			fail(r, "a comment has to stand on a line of its own");
			return false;
		}
	return true;
}

static bool check_line(struct reading *r, char *str)
{
	const char *p = str;

	while (is_blank(*p))
		p++;
	if (!*p) {
		str[0] = '\0';
		return true;
	}
	if (p != str) {
		fail(r, "the line begins with a blank; lines cannot be indented or continued");
		return false;
	}
	if (*p == '#' || *p == ';')
		return true;
	return *p == '[' ? enter_section(r, str) : check_setting(r, str);
}

/* As fgets(): a line with its end, or NULL. num is the size of inih's buffer. */
static char *read_line(char *str, int num, void *stream)
{
	struct reading *r = stream;

	/* inih needs room for CR, LF and NUL. */
	if (r->failed || !take_line(r, str, (size_t)num - 3))
		return NULL;
	if (r->line == 1)
		drop_byte_order_mark(str);
	if (!check_line(r, str))
		return NULL;
	strcat(str, "\n");
	return str;
}

/* The section that inih gives is cut if it is long. */
static int take_setting(void *data, const char *section UNUSED, const char *name,
			const char *value)
{
	struct reading *r = data;
	struct inifile_entry entry = {
		.section = r->section, .name = name, .value = value, .line = r->line,
	};

	if (!r->failed && !r->fn(r->data, &entry, r->fault))
		r->failed = true;
	return !r->failed;
}

int inifile_read(FILE *in, inifile_fn fn, void *data, struct inifile_fault *ret_fault)
{
	struct reading r = { .in = in, .fn = fn, .data = data, .fault = ret_fault };
	int line = ini_parse_stream(read_line, &r, take_setting, &r);

	if (r.error)
		return r.error;
	if (line < 0 && !r.failed)
		return -ENOMEM;
	/* inih goes on after a line that it cannot read: the first fault counts. */
	if (line > 0 && (!r.failed || (unsigned int)line < r.line)) {
		snprintf(ret_fault->text, sizeof(ret_fault->text),
			 "this is neither [section] nor key = value");
		ret_fault->line = (unsigned int)line;
		return INIFILE_E_FAULT;
	}
	ret_fault->line = r.line;
	return r.failed ? INIFILE_E_FAULT : 0;
}
