# SPDX-License-Identifier: MIT
"""The examples in Python, as they are, against the real gateway: what people want on a Pi."""
import importlib.util
import json
import os
import re
import sys

import pytest

from lib.hubs import free_port
from lib.limits import LIMIT
from lib.process import Daemon, environment, program, run, top_srcdir
from lib.python_client import chapi, needs_websockets, package_environment

EXAMPLES = os.path.join(top_srcdir, 'clients/examples')


def path(name):
    return os.path.join(EXAMPLES, name)


@pytest.fixture
def example(request, daemons):
    """example(FILE, a name that it registers, ARGUMENT...): runs until the test ends."""
    def start(name, api, *arguments, at=None):
        at = at or request.getfixturevalue('gateway')
        daemon = daemons.start(Daemon(name, [sys.executable, path(name), *arguments],
                                      env=package_environment(at), status=None))
        at.ask('wait', [api], {'timeout_ms': int(LIMIT * 1000)})
        return daemon
    return start


@pytest.mark.parametrize('name', ['temperature.py', 'switch.py', 'picture.py', 'web.py'])
def test_example_is_short_and_runs_by_itself(name):
    with open(path(name), encoding='utf-8') as f:
        lines = f.read().splitlines()
    assert len(lines) < 40 and lines[0] == '#!/usr/bin/env python3'
    assert os.access(path(name), os.X_OK)


def test_temperature_and_disk_space(example, local, folder):
    os.mkdir(folder + '/thermal_zone0')
    for name, text in (('type', 'cpu-thermal\n'), ('temp', '48312\n')):
        with open('%s/thermal_zone0/%s' % (folder, name), 'w') as f:
            f.write(text)
    example('temperature.py', 'pi.temperature', folder)
    assert local.call('pi.temperature') == {'cpu-thermal': 48.312}
    disk = local.call('pi.disk', path=folder)
    assert disk['total'] >= disk['free'] > 0
    with pytest.raises(chapi.ApiError) as e:
        local.call('pi.disk', path=folder + '/none')
    assert e.value.details['code'] == 'FileNotFoundError'


def test_machine_without_a_sensor(example, local, folder):
    example('temperature.py', 'pi.temperature', folder)
    with pytest.raises(chapi.ApiError, match='no sensor') as e:
        local.call('pi.temperature')
    assert e.value.details['code'] == 'no_sensor'


@pytest.mark.skipif(importlib.util.find_spec('gpiozero') is not None,
                    reason='gpiozero is here, and may move a real pin')
def test_switch_with_a_stand_in(example, local):
    switch = example('switch.py', 'switch.set', '4')
    assert local.call('switch.get') is False
    assert local.call('switch.set', on=True) is True
    switch.wait_log('pin 4: on')
    assert local.call('switch.get') is True
    assert local.call('switch.set', on=False) is False
    switch.wait_log('pin 4: off')
    with pytest.raises(chapi.InvalidArgument):
        local.call('switch.set', on='yes')


def jpeg(folder, name, size, age):
    data = b'\xff\xd8' + os.urandom(size)
    with open(os.path.join(folder, name), 'wb') as f:
        f.write(data)
    os.utime(f.name, (1700000000 - age, 1700000000 - age))
    return data


def test_last_picture_on_the_same_machine(example, gateway, folder):
    example('picture.py', 'camera.last', 'serve', folder)
    env = package_environment(gateway)
    done = run([sys.executable, path('picture.py'), 'save', folder + '/out'], env=env)
    assert 'no picture was taken yet' in done.stderr
    jpeg(folder, 'old.jpg', 10, 60)
    data = jpeg(folder, 'new.jpg', 3000000, 0)
    done = run([sys.executable, path('picture.py'), 'save', folder + '/out'], env=env)
    assert done.stdout == 'new.jpg, taken at 2023-11-14 22:13:20+00:00, 3000002 bytes\n', \
        done.stderr
    with open(folder + '/out', 'rb') as f:
        assert f.read() == data


@pytest.fixture
def notes(example, gateway, daemons, folder):
    """The Flask app behind chapi-serve --http."""
    if importlib.util.find_spec('flask') is None:
        pytest.skip('Flask is missing')
    port = free_port()
    app = daemons.start(Daemon('web.py', [sys.executable, '-m', 'flask',
                                          '--app', path('web.py'), 'run', '--port', port],
                               cwd=folder, env=environment(PYTHONDONTWRITEBYTECODE='1'),
                               status=None))
    app.wait_log('Running on')
    daemons.start(Daemon('chapi-serve',
                         [program('chapi-serve'), 'notes', '--http', 'http://127.0.0.1:%d'
                          % port], env=environment(CHAPI_SOCKET=gateway.socket_path), status=None))
    gateway.ask('wait', ['notes'], {'timeout_ms': int(LIMIT * 1000)})


@pytest.mark.usefixtures('notes')
def test_flask_app_behind_chapi_serve(gateway):
    def call(*arguments):
        done = run([program('chapi-call'), 'notes', *arguments],
                   env=environment(CHAPI_SOCKET=gateway.socket_path))
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        return answer['status'], answer['body']
    commands = re.findall(r'^    chapi-call notes (.*)$',
                          open(path('web.py'), encoding='utf-8').read(), re.M)
    assert commands == ["""method=POST path=/notes body:='{"text": "buy milk"}'""", 'path=/notes']
    note = {'text': 'buy milk', 'by': 'uid:%d' % os.getuid()}
    assert call('method=POST', 'path=/notes', 'body:={"text": "buy milk"}') == (201, note)
    assert call('path=/notes') == (200, [note])
    assert call('path=/notes', 'query:={"with": "beer"}') == (200, [])
    assert call('method=POST', 'path=/notes', 'body=no text') == \
        (400, {'error': 'a note needs a text'})


@needs_websockets
def test_last_picture_from_afar(example, start_gateway, hub, channel, folder):
    gateway = start_gateway(hub, channel).wait_up()
    example('picture.py', 'camera.last', 'serve', folder, at=gateway)
    data = jpeg(folder, 'new.jpg', 200000, 0)
    done = run([sys.executable, path('picture.py'), 'save', folder + '/out', hub.app_id,
                hub.key, hub.secret, 'http://%s:%d' % (hub.host, hub.port), channel],
               env=package_environment(), limit=LIMIT * 3)
    assert done.returncode == 0, done.stderr
    with open(folder + '/out', 'rb') as f:
        assert f.read() == data
