# SPDX-License-Identifier: MIT
"""What the tests of known traps share: a hub that plays faults, a gateway behind it,
a remote caller."""
from .limits import wait_until
from .pusher_client import Remote

OURS = 'chapi-gw'       # what the gateway calls itself; remote callers are "test"


class Trap:
    """Nothing runs before start()."""

    def __init__(self, hub, start_gateway, channel):
        self.hub = hub
        self.control = hub.control
        self.channel = channel
        self._start_gateway = start_gateway
        self.gateway = None

    def start(self, wait=True, channels=None, **sections):
        self.gateway = self._start_gateway(self.hub, channels or self.channel, **sections)
        if wait:
            self.gateway.wait_up()
        return self.gateway

    def play(self, *lines):
        self.control.do(*lines)

    def status(self):
        return self.gateway.ask('status')['hub']

    def wait_status(self, fits, what):
        return wait_until(lambda: [s for s in [self.status()] if fits(s)], what)[0]

    def connects(self):
        return self.status()['connects']

    def wait_again(self, connects):
        """Until it is up on a connection beyond that many."""
        return self.wait_status(lambda s: s['connects'] > connects and s['state'] == 'up',
                                'a new connection')

    def wait_done(self, n, what):
        """Until the rules have acted that often, all together."""
        return wait_until(lambda: sum(self.control.done()) >= n, what)

    def connections(self):
        """Those of the gateway that are open at the hub."""
        return [c for c in self.control.ask('clients') if c['client'] == OURS]

    def works(self):
        """A call over the hub is answered, once."""
        with Remote(self.hub, self.channel.split()[0]) as remote:
            assert remote.call('chapi.echo', {'a': 1})['result'] == {'a': 1}
            remote.call('chapi.ping')
            assert remote.is_quiet()
        return True
