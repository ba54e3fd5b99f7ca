# SPDX-License-Identifier: MIT
"""Programs under test: daemons that run beside a test, and commands that end by themselves.

Whatever is started dies with the test process. What a daemon writes is kept, shown when a test
fails, and searched for what must never be in it: secrets, and the reports of sanitizers.
"""
import ctypes
import os
import signal
import subprocess
import threading

from . import recorder
from .limits import LIMIT, Deadline

ORDINARY_UID = 65534
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

top_builddir = os.environ.get('top_builddir', os.getcwd())
top_srcdir = os.environ.get(
    'top_srcdir',
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))))

# A file of the build and where it is: the programs that the tests run.
PROGRAMS = {
    'chapi-gw': 'gateway/chapi-gw',
    'chapi-hub': 'tests/hub/chapi-hub',
    'chapi-call': 'clients/chapi-call',
    'chapi-ctl': 'clients/chapi-ctl',
    'chapi-serve': 'clients/chapi-serve',
    'conformance-adapter': 'tests/conformance/adapter',
    'echo-provider': 'clients/examples/echo-provider',
    'deferred-answer': 'clients/examples/deferred-answer',
    'libevent-provider': 'clients/examples/libevent-provider',
    'list-names': 'clients/examples/list-names',
    'poll-provider': 'clients/examples/poll-provider',
    'smallest-caller': 'clients/examples/smallest-caller',
    'smallest-provider': 'clients/examples/smallest-provider',
    'to-msgpack': 'clients/examples/to-msgpack',
    'watch-calls': 'clients/examples/watch-calls',
}

REPORTS = ('ERROR: AddressSanitizer', 'ERROR: LeakSanitizer', 'WARNING: ThreadSanitizer',
           'runtime error:', 'Assertion `')


def program(name):
    return os.path.join(top_builddir, PROGRAMS[name])


def is_sanitized():
    """Was the build made with a sanitizer? Such programs use memory in ways of their own."""
    with open(program('chapi-gw'), 'rb') as f:
        data = f.read()
    return b'__asan_init' in data or b'__tsan_init' in data


