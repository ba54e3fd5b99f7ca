# SPDX-License-Identifier: MIT
"""How the cost of a call grows: names, connections, calls in flight, payload. And its picture."""
import math
import os
import statistics

SERIES = {
    'names': [(n, ['--window', '64', '--names', str(n)]) for n in (1, 10, 100, 1000, 10000)],
    'idle connections': [(n, ['--window', '64', '--idle', str(n)] if n else ['--window', '64'])
                         for n in (0, 10, 100, 1000)],
    # With 100,000 under way an answer takes half a second: each has to come within the run.
    'calls in flight': [(64, ['--window', '64']),
                        (1024, ['--window', '64', '--callers', '16']),
                        (10000, ['--window', '625', '--callers', '16']),
                        (100000, ['--window', '1000', '--callers', '100', '--providers', '16',
                                  '--secs', '4'])],
    'payload, bytes': [(n, ['--window', '16', '--size', str(n)])
                       for n in (64, 512, 4096, 16384, 65536)],
}
WIDTH, HEIGHT, MARGIN = 400, 260, 50
TICKS = 4


def measure(bench):
    """Prints the table, writes growth.svg."""
    curves = {}
    for name, points in SERIES.items():
        runs = {n: [] for n, _ in points}
        for _ in range(bench.pairs):
            for n, args in points:
                runs[n].append(bench.run('chapi-gw', '%s %d' % (name, n), args))
        curves[name] = [(n, sorted(run['router_us'] for run in runs[n])) for n, _ in points]
        first = bench.median(runs[points[0][0]], 'router_us')
        bench.table('growth: %s' % name, [name, 'CPU us/call', 'of the first'],
                    [[n, bench.spread(runs[n], 'router_us'),
                      '%.2f' % (bench.median(runs[n], 'router_us') / first)]
                     for n, _ in points])
    with open(os.path.join(bench.out, 'growth.svg'), 'w') as f:
        f.write(picture(curves))


def picture(curves):
    """Four small plots, two by two; the horizontal axes are logarithmic."""
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
             'font-family="sans-serif" font-size="11">'
             '<rect width="100%%" height="100%%" fill="white"/>'
             % (2 * WIDTH, 2 * HEIGHT + 24)]
    for i, (name, points) in enumerate(curves.items()):
        parts.append('<g transform="translate(%d,%d)">%s</g>'
                     % (i % 2 * WIDTH, i // 2 * HEIGHT, plot(name, points)))
    parts.append('<text x="%d" y="%d" fill="#555">CPU of the gateway, us a call: medians, and the '
                 'lowest and highest of all runs; across: logarithmic</text>'
                 % (MARGIN, 2 * HEIGHT + 8))
    return '\n'.join(parts + ['</svg>\n'])


def round_up(us):
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(us))
    return next(power * step for step in (1, 2, 2.5, 5, 10) if us <= power * step)


def axis(top, y):
    """Lines across, and what they stand for."""
    values = [top * i / TICKS for i in range(TICKS + 1)]
    return ''.join('<path d="M%d %.1f H%d" stroke="#ddd"/>'
                   '<text x="%d" y="%.1f" text-anchor="end" fill="#555">%g</text>'
                   % (MARGIN, y(us), WIDTH - MARGIN + 10, MARGIN - 6, y(us) + 4, us)
                   for us in values)


def mark(x, y, n, values):
    """A point with its spread, the figure above it and the number below the axis."""
    us = statistics.median(values)
    return ('<path d="M%.1f %.1f V%.1f" stroke="#8ac" stroke-width="2"/>'
            '<circle cx="%.1f" cy="%.1f" r="3" fill="#246"/>'
            '<text x="%.1f" y="%.1f" text-anchor="middle" font-weight="bold">%.3g</text>'
            '<text x="%.1f" y="%d" text-anchor="middle">%s</text>'
            % (x, y(values[0]), y(values[-1]), x, y(us), x, y(values[-1]) - 6, us, x,
               HEIGHT - MARGIN + 16, format(n, ',').replace(',', ' ')))


def plot(name, points):
    top = round_up(max(values[-1] for _, values in points) * 1.1)
    logs = [math.log10(n + 1) for n, _ in points]
    span = max(logs) - min(logs) or 1

    def x(n):
        return MARGIN + 15 + (math.log10(n + 1) - min(logs)) / span * (WIDTH - 2 * MARGIN - 20)

    def y(us):
        return HEIGHT - MARGIN - us / top * (HEIGHT - 2 * MARGIN)

    line = ' '.join('%.1f,%.1f' % (x(n), y(statistics.median(values))) for n, values in points)
    return ('<text x="%d" y="28" font-size="13">us a call against %s</text>%s'
            '<polyline points="%s" fill="none" stroke="#246" stroke-width="2"/>%s'
            % (MARGIN, name, axis(top, y), line,
               ''.join(mark(x(n), y, n, values) for n, values in points)))
