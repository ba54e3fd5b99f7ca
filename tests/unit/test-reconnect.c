/* SPDX-License-Identifier: MIT */
/*
 * The client library when the gateway goes away and comes back: what is told, what ends, what
 * is asked for again. Against a gateway that is played (played.h).
 */
#include <config.h>	/* _GNU_SOURCE */

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/played.h"

struct changes {
	int n, of[8];
	int error;
	char name[32], words[64];
	enum chapi_change_kind close_at;
};

static void on_change(chapi_conn *conn, const struct chapi_change *change, void *data)
{
	struct changes *changes = data;

	assert_int_equal(change->size, sizeof(*change));
	changes->n++;
	changes->of[change->kind]++;
	changes->error = change->error;
	if (change->name)
		snprintf(changes->name, sizeof(changes->name), "%s", change->name);
	if (change->reply)
		snprintf(changes->words, sizeof(changes->words), "%s",
			 chapi_reply_message(change->reply));
	if (change->kind == changes->close_at)
		chapi_close(conn);
}

/* Until the connection is there again, in one way or the other. */
static void turn_until(struct fixture *f, const struct changes *changes,
		       enum chapi_change_kind kind, int n)
{
	while (changes->of[kind] < n)
		assert_int_equal(process(f), 0);
}

static void lose(struct fixture *f, const struct changes *changes)
{
	int n = changes->of[CHAPI_LOST];

	gateway_leaves(f);
	turn_until(f, changes, CHAPI_LOST, n + 1);
	assert_int_equal(chapi_get_fd(f->conn), -1);
	assert_int_equal(chapi_get_events(f->conn), 0);
}

static void come_back(struct fixture *f, const struct changes *changes)
{
	turn_until(f, changes, CHAPI_CONNECTED, changes->of[CHAPI_CONNECTED] + 1);
	gateway_accepts(f);
}

static void test_loss_is_told_without_reconnect_too(void **state)
{
	struct fixture *f = *state;
	struct changes changes = { 0 };

	chapi_set_reconnect(f->conn, false, on_change, &changes);
	gateway_leaves(f);
	assert_int_equal(process(f), -CHAPI_ERR_CONNECTION_LOST);
	assert_int_equal(changes.n, 1);
	assert_int_equal(changes.of[CHAPI_LOST], 1);
	assert_int_equal(changes.error, -CHAPI_ERR_CONNECTION_LOST);
	assert_int_equal(chapi_get_timeout_ms(f->conn), 0);
	/* It is not too late to ask for it. */
	chapi_set_reconnect(f->conn, true, on_change, &changes);
	come_back(f, &changes);
	chapi_set_reconnect(f->conn, true, NULL, NULL);
}

static void test_connection_is_made_again(void **state)
{
	struct fixture *f = *state;
	struct changes changes = { 0 };
	struct heard heard = { 0 };
	chapi_reply *reply;
	int wait_ms;

	chapi_set_reconnect(f->conn, true, on_change, &changes);
	lose(f, &changes);
	assert_int_equal(changes.error, -CHAPI_ERR_CONNECTION_LOST);
	wait_ms = chapi_get_timeout_ms(f->conn);
	assert_true(wait_ms >= 0 && wait_ms <= 100);
	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, on_reply, &heard, NULL),
			 -CHAPI_ERR_CONNECTION_LOST);
	assert_int_equal(chapi_call_wait(f->conn, "a", NULL, 0, NULL, &reply),
			 -CHAPI_ERR_CONNECTION_LOST);
	assert_int_equal(chapi_register(f->conn, "n", NULL, on_request_echo, NULL, NULL),
			 -CHAPI_ERR_CONNECTION_LOST);
	come_back(f, &changes);
	assert_int_equal(changes.error, 0);
	assert_int_equal(heard.n, 0);
	gateway_hears_nothing(f);
	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, on_reply, &heard, NULL), 0);
	gateway_hears(f, "[0,1,\"call\",[\"a\",{}]]");
	gateway_say(f, "[1,1,null,\"here again\"]");
	assert_int_equal(process(f), 0);
	assert_string_equal(heard.result, "\"here again\"");
}

