# SPDX-License-Identifier: MIT
"""The control socket of chapi-hub: rules of faults while the hub runs, see chapi-hub(1)."""
import json
import socket

from .limits import Deadline


class Control:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(Deadline().limit)
        self.socket.connect(path)
        self.file = self.socket.makefile('r')

    def close(self):
        self.file.close()
        self.socket.close()

    def ask(self, line):
        """A line of words, or a list of words; its answer, decoded."""
        if not isinstance(line, str):
            line = json.dumps(line)
        self.socket.sendall(line.encode() + b'\n')
        answer = json.loads(self.file.readline())
        if isinstance(answer, dict) and 'error' in answer:
            raise ValueError('%s: %s' % (line, answer['error']))
        return answer

    def do(self, *lines):
        for line in lines:
            self.ask(line)

    def done(self):
        """How often the rules acted, in their order."""
        return [rule['done'] for rule in self.ask('rules')]

    def published(self):
        """Ids of what was taken over HTTP, in order, but for what has none."""
        return [number for _, _, number in self.ask('published') if number is not None]
