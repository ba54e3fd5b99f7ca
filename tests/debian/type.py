#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Somebody at a terminal: runs a command there, and types what is to be typed when it is asked.

    type.py QUESTION=ANSWER... -- COMMAND...

A question is a piece of what the terminal shows; each is asked once, in this order. Prints what
was shown, and ends as the command did. A question that does not come within two minutes ends it.
"""
import os
import pty
import select
import sys
import time

LIMIT_S = 120


class Terminal:
    def __init__(self, argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(argv[0], argv)
        self.shown = ''
        self.answered = 0    # so much of it had been shown at the last answer

    def read(self, what):
        """What is shown next; False when the command is over."""
        if not select.select([self.fd], [], [], max(0, self.deadline - time.monotonic()))[0]:
            sys.exit('%s: not within %d s, in:\n%s' % (what, LIMIT_S, self.shown))
        try:
            data = os.read(self.fd, 65536)
        except OSError:    # of a terminal that nobody has open any more
            return False
        self.shown += data.decode('utf-8', 'replace')
        return bool(data)

    def begin_wait(self):
        self.deadline = time.monotonic() + LIMIT_S

    def answer(self, question, text):
        self.begin_wait()
        while question not in self.shown[self.answered:]:
            if not self.read('"%s"' % question):
                sys.exit('"%s" was not asked:\n%s' % (question, self.shown))
        self.answered = len(self.shown)
        os.write(self.fd, text.encode() + b'\n')

    def end(self):
        self.begin_wait()
        while self.read('the end'):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def main():
    at = sys.argv.index('--')
    terminal = Terminal(sys.argv[at + 1:])
    for argument in sys.argv[1:at]:
        terminal.answer(*argument.split('=', 1))
    status = terminal.end()
    print(terminal.shown.replace('\r\n', '\n'))
    sys.exit(status)


if __name__ == '__main__':
    main()
