# SPDX-License-Identifier: MIT
"""The older Python library's server with one API, echo, on a hub of one's own.

Prints SUBSCRIBED each time that the subscription to the channel is confirmed.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from chapi_py import Server  # noqa: E402


class BenchServer(Server):
    """Says when it can be called."""

    def _on_connected(self, data):
        super()._on_connected(data)
        self.channel.bind('pusher_internal:subscription_succeeded',
                          lambda _data: print('SUBSCRIBED', flush=True))


parser = argparse.ArgumentParser()
for name in ('--host', '--port', '--app-id', '--key', '--secret'):
    parser.add_argument(name, required=True)
args = parser.parse_args()
server = BenchServer(args.app_id, args.key, args.secret, host=args.host, port=int(args.port),
                     ssl=False)


@server.api('echo')
def echo(**kwargs):
    return kwargs


server.run(1)
