#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Temperature and disk space of a machine. Serve, then ask:

    temperature.py &
    chapi-call pi.temperature
    chapi-call pi.disk path=/home
"""
import glob
import os
import shutil
import sys

from chapi import Error, Server

server = Server(name='temperature')
SENSORS = sys.argv[1] if len(sys.argv) > 1 else '/sys/class/thermal'


@server.api('pi.temperature')
def temperature() -> dict:
    """Degrees Celsius, by sensor."""
    found = {}
    for zone in sorted(glob.glob(os.path.join(SENSORS, 'thermal_zone*'))):
        with open(zone + '/type') as kind, open(zone + '/temp') as value:
            found[kind.read().strip()] = int(value.read()) / 1000
    if not found:
        raise Error('this machine has no sensor in ' + SENSORS, code='no_sensor')
    return found


@server.api('pi.disk')
def disk(path: str = '/') -> dict:
    """Bytes of the file system that holds a path: total, used and free."""
    return shutil.disk_usage(path)._asdict()


server.run()