/* The listener is away: the waits grow, and end when it is back. */
static void test_waits_grow_until_the_gateway_is_there(void **state)
{
	struct fixture *f = *state;
	struct changes changes = { 0 };
	int i, wait_ms, least[] = { 50, 100, 200 }, most[] = { 100, 200, 400 };

	chapi_set_reconnect(f->conn, true, on_change, &changes);
	close(f->listener);
	unlink(f->path);
	lose(f, &changes);
	for (i = 0; i < 3; i++) {
		wait_ms = chapi_get_timeout_ms(f->conn);
		assert_true(wait_ms <= most[i]);
		assert_true(wait_ms >= least[i] - 30);	/* some of it may be over */
		assert_int_equal(chapi_process(f->conn), 0);	/* too early: does nothing */
		while (chapi_get_timeout_ms(f->conn) > 0 &&
		       chapi_get_timeout_ms(f->conn) <= wait_ms)
			assert_int_equal(chapi_run_once(f->conn, -1), 0);
		assert_int_equal(chapi_process(f->conn), 0);
	}
	f->listener = listen_at(f->path);
	come_back(f, &changes);
	assert_int_equal(changes.n, 2);
}

static void test_garbage_is_a_loss_too(void **state)
{
	struct fixture *f = *state;
	struct changes changes = { 0 };

	chapi_set_reconnect(f->conn, true, on_change, &changes);
	gateway_send(f, "\x94\x01\x01\xc1 and half a message", 20);
	turn_until(f, &changes, CHAPI_LOST, 1);
	assert_int_equal(changes.error, -CHAPI_ERR_BAD_MESSAGE);
	gateway_leaves(f);
	come_back(f, &changes);
	gateway_say(f, "[1,1,null,[]]");
	assert_int_equal(chapi_list(f->conn, NULL, false, NULL), 0);
}

/* ---- calls ---- */

static void test_calls_say_whether_they_were_sent(void **state)
{
	struct fixture *f = *state;
	struct changes changes = { 0 };
	struct heard sent = { 0 }, half = { 0 }, not_sent = { 0 };
	size_t len = 8 * MIB;
	char *value = calloc(1, len);

	value[0] = '\xc6';
	value[1] = (char)((len - 5) >> 24), value[2] = (char)((len - 5) >> 16);
	value[3] = (char)((len - 5) >> 8), value[4] = (char)(len - 5);
	chapi_set_reconnect(f->conn, true, on_change, &changes);
	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, on_reply, &sent, NULL), 0);
	assert_int_equal(chapi_process(f->conn), 0);
	assert_int_equal(chapi_call(f->conn, "b", value, len, NULL, on_reply, &half, NULL), 0);
	assert_int_equal(chapi_process(f->conn), 0);
	assert_true(chapi_get_events(f->conn) & POLLOUT);
	assert_int_equal(chapi_call(f->conn, "c", NULL, 0, NULL, on_reply, &not_sent, NULL), 0);
	lose(f, &changes);
	assert_int_equal(sent.code, CHAPI_ERR_CONNECTION_LOST);
	assert_int_equal(sent.ran, CHAPI_RAN_UNKNOWN);
	assert_int_equal(half.ran, CHAPI_RAN_NO);	/* nobody can have read it whole */
	assert_int_equal(not_sent.code, CHAPI_ERR_CONNECTION_LOST);
	assert_int_equal(not_sent.ran, CHAPI_RAN_NO);
	assert_string_equal(not_sent.name, "connection_lost");
	free(value);
	come_back(f, &changes);
	gateway_hears_nothing(f);
}

/* A callback of the loss that goes on until the connection is there again, and uses it. */
struct impatient {
	struct changes changes;
	struct heard late;
	int n;
};

static void on_reply_wait_for_it(chapi_conn *conn, const chapi_reply *reply, void *data)
{
	struct impatient *impatient = data;

	assert_int_equal(chapi_reply_code(reply), CHAPI_ERR_CONNECTION_LOST);
	assert_int_equal(chapi_reply_ran(reply), CHAPI_RAN_UNKNOWN);
	if (impatient->n++ > 0)
		return;
	while (impatient->changes.of[CHAPI_CONNECTED] == 0)
		assert_int_equal(chapi_run_once(conn, LIMIT_MS), 0);
	assert_int_equal(chapi_call(conn, "new", NULL, 0, NULL, on_reply, &impatient->late, NULL),
			 0);
}

