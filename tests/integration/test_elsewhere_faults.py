# SPDX-License-Identifier: MIT
"""Gateway to gateway over a hub that loses and doubles; the other gateway restarts meanwhile."""
import contextlib
import os
import threading
import time

import pytest

from lib.gateway import Gateway
from lib.limits import wait_until

NAMES = ('pi', 'attic')
SILENCE = {'ping_interval': '100ms', 'pong_timeout': '1s'}
SILENCE_MS = 1100


@pytest.fixture
def two(daemons, folder, faulty_hub):
    """Two gateways on a hub that plays faults."""
    gateways = []
    for name in NAMES:
        os.mkdir(os.path.join(folder, name))
        gateways.append(daemons.start(Gateway(os.path.join(folder, name), faulty_hub,
                                              gateway={'name': name},
                                              remote={'max_rate': '0'}, pusher=SILENCE,
                                              timing={'publish_timeout': '60s'})))
    return [g.wait_up() for g in gateways]


@contextlib.contextmanager
def providing(gateway, name):
    """A provider of its own thread, which gives back what it gets; yields what it got so far."""
    got, over = [], threading.Event()

    def serve():
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                request = client.wait_request(name, 0.05)
                got.append(request[3][0])
                client.answer(request, request[3][0])

    with gateway.connect() as client:
        client.ask('register', name)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield got
        finally:
            over.set()
            thread.join()


def test_request_that_is_lost_comes_again_and_runs_once(two, faulty_hub):
    """Even at the first contact, from one that has been there for longer than the call."""
    timeout_ms = 600
    there_at = time.monotonic() + (timeout_ms + SILENCE_MS) / 1000
    with providing(two[1], 'f') as got, two[0].connect() as here:
        wait_until(lambda: time.monotonic() >= there_at,
                   'the other gateway to be there for the time of a call')
        faulty_hub.control.do('on deliver request do swallow')
        assert here.call('f', 7, to='attic', timeout_ms=timeout_ms) == 7
        assert faulty_hub.control.done() == [1]
        assert got == [7]
        assert two[0].ask('status')['hub']['elsewhere']['repeated'] == 1


def test_channel_of_answers_is_there_again_after_a_lost_connection(two, faulty_hub):
    """It came with the first call, and the answer to a call under way needs it at once."""
    with two[1].connect() as there, two[0].connect() as here:
        there.ask('register', 'f')
        assert here.call('chapi.ping', {}, to='attic') == 'pong'
        number = here.request('call', 'f', 7, {'to': 'attic'})
        request = there.wait_request()
        connects = two[0].ask('status')['hub']['connects']
        faulty_hub.control.do('now client chapi-gw cut')
        wait_until(lambda: two[0].ask('status')['hub']['connects'] > connects, 'a new connection')
        for gateway in two:
            gateway.wait_up()
        faulty_hub.control.do('on receive pusher:subscribe all do freeze')
        assert here.call('chapi.ping', {}, to='attic') == 'pong'
        there.answer(request, 8)
        assert here.wait_response(number)[3] == 8
        assert faulty_hub.control.done() == [0]


def test_answer_that_is_lost_comes_again_and_the_function_ran_once(two, faulty_hub):
    with providing(two[1], 'f') as got, two[0].connect() as here:
        faulty_hub.control.do('on deliver response do swallow')
        assert here.call('f', 7, to='attic', timeout_ms=1000) == 7
        assert faulty_hub.control.done() == [1]
        assert got == [7]


def test_try_that_the_hub_does_not_answer_ends_with_the_calls_time(two, faulty_hub):
    """Else the hub could bring a repeat later than the other side believes that it can come."""
    def waiting():
        return two[0].ask('status')['hub']['publisher']['waiting']

    faulty_hub.control.do('on post all do delay 60s')
    with two[0].connect() as here:
        number = here.request('call', 'f', 7, {'to': 'attic', 'timeout_ms': 300})
        wait_until(lambda: waiting() > 0, 'the request to be under way')
        wait_until(lambda: waiting() == 0, 'it to be over, long before publish_timeout')
        assert here.wait_response(number)[2], 'nothing came of it'


def test_what_was_refused_does_not_run_when_its_repeat_comes_late(two, faulty_hub):
    """The caller asks again, hears that nothing was run, and then the repeat arrives."""
    def n_requests():
        return two[1].ask('status')['hub']['remote']['requests']

    with two[0].connect() as here:
        here.call('chapi.ping', {}, to='attic')     # so that the repeat names the instance
        faulty_hub.control.do('on deliver response 1 do delay 600ms',
                              'on deliver request 2 do delay 500ms')
        number = here.request('call', 'f', 7, {'to': 'attic', 'timeout_ms': 1000})
        wait_until(lambda: n_requests() == 2, 'the first try to be refused')
        with providing(two[1], 'f') as got:
            assert here.wait_response(number)[2]['code'] == 'api_not_found'
            wait_until(lambda: n_requests() == 3, 'the repeat to come')
            assert here.call('f', 8, to='attic') == 8
            assert got == [8]


