# SPDX-License-Identifier: MIT
"""Remote callers of the soak: each asks, waits, and asks again with the same id until it knows.

The rule that a client of chapi has to follow: a request has an id, a repeat has the same id and
says `retry`; what did not run for want of room may be tried again; anything else is the outcome.
A gateway that has started since the first try says that it does not know whether that one ran.
What is asked, and what may come of it, is workloads.py.
"""
import random
import select
import threading
import time
import uuid

from lib.pusher_client import HttpApi, HttpError, PusherClient, payload
from lib.websocket import Closed

from large import Answers, shrink
from workloads import WORKLOADS, Large

TROUBLE = (OSError, Closed, TimeoutError, HttpError, ValueError, KeyError, AssertionError)
# With ran: no.
NOT_NOW = ('busy', 'rate_limited', 'unavailable', 'hub_down', 'deadline_exceeded',
           'api_not_found')
PATIENCE_S = 80         # of a caller, for one outcome: with one part lost it is late after 30 s
REPEAT_AFTER_S = 1.0
REPEAT_AFTER_MOST_S = 4.0
PAUSE_S = 0.2           # after a refusal that does not say when to come again
COUNTED = ('requests', 'repeats', 'responses', 'again', 'cached', 'not_now', 'obeyed',
           'connections', 'http_errors', 'large', 'parts', 'two_senders', 'restarted',
           'overtaken', 'lost', 'forgotten')
MEAN_PAUSE_S = 0.2      # between an outcome and the next request: some 30 requests a second in all


def kind(response):
    """The code of its error, or the reason where that is `restarted`; None: it is a result."""
    error = response['error']
    if error is None:
        return None
    reason = (error.get('details') or {}).get('reason')
    return reason if reason == 'restarted' else error['code']


def is_not_now(response):
    error = response['error']
    return error is not None and error['ran'] == 'no' and error['code'] in NOT_NOW


def is_not_known(response):
    """Nobody knows what became of it: its id, or what came before some parts, is forgotten."""
    return kind(response) in ('answer_lost', 'deadline_exceeded') and \
        response['error']['ran'] == 'unknown'


def is_refusal(response):
    return kind(response) is not None and (
        response['error']['ran'] == 'no' or
        kind(response) in ('busy', 'too_large', 'invalid_argument'))


def pause_s(error):
    """Until what was refused may be asked for anew, as far as the refusal says so."""
    return (error.get('details') or {}).get('retry_after_ms', PAUSE_S * 1000) / 1000


