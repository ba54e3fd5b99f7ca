# SPDX-License-Identifier: MIT
"""The gateway in a world of its own names: an /etc/hosts that is a file of the test."""
import os
import shlex
import subprocess

import pytest

from .process import program


class Hosts:
    """Skips the test where that cannot be had; executable is what Gateway() takes."""

    def __init__(self, folder):
        self.path = os.path.join(folder, 'hosts')
        self.executable = os.path.join(folder, 'chapi-gw-in-its-world')
        self.lead()
        self.world = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"',
                      self.path]
        probe = self._run('true')
        if probe.returncode != 0:
            pytest.skip('no mount namespaces here: ' + probe.stderr.strip())
        with open(self.executable, 'w') as f:
            f.write('#!/bin/sh\nexec %s "$@"\n' % shlex.join(self.world + [program('chapi-gw')]))
        os.chmod(self.executable, 0o755)

    def _run(self, *argv):
        return subprocess.run([*self.world, *argv], capture_output=True, text=True)

    def lead(self, **names):
        """lead(name=[address, ...]): .test is added to each name. In place, as it is mounted."""
        lines = ['127.0.0.1 localhost']
        for name, addresses in names.items():
            lines += ['%s %s.test' % (address, name) for address in addresses]
        with open(self.path, 'w') as f:
            f.write('\n'.join(lines) + '\n')

    def addresses(self, name):
        """In the order in which the resolver gives them."""
        text = self._run('getent', 'ahosts', name + '.test').stdout
        return [line.split()[0] for line in text.splitlines() if 'STREAM' in line]