static void test_calls_of_before_are_not_taken_for_new_ones(void **state)
{
	struct fixture *f = *state;
	struct impatient impatient = { .n = 0 };

	chapi_set_reconnect(f->conn, true, on_change, &impatient.changes);
	for (int i = 0; i < 3; i++)
		assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, on_reply_wait_for_it,
					    &impatient, NULL),
				 0);
	assert_int_equal(chapi_process(f->conn), 0);
	gateway_leaves(f);
	turn_until(f, &impatient.changes, CHAPI_LOST, 1);
	assert_int_equal(impatient.n, 3);
	assert_int_equal(impatient.late.n, 0);
	gateway_accepts(f);
	gateway_hears(f, "[0,4,\"call\",[\"new\",{}]]");
	gateway_say(f, "[1,4,null,1]");
	assert_int_equal(process(f), 0);
	assert_int_equal(impatient.late.code, CHAPI_OK);
}

/* ---- requests ---- */

static void test_requests_of_before_are_over(void **state)
{
	struct fixture *f = *state;
	struct changes changes = { 0 };
	chapi_request *request = NULL, *old;

	register_f(f, on_request_keep, &request);
	chapi_set_reconnect(f->conn, true, on_change, &changes);
	gateway_say(f, "[0,7,\"f\",[\"old\",{\"progress\":true}]]");
	assert_int_equal(process(f), 0);
	old = request;
	lose(f, &changes);
	come_back(f, &changes);
	gateway_hears(f, "[0,2,\"register\",[\"f\",{}]]");
	gateway_say(f, "[1,2,null,{}]");
	gateway_say(f, "[0,7,\"f\",[\"new\",{}]]");
	assert_int_equal(process(f), 0);
	assert_ptr_not_equal(request, old);
	assert_true(chapi_request_is_cancelled(old));
	assert_false(chapi_request_is_cancelled(request));
	assert_int_equal(chapi_progress_json(old, "1"), -CHAPI_ERR_GONE);
	assert_int_equal(chapi_answer_json(old, "\"of the old\""), -CHAPI_ERR_GONE);
	assert_int_equal(chapi_answer_json(request, "\"of the new\""), 0);
	gateway_hears(f, "[1,7,null,\"of the new\"]");
}

/* The end of a call is told first; its callback goes on until the connection is there again. */
struct answers_late {
	struct changes changes;
	chapi_request *old;
	int n, rc;
};

static void on_reply_answer_old(chapi_conn *conn, const chapi_reply *reply UNUSED, void *data)
{
	struct answers_late *late = data;

	late->n++;
	while (late->changes.of[CHAPI_CONNECTED] == 0)
		assert_int_equal(chapi_run_once(conn, LIMIT_MS), 0);
	assert_int_equal(late->changes.of[CHAPI_LOST], 1);
	assert_true(chapi_request_is_cancelled(late->old));
	late->rc = chapi_answer_json(late->old, "\"of the old\"");
}

static void test_old_requests_are_over_before_calls_are_told(void **state)
{
	struct fixture *f = *state;
	struct answers_late late = { .n = 0 };

	register_f(f, on_request_keep, &late.old);
	chapi_set_reconnect(f->conn, true, on_change, &late.changes);
	gateway_say(f, "[0,7,\"f\",[\"old\",{}]]");
	assert_int_equal(process(f), 0);
	assert_non_null(late.old);
	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, on_reply_answer_old, &late, NULL),
			 0);
	gateway_hears(f, "[0,2,\"call\",[\"a\",{}]]");
	gateway_leaves(f);
	while (late.n == 0)
		assert_int_equal(process(f), 0);
	assert_int_equal(late.rc, -CHAPI_ERR_GONE);
	assert_int_equal(late.changes.of[CHAPI_LOST], 1);
	gateway_accepts(f);
	gateway_hears(f, "[0,3,\"register\",[\"f\",{}]]");
	gateway_hears_nothing(f);
}

