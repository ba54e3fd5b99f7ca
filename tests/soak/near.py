# SPDX-License-Identifier: MIT
"""Local callers of another gateway, which calls the one under test over the hub.

That gateway has the ids and asks again by itself, so a call has one answer here, in its time and a
little more. What a call ran under is its `key`, which is in its params.
"""
import random
import threading
import time
import uuid

from callers import MEAN_PAUSE_S, pause_s
from large import shrink, words

LIMITS_MS = (2000, 5000, 20000)
# Beyond its limit: 2 s for the answer to arrive, and either gateway may have stood still.
LATE_MOST_S = 15
SHARE_LARGE = 0.05
# What may become of a call over a hub like this, but for a result.
UNKNOWN = ('deadline_exceeded', 'gateway_not_found', 'hub_down', 'failed_precondition',
           'provider_gone', 'answer_lost')
REFUSED = ('api_not_found', 'busy', 'rate_limited', 'hub_down', 'deadline_exceeded')


class NearCaller(threading.Thread):
    """What it found wrong is in self.faults; outcomes[key] is an error, or None for a result."""

    def __init__(self, gateway, to, seed):
        super().__init__(daemon=True)
        self.gateway = gateway
        self.to = to
        self.random = random.Random(seed)
        self.is_ending = False
        self.outcomes = {}
        self.faults = []
        self.longest_s = 0

    def params(self):
        params = {'key': uuid.uuid4().hex}
        if self.random.random() < SHARE_LARGE:
            params['text'] = words(self.random)
        return params

    def ask(self, client):
        params, limit_ms = self.params(), self.random.choice(LIMITS_MS)
        name = 'slow' if self.random.random() < 0.3 else 'echo'
        began = time.monotonic()
        number = client.request('call', 'soak.' + name, params,
                                {'to': self.to, 'timeout_ms': limit_ms})
        try:
            _, _, error, result = client.wait_response(number, limit_ms / 1000 + LATE_MOST_S)
        except TimeoutError:
            self.faults.append('no outcome for %s within %d ms and %d s' % (
                params['key'], limit_ms, LATE_MOST_S))
            return
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        self.outcomes[params['key']] = error
        if not self.fits(params, error, result):
            self.faults.append('a strange outcome for %s: %r %r' % (
                params['key'], error, shrink(result)))
        if error is not None and error['ran'] == 'no':
            time.sleep(pause_s(error))

    def fits(self, params, error, result):
        if error is None:
            return result == params
        return error['code'] in {'unknown': UNKNOWN, 'yes': ('answer_lost',),
                                 'no': REFUSED}[error['ran']]

    def ended(self, ran):
        """Keys by how their calls ended: ran of an error, None for a result."""
        return [key for key, error in self.outcomes.items()
                if (error and error['ran']) == ran]

    def run(self):
        with self.gateway.connect() as client:
            while not self.is_ending:
                self.ask(client)
                time.sleep(self.random.expovariate(1 / MEAN_PAUSE_S))
            if not client.quiet():
                self.faults.append('answers too many: %r' % client.inbox[:3])
