# SPDX-License-Identifier: MIT
"""What goes wrong in the soak, once a second: FAULTS, each a function of the world and a weight.

A fault lasts until the next one at most: `forget` of the control socket undoes what chapi-hub
was told before. Others are added to the table.
"""
import random
import signal
import time

REFUSED = ('{"event":"pusher:subscription_error","channel":"$channel",'
           '"data":{"type":"AuthError","error":"no","status":401}}')


def rules(*lines):
    """A fault that is one of these lines of chapi-hub(1)."""
    def play(world):
        world.hub.control.do(world.random.choice(lines))
    return play


def close_with_a_code(world):
    code = world.random.choice((1000, 1001, 1011, 4001, 4004, 4009, 4100, 4200, 4201, 4202, 4301))
    world.hub.control.do('now client chapi-gw close %d' % code)


def hub_is_killed(world):
    world.hub.control.close()
    world.hub.kill()
    world.hub.start()


def hub_is_restarted(world):
    world.hub.stop()
    world.hub.start()


def stands_still(world):
    """Its connection may be silent for 1.5 s: what came meanwhile counts as lost, or does not."""
    gateway = world.random.choice(world.gateways)
    gateway.send_signal(signal.SIGSTOP)
    try:
        time.sleep(world.random.uniform(0.2, 4))
    finally:
        gateway.send_signal(signal.SIGCONT)


FAULTS = {
    'the gateway is cut off': (rules('now client chapi-gw cut', 'now client chapi-gw reset'), 4),
    'all are cut off': (rules('now cut', 'now reset'), 1),
    'callers are cut off': (rules('now client test cut', 'now client test close 4200'), 2),
    'closed with a code': (close_with_a_code, 4),
    'deliveries are lost': (rules('on deliver request 1-3 do swallow',
                                  'on deliver response 1-3 do swallow',
                                  'on deliver re* 20% do swallow'), 4),
    'deliveries come twice': (rules('on deliver request 1-9 do double',
                                    'on deliver response 1-9 do double'), 4),
    'deliveries come late': (rules('on deliver request 30% do delay 700ms',
                                   'on deliver re* 1-4 do delay 1500ms'), 3),
    'deliveries look odd': (rules('on deliver re* all do fragment 7',
                                  'on deliver re* 30% do binary'), 1),
    'posts are refused': (rules("on post 1-5 do answer 502 '<h1>Bad gateway</h1>'",
                                'on post 1-5 do answer 503 busy',
                                "on post 1-3 do answer 429 '' 'Retry-After: 1'",
                                "on post batch_events 1-2 do answer 400 'no'",
                                "on post events 1-3 do answer 200 "
                                "'{\"error\":\"oops\",\"code\":500}'"), 3),
    'posts without an answer': (rules('on post 1-4 do reset', 'on posted 1-4 do reset',
                                      'on posted 1-4 do cut',
                                      'on posted 1-4 do delay 3s'), 4),
    'connections of HTTP end': (rules('on posted all do say-close', 'on posted all do hang-up'), 1),
    'silence': (rules('now client chapi-gw freeze', 'now freeze',
                      'now client chapi-gw stop-reading'), 3),
    'no pongs': (rules('on receive pusher:ping all do ignore'), 1),
    'the clock is wrong': (rules('now clock +1h', 'now clock -1h'), 1),
    'words without a meaning': (rules("now error 4200 'Invalid message format'",
                                      "now error null 'well' string",
                                      "now send '{\"event\":'", 'now send-hex 7b22ff',
                                      'now ping'), 2),
    'bad greetings': (rules('on accept 1-2 do close 4100', 'on accept 1-3 do reset',
                            'on deliver pusher:connection_established 1-2 do swallow',
                            'on accept 1-2 do error 4004 quota'), 3),
    'no subscription': (rules('on deliver pusher_internal:subscription_succeeded 1-2 do swallow',
                              "on deliver pusher_internal:subscription_succeeded 1-2 "
                              "do replace '%s'" % REFUSED), 2),
    'the hub is killed': (hub_is_killed, 1),
    'the hub is restarted': (hub_is_restarted, 1),
    'a gateway stands still': (stands_still, 2),
}


class Faults:
    """Plays a fault each second, and counts them by name.

    On the thread of the caller, which has to be one that stays: a hub that was started by a
    thread dies with it.
    """

    def __init__(self, world, every_s=1.0, faults=None):
        self.world = world
        self.every_s = every_s
        self.faults = faults or FAULTS
        self.counts = dict.fromkeys(self.faults, 0)

    def play_one(self):
        names = list(self.faults)
        name = self.world.random.choices(names, [self.faults[n][1] for n in names])[0]
        self.counts[name] += 1
        self.world.hub.control.do('forget')
        self.faults[name][0](self.world)

    def play(self, duration_s):
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            time.sleep(self.every_s)
            self.play_one()
        self.world.hub.control.do('forget')


class World:
    """What faults can get hold of."""

    def __init__(self, hub, gateways, seed):
        self.hub = hub
        self.gateways = gateways
        self.random = random.Random(seed)
