/* SPDX-License-Identifier: MIT */
/*
 * One run of a command: see command.h.
 *
 * The child is reaped last, in command_free(): until then its id, and so the id of its process
 * group, can mean nobody else.
 */
#include <config.h>	/* _GNU_SOURCE: pipe2 */

#include "clients/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_SIZE ((size_t)64 << 10)	/* at once; what a pipe holds */
#define ERR_KEPT ((size_t)8 << 10)
#define GRACE_MS 2000			/* from TERM to KILL */
/* Something that the command left behind may hold its output open: how long that is waited for. */
#define LINGER_MS 100

enum stage { STAGE_RUNNING, STAGE_ASKED, STAGE_KILLED, STAGE_EXITED };

struct command {
	enum stage stage;
	enum command_why why;
	pid_t pid;
	int in, out, err;		/* our ends; -1: closed */
	size_t out_left, err_left;	/* what it wrote before its end, and we have not read */
	int status, signal;
	int64_t due_ms;			/* of the stage */
	bool over;
	char *input;
	size_t input_len, input_done;
	char *output;
	size_t output_len, output_cap, output_max;
	bool by_line;
	size_t last, line;		/* where the last line taken begins, and the next */
	char errors[2 * ERR_KEPT];	/* the end of it is what counts */
	size_t errors_len;
};

/* ---- starting ---- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Ours does not block; the child's is an open file of its own, and does. */
static int make_pipe(int *ret_ours, int *ret_childs, bool child_reads)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*ret_ours = fds[child_reads];
	*ret_childs = fds[!child_reads];
	return fcntl(*ret_ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

/* In the child, up to the command. Returns only if that cannot be started. */
static void become(const struct command_spec *spec, const int fds[COMMAND_FDS], pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);	/* we may be killed and have no time to say so */
	if (getppid() != parent)
		_exit(1);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 0; i < COMMAND_FDS; i++)
		if (dup2(fds[i], i) < 0)
			return;
	execvpe(spec->argv[0], spec->argv, spec->envp);
}

