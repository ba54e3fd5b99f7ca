# SPDX-License-Identifier: MIT
"""What the gateway costs as a service: until it serves, the memory it keeps, how often it wakes."""
import os
import resource
import socket
import subprocess
import tempfile
import time

import hubs

IDLE_S = 180


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def said_hello(path):
    """A connection that the gateway has greeted."""
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.sendall(b'[0,1,"hello",[]]\n')
    assert s.recv(4096).startswith(b'[1,1,null')
    return s


def rss_anon_kb(pid):
    with open('/proc/%d/status' % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith('RssAnon:'))


def wake_ups(pid):
    """How often its threads have waited for something so far."""
    n = 0
    for thread in os.listdir('/proc/%d/task' % pid):
        with open('/proc/%d/task/%s/status' % (pid, thread)) as f:
            n += next(int(line.split()[1]) for line in f
                      if line.startswith('voluntary_ctxt_switches:'))
    return n


def cpu_ms(usage):
    return (usage.ru_utime + usage.ru_stime) * 1000


class Notices:
    """The socket of a service manager: waiting for "ready" there takes no CPU from who starts."""

    def __init__(self, bench):
        self.folder = tempfile.TemporaryDirectory(dir=bench.folder)
        path = os.path.join(self.folder.name, 'notify')
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(30)
        self.environment = dict(os.environ, NOTIFY_SOCKET=path)

    def ready(self):
        while b'READY=1' not in self.socket.recv(4096).split(b'\n'):
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.folder.cleanup()


def run_empty(bench):
    """{ms, cpu_ms} of a program that loads the same libraries and ends."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run([bench.program('bench_floor'), 'start'], check=True)
    return {'floor_ms': (time.perf_counter() - began) * 1000,
            'floor_cpu_ms': cpu_ms(resource.getrusage(resource.RUSAGE_CHILDREN)) - cpu_ms(before)}


def spent_ms(pid):
    with open('/proc/%d/schedstat' % pid) as f:
        return int(f.read().split()[0]) / 1e6


def run_gateway(bench, app):
    """{ms, cpu_ms, subscribed_ms}: from the start to the first answer, and from there on."""
    with Notices(bench) as notices:
        began = time.perf_counter()
        with hubs.Gateway(bench, app, pattern=None, env=notices.environment) as gateway:
            notices.ready()
            cpu = spent_ms(gateway.pid)
            said_hello(gateway.path).close()
            served = time.perf_counter()
            gateway.wait('subscribed to')
            return {'ms': (served - began) * 1000, 'cpu_ms': cpu,
                    'subscribed_ms': (time.perf_counter() - served) * 1000}


def start(bench):
    """Until the local socket answers, beside a program that only loads the libraries; then until
    the gateway has subscribed, on a hub on this machine."""
    app = dict(hubs.APP, port=free_port())
    runs = []
    with hubs.chapi_hub(bench, app):
        for _ in range(3 * bench.pairs):
            run = dict(run_empty(bench), **run_gateway(bench, app), peer='start')
            run['later_ms'] = run['ms'] - run['floor_ms']
            runs.append(run)
    bench.runs += runs
    bench.table('start: to the first answer on the local socket; then to the subscription',
                ['', 'ms', 'CPU ms'],
                [['empty program, same libraries', bench.spread(runs, 'floor_ms'),
                  bench.spread(runs, 'floor_cpu_ms')],
                 ['chapi-gw', bench.spread(runs, 'ms'), bench.spread(runs, 'cpu_ms')],
                 ['later', bench.spread(runs, 'later_ms'), ''],
                 ['subscribed after that', bench.spread(runs, 'subscribed_ms'), '']])


def floor_kb(bench):
    with subprocess.Popen([bench.program('bench_floor'), 'memory'],
                          stdout=subprocess.PIPE) as floor:
        assert floor.stdout.readline() == b'ready\n'
        kb = rss_anon_kb(floor.pid)
        floor.kill()
    return kb


def connections_kb(gateway, n):
    """What each of n idle connections adds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    before = rss_anon_kb(gateway.pid)
    idle = [said_hello(gateway.path) for _ in range(n)]
    each = (rss_anon_kb(gateway.pid) - before) / n
    for s in idle:
        s.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return each


def memory(bench):
    """Private memory, connected to a hub and idle; and for each idle local connection."""
    app = dict(hubs.APP, port=free_port())
    with hubs.chapi_hub(bench, app), hubs.Gateway(bench, app) as gateway:
        said_hello(gateway.path).close()
        run = {'peer': 'memory', 'floor_kb': floor_kb(bench), 'idle_kb': rss_anon_kb(gateway.pid),
               'connection_kb': connections_kb(gateway, 1000)}
    bench.runs.append(run)
    bench.table('memory: private (RssAnon), connected to a hub', ['', 'KB'],
                [['libcurl and libwebsockets set up', run['floor_kb']],
                 ['chapi-gw, idle', run['idle_kb']],
                 ['each idle connection', '%.2f' % run['connection_kb']]])


def idle(bench):
    """Wake-ups of all threads, connected to a hub and idle."""
    app = dict(hubs.APP, port=free_port())
    with hubs.chapi_hub(bench, app), hubs.Gateway(bench, app) as gateway:
        time.sleep(5)
        before = wake_ups(gateway.pid)
        time.sleep(IDLE_S)
        minute = (wake_ups(gateway.pid) - before) * 60 / IDLE_S
    bench.runs.append({'peer': 'idle', 'wake_ups_a_minute': minute})
    bench.table('idle, connected to a hub', ['', 'a minute'],
                [['wake-ups of all threads', '%.1f' % minute]])