/* ---- names ---- */

static void test_names_are_registered_again_as_they_were(void **state)
{
	struct fixture *f = *state;
	struct changes changes = { 0 };
	struct chapi_api_options o = { .size = sizeof(o), .summary = "s", .concurrency = 3 };
	struct chapi_api_options update = { .size = sizeof(update),
					    .concurrency = 5,
					    .version = "2" };
	int n = 0;

	chapi_set_reconnect(f->conn, true, on_change, &changes);
	gateway_say(f, "[1,1,null,{}]");
	assert_int_equal(chapi_register(f->conn, "g", &o, on_request_echo, &n, NULL), 0);
	gateway_say(f, "[1,2,null,{}]");
	assert_int_equal(chapi_register(f->conn, "dropped", NULL, on_request_echo, NULL, NULL), 0);
	gateway_say(f, "[1,3,null,{}]");
	assert_int_equal(chapi_register(f->conn, "paused", NULL, on_request_echo, NULL, NULL), 0);
	gateway_say(f, "[1,4,null,{}]");
	assert_int_equal(chapi_update(f->conn, "g", &update, NULL), 0);
	gateway_say(f, "[1,5,null,null]");
	assert_int_equal(chapi_unregister(f->conn, "dropped", NULL), 0);
	gateway_say(f, "[1,6,null,null]");
	assert_int_equal(chapi_pause(f->conn, "paused", NULL), 0);
	update.version = "3";
	gateway_say(f, "[1,7,{\"code\":\"invalid_argument\"},null]");
	assert_int_equal(chapi_update(f->conn, "g", &update, NULL), -CHAPI_ERR_INVALID_ARGUMENT);
	lose(f, &changes);
	come_back(f, &changes);
	gateway_hears(
		f,
		"[0,8,\"register\",[\"g\",{\"concurrency\":5,\"version\":\"2\","
		"\"summary\":\"s\"}]]");
	gateway_hears(f, "[0,9,\"register\",[\"paused\",{}]]");
	gateway_hears(f, "[0,10,\"pause\",[\"paused\"]]");
	gateway_say(f, "[1,8,null,{\"state\":\"active\"}]");
	gateway_say(f, "[0,1,\"g\",[\"at once\",{}]]");
	gateway_hears(f, "[1,1,null,\"at once\"]");
	assert_int_equal(changes.of[CHAPI_NAME_RESTORED], 1);
	assert_string_equal(changes.name, "g");
	gateway_say(f, "[1,9,null,{}]");
	gateway_say(f, "[1,10,null,null]");
	turn_until(f, &changes, CHAPI_NAME_RESTORED, 2);
	assert_string_equal(changes.name, "paused");
	gateway_say(f, "[1,11,null,null]");
	assert_int_equal(chapi_resume(f->conn, "paused", NULL), 0);
	lose(f, &changes);
	come_back(f, &changes);
	gateway_hears(
		f,
		"[0,12,\"register\",[\"g\",{\"concurrency\":5,\"version\":\"2\","
		"\"summary\":\"s\"}]]");
	gateway_hears(f, "[0,13,\"register\",[\"paused\",{}]]");
	gateway_hears_nothing(f);
}

static void test_name_that_is_taken_is_told(void **state)
{
	struct fixture *f = *state;
	struct changes changes = { 0 };
	int n = 0;

	register_f(f, on_request_echo, &n);
	chapi_set_reconnect(f->conn, true, on_change, &changes);
	lose(f, &changes);
	come_back(f, &changes);
	gateway_hears(f, "[0,2,\"register\",[\"f\",{}]]");
	gateway_say(f, "[1,2,{\"code\":\"api_exists\",\"message\":\"taken\"},null]");
	turn_until(f, &changes, CHAPI_NAME_FAILED, 1);
	assert_int_equal(changes.error, -CHAPI_ERR_API_EXISTS);
	assert_string_equal(changes.name, "f");
	assert_string_equal(changes.words, "taken");
	gateway_say(f, "[0,9,\"f\",[1,{}]]");
	gateway_hears(
		f, "[1,9,{\"message\":\"the provider does not answer this name any more\"},null]");
	lose(f, &changes);
	come_back(f, &changes);
	gateway_hears_nothing(f);
	assert_int_equal(n, 0);
}