/* What the child could not do, as a negative errno; 0: it has become the command. */
static int read_report(int fd)
{
	int error;
	ssize_t n;

	do
		n = read(fd, &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	return n == sizeof(error) ? -error : 0;
}

static int wait_for_start(pid_t pid, int report)
{
	int r = read_report(report);

	if (r < 0)
		waitpid(pid, NULL, 0);
	return r;
}

/* The other end of report closes when the command begins. */
static int spawn(const struct command_spec *spec, const int fds[COMMAND_FDS], pid_t *ret_pid)
{
	pid_t parent = getpid(), pid;
	int report[2], r;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	r = pid < 0 ? -errno : 0;
	if (pid == 0) {
		become(spec, fds, parent);
		_exit(write(report[1], &errno, sizeof(errno)) < 0 ? 126 : 127);
	}
	close(report[1]);
	if (r == 0)
		r = wait_for_start(pid, report[0]);
	close(report[0]);
	if (r == 0)
		*ret_pid = pid;
	return r;
}

static int start_child(struct command *c, const struct command_spec *spec)
{
	int fds[COMMAND_FDS] = { -1, -1, -1 };
	int r = make_pipe(&c->in, &fds[STDIN_FILENO], true);

	if (r == 0)
		r = make_pipe(&c->out, &fds[STDOUT_FILENO], false);
	if (r == 0)
		r = make_pipe(&c->err, &fds[STDERR_FILENO], false);
	if (r == 0)
		r = spawn(spec, fds, &c->pid);
	for (int i = 0; i < COMMAND_FDS; i++)
		close_fd(&fds[i]);
	return r;
}

int command_start(const struct command_spec *spec, struct command **ret_command)
{
	struct command *c = malloc(sizeof(*c));
	int r;

	if (!c) {
		free(spec->input);
		return -ENOMEM;
	}
	*c = (struct command){
		.in = -1, .out = -1, .err = -1, .status = -1, .due_ms = spec->due_ms,
		.input = spec->input, .input_len = spec->input_len, .output_max = spec->output_max,
		.by_line = spec->by_line,
	};
	r = start_child(c, spec);
	if (r < 0) {
		command_free(c);
		return r;
	}
	*ret_command = c;
	return 0;
}

/* ---- ending ---- */

static void kill_group(const struct command *c, int number)
{
	kill(-c->pid, number);
}

static void end(struct command *c, enum command_why why, int64_t now_ms)
{
	if (c->stage != STAGE_RUNNING)
		return;
	c->why = why;
	c->stage = STAGE_ASKED;
	c->due_ms = now_ms + GRACE_MS;
	kill_group(c, SIGTERM);
}

static void end_now(struct command *c)
{
	c->stage = STAGE_KILLED;
	c->due_ms = COMMAND_NEVER;
	kill_group(c, SIGKILL);
}

void command_stop(struct command *c, int64_t now_ms)
{
	if (c->stage == STAGE_ASKED)
		end_now(c);
	else
		end(c, COMMAND_STOPPED, now_ms);
}

struct command *command_free(struct command *c)
{
	if (!c)
		return NULL;
	if (c->pid > 0) {
		if (c->stage != STAGE_EXITED)
			kill_group(c, SIGKILL);
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close_fd(&c->in);
	close_fd(&c->out);
	close_fd(&c->err);
	free(c->input);
	free(c->output);
	free(c);
	return NULL;
}

static size_t bytes_in(int fd)
{
	int n = 0;

	return fd >= 0 && ioctl(fd, FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
}

/* The child has ended: of one that had to be ended, nobody is left either. */
static void exited(struct command *c, const siginfo_t *info, int64_t now_ms)
{
	bool by_itself = c->stage == STAGE_RUNNING;

	if (!by_itself)
		kill_group(c, SIGKILL);
	c->stage = STAGE_EXITED;
	c->due_ms = by_itself ? now_ms + LINGER_MS : now_ms;
	c->out_left = bytes_in(c->out);
	c->err_left = bytes_in(c->err);
	if (info->si_code == CLD_EXITED)
		c->status = info->si_status;
	else
		c->signal = info->si_status;
	close_fd(&c->in);
}

static void look_for_exit(struct command *c, int64_t now_ms)
{
	siginfo_t info = { 0 };

	if (c->stage != STAGE_EXITED &&
	    waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    info.si_pid != 0)
		exited(c, &info, now_ms);
}

static void keep_time(struct command *c, int64_t now_ms)
{
	if (now_ms < c->due_ms)
		return;
	switch (c->stage) {
	case STAGE_RUNNING:
		end(c, COMMAND_LATE, now_ms);
		break;
	case STAGE_ASKED:
		end_now(c);
		break;
	case STAGE_KILLED:
		break;
	case STAGE_EXITED:
		c->over = c->out_left == 0 && c->err_left == 0;
		break;
	}
}

/* ---- input and output ---- */

/* A command need not read its input. */
static void write_input(struct command *c)
{
	ssize_t n;

	while (c->in >= 0 && c->input_done < c->input_len) {
		n = write(c->in, c->input + c->input_done, c->input_len - c->input_done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break;
		c->input_done += (size_t)n;
	}
	close_fd(&c->in);
}

/* Bytes read; 0: nothing for now, or no more ever (then it is closed). *left is kept up. */
static size_t read_some(int *fd, char *p, size_t len, size_t *left)
{
	ssize_t n;

	do
		n = read(*fd, p, len);
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		close_fd(fd);
	*left = n > 0 && (size_t)n < *left ? *left - (size_t)n : 0;
	return n > 0 ? (size_t)n : 0;
}

/* By line, what has been taken may go; but the last line is the result, and the end is told. */
static void forget_lines(struct command *c)
{
	size_t n = c->output_len < ERR_KEPT ? 0 : c->output_len - ERR_KEPT;

	if (n > c->last)
		n = c->last;
	if (n == 0)
		return;
	memmove(c->output, c->output + n, c->output_len - n);
	c->output_len -= n;
	c->last -= n;
	c->line -= n;
}

/* One byte over the limit is seen. By line: the last line, the next, and the end of others. */
static size_t most_room(const struct command *c)
{
	return c->by_line ? 2 * (c->output_max + 1) + ERR_KEPT : c->output_max + 1;
}

/* Room for one read, if there may be more. */
static bool make_room(struct command *c)
{
	size_t cap = c->output_cap ? 2 * c->output_cap : READ_SIZE;
	char *p;

	if (c->by_line && c->output_len == c->output_cap)
		forget_lines(c);
	if (c->output_len < c->output_cap)
		return true;
	if (cap > most_room(c))
		cap = most_room(c);
	p = cap > c->output_cap ? realloc(c->output, cap) : NULL;
	if (!p)
		return false;
	c->output = p;
	c->output_cap = cap;
	return true;
}

static bool has_line(const struct command *c)
{
	return c->by_line && c->output_len > c->line &&
	       memchr(c->output + c->line, '\n', c->output_len - c->line);
}

static bool is_too_large(const struct command *c)
{
	return c->output_len - c->line > c->output_max && !has_line(c);
}

/* Without memory for more, what is there is as much as is allowed. */
static void read_output(struct command *c, int64_t now_ms)
{
	size_t n;

	while (c->out >= 0 && !has_line(c)) {
		if (!make_room(c) || is_too_large(c)) {
			close_fd(&c->out);
			c->out_left = 0;
			c->why = COMMAND_TOO_LARGE;
			end(c, COMMAND_TOO_LARGE, now_ms);
			return;
		}
		n = read_some(&c->out, c->output + c->output_len, c->output_cap - c->output_len,
			      &c->out_left);
		if (n == 0)
			return;
		c->output_len += n;
	}
}

/* A bounded number of reads: others have their turn. */
static void read_errors(struct command *c)
{
	size_t n;

	for (int i = 0; i < 16 && c->err >= 0; i++) {
		if (c->errors_len == sizeof(c->errors)) {
			memcpy(c->errors, c->errors + ERR_KEPT, ERR_KEPT);
			c->errors_len = ERR_KEPT;
		}
		n = read_some(&c->err, c->errors + c->errors_len,
			      sizeof(c->errors) - c->errors_len, &c->err_left);
		if (n == 0)
			return;
		c->errors_len += n;
	}
}

/* ---- for the owner's loop ---- */

void command_watch(const struct command *c, struct pollfd ret_fds[COMMAND_FDS])
{
	ret_fds[0] = (struct pollfd){ .fd = c->in, .events = POLLOUT };
	ret_fds[1] = (struct pollfd){ .fd = c->out, .events = POLLIN };
	ret_fds[2] = (struct pollfd){ .fd = c->err, .events = POLLIN };
}

int64_t command_due_ms(const struct command *c)
{
	return c->due_ms;
}

/* The end is looked for first: what has been written before it is read afterwards. */
void command_step(struct command *c, int64_t now_ms)
{
	look_for_exit(c, now_ms);
	write_input(c);
	read_output(c, now_ms);
	read_errors(c);
	if (c->stage == STAGE_EXITED && c->out < 0 && c->err < 0)
		c->over = true;
	keep_time(c, now_ms);
}

bool command_take_line(struct command *c, const char **ret_line, size_t *ret_len)
{
	size_t left = c->output_len - c->line, len;
	const char *line = c->output + c->line, *end;

	if (!c->by_line || left == 0)
		return false;
	end = memchr(line, '\n', left);
	if (!end && !c->over)
		return false;
	len = end ? (size_t)(end - line) : left;
	c->last = c->line;
	c->line += len + (end != NULL);
	*ret_line = line;
	*ret_len = len;
	return true;
}

bool command_is_over(const struct command *c)
{
	return c->over;
}

struct command_end command_end(const struct command *c)
{
	size_t err_len = c->errors_len < ERR_KEPT ? c->errors_len : ERR_KEPT;

	return (struct command_end){
		.why = c->why, .status = c->status, .signal = c->signal,
		.out = c->output, .out_len = c->output_len,
		.err = c->errors + c->errors_len - err_len, .err_len = err_len,
		.last = c->output ? c->output + c->last : NULL,
		.last_len = c->output_len - c->last,
	};
}
