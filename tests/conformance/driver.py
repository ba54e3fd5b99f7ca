# SPDX-License-Identifier: MIT
"""Plays the cases: as the gateway to a client library, which an adapter program makes do what a
case says; or as the clients of a real gateway. README.md says what a case is.
"""
import json
import os
import queue
import socket
import subprocess
import tempfile
import threading

from values import difference
from wire import NOTIFICATION, RESPONSE, ABOUT_CALLS, Failed, Wire

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = float(os.environ.get('CHAPI_TESTS_LIMIT', '10'))
OPTIONS_AT = {'call': 2, 'register': 1, 'update': 1, 'list': 1, 'drain': 1, 'wait': 1, 'hello': 0}
LIMITS = {'max_message': 4194304}


class Case:
    def __init__(self, name):
        self.name = name
        with open(os.path.join(HERE, 'cases', name + '.json')) as f:
            case = json.load(f)
        self.about = case['about']
        self.parties = case['parties']      # {'a': 'caller', 'b': 'provider'}
        self.only = case.get('only')        # 'library', 'gateway'
        self.encodings = case.get('encodings', ['msgpack', 'json'])
        self.shows_hello = case.get('hello', False)
        self.cuts = [None] + case.get('cut', [])
        self.steps = case['steps']


def cases():
    return [Case(f[:-5]) for f in sorted(os.listdir(os.path.join(HERE, 'cases')))
            if f.endswith('.json')]


# ---- messages that fit ---------------------------------------------------------------------------

def misfit(wire, expected, message, is_from_gateway):
    """None if the message is the one that a case expects; else why not. Learns its number."""
    pattern = expected.get('match', expected['json'])
    if message[0] != pattern[0] or len(message) != len(pattern):
        return 'another kind of message'
    if message[0] == RESPONSE:
        return response_misfit(wire, pattern, message, is_from_gateway)
    if message[-2] != pattern[-2]:
        return 'another method'
    if message[0] == NOTIFICATION:
        return notification_misfit(wire, pattern, message)
    found = (params_misfit if is_from_gateway else asked_misfit)(pattern, message)
    if found is None:
        wire.numbers['theirs', pattern[1]] = message[1]
        if not is_from_gateway and asks_for_record(message):
            wire.full[message[1]] = message[3][0]
    return found


def response_misfit(wire, pattern, message, is_from_gateway):
    if wire.numbers.get(('ours', pattern[1]), pattern[1]) != message[1]:
        return 'the answer to another request'
    loose = error_pattern(pattern[2])
    return difference(loose, message[2], 'error') or (
        None if message[2] else difference(pattern[3], message[3], 'result'))


def error_pattern(error):
    """The words of an error are anybody's own, and there may be more in it."""
    if not isinstance(error, dict) or set(error) & {'$has', '$any'}:
        return error
    return {'$has': dict(error, message={'$any': 'text'})}


def notification_misfit(wire, pattern, message):
    expected = pattern[2]
    if message[1] in ABOUT_CALLS:
        who = 'ours' if message[1] == 'progress' else 'theirs'
        expected = [wire.numbers.get((who, expected[0]), expected[0])] + expected[1:]
    return difference(expected, message[2], 'params')


# Fields of meta that are each gateway's own: present, and of this type.
META_TYPES = {'call': 'text', 'caller': 'text', 'request_time': 'number', 'timeout_ms': 'number'}


def params_misfit(pattern, message):
    """A request to a provider: params are exact, of meta there may be more."""
    params, meta = pattern[3]
    loose = {k: {'$any': META_TYPES[k]} if k in META_TYPES else v for k, v in meta.items()}
    return difference([params, {'$has': loose}], message[3], 'params')


def asked_misfit(pattern, message):
    """A request to the gateway: options that are false or not there are the same, and a library
    may say more.
    """
    at = OPTIONS_AT.get(message[2], 99)
    expected, given = list(pattern[3]), list(message[3])
    for params in (expected, given):
        params.extend([{}] * (at + 1 - len(params)) if at != 99 else [])
    if at != 99:
        options = given[at] or {}
        for key in ('progress', 'oneway', 'full'):
            if options.get(key) and key != 'full' and not expected[at].get(key):
                return '%s: not asked for' % key
        given[at] = options
        if '$has' not in expected[at]:
            expected[at] = {'$has': expected[at]}
    return difference(expected, given, 'params')


def asks_for_record(message):
    return message[2] == 'call' and len(message[3]) > 2 and bool((message[3][2] or {}).get('full'))


# ---- the adapter of a library --------------------------------------------------------------------