static void test_names_are_kept_through_a_second_loss(void **state)
{
	struct fixture *f = *state;
	struct changes changes = { 0 };

	register_f(f, on_request_echo, NULL);
	chapi_set_reconnect(f->conn, true, on_change, &changes);
	lose(f, &changes);
	come_back(f, &changes);
	gateway_hears(f, "[0,2,\"register\",[\"f\",{}]]");
	lose(f, &changes);
	come_back(f, &changes);
	gateway_hears(f, "[0,3,\"register\",[\"f\",{}]]");
	/* Given back while the answer is under way. */
	gateway_say(f, "[1,3,null,{}]");
	gateway_say(f, "[1,4,null,null]");
	assert_int_equal(chapi_unregister(f->conn, "f", NULL), 0);
	gateway_hears(f, "[0,4,\"unregister\",[\"f\"]]");
	assert_int_equal(changes.of[CHAPI_NAME_RESTORED], 1);
}

static void test_name_given_back_before_it_is_restored(void **state)
{
	struct fixture *f = *state;
	struct changes changes = { 0 };

	register_f(f, on_request_echo, NULL);
	chapi_set_reconnect(f->conn, true, on_change, &changes);
	lose(f, &changes);
	come_back(f, &changes);
	gateway_hears(f, "[0,2,\"register\",[\"f\",{}]]");
	gateway_say(f, "[2,\"revoked\",[\"f\",\"replaced\"]]");
	gateway_say(f, "[1,2,null,{}]");	/* of a handler that is no more */
	assert_int_equal(process(f), 0);
	assert_int_equal(changes.of[CHAPI_NAME_RESTORED], 0);
	lose(f, &changes);
	assert_int_equal(chapi_unregister(f->conn, "f", NULL), -CHAPI_ERR_CONNECTION_LOST);
	come_back(f, &changes);
	gateway_hears_nothing(f);
}

/* Its yes and its end come in one read. */
static void test_name_that_is_lost_as_soon_as_it_is_there(void **state)
{
	struct fixture *f = *state;
	struct changes changes = { 0 };

	chapi_set_reconnect(f->conn, true, on_change, &changes);
	gateway_say(f, "[1,1,null,{}]");
	gateway_say(f, "[2,\"revoked\",[\"f\",\"replaced\"]]");
	assert_int_equal(chapi_register(f->conn, "f", NULL, on_request_echo, NULL, NULL), 0);
	gateway_hears(f, "[0,1,\"register\",[\"f\",{}]]");
	gateway_say(f, "[0,8,\"f\",[{},{}]]");
	gateway_hears(
		f, "[1,8,{\"message\":\"the provider does not answer this name any more\"},null]");
	lose(f, &changes);
	come_back(f, &changes);
	gateway_hears_nothing(f);
}

/* ---- monitor ---- */

static void on_event(chapi_conn *conn, const void *event, size_t len, void *data)
{
	(void)conn, (void)event, (void)len;
	++*(int *)data;
}

static void test_monitor_is_started_again(void **state)
{
	static const char *const kinds[] = { "api", NULL };
	struct fixture *f = *state;
	struct chapi_monitor_options o = { .size = sizeof(o), .kinds = kinds };
	struct changes changes = { 0 };
	int n = 0;

	gateway_say(f, "[1,1,null,null]");
	assert_int_equal(chapi_monitor(f->conn, &o, on_event, &n, NULL), 0);
	chapi_set_reconnect(f->conn, true, on_change, &changes);
	lose(f, &changes);
	come_back(f, &changes);
	gateway_hears(f, "[0,2,\"monitor\",[{\"kinds\":[\"api\"]}]]");
	gateway_say(f, "[1,2,null,null]");
	gateway_say(f, "[2,\"event\",[{\"kind\":\"api\"}]]");
	turn_until(f, &changes, CHAPI_MONITOR_RESTORED, 1);
	assert_int_equal(n, 1);
	lose(f, &changes);
	come_back(f, &changes);
	gateway_hears(f, "[0,3,\"monitor\",[{\"kinds\":[\"api\"]}]]");
	gateway_say(f, "[1,3,{\"code\":\"permission_denied\"},null]");
	turn_until(f, &changes, CHAPI_MONITOR_FAILED, 1);
	assert_int_equal(changes.error, -CHAPI_ERR_PERMISSION_DENIED);
	lose(f, &changes);
	come_back(f, &changes);
	gateway_hears_nothing(f);
}

