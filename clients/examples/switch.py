#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A switch at a GPIO pin, 17 if none is given; with a stand-in where there is no GPIO.

    switch.py 17 &
    chapi-call switch.set on:=true
"""
import sys

from chapi import Server

PIN = int(sys.argv[1]) if len(sys.argv) > 1 else 17


class StandIn:
    """As much of gpiozero's class as is used here."""
    value = 0


try:
    from gpiozero import DigitalOutputDevice
    pin = DigitalOutputDevice(PIN)
except Exception as why:        # not installed, or no GPIO: gpiozero has several errors for that
    print('no GPIO (%s): a stand-in takes its place' % why, flush=True)
    pin = StandIn()
server = Server(name='switch')
server.register('switch.get', lambda: bool(pin.value), summary='Is it on?')


@server.api('switch.set', concurrency=1, idempotent=True)
def set_switch(on: bool) -> bool:
    """Switches it on or off."""
    pin.value = int(on)
    print('pin %d: %s' % (PIN, 'on' if on else 'off'), flush=True)
    return on


server.run()
