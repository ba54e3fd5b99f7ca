# SPDX-License-Identifier: MIT
"""What programs wrote that tests start with subprocess, in the whole run.

Tests do that in many ways; so subprocess itself is told to keep what it reads of them. Daemons
(process.py) keep a log of their own. What must not be in it, conftest.py looks for at the end.
"""
import subprocess
import tempfile

PLAIN = subprocess.Popen
KEPT_MAX = 1 << 18      # of one piece: what is longer is no log

_written = []           # (argv, text)
_files = []             # (argv, the file that is standard error)


def _keep(argv, data):
    if data and len(data) <= KEPT_MAX:
        _written.append((argv, data if isinstance(data, str) else data.decode('utf-8', 'replace')))
    return data


class _Stream:
    """A pipe's end; what is read from it is kept."""

    def __init__(self, argv, stream):
        self._argv = argv
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def __iter__(self):
        for line in self._stream:
            yield _keep(self._argv, line)

    def read(self, *size):
        return _keep(self._argv, self._stream.read(*size))

    def readline(self, *size):
        return _keep(self._argv, self._stream.readline(*size))


class Recorded(PLAIN):
    """As subprocess.Popen. Standard error that would be pytest's own goes into a file."""

    def __init__(self, args, *more, **options):
        if not more and options.get('stderr') is None:
            options['stderr'] = tempfile.TemporaryFile()
            _files.append((args, options['stderr']))
        super().__init__(args, *more, **options)
        for name in ('stdout', 'stderr'):
            if getattr(self, name) is not None:
                setattr(self, name, _Stream(args, getattr(self, name)))

    def communicate(self, *args, **options):
        found = super().communicate(*args, **options)
        for data in found:
            _keep(self.args, data)
        return found


def install():
    subprocess.Popen = Recorded


def written():
    """[(argv, text)] so far."""
    for argv, file in _files:
        file.seek(0)
        _keep(argv, file.read(KEPT_MAX))
    return list(_written)