/* ---- whoever ends it ---- */

static void test_close_when_lost_and_when_connected(void **state)
{
	static const enum chapi_change_kind kinds[] = { CHAPI_LOST, CHAPI_CONNECTED,
							CHAPI_NAME_RESTORED, CHAPI_NAME_FAILED };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct changes changes = { .close_at = kinds[i] };

		register_f(f, on_request_echo, NULL);
		chapi_set_reconnect(f->conn, true, on_change, &changes);
		gateway_leaves(f);
		if (kinds[i] == CHAPI_LOST || kinds[i] == CHAPI_CONNECTED) {
			assert_int_equal(chapi_run(f->conn), 0);
		} else {
			turn_until(f, &changes, CHAPI_CONNECTED, 1);
			gateway_accepts(f);
			gateway_hears(f, "[0,2,\"register\",[\"f\",{}]]");
			gateway_say(f, kinds[i] == CHAPI_NAME_RESTORED
					       ? "[1,2,null,{}]"
					       : "[1,2,{\"code\":\"busy\"},null]");
			assert_int_equal(chapi_run(f->conn), 0);
		}
		assert_int_equal(changes.of[kinds[i]], 1);
		f->conn = NULL;
		if (kinds[i] == CHAPI_CONNECTED)
			gateway_accepts(f);	/* the one that was closed */
		gateway_leaves(f);
		assert_int_equal(chapi_connect(f->path, &f->conn), 0);
		gateway_accepts(f);
	}
}

static void test_close_while_waiting_to_reconnect(void **state)
{
	struct fixture *f = *state;
	struct changes changes = { 0 };

	register_f(f, on_request_echo, NULL);
	chapi_set_reconnect(f->conn, true, on_change, &changes);
	lose(f, &changes);
	f->conn = chapi_close(f->conn);
	assert_int_equal(changes.n, 1);
}

static void on_change_stop(chapi_conn *conn, const struct chapi_change *change, void *data)
{
	on_change(conn, change, data);
	if (change->kind == CHAPI_CONNECTED)
		chapi_stop(conn);
}

static void test_run_goes_on(void **state)
{
	struct fixture *f = *state;
	struct changes changes = { 0 };

	chapi_set_reconnect(f->conn, true, on_change_stop, &changes);
	gateway_leaves(f);
	assert_int_equal(chapi_run(f->conn), 0);
	assert_int_equal(changes.of[CHAPI_LOST], 1);
	assert_int_equal(changes.of[CHAPI_CONNECTED], 1);
	chapi_set_reconnect(f->conn, false, on_change, &changes);
	gateway_accepts(f);
	gateway_leaves(f);
	assert_int_equal(chapi_run(f->conn), -CHAPI_ERR_CONNECTION_LOST);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_loss_is_told_without_reconnect_too),
		T(test_connection_is_made_again),
		T(test_waits_grow_until_the_gateway_is_there),
		T(test_garbage_is_a_loss_too),
		T(test_calls_say_whether_they_were_sent),
		T(test_calls_of_before_are_not_taken_for_new_ones),
		T(test_requests_of_before_are_over),
		T(test_old_requests_are_over_before_calls_are_told),
		T(test_names_are_registered_again_as_they_were),
		T(test_name_that_is_taken_is_told),
		T(test_names_are_kept_through_a_second_loss),
		T(test_name_given_back_before_it_is_restored),
		T(test_name_that_is_lost_as_soon_as_it_is_there),
		T(test_monitor_is_started_again),
		T(test_close_when_lost_and_when_connected),
		T(test_close_while_waiting_to_reconnect),
		T(test_run_goes_on),
	};

	return cmocka_run_group_tests_name("reconnect", tests, NULL, NULL);
}
