# SPDX-License-Identifier: MIT
"""chapi-serve --from FILE: many names in one file; what is wrong in it is told with its line."""
import json
import os

import pytest

from lib import serving
from lib.process import environment, program, run

EX_USAGE, EX_NOINPUT, EX_CANTCREAT, EX_CONFIG = 64, 66, 73, 78


@pytest.fixture
def write(folder):
    def write(text):
        path = os.path.join(folder, 'serve.ini')
        with open(path, 'w') as f:
            f.write(text)
        return path
    return write


def refused(gateway, *arguments):
    result = run([program('chapi-serve')] + list(arguments),
                 env=environment(CHAPI_SOCKET=gateway.socket_path))
    assert result.stdout == ''
    return result.returncode, result.stderr


def test_many_names_in_one_file(write, daemons, gateway, folder):
    with open(os.path.join(folder, 'say.json'), 'w') as f:
        json.dump({'type': 'object', 'required': ['what']}, f)
    path = write('''
# all of the house
[say]
command = printf '%s|' "two words" it\\'s {what}
summary = says what
params = @say.json
text = yes

[count]
command = cat
concurrency = 1
queue = 0
idempotent = no
''')
    serving.start(daemons, gateway, '--from', path, names=['say', 'count'])
    with gateway.connect() as client:
        assert client.call('say', {'what': 'x y'}) == "two words|it's|x y|"
        assert client.call('count', {'n': 1}) == {'n': 1}
        assert client.ask('describe', 'say')['summary'] == 'says what'
        assert client.ask('describe', 'count')['queue'] == 0
        assert serving.failure(client, 'say').code == 'invalid_argument'


def test_options_beside_a_file_are_for_all_that_say_nothing(write, daemons, gateway):
    path = write('[a]\ncommand = true\n[b]\ncommand = true\nconcurrency = 2\n')
    serving.start(daemons, gateway, '--from', path, '-c', '7', names=['a', 'b'])
    with gateway.connect() as client:
        assert [client.ask('describe', name)['concurrency'] for name in 'ab'] == [7, 2]


@pytest.mark.parametrize('text, line, said', [
    ('command = true\n', 1, '[NAME]'),
    ('[f]\n', 1, 'the command is missing'),
    ('[f]\ncommand =\n', 2, 'no value'),
    ('[f]\ncommand = no-such-command\n', 1, 'no-such-command'),
    ('[f]\ncommand = echo "open\n', 1, 'quote'),
    ('[f]\ncommand = true\nfrobnicate = 1\n', 3, 'frobnicate'),
    ('[f]\ncommand = true\ntimeout = 5\n', 3, '500ms'),
    ('[f]\ncommand = true\nstream = maybe\n', 3, 'yes or no'),
    ('[f]\ncommand = true\nhttp = http://127.0.0.1/\n', 1, 'not both'),
    ('[f]\nhttp = ftp://127.0.0.1/\n', 1, 'http://'),
    ('[f]\ncommand = true\nparams = @nowhere.json\n', 1, 'nowhere.json'),
    ('[f]\ncommand = true\n[g]\ncommand = true\n[f]\n', 5, 'twice'),
    ('[f]\ncommand = sh -c "echo {v}"\n', 1, '$1'),
    ('[f\n', 1, '[name]'),
    ('', 1, 'no [NAME]'),
], ids=lambda v: None if isinstance(v, int) else v.replace('\n', '/') or 'nothing')
def test_what_is_wrong_is_told_with_its_line(write, gateway, text, line, said):
    path = write(text)
    status, error = refused(gateway, '--from', path)
    assert status == EX_CONFIG
    assert error.startswith('chapi-serve: %s:%d: ' % (path, line)) and said in error


def test_missing_file(gateway, folder):
    status, error = refused(gateway, '--from', folder + '/nowhere')
    assert status == EX_NOINPUT and folder + '/nowhere' in error


def test_name_beside_a_file_is_wrong_usage(write, gateway):
    path = write('[f]\ncommand = true\n')
    assert refused(gateway, '--from', path, 'g', '--', 'true')[0] == EX_USAGE


def test_one_taken_name_of_a_file_ends_it(write, gateway):
    path = write('[f]\ncommand = true\n[g]\ncommand = true\n')
    with gateway.connect() as holder:
        holder.ask('register', 'g')
        status, error = refused(gateway, '--from', path)
    assert status == EX_CANTCREAT and 'g' in error
