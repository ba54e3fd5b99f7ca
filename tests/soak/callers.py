# SPDX-License-Identifier: MIT
"""Remote callers of the soak: each asks, waits, and asks again with the same id until it knows.

The rule that a client of chapi has to follow: a request has an id, a repeat has the same id and
says `retry`; what did not run for want of room may be tried again; anything else is the outcome.
A Workload says what is asked and what may come of it: others are added to WORKLOADS.
"""
import random
import select
import threading
import time
import uuid

from lib.pusher_client import HttpApi, HttpError, PusherClient, payload
from lib.websocket import Closed

TROUBLE = (OSError, Closed, TimeoutError, HttpError, ValueError, KeyError, AssertionError)
NOT_NOW = ('busy', 'rate_limited', 'unavailable', 'hub_down')   # with ran: no
PATIENCE_S = 60         # of a caller, for one outcome
REPEAT_AFTER_S = 1.0
MEAN_PAUSE_S = 0.2      # between an outcome and the next request: some 30 requests a second in all


class Workload:
    """What is asked. fits(outcome) is true for a response that may be the end of the request."""

    name = 'echo'

    def params(self, number):
        return {'n': number}

    def fits(self, number, response):
        return response['error'] is None and response['result'] == {'n': number}


class Slow(Workload):
    """The provider answers later, in another order."""

    name = 'slow'


class Failing(Workload):
    """The function says no: that is an outcome as well, and is kept."""

    name = 'fail'

    def fits(self, number, response):
        error = response['error']
        return error and (error['code'], error['ran']) == ('api_error', 'yes') and error['message'] == str(number)


WORKLOADS = (Workload(), Slow(), Failing())


class Caller(threading.Thread):
    """One remote client. What it found wrong is in self.faults, to be empty at the end."""

    def __init__(self, hub, channel, seed, workloads=WORKLOADS):
        super().__init__(daemon=True)
        self.hub = hub
        self.channel = channel
        self.random = random.Random(seed)
        self.workloads = workloads
        self.api = HttpApi(hub)
        self.client = None
        self.instance = ''
        self.is_ending = False
        self.outcomes = {}          # id: the response that was the first to come
        self.faults = []
        self.n = dict.fromkeys(('requests', 'repeats', 'responses', 'again', 'cached', 'not_now', 'connections',
                                'http_errors'), 0)
        self.longest_s = 0

    # -- the connection

    def drop(self):
        if self.client is not None:
            self.client.close()
        self.client = None

    def connected(self):
        """Is there a connection, or could one be made?"""
        if self.client is not None:
            return True
        try:
            self.client = PusherClient(self.hub)
            self.client.establish()
            self.client.subscribe(self.channel)
            self.n['connections'] += 1
            return True
        except TROUBLE:
            self.drop()
            time.sleep(0.1)
            return False

    def next_event(self, until):
        """One event, or None: nothing came in time, or the connection is gone."""
        if not self.connected():
            return None
        if self.client.events:
            return self.client.events.pop(0)
        ws = self.client.socket
        try:
            if not ws.buffer and not select.select([ws.socket], [], [], max(0, until - time.monotonic()))[0]:
                return None
            return self.client.receive(5)
        except TROUBLE:
            self.drop()
            return None

    # -- requests and responses

    def publish(self, record):
        if not self.connected():
            return
        try:
            self.api.trigger(self.channel, 'request', record, self.client.socket_id)
        except TROUBLE:
            self.n['http_errors'] += 1

    def note(self, response):
        """A response to one of ours: the first is the outcome, others have to be the same."""
        number = response.get('id')
        if number not in self.outcomes:
            return
        self.n['responses'] += 1
        self.n['cached'] += response.pop('cached', False)
        first = self.outcomes[number]
        if first is None:
            self.outcomes[number] = response
        elif first != response:
            self.faults.append('two outcomes for %s: %r and %r' % (number, first, response))
        else:
            self.n['again'] += 1

    def listen(self, until, number):
        """Until there is an outcome of this request, or the time is over."""
        while self.outcomes[number] is None and time.monotonic() < until:
            event = self.next_event(until)
            if event is not None and event.get('event') == 'response' and isinstance(event.get('data'), str):
                self.note(payload(event))
        return self.outcomes[number]

    def is_to_be_asked_again(self, response):
        error = response['error']
        return error and error['ran'] == 'no' and error['code'] in NOT_NOW

    def ask(self, workload):
        number = uuid.uuid4().hex
        record = {'id': number, 'api': 'soak.' + workload.name, 'params': workload.params(number)}
        began = time.monotonic()
        wait_s = REPEAT_AFTER_S
        self.outcomes[number] = None
        self.n['requests'] += 1
        while True:
            self.publish(record)
            response = self.listen(time.monotonic() + wait_s, number)
            if response is not None and not self.is_to_be_asked_again(response):
                break
            if response is not None:
                self.n['not_now'] += 1
                self.outcomes[number] = None
                time.sleep(0.2)
            if time.monotonic() - began > PATIENCE_S:
                self.faults.append('no outcome for %s within %d s' % (number, PATIENCE_S))
                return
            if 'retry' in record:
                self.drop()         # the hub may be deaf on it
            record['retry'] = self.instance
            wait_s = min(wait_s * 1.5, 4)
            self.n['repeats'] += 1
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        self.instance = response['instance']
        if not workload.fits(number, response):
            self.faults.append('a strange outcome for %s (%s): %r' % (number, workload.name, response))

    def rest(self):
        """Meanwhile what comes late is looked at, too."""
        until = time.monotonic() + self.random.expovariate(1 / MEAN_PAUSE_S)
        while time.monotonic() < until:
            event = self.next_event(until)
            if event is not None and event.get('event') == 'response' and isinstance(event.get('data'), str):
                self.note(payload(event))

    def run(self):
        while not self.is_ending:
            self.ask(self.random.choice(self.workloads))
            self.rest()
        self.drop()
