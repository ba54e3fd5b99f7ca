#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A gateway, a hub that has a fault each second, a provider, remote callers that ask until they
know, and local callers of another gateway that ask through it.

    soak.py            in a build folder; top_srcdir and top_builddir as for the integration tests

$CHAPI_SOAK_S is how long (600 s; 20 will do while one works on it), $CHAPI_SOAK_SEED makes a run's
choices those of another. Prints figures; ends with 0 if all of this holds:

    every request with an id has exactly one outcome at its caller; no function ran twice for one
    id, and none for an id of which it was said that nothing ran; what the gateways use of memory
    and descriptors is flat.

In the middle the gateway is killed and started again; the other one lives all the time. What is
asked is in workloads.py, near.py and provider.py, what goes wrong in faults.py.
"""
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'integration'))

from callers import Caller                                              # noqa: E402
from faults import Faults, World                                        # noqa: E402
from figures import Watch, n_fds                                        # noqa: E402
from lib.gateway import Gateway                                         # noqa: E402
from lib.hubs import FaultyHub                                          # noqa: E402
from lib.limits import wait_until                                       # noqa: E402
from lib.process import is_sanitized                                    # noqa: E402
from near import NearCaller                                             # noqa: E402
from provider import Provider                                           # noqa: E402

N_CALLERS = 8
N_NEAR_CALLERS = 2
STORE_S = 90            # how long answers are kept: longer than a caller's patience
# Between the first and the last third of a life, when the store is full: peaks of 1 MiB.
GROWTH_MAX_KIB = 4096
EARLY_GROWTH_MAX_KIB = 16384    # before: it is being filled
FDS_SPARE = 4           # kept connections of HTTP: publish_connections

TIMING = {'backoff_least': '50ms', 'backoff_most': '500ms', 'backoff_reset': '2s',
          'handshake': '2s', 'subscribe': '1s', 'probe': '1s', 'publish_timeout': '2s',
          'proof_of_life': '2s'}


class Soak:
    def __init__(self, folder, duration_s, seed):
        self.duration_s = duration_s
        self.seed = seed
        self.hub = FaultyHub(folder).start()
        self.gateway = self.start_gateway(folder, 'soak')
        self.near = self.start_gateway(folder, 'near')
        self.provider = Provider(self.gateway, seed)
        self.callers = [Caller(self.hub, 'private-chapi-soak', '%s-%d' % (seed, n))
                        for n in range(N_CALLERS)]
        self.near_callers = [NearCaller(self.near, 'soak', '%s-near-%d' % (seed, n))
                             for n in range(N_NEAR_CALLERS)]
        self.world = World(self.hub, [self.gateway, self.near], seed)
        self.watch = Watch(self.gateway)
        self.watch_near = Watch(self.near)
        self.faults = Faults(self.world)
        self.restarted_s = 0
        self.problems = []

    def start_gateway(self, folder, name):
        folder = os.path.join(folder, name)
        os.mkdir(folder)
        return Gateway(folder, self.hub, 'private-chapi-' + name, gateway={'name': name},
                       pusher={'ping_interval': '500ms', 'pong_timeout': '1s'},
                       remote={'answer_store_time': '%ds' % STORE_S, 'max_rate': '0'},
                       timing=TIMING).start().wait_up()

    def all_callers(self):
        return self.callers + self.near_callers

    def run(self):
        self.provider.start()
        for caller in self.all_callers():
            caller.start()
        wait_until(lambda: all(c.outcomes for c in self.all_callers()), 'the callers to begin', 30)
        self.fds_before = n_fds(self.gateway.pid)
        for watch in (self.watch, self.watch_near):
            watch.start()
        self.faults.play(self.duration_s / 2)
        self.restart()
        self.faults.play(self.duration_s / 2)
        for caller in self.all_callers():
            caller.is_ending = True
        for caller in self.all_callers():
            caller.join(90)
        for watch in (self.watch, self.watch_near):
            watch.end()
        self.gateway.wait_up(30)
        self.fds_after = n_fds(self.gateway.pid)
        self.status = self.gateway.ask('status')['hub']
        self.near_status = self.near.ask('status')['hub']
        self.provider.is_ending = True
        self.provider.join(10)

    def restart(self):
        self.restarted_s = self.watch.age_s()
        self.gateway.kill()
        self.gateway.start()

    # -- what has to hold

    def check(self, is_so, problem):
        if not is_so:
            self.problems.append(problem)

    def check_callers(self):
        for caller in self.all_callers():
            self.check(not caller.is_alive(), 'a caller does not end')
            self.problems.extend(caller.faults)
        self.check(self.near_ended(None), 'no call from the other gateway had a result')
        self.check(self.sum('requests') > self.duration_s, 'hardly anything was asked')
        self.check(self.provider.n_connections > 1, 'the gateway was not started again')
        self.check(not self.provider.twice(),
                   'ran more than once: %s' % ' '.join(self.provider.twice()[:5]))
        self.check(not self.ran_though_refused(),
                   'ran, though refused: %s' % ' '.join(self.ran_though_refused()[:5]))

    def ran_though_refused(self):
        return [number for number in self.refused() if number in self.provider.runs]

    def refused(self):
        return [number for caller in self.callers for number in caller.refused()] + \
            self.near_ended('no')

    def near_ended(self, ran):
        return [key for caller in self.near_callers for key in caller.ended(ran)]

    def is_warm(self):
        return self.duration_s / 2 > 2 * STORE_S

    def lives(self):
        """(watch, since, until): two of the gateway, one of the other, once its store is full."""
        warm_s, end_s = STORE_S if self.is_warm() else 0, self.watch.age_s()
        return [(self.watch, warm_s, self.restarted_s),
                (self.watch, self.restarted_s + warm_s, end_s), (self.watch_near, warm_s, end_s)]

    def check_memory(self):
        if is_sanitized():
            return      # they keep what was freed
        for watch, begun_s, ended_s in self.lives():
            first, last = watch.medians(1, begun_s, ended_s)
            most = GROWTH_MAX_KIB if self.is_warm() else EARLY_GROWTH_MAX_KIB
            self.check(last - first <= most, 'memory grows: from %d to %d KiB' % (first, last))
        self.check(self.fds_after <= self.fds_before + FDS_SPARE,
                   'descriptors grow: from %d to %d' % (self.fds_before, self.fds_after))

    # -- figures

    def sum(self, name):
        return sum(c.n[name] for c in self.callers)

    def report(self):
        known = sum(o is not None for c in self.callers for o in c.outcomes.values())
        print('%d s, seed %s, %d callers and %d through another gateway' % (
            self.duration_s, self.seed, N_CALLERS, N_NEAR_CALLERS))
        print('requests %d, outcomes %d, repeats %d, asked for anew %d, when told to %d' % (
            self.sum('requests'), known, self.sum('repeats'), self.sum('not_now'),
            self.sum('obeyed')))
        print('responses %d, of them the same again %d, marked as cached %d' % (
            self.sum('responses'), self.sum('again'), self.sum('cached')))
        print('runs %d, of one id more than once %d, though refused %d of %d; '
              'longest wait for an outcome %.1f s' % (
            len(self.provider.runs), len(self.provider.twice()), len(self.ran_though_refused()),
            len(self.refused()), max(c.longest_s for c in self.callers)))
        self.report_near()
        print('large %d, parts of answers %d, two senders %d; answers not kept %d, forgotten %d; '
              'after the restart: not known %d, overtaken %d' % (
                  self.sum('large'), self.sum('parts'), self.sum('two_senders'),
                  self.sum('lost'), self.sum('forgotten'), self.sum('restarted'),
                  self.sum('overtaken')))
        print('callers: connections %d, HTTP errors %d' % (
            self.sum('connections'), self.sum('http_errors')))
        publisher = self.status['publisher']
        print('gateway: connections %d; published %d, repeated %d, failed %d, '
              'requests of HTTP %d; proofs missed %d' % (
                  self.status['connects'], publisher['published'], publisher['repeated'],
                  publisher['failed'], publisher['requests'],
                  self.status['proof_of_life']['missed']))
        for watch, *life in self.lives():
            print('%s gateway: RSS %d KiB in the first third of a life, %d in the last' % (
                'other' if watch is self.watch_near else 'this', *watch.medians(1, *life)))
        print('gateway: RSS %d KiB at most; descriptors %d, %d, %d at most' % (
            self.watch.most(1), self.fds_before, self.fds_after, self.watch.most(2)))
        print('faults: ' + ', '.join(
            '%s %d' % item for item in sorted(self.faults.counts.items()) if item[1]))

    def report_near(self):
        calls = sum(len(c.outcomes) for c in self.near_callers)
        elsewhere = self.near_status['elsewhere']
        print('calls from the other gateway %d: results %d, ran %s; repeated %d, '
              'longest wait %.1f s' % (
                  calls, len(self.near_ended(None)),
                  ', '.join('%s %d' % (ran, len(self.near_ended(ran)))
                            for ran in ('no', 'yes', 'unknown')),
                  elsewhere['repeated'], max(c.longest_s for c in self.near_callers)))

    def stop(self):
        self.gateway.stop()
        self.near.stop()
        self.hub.stop()


def main():
    duration_s = int(os.environ.get('CHAPI_SOAK_S', '600'))
    seed = os.environ.get('CHAPI_SOAK_SEED') or os.urandom(4).hex()
    folder = tempfile.mkdtemp(prefix='chapi-soak-')
    soak = Soak(folder, duration_s, seed)
    try:
        soak.run()
        soak.check_callers()
        soak.check_memory()
        soak.report()
        soak.stop()
    except Exception as e:
        soak.problems.append('%s: %s' % (type(e).__name__, e))
    for problem in soak.problems[:20]:
        print('PROBLEM: ' + problem)
    if soak.problems:
        for gateway in (soak.gateway, soak.near):
            print('the end of the log of a chapi-gw:\n' + gateway.log()[-8000:])
    shutil.rmtree(folder, ignore_errors=True)
    return 1 if soak.problems else 0


if __name__ == '__main__':
    sys.exit(main())
