# SPDX-License-Identifier: MIT
"""clients/examples/remote-call.py: a client in one file, over hubs with and without TLS."""
import json
import os
import runpy
import sys
from types import SimpleNamespace

from lib import serving
from lib.hubs import HUBS
from lib.process import environment, run, top_srcdir

PATH = os.path.join(top_srcdir, 'clients/examples/remote-call.py')


def remote_call(hub, channel, *arguments, **env):
    return run([sys.executable, PATH, '--port', str(hub.port), '--app', hub.app_id + ':' + hub.key,
                '--secret-file', hub.secret_file, '--channel', channel, *arguments],
               env=environment(**env))


def test_result_and_error(remote_gateway, hub, channel):
    done = remote_call(hub, channel, 'chapi.echo', '{"a": 1}')
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"a": 1}\n', '')
    done = remote_call(hub, channel, 'no.such')
    assert done.returncode == 1 and json.loads(done.stdout)['code'] == 'api_not_found'


def test_answer_in_parts_is_said(daemons, remote_gateway, hub, channel):
    serving.start(daemons, remote_gateway, 'noise', '--', 'head', '-c', '20000', '/dev/urandom',
                  names=['noise'])
    done = remote_call(hub, channel, 'noise')
    assert done.returncode == 2 and 'comes in parts' in done.stderr, done


def test_over_tls(hub_name, folder, authority, start_gateway, channel):
    hub = HUBS[hub_name](folder, authority.issue('hub', 'DNS:localhost'))
    hub.start()
    try:
        start_gateway(hub, channel).wait_up()
        tls = ['--host', 'localhost', '--tls', 'chapi.ping']
        done = remote_call(hub, channel, *tls, SSL_CERT_FILE=authority.certificate)
        assert (done.returncode, done.stdout) == (0, '"pong"\n'), done.stderr
        done = remote_call(hub, channel, *tls)
        assert done.returncode == 2 and 'certificate' in done.stderr
    finally:
        hub.stop()


def test_nobody_there(hub, channel):
    done = remote_call(hub, channel, '--timeout', '0.2', 'chapi.ping')
    assert done.returncode == 2 and 'remote-call.py: ' in done.stderr


def test_places_of_the_hosted_service():
    args = SimpleNamespace(cluster='eu', host='', port=0)
    assert runpy.run_path(PATH)['places'](args) == (('ws-eu.pusher.com', 443),
                                                    ('api-eu.pusher.com', 443))
