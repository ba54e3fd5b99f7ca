# SPDX-License-Identifier: MIT
"""The files of cases as text: writes the bytes of messages that have none, checks those that do.

    casefile.py --write FILE...     adds "msgpack" where it is missing, and lays the file out
    casefile.py --check FILE...     do the bytes mean what the JSON says?
"""
import json
import sys

from values import decode, encode


def text(value):
    return json.dumps(value, ensure_ascii=False)


def messages(case):
    return [step['message'] for step in case['steps'] if 'message' in step]


def problem(message):
    """None, or what is wrong with a message of a case."""
    if 'msgpack' not in message:
        return 'no bytes for %s' % text(message['json'])
    if message.get('only_bytes'):
        return None
    said = decode(bytes.fromhex(message['msgpack']))
    return None if same(said, message['json']) else '%s is %s' % (message['msgpack'], text(said))


def same(a, b):
    return text(a) == text(b)


def layout(case):
    """A line for each thing that is said."""
    head = ['  %s: %s' % (text(k), text(v)) for k, v in case.items() if k != 'steps']
    steps = ',\n'.join('    ' + step_layout(step) for step in case['steps'])
    return '{\n%s,\n  "steps": [\n%s\n  ]\n}\n' % (',\n'.join(head), steps)


def step_layout(step):
    parts = []
    for key, value in step.items():
        if key == 'message':
            inner = (',\n      ').join('%s: %s' % (text(k), text(v)) for k, v in value.items())
            parts.append('"message": {\n      %s}' % inner)
        else:
            parts.append('%s: %s' % (text(key), text(value)))
    return '{' + ',\n     '.join(parts) + '}'


def write(path):
    with open(path) as f:
        case = json.load(f)
    for message in messages(case):
        if 'msgpack' not in message:
            message['msgpack'] = encode(message['json']).hex()
    with open(path, 'w') as f:
        f.write(layout(case))


def check(path):
    with open(path) as f:
        case = json.load(f)
    return ['%s: %s' % (path, p) for p in map(problem, messages(case)) if p]


if __name__ == '__main__':
    if len(sys.argv) < 3 or sys.argv[1] not in ('--write', '--check'):
        sys.exit(__doc__)
    if sys.argv[1] == '--write':
        for each in sys.argv[2:]:
            write(each)
    problems = [p for each in sys.argv[2:] for p in check(each)]
    print('\n'.join(problems), end='\n' if problems else '')
    sys.exit(bool(problems))
