# SPDX-License-Identifier: MIT
"""A gateway that is stopped for longer than its connection may be silent."""
import signal
import time

from lib.limits import wait_until

SILENCE = {'ping_interval': '100ms', 'pong_timeout': '300ms'}


def only_the_new_one_runs(gateway, remote, size, before=lambda: None):
    """What comes while the gateway is stopped may be the repeat of one that is forgotten: it counts
    as lost, and its connection too."""
    with gateway.connect() as client:
        client.ask('register', 'lights.on')
        before()
        gateway.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        for old in 'abc':
            remote.request('lights.on', old * size)
        wait_until(lambda: time.monotonic() > stopped + 0.5, 'the requests to be too old')
        gateway.send_signal(signal.SIGCONT)
        wait_until(lambda: gateway.ask('status')['hub']['connects'] > 1, 'another connection')
        gateway.wait_up()
        number = remote.request('lights.on', 'new')
        request = client.wait_request('lights.on')
        assert request[3][0] == 'new'
        client.answer(request, 'on')
        assert remote.response(number)['result'] == 'on'
