# SPDX-License-Identifier: MIT
"""The table of errors (chapi-ipc(7), "ERROR CODES"): each row comes about, chapi-call tells of it.

A row has a code, what is known of whether the function ran, and the exit status of the tools.
What a gateway says of a call at another one is said here by a hub that is played.
"""
import json
import signal
import subprocess

import pytest

from lib.gateway import Provider
from lib.limits import LIMIT, wait_until
from lib.process import die_with_parent, environment, program

TABLE = {
    'api_error': 1, 'invalid_argument': 65, 'api_not_found': 67, 'api_exists': 73,
    'permission_denied': 77, 'unauthenticated': 77, 'failed_precondition': 78, 'busy': 75,
    'rate_limited': 75, 'paused': 69, 'hub_down': 69, 'gateway_not_found': 68,
    'too_large': 65, 'deadline_exceeded': 124, 'cancelled': 130, 'provider_gone': 70,
    'answer_lost': 74, 'bad_reply': 70, 'bad_message': 76, 'version_mismatch': 76,
    'internal': 70, 'connection_lost': 74,
}


class Asking:
    """chapi-call --json, under way."""

    def __init__(self, gateway, *arguments):
        self.process = subprocess.Popen(
            [program('chapi-call'), '--json', *arguments], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            env=environment(CHAPI_SOCKET=gateway.socket_path), preexec_fn=die_with_parent)

    def fails(self, code, ran):
        """Ends with the row of the table; its error."""
        out, err = self.process.communicate(timeout=LIMIT)
        error = json.loads(out)['error'] if out else None
        assert error is not None, err
        assert (error['code'], error['ran'], self.process.returncode) == \
            (code, ran, TABLE[code]), error
        return error


@pytest.fixture
def ask(gateway):
    return lambda *arguments: Asking(gateway, *arguments)


@pytest.fixture
def provider(gateway):
    """f, one call at a time, one more may wait."""
    with gateway.connect() as client:
        client.ask('register', 'f', {'concurrency': 1, 'queue': 1, 'params': {'type': 'object'}})
        yield client


# ---- the provider has the last word -------------------------------------------------------------

@pytest.mark.parametrize('error, code, ran', [
    ('it broke', 'api_error', 'yes'), ({'code': 'own', 'message': 'm'}, 'api_error', 'yes'),
    ({'code': 'invalid_argument'}, 'invalid_argument', 'no'), ({'code': 'busy'}, 'busy', 'no'),
    ({'code': 'cancelled'}, 'cancelled', 'unknown'),
    ({'code': 'permission_denied'}, 'permission_denied', 'no'),
    ({'code': 'internal'}, 'api_error', 'yes'), (5, 'bad_reply', 'yes')], ids=str)
def test_what_a_provider_says(ask, provider, error, code, ran):
    call = ask('f')
    provider.answer(provider.wait_request(), None, error)
    call.fails(code, ran)


def test_answer_that_is_too_large(start_gateway):
    gateway = start_gateway(gateway={'max_message': '1K'})
    with gateway.connect() as provider:
        Provider(provider, 'f')
        call = Asking(gateway, 'f')
        provider.answer(provider.wait_request(), 'x' * 2000)
        details = call.fails('too_large', 'yes')['details']
        assert details['size'] > 2000 and details['max_message'] == 1024
        Asking(gateway, 'f', 'x=' + 'x' * 2000).fails('too_large', 'no')


# ---- the provider never has it ------------------------------------------------------------------

def test_params_that_do_not_fit(ask, provider):
    ask('f', '-d', '5').fails('invalid_argument', 'no')
    assert provider.quiet()


def test_name_that_nobody_has(ask):
    ask('nobody').fails('api_not_found', 'no')


def test_queue_that_is_full(ask, provider, gateway):
    two = [ask('f') for _ in range(2)]      # which comes first nobody knows
    wait_until(lambda: gateway.ask('status')['calls']['queued'] == 1, 'one call to wait')
    assert ask('f').fails('busy', 'no')['details']['retry_after_ms'] > 0
    for _ in two:
        provider.answer(provider.wait_request(), None, 'the end')
    for call in two:
        call.fails('api_error', 'yes')


def test_name_that_is_paused(ask, provider):
    provider.ask('pause', 'f')
    ask('f').fails('paused', 'no')