class Adapter:
    """A program that makes a library do what it is told, a line of JSON each, and reports
    likewise.
    """

    def __init__(self, argv, env=None):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=env)
        self.reports = queue.Queue()
        self.kept = []
        threading.Thread(target=self._read, daemon=True).start()
        self.monitors_apart = self.take({'$has': {'ready': True}}).get('monitors_apart', False)

    def _read(self):
        for line in self.process.stdout:
            self.reports.put(json.loads(line))
        self.reports.put(None)

    def tell(self, command):
        self.process.stdin.write(json.dumps(command, ensure_ascii=False).encode() + b'\n')
        self.process.stdin.flush()

    def take(self, pattern):
        """The first report that fits; the others stay."""
        for i, report in enumerate(self.kept):
            if difference(pattern, report) is None:
                return self.kept.pop(i)
        while True:
            try:
                report = self.reports.get(timeout=LIMIT)
            except queue.Empty:
                raise Failed('no report %s; there is: %s' % (pattern, self.kept)) from None
            if report is None:
                raise Failed('the adapter ended with status %s' % self.process.wait(LIMIT))
            if difference(pattern, report) is None:
                return report
            self.kept.append(report)

    def stop(self):
        """It ends when its input does, and has to end well."""
        self.process.stdin.close()
        status = self.process.wait(LIMIT)
        if status != 0:
            raise Failed('the adapter ended with status %s' % status)

    def kill(self):
        self.process.kill()
        self.process.wait(LIMIT)


# ---- playing the gateway -------------------------------------------------------------------------

def report_pattern(report):
    """Of errors the code and what else a case says; the words are anybody's own."""
    if isinstance(report.get('error'), dict):
        report = dict(report, error={'$has': report['error']})
    return report


class LibraryRun:
    """One case, one party of it: that is the library's part."""

    def __init__(self, adapter, case, party, cut=None):
        self.adapter = adapter
        self.case = case
        self.party = party
        self.cut = cut
        self.wire = None
        self.folder = tempfile.TemporaryDirectory(prefix='chapi-')
        self.path = os.path.join(self.folder.name, 'gw.sock')
        self.listener = None

    def run(self):
        try:
            self._run()
        finally:
            if self.wire is not None:
                self.wire.close()
            if self.listener is not None:
                self.listener.close()
            self.folder.cleanup()

    def _run(self):
        self._listen()
        connect = {'do': 'connect', 'as': 'connect', 'socket': self.path,
                   'role': self.case.parties[self.party]}
        self.adapter.tell(dict(connect, **({'app_key': 'key'} if self.case.shows_hello else {})))
        self._accept()
        if not self.case.shows_hello:
            self.adapter.take({'$has': {'as': 'connect', 'result': {'$any': 'boolean'}}})
        for step in self.case.steps:
            if self.party in (step.get('from'), step.get('to'), step.get('party')):
                self._step(step)
        self.adapter.tell({'do': 'close', 'as': 'close'})
        self.adapter.take({'as': 'close', 'result': True})
        self.wire.wait_end()
        if self.wire.inbox or self.adapter.kept:
            raise Failed('more than was expected: %s %s' % (self.wire.inbox, self.adapter.kept))

    def _listen(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.settimeout(LIMIT)
        self.listener.bind(self.path)
        self.listener.listen()

    def _accept(self):
        sock, _ = self.listener.accept()
        sock.settimeout(None)
        self.wire = Wire(sock, 'msgpack', LIMIT,
                         None if self.case.shows_hello else self._answer_hello)
        self.wire.cut = self.cut

    @staticmethod
    def _answer_hello(wire, number):
        from values import encode
        wire.send_bytes(encode([RESPONSE, number, None, {
            'gateway': 'conformance', 'version': '0', 'protocol': 1, 'name': 'conformance',
            'instance': '00', 'uid': 0, 'limits': LIMITS}]))

    def _step(self, step):
        if 'tell' in step:
            self.adapter.tell(step['tell'])
            if step['tell']['do'] == 'monitor' and self.adapter.monitors_apart:
                self._accept()
        if 'from' in step and 'message' in step:
            self.wire.take(lambda m: misfit(self.wire, step['message'], m, False),
                           json.dumps(step['message']['json']))
        if 'to' in step:
            self.wire.send(step['message'])
        if step.get('do') == 'close':
            self.wire.close()
        elif step.get('do') == 'leave':
            self.listener.close()
            os.unlink(self.path)
            self.wire.close()
        elif step.get('do') == 'come':
            self._listen()
        elif step.get('do') == 'accept':
            self._accept()
        for report in step.get('reports', []):
            self.adapter.take(report_pattern(report))


# ---- playing the clients of a gateway ------------------------------------------------------------

class GatewayRun:
    """One case against a real gateway; encodings: of each party."""

    def __init__(self, path, case, encodings, cut=None):
        self.case = case
        self.wires = {}
        for party in case.parties:
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(path)
            self.wires[party] = Wire(sock, encodings[party], LIMIT)
            self.wires[party].cut = cut

    def run(self):
        try:
            for step in self.case.steps:
                if 'from' in step and 'message' in step:
                    self.wires[step['from']].send(step['message'])
                    self.wires[step['from']].wait_taken()    # the next may be another's
                elif 'to' in step:
                    wire = self.wires[step['to']]
                    wire.take(lambda m: misfit(wire, step['message'], m, True),
                              json.dumps(step['message']['json']))
            for party, wire in self.wires.items():
                if wire.inbox:
                    raise Failed('more than was expected for %s: %s' % (party, wire.inbox))
        finally:
            for wire in self.wires.values():
                wire.close()
