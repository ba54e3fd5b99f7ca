# SPDX-License-Identifier: MIT
"""How long the tests wait, in one place.

Every wait of the tests is for a condition and has a limit. $CHAPI_TESTS_LIMIT (seconds) makes
it longer where programs are slow, as under a memory checker.
"""
import os
import time

LIMIT = float(os.environ.get('CHAPI_TESTS_LIMIT', '10'))


class Deadline:
    """A point in time, made from a limit in seconds."""

    def __init__(self, limit=None):
        self.limit = LIMIT if limit is None else limit
        self.end = time.monotonic() + self.limit

    def left(self, what):
        """Seconds left; raises TimeoutError, which says what did not come, when there are none."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError('%s: not within %g s' % (what, self.limit))
        return left


def wait_until(condition, what, limit=None):
    """Asks until condition() gives something true, and returns it."""
    deadline = Deadline(limit)
    while True:
        answer = condition()
        if answer:
            return answer
        time.sleep(min(0.02, deadline.left(what)))