def environment(**more):
    """Nothing of the caller's surroundings that could change what the programs do."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(('CHAPI_', 'XDG_')) and
           not k.lower().endswith('_proxy')}
    env['ASAN_OPTIONS'] = ('quarantine_size_mb=1:thread_local_quarantine_size_kb=16:' +
                           env.get('ASAN_OPTIONS', ''))
    env['LANG'] = env['LC_ALL'] = 'C.UTF-8'
    env.update(more)
    return {k: v for k, v in env.items() if v is not None}


def texts_in(value):
    """The texts in a value that are too long to be anywhere else by chance."""
    if isinstance(value, str):
        return {value} if 20 <= len(value) <= 4096 else set()
    if isinstance(value, dict):
        value = list(value.values())
    return set().union(*map(texts_in, value)) if isinstance(value, (list, tuple)) else set()


def die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def as_ordinary_user(argv):
    """The command line for somebody without rights; as root, that is uid 65534."""
    if os.geteuid() != 0:
        return list(argv)
    return ['setpriv', '--reuid=%d' % ORDINARY_UID, '--regid=%d' % ORDINARY_UID, '--clear-groups',
            '--inh-caps=-all', '--pdeathsig', 'KILL'] + list(argv)


def run(argv, *, stdin=None, limit=None, env=None, cwd=None):
    """A command that ends by itself. stdin: text, or None for an empty one.

    Returns a CompletedProcess.
    """
    return subprocess.run(argv, input='' if stdin is None else stdin, capture_output=True,
                          text=True, timeout=LIMIT if limit is None else limit,
                          env=env or environment(), cwd=cwd, preexec_fn=die_with_parent)


class Daemon:
    """A program that runs until it is told to stop; its output is one log."""

    # Of the whole run, looked through at its end: what no log may have, and all logs.
    known_secrets = set()
    known_params = set()
    known_logs = []

    def __init__(self, name, argv, *, env=None, cwd=None, secrets=(), status=0):
        self.name = name
        self.argv = [str(a) for a in argv]
        self.env = env or environment()
        self.cwd = cwd
        self.secrets = list(secrets)
        Daemon.known_secrets.update(self.secrets)
        Daemon.known_logs.append(self)
        self.end_status = status        # what it has to end with; None: anything
        self.pass_fds = ()              # descriptors that it inherits
        self.process = None
        self.lines = []
        self.changed = threading.Condition()
        self.pump = None

    def start(self):
        self.process = recorder.PLAIN(
            self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=self.env, cwd=self.cwd, preexec_fn=die_with_parent, pass_fds=self.pass_fds)
        self.pump = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self.pump.start()
        return self

    def _read(self, stream):
        for line in stream:
            with self.changed:
                self.lines.append(line.decode('utf-8', 'replace').rstrip('\n'))
                self.changed.notify_all()
        stream.close()
        with self.changed:
            self.changed.notify_all()

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        with self.changed:
            return '\n'.join(self.lines)

    def wait_log(self, text, limit=None, start=0):
        """The first line from number start on that has text in it.

        Fails at once when the program ends.
        """
        deadline = Deadline(limit)
        with self.changed:
            while True:
                for line in self.lines[start:]:
                    if text in line:
                        return line
                if self.process.poll() is not None and not self.pump.is_alive():
                    raise AssertionError('%s ended with status %s before it said "%s"'
                                         % (self.name, self.process.returncode, text))
                self.changed.wait(min(0.2, deadline.left('"%s" from %s' % (text, self.name))))

    def send_signal(self, number):
        self.process.send_signal(number)

    def wait(self, limit=None):
        """Waits for its end and returns its status."""
        status = self.process.wait(LIMIT if limit is None else limit)
        self.pump.join(LIMIT)
        return status

    def kill(self):
        """Ends it without asking; that is no failure."""
        self.end_status = None
        self.process.kill()
        return self.wait()

    def stop(self):
        """Asks it to end and checks how it did."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError('%s did not end within %g s of SIGTERM'
                                 % (self.name, LIMIT)) from None
        self.check(status)

    def check(self, status):
        log = self.log()
        for report in REPORTS:
            assert report not in log, '%s: %s\n%s' % (self.name, report, log)
        for secret in self.secrets:
            assert secret not in log, '%s wrote a secret into its log' % self.name
        if self.end_status is not None:
            assert status == self.end_status, \
                '%s ended with status %s, not %s' % (self.name, status, self.end_status)

    def rss_anon_kb(self):
        with open('/proc/%d/status' % self.pid) as f:
            for line in f:
                if line.startswith('RssAnon:'):
                    return int(line.split()[1])
        raise AssertionError('no RssAnon in /proc/%d/status' % self.pid)

    def wake_ups(self):
        """How often its main thread has waited for something so far."""
        with open('/proc/%d/status' % self.pid) as f:
            return next(int(line.split()[1]) for line in f
                        if line.startswith('voluntary_ctxt_switches:'))

    def is_idle(self):
        """It waits for something to happen."""
        with open('/proc/%d/stat' % self.pid) as f:
            return f.read().rsplit(')', 1)[1].split()[0] == 'S'

    def n_fds(self):
        return len(os.listdir('/proc/%d/fd' % self.pid))


class Daemons:
    """Those of one test: stopped last first, all of them, whatever one of them does."""

    def __init__(self):
        self.all = []

    def start(self, daemon):
        self.all.append(daemon)
        return daemon.start()

    def logs(self):
        return [(d.name, d.log()) for d in self.all if d.process is not None]

    def stop(self):
        failures = []
        while self.all:
            try:
                self.all.pop().stop()
            except AssertionError as e:
                failures.append(str(e))
        assert not failures, '\n'.join(failures)
