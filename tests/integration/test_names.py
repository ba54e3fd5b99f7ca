# SPDX-License-Identifier: MIT
"""Names with a life: policies, pause and drain, queues, descriptions. In both encodings."""
import pytest

from lib.gateway import Provider
from lib.ipc import RpcError


def refused(client, method, *params):
    with pytest.raises(RpcError) as e:
        client.ask(method, *params)
    return e.value


def serve(provider, text):
    request = provider.wait_request()
    provider.answer(request, text)


def test_exclusive_is_the_default_and_refuses_others(connect):
    one, two = connect(), connect()
    assert one.ask('register', 'f')['policy'] == 'exclusive'
    error = refused(two, 'register', 'f')
    assert (error.code, error.ran) == ('api_exists', 'no')
    assert refused(one, 'register', 'f').code == 'api_exists'


def test_replace_revokes_the_holder_whose_running_calls_finish(connect):
    old, new, caller = connect(), connect(), connect()
    Provider(old, 'f')
    first = caller.request('call', 'f')
    running = old.wait_request()
    assert new.ask('register', 'f', {'policy': 'replace'})['state'] == 'active'
    assert old.wait_notification('revoked')[2] == ['f', 'replaced']
    second = caller.request('call', 'f')
    serve(new, 'new')
    old.answer(running, 'old')
    assert caller.result(second) == 'new'
    assert caller.result(first) == 'old'


def test_share_gives_each_call_to_the_one_with_the_fewest(connect):
    one, two, caller = connect(), connect(), connect()
    for provider in (one, two):
        provider.ask('register', 'f', {'policy': 'share'})
    numbers = [caller.request('call', 'f', {'n': n}) for n in range(4)]
    for provider in (one, two):
        for _ in range(2):
            provider.answer(provider.wait_request(), 'done')
    assert [caller.result(n) for n in numbers] == ['done'] * 4


def test_share_needs_the_same_terms(connect):
    one, two = connect(), connect()
    one.ask('register', 'f', {'policy': 'share', 'timeout_ms': 1000})
    assert refused(two, 'register', 'f', {'policy': 'share'}).code == 'failed_precondition'
    one.ask('register', 'g')
    assert refused(two, 'register', 'g', {'policy': 'share'}).code == 'failed_precondition'


def test_a_standby_takes_over_with_what_is_queued(connect):
    holder, standby, caller = connect(), connect(), connect()
    holder.ask('register', 'f', {'concurrency': 1})
    assert standby.ask('register', 'f', {'policy': 'standby'})['state'] == 'standby'
    first, second = caller.request('call', 'f', {'n': 1}), caller.request('call', 'f', {'n': 2})
    holder.wait_request()
    holder.close()
    assert standby.wait_notification('granted')[2] == ['f']
    request = standby.wait_request()
    assert request[3][0] == {'n': 2}
    standby.answer(request, 'from the standby')
    assert caller.result(second) == 'from the standby'
    with pytest.raises(RpcError) as e:
        caller.result(first)
    assert (e.value.code, e.value.ran) == ('provider_gone', 'unknown')


def test_queued_calls_end_with_the_last_holder(connect):
    holder, caller = connect(), connect()
    holder.ask('register', 'f', {'concurrency': 1})
    caller.request('call', 'f')
    second = caller.request('call', 'f')
    holder.wait_request()
    holder.close()
    with pytest.raises(RpcError) as e:
        caller.result(second)
    assert (e.value.code, e.value.ran) == ('provider_gone', 'no')


def test_queued_calls_are_checked_again_for_another_holder(connect):
    holder, heir, caller = connect(), connect(), connect()
    holder.ask('register', 'f', {'concurrency': 1})
    heir.ask('register', 'f', {'policy': 'standby', 'params': {
        'type': 'object', 'properties': {'n': {'type': 'integer', 'maximum': 5}}}})
    caller.request('call', 'f')
    bad, good = caller.request('call', 'f', {'n': 7}), caller.request('call', 'f', {'n': 3})
    holder.wait_request()
    holder.close()
    serve(heir, 'fits')
    assert caller.result(good) == 'fits'
    with pytest.raises(RpcError) as e:
        caller.result(bad)
    assert (e.value.code, e.value.ran) == ('invalid_argument', 'no')


def test_concurrency_and_queue_then_busy(connect):
    provider, caller = connect(), connect()
    provider.ask('register', 'f', {'concurrency': 2, 'queue': 1})
    numbers = [caller.request('call', 'f', {'n': n}) for n in range(4)]
    with pytest.raises(RpcError) as e:
        caller.result(numbers[3])
    assert (e.value.code, e.value.ran) == ('busy', 'no')
    assert e.value.details['retry_after_ms'] > 0
    first, _ = provider.wait_request(), provider.wait_request()
    assert caller.ask('describe', 'f')['queued'] == 1
    provider.answer(first, 0)
    third = provider.wait_request()
    assert third[3][0] == {'n': 2}
    assert caller.result(numbers[0]) == 0


