# SPDX-License-Identifier: MIT
"""The functions that the soak's callers ask for, and how often each request ran."""
import heapq
import random
import threading
import time


# Options: a few slow ones at a time, so that some are refused for now.
FUNCTIONS = {'echo': {}, 'slow': {'concurrency': 4, 'queue': 2}, 'fail': {}}


class Provider(threading.Thread):
    """A local connection that holds soak.*; runs[id] is how often that request was handed to it.

    One that has a key of its own in its params counts by that.
    """

    def __init__(self, gateway, seed):
        super().__init__(daemon=True)
        self.gateway = gateway
        self.client = None
        self.n_connections = 0
        self.random = random.Random(seed)
        self.runs = {}
        self.later = []             # (when, request, result, error)
        self.is_ending = False
        self.connect()

    def connect(self):
        """What was asked over the connection before has nobody any more who waits for it."""
        self.later = []
        self.client = self.gateway.connect()
        self.n_connections += 1
        for name, options in FUNCTIONS.items():
            self.client.ask('register', 'soak.' + name, options)

    def twice(self):
        return [number for number, n in self.runs.items() if n != 1]

    def begin(self, request):
        _, _, name, (params, meta) = request
        number = params.get('key', meta['call'])
        self.runs[number] = self.runs.get(number, 0) + 1
        if name == 'soak.fail':
            self.client.answer(request, error={'message': params['n']})
        elif name == 'soak.slow':
            heapq.heappush(self.later, (time.monotonic() + self.random.uniform(0.05, 1.5),
                                        request[1], params))
        else:
            self.client.answer(request, params)

    def answer_due(self):
        while self.later and self.later[0][0] <= time.monotonic():
            _, number, result = heapq.heappop(self.later)
            self.client.answer(number, result)

    def serve(self):
        try:
            self.begin(self.client.wait_request(limit=0.05))
        except TimeoutError:
            pass
        self.answer_due()

    def run(self):
        while not self.is_ending:
            try:
                self.serve()
            except (OSError, EOFError, AssertionError):     # the gateway is being started again
                self.client.close()
                time.sleep(0.1)
                try:
                    self.connect()
                except (OSError, EOFError, AssertionError):
                    pass
        self.client.close()
