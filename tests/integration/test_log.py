# SPDX-License-Identifier: MIT
"""What is in the log of a gateway, and what is not."""
import pytest

from lib.gateway import Provider

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
    for line in (' of good: ok', ' of good: api_error', ' of no.such: api_not_found'):
        gateway.wait_log(line)