def test_what_is_not_allowed(start_gateway):
    gateway = start_gateway(policy={'call': 'user:nobody *'})
    with gateway.connect() as provider:
        Provider(provider, 'f')
        Asking(gateway, 'f').fails('permission_denied', 'no')


def test_name_that_is_taken(gateway, provider, encoding):
    with gateway.connect(encoding) as client:
        error = client.wait_response(client.request('register', 'f'))[2]
        assert (error['code'], error['ran']) == ('api_exists', 'no')
    result = subprocess.run([program('chapi-serve'), '-s', gateway.socket_path, 'f', '--', 'true'],
                            stderr=subprocess.PIPE, timeout=LIMIT)
    assert result.returncode == TABLE['api_exists']


def test_other_gateway_without_a_hub(ask):
    ask('--to', 'attic', 'f').fails('failed_precondition', 'no')


def test_other_gateway_while_the_hub_is_down(start_gateway, own_hub, channel):
    own_hub.start()
    gateway = start_gateway(own_hub, channel).wait_up()
    own_hub.stop()
    gateway.wait_not_up()
    Asking(gateway, '-t', '2s', '--to', 'attic', 'f').fails('hub_down', 'no')


def test_other_gateway_that_is_not_there(remote_gateway):
    Asking(remote_gateway, '-t', '400ms', '--to', 'nobody', 'f').fails('gateway_not_found',
                                                                      'unknown')


# ---- in between: whether it ran depends on whether it was handed over ---------------------------

def test_end_of_time(ask, provider):
    running = ask('-t', '300ms', 'f')
    provider.wait_request()
    ask('-t', '100ms', 'f').fails('deadline_exceeded', 'no')
    running.fails('deadline_exceeded', 'unknown')


def test_interrupt(ask, provider, gateway):
    running = ask('f')
    provider.wait_request()
    waits = ask('f')
    wait_until(lambda: gateway.ask('status')['calls']['queued'] == 1, 'one call to wait')
    for call, ran in ((waits, 'no'), (running, 'unknown')):
        call.process.send_signal(signal.SIGINT)
        call.fails('cancelled', ran)


def test_end_of_the_provider(ask, provider, gateway):
    running = ask('f')
    provider.wait_request()
    waits = ask('f')
    wait_until(lambda: gateway.ask('status')['calls']['queued'] == 1, 'one call to wait')
    provider.close()
    running.fails('provider_gone', 'unknown')
    waits.fails('provider_gone', 'no')


def test_end_of_the_gateway(ask, provider, gateway):
    call = ask('f')
    provider.wait_request()
    gateway.kill()
    call.fails('connection_lost', 'unknown')


# ---- what another gateway says ------------------------------------------------------------------

@pytest.mark.parametrize('code, ran', [
    ('unauthenticated', 'no'), ('rate_limited', 'no'), ('answer_lost', 'yes'),
    ('answer_lost', 'no'), ('answer_lost', 'unknown'), ('version_mismatch', 'no'),
    ('bad_message', 'no'), ('internal', 'unknown'), ('failed_precondition', 'unknown')])
def test_what_another_gateway_says(fake_hub, start_gateway, channel, code, ran):
    gateway = start_gateway(fake_hub, channel).wait_up()
    call = Asking(gateway, '--to', 'attic', 'f')

    def request():
        where, name, record = fake_hub.wait_published()
        return record if name == 'request' and where.endswith('attic') else None
    record = wait_until(request, 'the request')
    fake_hub.send_event(record['reply_to'], 'response', {
        'id': record['id'], 'result': None, 'error': {'code': code, 'message': 'words', 'ran': ran},
        'gateway': 'attic', 'instance': 'beef'})
    call.fails(code, ran)


# ---- what only a broken client sees -------------------------------------------------------------

def test_message_that_is_none(gateway, encoding):
    with gateway.connect(encoding) as client:
        client.request('wait', ['never'])
        client.send(0, client.last_id, 'wait', ['never'])
        error = client.wait_response(client.last_id)[2]
        assert (error['code'], error['ran']) == ('bad_message', 'no')
        client.wait_end()


def test_each_row_of_the_table_is_here():
    """This file is read: a code that is added to the table without a test is found out."""
    with open(__file__) as f:
        tests = f.read().split('\nclass Asking', 1)[1]
    for code in TABLE:
        assert "'%s'" % code in tests, code
