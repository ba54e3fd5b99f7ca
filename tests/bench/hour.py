# SPDX-License-Identifier: MIT
"""Memory over more than an hour of calls over a hub: what is left after each burst must not grow.

Not part of a whole run, as it takes 66 minutes (CHAPI_BENCH_HOUR_S: seconds of another run).
"""
import os
import time

import hubs
import remote
import service

HOUR_S = 66 * 60
PAUSE_S = 4             # between bursts: the rate is bounded, and all is answered by then
BURSTS = ((8, 64, 2000), (2, 4096, 500))        # concurrency, size, calls
SAMPLE_S = 30


def sample(bench, gateway, began, calls):
    run = {'peer': 'hour', 's': round(time.monotonic() - began), 'calls': calls,
           'kb': service.rss_anon_kb(gateway.pid)}
    bench.runs.append(run)
    print('%(s)6d s %(calls)8d calls %(kb)6d KB' % run, flush=True)
    return run


def measure(bench):
    app = dict(hubs.APP, port=service.free_port())
    seconds = int(os.environ.get('CHAPI_BENCH_HOUR_S', HOUR_S))
    runs, calls, i = [], 0, 0
    with hubs.chapi_hub(bench, app), hubs.Provider(bench, app) as gateway:
        began = time.monotonic()
        runs.append(sample(bench, gateway, began, calls))
        while runs[-1]['s'] < seconds:
            cell = BURSTS[i % len(BURSTS)]
            remote.load(bench, 'chapi-hub', app, 'hour: load', gateway.pid, cell)
            time.sleep(PAUSE_S)
            calls, i = calls + cell[2], i + 1
            if time.monotonic() - began >= runs[-1]['s'] + SAMPLE_S:
                runs.append(sample(bench, gateway, began, calls))
    show(bench, runs)


def show(bench, runs):
    """A few moments of it; all of them are in results.json."""
    wanted = [runs[(len(runs) - 1) * i // 8] for i in range(9)]
    bench.table('memory over time (RssAnon): bursts of calls over chapi-hub, pauses of %d s'
                % PAUSE_S, ['after s', 'calls', 'KB'],
                [[run['s'], run['calls'], run['kb']] for run in wanted])
