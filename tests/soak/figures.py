# SPDX-License-Identifier: MIT
"""What a process uses, second by second, and whether that is flat."""
import os
import statistics
import threading
import time


def rss_kib(pid):
    with open('/proc/%d/status' % pid) as f:
        for line in f:
            if line.startswith('VmRSS:'):
                return int(line.split()[1])
    return 0


def n_fds(pid):
    return len(os.listdir('/proc/%d/fd' % pid))


class Watch(threading.Thread):
    """Samples (time, RSS in KiB, descriptors) of a daemon once a second."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.daemon_process = daemon
        self.samples = []
        self.ending = threading.Event()
        self.began = time.monotonic()

    def run(self):
        self.began = time.monotonic()
        while not self.ending.wait(1):
            try:
                pid = self.daemon_process.pid
                self.samples.append((self.age_s(), rss_kib(pid), n_fds(pid)))
            except OSError:         # it is being started again
                pass

    def age_s(self):
        return time.monotonic() - self.began

    def end(self):
        self.ending.set()
        self.join(5)

    def medians(self, column, since_s, until_s):
        """Of the first and the last third of that time."""
        values = [s[column] for s in self.samples if since_s <= s[0] < until_s] or \
            [s[column] for s in self.samples]
        third = max(1, len(values) // 3)
        return statistics.median(values[:third]), statistics.median(values[-third:])

    def most(self, column):
        return max(s[column] for s in self.samples)