class Asked:
    """A request under one id: its record, and what a repeat says.

    says_age: for how long the first try has been out, as the clients of chapi do. One that does not
    may be ten minutes old, and the gateway keeps answers for less here: it may say that it does not
    know any more.
    """

    def __init__(self, workload, says_age):
        self.began = time.monotonic()
        self.workload = workload
        self.number = uuid.uuid4().hex
        self.record = {'id': self.number, 'api': 'soak.' + workload.name,
                       'params': workload.params(self.number)}
        if says_age:
            self.record['timeout_ms'] = PATIENCE_S * 1000
        self.retry = None       # of a repeat: the instance that the first try went to
        self.wait_s = REPEAT_AFTER_S

    def repeat(self, instance):
        """From now on it is one; the instance is that of the first time."""
        if self.retry is None:
            self.retry = instance
        self.wait_s = min(self.wait_s * 1.5, REPEAT_AFTER_MOST_S)

    def is_of_unknown_age(self):
        return self.retry is not None and 'timeout_ms' not in self.record

    def events(self, rand):
        return self.workload.events(self.record, self.again(), rand)

    def again(self):
        if self.retry is None:
            return {}
        if 'timeout_ms' not in self.record:
            return {'retry': self.retry}
        out_ms = int((time.monotonic() - self.began) * 1000) + 1
        return {'retry': self.retry, 'retry_ms': out_ms,
                'timeout_ms': max(1, PATIENCE_S * 1000 - out_ms)}


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
        self.ageless = set()        # ids whose repeats do not say how old they are
        self.answers = Answers()    # those that come in parts
        self.faults = []
        self.n = dict.fromkeys(COUNTED, 0)
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
            if not ws.buffer and not select.select(
                    [ws.socket], [], [], max(0, until - time.monotonic()))[0]:
                return None
            return self.client.receive(5)
        except TROUBLE:
            self.drop()
            return None

    # -- requests and responses

    def publish(self, asked):
        for event, data in asked.events(self.random):
            if not self.connected():
                return
            try:
                self.api.trigger(self.channel, event, data, self.client.socket_id)
            except TROUBLE:
                self.n['http_errors'] += 1

    def note(self, response):
        """A response to one of ours: the first is the outcome, others have to be the same."""
        number = response.get('id')
        if number not in self.outcomes:
            return
        self.n['responses'] += 1
        self.n['cached'] += response.pop('cached', False)
        response['result'] = shrink(response['result'])
        first = self.outcomes[number]
        if first is None:
            self.outcomes[number] = response
        elif self.is_same(first, response):
            self.n['again'] += 1
        elif self.is_forgotten(first, response):
            self.n['forgotten'] += 1
        elif self.is_overtaken(first, response):
            self.n['overtaken'] += 1
        else:
            self.faults.append('two outcomes for %s: %r and %r' % (number, first, response))

    def is_same(self, first, response):
        """A refusal may be made anew, so its times are others; it stays one. Of parts whose age is
        not known it says that what came before them may have run."""
        return first == response or (is_refusal(first) and is_refusal(response) and (
            (kind(first), first['error']['ran']) == (kind(response), response['error']['ran'])))

    def is_forgotten(self, first, response):
        """It came late: not to know the outcome any more does not speak against it.

        Whose repeats say how old they are are known for as long as they come, and so is what the
        hub doubles: but for a gateway that has started since.
        """
        if kind(response) == 'answer_lost' and response['error']['ran'] == 'yes':
            return (first['error'] or {}).get('ran') != 'no'
        return is_not_known(response) and (
            response['id'] in self.ageless or first['instance'] != response['instance'])

    def is_overtaken(self, first, response):
        """One of them was on its way when the gateway was killed; or the hub brought a repeat of
        unknown age before the first try, which ran when nobody knew that it had not."""
        if first['instance'] != response['instance']:
            return 'restarted' in (kind(first), kind(response))
        return is_not_known(first) and kind(response) is None and \
            response['id'] in self.ageless

    def take(self, event):
        name, data = event.get('event'), event.get('data')
        if not isinstance(data, str):
            return
        if name == 'response':
            self.note(payload(event))
        elif name == 'response-part':
            self.take_part(payload(event))

    def take_part(self, part):
        if part.get('id') not in self.outcomes:
            return
        self.n['parts'] += 1
        record, fault = self.answers.add(part)
        if fault:
            self.faults.append(fault)
        elif record is not None:
            self.note(record)

    def listen(self, until, number):
        """Until there is an outcome of this request, or the time is over."""
        while self.outcomes[number] is None and time.monotonic() < until:
            event = self.next_event(until)
            if event is not None:
                self.take(event)
        return self.outcomes[number]

    def begin(self, workload):
        says_age = self.random.random() < 0.5
        asked = Asked(workload, says_age)
        if workload.has_outcome:
            self.outcomes[asked.number] = None
            self.n['requests'] += 1
            self.n['large'] += isinstance(workload, Large)
            if not says_age:
                self.ageless.add(asked.number)
        return asked

    def ask(self, workload):
        """Until its outcome; what did not run for want of room is asked for anew."""
        began = time.monotonic()
        asked = self.begin(workload)
        while True:
            self.publish(asked)
            response = self.listen(time.monotonic() + asked.wait_s, asked.number)
            if response is not None and not is_not_now(response):
                break
            if time.monotonic() - began > PATIENCE_S:
                self.faults.append('no outcome for %s within %d s' % (asked.number, PATIENCE_S))
                return
            if response is None:
                self.ask_again(asked)
            else:                           # that is the end of this id
                self.obey(response)
                asked = self.begin(workload)
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        self.judge(asked, response)

    def ask_again(self, asked):
        if asked.retry is not None:
            self.drop()                     # the hub may be deaf on it
        asked.repeat(self.instance)
        self.n['repeats'] += 1

    def obey(self, response):
        """Who is told when to come again does not come earlier."""
        self.n['not_now'] += 1
        self.n['obeyed'] += 'retry_after_ms' in (response['error'].get('details') or {})
        self.rest(pause_s(response['error']))

    def judge(self, asked, response):
        error = response['error']
        before, self.instance = self.instance, response['instance']
        if asked.retry is not None and before != self.instance and error and \
                error['ran'] == 'unknown':
            self.n['restarted'] += 1
        elif kind(response) == 'answer_lost' and error['ran'] == 'yes':
            self.n['lost'] += 1         # large answers have taken its place in the store
        elif asked.is_of_unknown_age() and error and error['ran'] == 'unknown':
            self.n['forgotten'] += 1
        elif not asked.workload.fits(asked.number, response):
            self.faults.append('a strange outcome for %s (%s): %r' %
                               (asked.number, asked.workload.name, response))

    def rest(self, duration_s):
        """Meanwhile what comes late is looked at, too."""
        until = time.monotonic() + duration_s
        while time.monotonic() < until:
            event = self.next_event(until)
            if event is not None:
                self.take(event)

    def refused(self):
        """The ids of which this caller was told that nothing was run."""
        return [number for number, outcome in self.outcomes.items()
                if outcome and outcome['error'] and outcome['error']['ran'] == 'no']

    def run(self):
        while not self.is_ending:
            workload = self.random.choice(self.workloads)
            if workload.has_outcome:
                self.ask(workload)
            else:
                self.n['two_senders'] += 1
                self.publish(self.begin(workload))
            self.rest(self.random.expovariate(1 / MEAN_PAUSE_S))
        self.drop()
