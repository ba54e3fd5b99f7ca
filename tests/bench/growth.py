# SPDX-License-Identifier: MIT
"""How the cost of a call grows: names, connections, calls in flight, payload. And its picture."""
import math
import os

SERIES = {
    'names': [(n, ['--window', '64', '--names', str(n)]) for n in (1, 10, 100, 1000, 10000)],
    'idle connections': [(n, ['--window', '64', '--idle', str(n)] if n else ['--window', '64'])
                         for n in (0, 10, 100, 1000)],
    'calls in flight': [(c * w, ['--window', str(w), '--callers', str(c), '--providers', '16' if c > 16 else '1'])
                        for c, w in ((1, 64), (16, 64), (16, 625), (100, 1000))],
    'payload, bytes': [(n, ['--window', '16', '--size', str(n)]) for n in (64, 512, 4096, 16384, 65536)],
}
WIDTH, HEIGHT, MARGIN = 360, 240, 50


def measure(bench):
    """Prints the table, writes growth.svg."""
    curves = {}
    for name, points in SERIES.items():
        runs = {n: [] for n, _ in points}
        for _ in range(bench.pairs):
            for n, args in points:
                runs[n].append(bench.run('chapi-gw', '%s %d' % (name, n), args))
        curves[name] = [(n, bench.median(runs[n], 'router_us')) for n, _ in points]
        first = curves[name][0][1]
        bench.table('growth: %s' % name, [name, 'CPU us/call', 'of the first'],
                    [[n, bench.spread(runs[n], 'router_us'), '%.2f' % (us / first)] for n, us in curves[name]])
    with open(os.path.join(bench.out, 'growth.svg'), 'w') as f:
        f.write(picture(curves))


def picture(curves):
    """Four small plots beside each other, two by two; the horizontal axes are logarithmic."""
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" '
             'font-size="11"><rect width="100%%" height="100%%" fill="white"/>' % (2 * WIDTH, 2 * HEIGHT)]
    for i, (name, points) in enumerate(curves.items()):
        parts.append('<g transform="translate(%d,%d)">%s</g>'
                     % (i % 2 * WIDTH, i // 2 * HEIGHT, plot(name, points)))
    return '\n'.join(parts + ['</svg>\n'])


def plot(name, points):
    top = max(us for _, us in points) * 1.15
    logs = [math.log10(n + 1) for n, _ in points]
    span = max(logs) - min(logs) or 1

    def x(n):
        return MARGIN + (math.log10(n + 1) - min(logs)) / span * (WIDTH - 2 * MARGIN)

    def y(us):
        return HEIGHT - MARGIN - us / top * (HEIGHT - 2 * MARGIN)

    line = ' '.join('%.1f,%.1f' % (x(n), y(us)) for n, us in points)
    marks = ''.join(
        '<circle cx="%.1f" cy="%.1f" r="3" fill="#246"/>'
        '<text x="%.1f" y="%.1f" text-anchor="middle">%.2f</text>'
        '<text x="%.1f" y="%d" text-anchor="middle">%d</text>'
        % (x(n), y(us), x(n), y(us) - 7, us, x(n), HEIGHT - MARGIN + 16, n) for n, us in points)
    return ('<text x="%d" y="24" font-size="13">CPU us a call against %s</text>'
            '<path d="M%d %d V%d H%d" fill="none" stroke="#888"/>'
            '<polyline points="%s" fill="none" stroke="#246" stroke-width="2"/>%s'
            % (MARGIN, name, MARGIN, MARGIN - 10, HEIGHT - MARGIN, WIDTH - MARGIN + 10, line, marks))
