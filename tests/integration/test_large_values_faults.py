# SPDX-License-Identifier: MIT
"""Large values over a hub that loses, doubles and delays; answers that it refuses."""
from lib.gateway import Provider
from lib.limits import Deadline
from lib.pusher_client import Remote, payload
from test_large_values import cut, join, noise, send_parts


def take(remote, parts):
    """What has come of the answer's parts until now, with one that came whole."""
    remote.client.round_trip()
    for event in [e for e in remote.client.events if e['event'] in ('response-part', 'response')]:
        remote.client.events.remove(event)
        record = payload(event)
        parts[record.get('part', 'whole')] = record


def test_parts_that_are_lost_doubled_and_late_make_one_outcome(faulty_hub, channel, start_gateway):
    """The client repeats all its parts until it has the answer; the function runs once."""
    control = faulty_hub.control
    gateway = start_gateway(faulty_hub, channel, remote={'max_rate': '0'}).wait_up()
    with gateway.connect() as local, Remote(faulty_hub, channel) as remote:
        provider = Provider(local, 'f')
        for event in ('request-part', 'response-part'):
            control.do('on deliver %s 20%% do swallow' % event,
                       'on deliver %s 20%% do double' % event,
                       'on deliver %s 20%% do delay 30ms' % event)
        value = noise(30000)
        parts = cut('lossy', {'id': 'lossy', 'api': 'f', 'params': value})
        deadline, got, n_runs, asked = Deadline(), {}, 0, False
        while not got or ('whole' not in got and len(got) < next(iter(got.values()))['parts']):
            deadline.left('the answer')
            send_parts(remote, parts)
            local.ask('status')
            if not asked and not local.quiet():
                provider.serve_one()
                n_runs, asked = n_runs + 1, True
            take(remote, got)
        assert 'whole' not in got
        assert join(list(got.values()))['result'] == value
        control.ask('forget')
        assert remote.call('chapi.ping')['error'] is None
        assert local.quiet() and n_runs == 1


def test_answer_that_the_hub_refuses_for_reply_to_is_an_error_here(
        faulty_hub, channel, start_gateway):
    start_gateway(faulty_hub, channel).wait_up()
    with Remote(faulty_hub, channel) as remote:
        faulty_hub.control.do('on post events do answer 400')
        number = remote.request_over_socket('chapi.echo', 5, reply_to='private-chapi-x@reply')
        error = remote.response(number)['error']
        assert (error['code'], error['ran']) == ('invalid_argument', 'yes')
        assert error['details'] == {'reason': 'reply_refused'}


def test_part_that_the_hub_finds_too_large_makes_the_answer_too_large(
        faulty_hub, channel, start_gateway):
    gateway = start_gateway(faulty_hub, channel, timing={'batch': '1'}).wait_up()
    with gateway.connect() as local, Remote(faulty_hub, channel) as remote:
        provider = Provider(local, 'f')
        number = remote.request_over_socket('f', {})
        faulty_hub.control.do('on post events do answer 413')
        provider.serve_one(lambda params: noise(30000))
        error = remote.response(number)['error']
        assert (error['code'], error['ran']) == ('too_large', 'yes')
        assert error['details']['size'] > 30000
