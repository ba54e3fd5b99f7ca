#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The camera's last picture: the newest *.jpg of a folder that a camera program fills.

    picture.py serve ~/pictures &
    picture.py save last.jpg                                        # on the same machine
    picture.py save last.jpg APP_ID KEY SECRET CLUSTER CHANNEL      # from afar
"""
import os
import sys
from datetime import datetime, timezone
from pathlib import Path

from chapi import Client, Error, Server


def serve(folder):
    server = Server(name='picture')

    @server.api('camera.last')
    def last() -> dict:
        """The newest picture: name, taken (a time) and jpeg (bytes)."""
        pictures = sorted(Path(folder).glob('*.jpg'), key=os.path.getmtime)
        if not pictures:
            raise Error('no picture was taken yet', code='no_picture')
        taken = datetime.fromtimestamp(pictures[-1].stat().st_mtime, timezone.utc)
        return {'name': pictures[-1].name, 'taken': taken, 'jpeg': pictures[-1].read_bytes()}
    server.run()


def save(path, *credentials):
    with Client(*credentials[:4], channel=(credentials[4:] or [None])[0]) as client:
        picture = client.call('camera.last', timeout=60)
    Path(path).write_bytes(picture['jpeg'])
    print('%s, taken at %s, %d bytes' % (picture['name'], picture['taken'], len(picture['jpeg'])))


{'serve': serve, 'save': save}[sys.argv[1]](*sys.argv[2:])