def test_a_motor_is_never_started_twice(connect):
    """A call whose time is over keeps its place until the provider answers."""
    provider, caller = connect(), connect()
    provider.ask('register', 'motor', {'concurrency': 1})
    first = caller.request('call', 'motor', {}, {'timeout_ms': 30})
    request = provider.wait_request()
    with pytest.raises(RpcError) as e:
        caller.result(first)
    assert (e.value.code, e.value.ran) == ('deadline_exceeded', 'unknown')
    assert provider.wait_notification('cancel')[2] == [request[1]]
    second = caller.request('call', 'motor')
    assert provider.quiet()
    provider.answer(request, 'late')
    serve(provider, 'second')
    assert caller.result(second) == 'second'


def test_pause_and_resume(connect):
    provider, caller = connect(), connect()
    provider.ask('register', 'f', {'concurrency': 1})
    first, waiting = caller.request('call', 'f'), caller.request('call', 'f')
    request = provider.wait_request()
    provider.ask('pause', 'f')
    error = refused(caller, 'call', 'f')
    assert (error.code, error.ran) == ('paused', 'no')
    provider.answer(request, 1)
    assert caller.result(first) == 1
    assert provider.quiet()
    assert caller.ask('describe', 'f')['state'] == 'paused'
    provider.ask('resume', 'f')
    serve(provider, 2)
    assert caller.result(waiting) == 2


def test_a_paused_sharer_leaves_the_calls_to_the_other(connect):
    one, two, caller = connect(), connect(), connect()
    for provider in (one, two):
        provider.ask('register', 'f', {'policy': 'share'})
    one.ask('pause', 'f')
    numbers = [caller.request('call', 'f') for _ in range(3)]
    for _ in numbers:
        serve(two, 'two')
    assert [caller.result(n) for n in numbers] == ['two'] * 3


def test_drain_waits_for_the_last_call_and_runs_the_queue(connect):
    provider, caller = connect(), connect()
    provider.ask('register', 'f', {'concurrency': 1})
    numbers = [caller.request('call', 'f', {'n': n}) for n in range(2)]
    request = provider.wait_request()
    drain = provider.request('drain', 'f')
    provider.quiet()
    assert refused(caller, 'call', 'f').code == 'paused'
    provider.answer(request, 0)
    serve(provider, 1)
    assert [caller.result(n) for n in numbers] == [0, 1]
    assert provider.result(drain) is None


@pytest.mark.parametrize('pauser, drainer', [(0, 1), (1, 0)],
                         ids=['provider pauses', 'administrator pauses'])
def test_a_drain_runs_what_somebody_else_has_paused(connect, pauser, drainer):
    provider, caller = connect(), connect()
    both = [provider, connect()]    # the second holds nothing: an administrator
    provider.ask('register', 'f', {'concurrency': 1})
    numbers = [caller.request('call', 'f', {'n': n}) for n in range(2)]
    request = provider.wait_request()
    both[pauser].ask('pause', 'f')
    provider.answer(request, 0)
    assert caller.result(numbers[0]) == 0
    assert provider.quiet()
    drain = both[drainer].request('drain', 'f')
    serve(provider, 1)
    assert caller.result(numbers[1]) == 1
    assert both[drainer].result(drain) is None


