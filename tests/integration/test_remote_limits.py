# SPDX-License-Identifier: MIT
"""Limits on remote callers: beyond them nothing is run, and who can be told is told."""
from lib.gateway import Provider
from lib.limits import wait_until
from lib.pusher_client import Remote


def remote_status(gateway):
    return gateway.ask('status')['hub']['remote']


def test_requests_beyond_the_rate_are_not_run(hub, channel, start_gateway):
    gateway = start_gateway(hub, channel, remote={'max_rate': '1'}).wait_up()
    with Remote(hub, channel) as remote:
        numbers = [remote.request('chapi.echo', n) for n in range(20)]
        records = [remote.response(number) for number in numbers]
        limited = [r['error'] for r in records if r['error']]
        assert 0 < len(limited) <= 18, 'a burst of two is allowed'
        assert {(e['code'], e['ran']) for e in limited} == {('rate_limited', 'no')}
        assert all(0 < e['details']['retry_after_ms'] <= 1000 for e in limited)
        assert all(r['result'] == n for n, r in enumerate(records) if not r['error'])
        assert remote_status(gateway)['limited'] == len(limited)
        assert remote.is_quiet()


def test_request_beyond_the_rate_that_has_no_id_is_counted_only(hub, channel, start_gateway):
    gateway = start_gateway(hub, channel, remote={'max_rate': '1'}).wait_up()
    with Remote(hub, channel) as remote:
        for n in range(20):
            remote.send({'api': 'chapi.echo', 'params': n})
        wait_until(lambda: remote_status(gateway)['requests'] == 20, 'the last one to be counted')
        limited = remote_status(gateway)['limited']
        assert limited > 0
        answers = [remote.wait_response(lambda r: 'id' not in r) for _ in range(20 - limited)]
        assert all(a['result'] == a['params'] for a in answers)
        assert remote.is_quiet()


def test_calls_beyond_the_number_at_once_are_not_run(hub, channel, start_gateway):
    gateway = start_gateway(hub, channel, remote={'max_calls': '2', 'max_rate': '0'}).wait_up()
    with Remote(hub, channel) as remote, gateway.connect() as client:
        provider = Provider(client, 'f')
        numbers = [remote.request('f', n) for n in range(2)]
        requests = [client.wait_request() for _ in numbers]
        error = remote.call('f', 'one too many')['error']
        assert (error['code'], error['ran']) == ('rate_limited', 'no')
        assert error['details']['retry_after_ms'] > 0
        for request in requests:
            client.answer(request, request[3][0])
        assert sorted(remote.response(n)['result'] for n in numbers) == [0, 1]
        number = remote.request('f', 'again')
        provider.serve_one()
        assert remote.response(number)['result'] == 'again'
