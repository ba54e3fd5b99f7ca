# SPDX-License-Identifier: MIT
"""Gateway to gateway over a hub."""
import json
import os
import subprocess

import pytest

from lib.gateway import Gateway
from lib.limits import wait_until
from lib.process import program


@pytest.fixture
def names():
    """Names of gateways that no other test uses."""
    return ['%s-%s' % (name, os.urandom(4).hex()) for name in ('pi', 'attic')]


@pytest.fixture
def two(daemons, folder, hub, names):
    """Two gateways on one hub."""
    gateways = []
    for i, name in enumerate(names):
        os.mkdir(os.path.join(folder, str(i)))
        gateways.append(daemons.start(Gateway(os.path.join(folder, str(i)), hub, gateway={'name': name})))
    return [g.wait_up() for g in gateways]


def ctl(gateway, *arguments):
    return subprocess.run([program('chapi-ctl'), '-s', gateway.socket_path, *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60)


# ---- beacons ----------------------------------------------------------------------------------

def seen(gateway, names):
    return [g for g in gateway.ask('gateways') if g['name'] in names]


def test_gateways_see_each_other(two, names):
    expected = [{'name': n, 'self': n == names[0]} for n in sorted(names)]
    wait_until(lambda: seen(two[0], names) == expected, 'both beacons to be there')
    lines = ctl(two[0], 'gateways').stdout.splitlines()
    assert lines[0].split() == ['NAME']
    assert [line.split() for line in lines if names[0] in line] == [[names[0], 'this', 'one']]
    assert [line.split() for line in lines if names[1] in line] == [[names[1]]]
    assert [g for g in json.loads(ctl(two[0], 'gateways', '--json').stdout) if g['name'] in names] == expected


def test_gateway_that_has_left_is_not_seen(two, names):
    wait_until(lambda: len(seen(two[0], names)) == 2, 'both beacons to be there')
    two[1].stop()
    wait_until(lambda: len(seen(two[0], names)) == 1, 'the beacon to be gone')


def test_gateway_without_a_hub_sees_nobody(gateway):
    result = ctl(gateway, 'gateways')
    assert result.returncode == 78
    assert 'no' in result.stderr and 'pusher' in result.stderr


def test_hub_that_cannot_be_asked_is_told(own_hub, start_gateway, channel):
    own_hub.start()
    gateway = start_gateway(own_hub, channel).wait_up()
    own_hub.stop()
    with gateway.connect() as client:
        error = client.wait_response(client.request('gateways'))[2]
    assert (error['code'], error['ran']) == ('hub_down', 'no')
