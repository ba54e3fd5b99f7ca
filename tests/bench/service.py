# SPDX-License-Identifier: MIT
"""What the gateway costs as a service: until it serves, and the memory that it keeps."""
import os
import resource
import socket
import subprocess
import tempfile
import time


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def answers(path):
    """Does the gateway answer on this socket?"""
    with socket.socket(socket.AF_UNIX) as s:
        if s.connect_ex(path) != 0:
            return False
        s.sendall(b'[0,1,"hello",[]]\n')
        return s.recv(4096).startswith(b'[1,1,null')


def rss_anon_kb(pid):
    with open('/proc/%d/status' % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith('RssAnon:'))


def empty_ms(bench):
    began = time.perf_counter()
    subprocess.run([bench.program('bench_floor'), 'start'], check=True)
    return (time.perf_counter() - began) * 1000


class Gateway:
    """One for local calls; in a folder of its own."""

    def __init__(self, bench):
        self.folder = tempfile.TemporaryDirectory(dir=bench.folder)
        self.path = os.path.join(self.folder.name, 's')
        self.began = time.perf_counter()
        self.process = subprocess.Popen(bench.gateway(), cwd=self.folder.name,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        while not answers(self.path):
            assert self.process.poll() is None, 'the gateway has ended'
        self.start_ms = (time.perf_counter() - self.began) * 1000
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


def start(bench):
    """From exec to the first answer on the socket; beside a program that only loads the libraries."""
    runs = []
    for _ in range(bench.pairs):
        floor = empty_ms(bench)
        with Gateway(bench) as gateway:
            runs.append({'peer': 'start', 'floor_ms': floor, 'ms': gateway.start_ms,
                         'later_ms': gateway.start_ms - floor})
    bench.runs += runs
    bench.table('start: to the first answer on the local socket', ['', 'ms'],
                [['empty program, same libraries', bench.spread(runs, 'floor_ms')],
                 ['chapi-gw', bench.spread(runs, 'ms')], ['later', bench.spread(runs, 'later_ms')]])


def memory(bench):
    """Private memory when idle, and for each idle connection."""
    floor = subprocess.Popen([bench.program('bench_floor'), 'memory'], stdout=subprocess.PIPE)
    assert floor.stdout.readline() == b'ready\n'
    floor_kb = rss_anon_kb(floor.pid)
    floor.kill()
    floor.wait()
    n = 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    with Gateway(bench) as gateway:
        idle_kb = rss_anon_kb(gateway.process.pid)
        idle = []
        for _ in range(n):
            s = socket.socket(socket.AF_UNIX)
            s.connect(gateway.path)
            s.sendall(b'[0,1,"hello",[]]\n')
            s.recv(4096)
            idle.append(s)
        each_kb = (rss_anon_kb(gateway.process.pid) - idle_kb) / n
        for s in idle:
            s.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    bench.runs.append({'peer': 'memory', 'floor_kb': floor_kb, 'idle_kb': idle_kb, 'connection_kb': each_kb})
    bench.table('memory: private (RssAnon), local calls only', ['', 'KB'],
                [['libcurl and libwebsockets set up', floor_kb], ['chapi-gw, idle', idle_kb],
                 ['each idle connection', '%.2f' % each_kb]])

