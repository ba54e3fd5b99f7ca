# SPDX-License-Identifier: MIT
"""What is in the log of a gateway, and what is not."""
import os
import re

import pytest

from lib.gateway import Provider

CALLER = 'uid:%d' % os.getuid()
MARK = 'mark-7f3a91c2'


def all_sorts_of_calls(gateway):
    """MARK is in params, results, errors, and in what is wrong with them."""
    with gateway.connect() as provider, gateway.connect() as caller:
        Provider(provider, 'good')
        number = caller.request('call', 'good', {'a': MARK})
        provider.answer(provider.wait_request('good'), MARK)
        caller.wait_response(number)
        number = caller.request('call', 'good', {'a': MARK})
        provider.answer(provider.wait_request('good'), error=MARK)
        caller.wait_response(number)
        for params in (['chapi.echo', {'a': MARK}, {'timeout_ms': MARK}], ['no.such', {'a': MARK}]):
            number = caller.request('call', *params)
            caller.wait_response(number)


@pytest.mark.parametrize('level', ['info', 'debug'])
def test_log_has_neither_params_nor_results(start_gateway, level):
    gateway = start_gateway(gateway={'log_level': level})
    all_sorts_of_calls(gateway)
    gateway.stop()
    assert MARK not in gateway.log()


def test_log_has_a_line_for_each_call_at_debug(start_gateway):
    gateway = start_gateway(gateway={'log_level': 'debug'})
    all_sorts_of_calls(gateway)
    for line in (' of good by %s: ok, ', ' of good by %s: api_error, ran yes, ',
                 ' of no.such by %s: api_not_found, ran no, '):
        gateway.wait_log(line % CALLER)


@pytest.fixture
def closed_gateway(start_gateway):
    """At the usual level; nobody may call what is "closed", however often it is registered."""
    return start_gateway(policy={'call': 'user:* open*'})


def test_calls_that_went_wrong_have_a_line_at_the_usual_level(closed_gateway):
    with closed_gateway.connect() as provider, closed_gateway.connect() as caller:
        Provider(provider, 'closed', 'open.slow', 'open.gone')
        caller.request('call', 'closed')
        closed_gateway.wait_log('call: ')
        caller.request('call', 'open.slow', {}, {'timeout_ms': 1})
        closed_gateway.wait_log(' of open.slow by %s: deadline_exceeded, ran ' % CALLER)
        number = caller.request('call', 'open.gone')
        provider.wait_request('open.gone')
        provider.close()
        caller.wait_response(number)
        closed_gateway.wait_log(' of open.gone by %s: provider_gone, ran unknown, ' % CALLER)
    assert re.search(r'^call: \S+ of closed by %s: permission_denied, ran no, 0 ms$' % CALLER,
                     closed_gateway.log(), re.M)
    assert 'call: warning: ' in closed_gateway.wait_log('of open.gone')


def test_calls_of_no_interest_have_none_at_the_usual_level(closed_gateway):
    with closed_gateway.connect() as provider, closed_gateway.connect() as caller:
        Provider(provider, 'open')
        number = caller.request('call', 'open')
        provider.answer(provider.wait_request('open'), error='that is between us')
        caller.wait_response(number)
        caller.wait_response(caller.request('call', 'open.nobody'))
    closed_gateway.stop()
    assert 'call: ' not in closed_gateway.log()


def test_flood_of_refusals_does_not_fill_the_log(closed_gateway):
    with closed_gateway.connect() as caller:
        for _ in range(500):
            number = caller.request('call', 'closed')
        caller.wait_response(number)
    closed_gateway.stop()
    assert 20 <= closed_gateway.log().count('permission_denied') < 100


def test_remote_refusals_and_answers_that_are_lost(fake_hub, start_gateway, channel):
    gateway = start_gateway(fake_hub, channel, remote={'max_rate': 1}).wait_up()
    fake_hub.answers.append(('400 Bad Request', 'no'))

    def ask(number):
        fake_hub.send_event(channel, 'request', {'id': number, 'api': 'chapi.echo', 'params': {}})
    ask('first')        # alone: refused together with others it would be sent once more
    gateway.wait_log('call: first of chapi.echo: answer_lost, it was not published: ')
    for n in range(10):
        ask('more-%d' % n)
    gateway.wait_log(' of chapi.echo by remote: rate_limited, ran no, 0 ms')