def test_what_comes_twice_runs_once_and_is_answered_once(two, faulty_hub):
    faulty_hub.control.do('on deliver request all do double', 'on deliver response all do double')
    with providing(two[1], 'f') as got, two[0].connect() as here:
        numbers = [here.request('call', 'f', n, {'to': 'attic'}) for n in range(10)]
        assert [here.result(number) for number in numbers] == list(range(10))
        assert here.quiet(), 'no second answer'
        assert sorted(got) == list(range(10))


@pytest.mark.parametrize('params', [7, 'x' * 20000], ids=['whole', 'parts'])
@pytest.mark.parametrize('doubt', ["answer 502", "reset"])
def test_request_in_doubt_is_not_run_by_the_gateway_that_comes_next(two, faulty_hub, doubt, params):
    """The hub took it and did not say so; it ran; the other gateway restarts before it goes
    out again."""
    with two[1].connect() as there, two[0].connect() as here:
        there.ask('register', 'f')
        faulty_hub.control.do('on posted do ' + doubt, 'on post 2- do answer 503')
        number = here.request('call', 'f', params, {'to': 'attic', 'timeout_ms': 600000})
        there.wait_request('f')
        two[1].kill()
        two[1].start()
        with providing(two[1], 'f') as got:
            two[1].wait_up()
            faulty_hub.control.do('forget')
            error = here.wait_response(number)[2]
            assert (error['code'], error['ran']) == ('failed_precondition', 'unknown')
            assert error['details'] == {'reason': 'restarted'}
            assert got == []


@pytest.mark.parametrize('doubt', ["answer 502", "reset", "hang-up"])
def test_request_in_doubt_runs_once_and_is_answered(two, faulty_hub, doubt):
    """On a connection that was used before, too: libcurl would send it again by itself."""
    with providing(two[1], 'f') as got, two[0].connect() as here:
        assert here.call('f', 1, to='attic') == 1
        faulty_hub.control.do('on posted events 1-2 do ' + doubt)
        assert here.call('f', 2, to='attic') == 2
        assert got == [1, 2]
        assert two[0].ask('status')['hub']['publisher']['failed'] == 0


def test_every_call_has_one_outcome_on_a_bad_hub(two, faulty_hub):
    for event in ('request', 'response'):
        faulty_hub.control.do('on deliver %s 20%% do swallow' % event,
                              'on deliver %s 20%% do double' % event,
                              'on deliver %s 20%% do delay 30ms' % event)
    with providing(two[1], 'f') as got, two[0].connect() as here:
        numbers = [here.request('call', 'f', n, {'to': 'attic', 'timeout_ms': 1000})
                   for n in range(40)]
        outcomes = [here.wait_response(number)[2:] for number in numbers]
        assert here.quiet(), 'no second answer'
        assert len(got) == len(set(got)), 'nothing ran twice'
        for n, (error, result) in enumerate(outcomes):
            if error is None:
                assert result == n and n in got
            else:
                assert error['ran'] == 'unknown'
        assert sum(error is None for error, _ in outcomes) >= 20
        assert two[0].ask('status')['hub']['elsewhere']['waiting'] == 0


@pytest.mark.parametrize('known', [False, True], ids=['first-contact', 'known'])
def test_restart_of_the_other_gateway_does_not_run_it_again(two, known):
    """It ran at the gateway that was; the repeat comes to the one that is."""
    timeout_ms = 2000
    with two[1].connect() as there, two[0].connect() as here:
        if known:
            here.call('chapi.ping', to='attic')
        there.ask('register', 'f')
        begun = time.monotonic()
        number = here.request('call', 'f', 7, {'to': 'attic', 'timeout_ms': timeout_ms})
        there.wait_request('f')
        two[1].kill()
        two[1].start()
        with providing(two[1], 'f') as got:
            two[1].wait_up()
            in_time = time.monotonic() - begun < timeout_ms / 2000
            error = here.wait_response(number)[2]
            assert error['ran'] == 'unknown'
            if in_time:
                assert (error['code'], error['details']['reason']) == \
                    ('failed_precondition', 'restarted')
            assert here.call('f', 8, to='attic') == 8
            assert got == [8]


def test_gateway_that_dies_after_it_ran_the_first_call_leaves_it_unknown(two):
    with two[1].connect() as there, two[0].connect() as here:
        there.ask('register', 'f')
        number = here.request('call', 'f', 7, {'to': NAMES[1], 'timeout_ms': 500})
        assert there.wait_request('f')[3][0] == 7
        two[1].kill()
        error = here.wait_response(number)[2]
        assert error['code'] in ('gateway_not_found', 'deadline_exceeded')
        assert error['ran'] == 'unknown'