def test_a_drain_that_takes_too_long_goes_on_until_resume(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f')
    request = provider.wait_request()
    assert refused(provider, 'drain', 'f', {'timeout_ms': 20}).code == 'deadline_exceeded'
    assert refused(caller, 'call', 'f').code == 'paused'
    provider.ask('resume', 'f')
    again = caller.request('call', 'f')
    provider.answer(request, 1)
    serve(provider, 2)
    assert (caller.result(number), caller.result(again)) == (1, 2)


def test_a_drain_of_a_replaced_holder_waits_for_its_calls(connect):
    old, new, caller = connect(), connect(), connect()
    Provider(old, 'f')
    number = caller.request('call', 'f')
    request = old.wait_request()
    drain = old.request('drain', 'f')
    new.ask('register', 'f', {'policy': 'replace'})
    old.wait_notification('revoked')
    assert old.quiet()
    old.answer(request, 1)
    assert caller.result(number) == 1
    assert old.result(drain) is None


def test_a_drained_holder_hands_over_to_a_standby(connect):
    holder, standby, caller = connect(), connect(), connect()
    Provider(holder, 'f')
    standby.ask('register', 'f', {'policy': 'standby'})
    assert holder.ask('drain', 'f') is None
    assert standby.wait_notification('granted')[2] == ['f']
    number = caller.request('call', 'f')
    serve(standby, 'standby')
    assert caller.result(number) == 'standby'


def test_an_administrator_pauses_and_takes_whole_names(connect):
    provider, admin = connect(), connect()
    Provider(provider, 'f')
    admin.ask('pause', 'f')
    assert refused(admin, 'call', 'f').code == 'paused'
    admin.ask('resume', 'f')
    admin.ask('unregister', 'f')
    assert provider.wait_notification('revoked')[2] == ['f', 'admin']
    assert refused(admin, 'call', 'f').code == 'api_not_found'


def test_update_changes_options_and_keeps_the_others(connect):
    provider, caller = connect(), connect()
    provider.ask('register', 'f', {'summary': 'old', 'version': '1'})
    granted = provider.ask('update', 'f', {'summary': 'new', 'timeout_ms': 500})
    assert (granted['summary'], granted['version'], granted['timeout_ms']) == ('new', '1', 500)
    described = caller.ask('describe', 'f')
    assert (described['summary'], described['timeout_ms']) == ('new', 500)
    assert refused(caller, 'update', 'f', {}).code == 'api_not_found'


def test_describe_tells_all(connect):
    schema = {'type': 'object', 'required': ['n'], 'properties': {'n': {'type': 'integer'}}}
    provider, caller = connect(), connect()
    provider.ask('register', 'f',
                 {'summary': 's', 'description': 'd', 'version': '2', 'tags': ['a', 'b'],
                  'params': schema, 'idempotent': True})
    described = caller.ask('describe', 'f')
    for key, value in {'name': 'f', 'summary': 's', 'description': 'd', 'version': '2',
                       'tags': ['a', 'b'], 'params': schema, 'result': None,
                       'idempotent': True, 'running': 0, 'calls': 0, 'state': 'active'}.items():
        assert described[key] == value, key
    assert [h['state'] for h in described['holders']] == ['active']
    assert caller.call('chapi.describe', {'name': 'f'}) == described
    assert refused(caller, 'describe', 'g').code == 'api_not_found'


def test_list_has_a_long_form(connect):
    provider = connect()
    Provider(provider, 'b', 'a')
    entries = provider.ask('list', '*', {'long': True})
    assert [e['name'] for e in entries] == ['a', 'b']
    assert {'concurrency', 'queued', 'calls', 'timeout_ms'} <= set(entries[0])


def test_statistics_count_calls(connect):
    provider, caller = connect(), connect()
    Provider(provider, 'f')
    number = caller.request('call', 'f')
    provider.answer(provider.wait_request(), None, 'broken')
    with pytest.raises(RpcError):
        caller.result(number)
    stats = caller.ask('stats', 'f')
    assert (stats['calls'], stats['failed']) == (1, 1)
    assert caller.ask('stats')['apis']['f']['failed'] == 1


def test_params_are_checked_before_the_provider_sees_them(connect):
    provider, caller = connect(), connect()
    provider.ask('register', 'f', {'params': {
        'type': 'object', 'required': ['list'],
        'properties': {'list': {'type': 'array', 'items': {'type': 'integer', 'minimum': 1}}}}})
    error = refused(caller, 'call', 'f', {'list': [1, 2, 0]})
    assert (error.code, error.ran) == ('invalid_argument', 'no')
    assert 'list[2]' in error.message and '1' in error.message
    assert 'list' in refused(caller, 'call', 'f', {}).message
    assert provider.quiet()
    number = caller.request('call', 'f', {'list': [1.0], 'more': True})
    serve(provider, 'fits')
    assert caller.result(number) == 'fits'


def test_a_description_with_an_unknown_keyword_is_refused(client):
    error = refused(client, 'register', 'f', {'params': {'type': 'object', 'pattern': 'x'}})
    assert error.code == 'invalid_argument' and 'pattern' in error.message


def test_local_names_are_not_seen_from_the_hub_side(connect, start_gateway):
    provider = connect()
    provider.ask('register', 'f', {'visibility': 'local'})
    assert provider.ask('describe', 'f')['visibility'] == 'local'


def test_wait_for_names(connect):
    provider, waiter = connect(), connect()
    Provider(provider, 'a')
    assert waiter.ask('wait', ['a', 'chapi.ping']) is None
    number = waiter.request('wait', ['a', 'b', 'c'])
    provider.ask('register', 'b')
    assert waiter.quiet()
    provider.ask('register', 'c')
    assert waiter.result(number) is None
    error = refused(waiter, 'wait', ['never'], {'timeout_ms': 20})
    assert (error.code, error.ran) == ('deadline_exceeded', 'no')


def test_time_and_doctor(client):
    assert client.call('chapi.time') > 1.6e9
    checks = {c['check']: c for c in client.ask('doctor')}
    assert checks['socket']['ok'] and checks['clock']['ok']
    assert checks['hub']['ok'] and 'local calls only' in checks['hub']['text']
