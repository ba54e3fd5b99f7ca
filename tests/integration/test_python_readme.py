# SPDX-License-Identifier: MIT
"""The README of the Python package: its programs run as they stand there."""
import os
import re
import sys

from lib.process import Daemon, run
from lib.python_client import PACKAGE, package_environment


def test_provider_and_caller_of_the_readme(daemons, gateway, write_program):
    with open(os.path.join(PACKAGE, 'README.md')) as f:
        provider, caller = re.findall(r'```python\n(.*?)```', f.read(), re.S)[:2]
    env = package_environment(gateway)
    daemons.start(Daemon('provider', [sys.executable, write_program('provider.py', provider)], env=env, status=None))
    done = run([sys.executable, write_program('caller.py', caller)], env=env)
    assert done.returncode == 0 and int(done.stdout) > 0, done.stderr
