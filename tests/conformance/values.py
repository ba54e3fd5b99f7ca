# SPDX-License-Identifier: MIT
"""Values of cases: MessagePack bytes to what their JSON says, and patterns."""
import base64
import datetime

import msgpack


def encode(value):
    """A value in the notation of cases to MessagePack, each in its shortest form."""
    return msgpack.packb(_from_notation(value), use_bin_type=True, datetime=True)


def _from_notation(value):
    if isinstance(value, list):
        return [_from_notation(v) for v in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (key, inner), = value.items()
        if key == '$bin':
            return base64.b64decode(inner)
        if key == '$time':
            return read_time(inner)
    return {k[1:] if k.startswith('$$') else k: _from_notation(v) for k, v in value.items()}


def read_time(text):
    """RFC 3339 in UTC, with up to six digits after the second."""
    whole, _, fraction = text.rstrip('Z').partition('.')
    return datetime.datetime.fromisoformat(whole).replace(
        microsecond=int((fraction + '000000')[:6]), tzinfo=datetime.timezone.utc)


def decode(data):
    """MessagePack bytes to a value in the notation of cases."""
    return _to_notation(msgpack.unpackb(data, raw=False, strict_map_key=False, timestamp=3))


def _to_notation(value):
    if isinstance(value, bytes):
        return {'$bin': base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return {'$time': value.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}
    if isinstance(value, list):
        return [_to_notation(v) for v in value]
    if isinstance(value, dict):
        return {_key(k): _to_notation(v) for k, v in value.items()}
    return value


def _key(key):
    return '$' + key if isinstance(key, str) and key.startswith('$') else str(key)


TYPES = {'text': str, 'integer': int, 'number': (int, float), 'map': dict, 'array': list,
         'boolean': bool}


def difference(pattern, value, place=''):
    """None if the value fits the pattern, else where and how it does not."""
    if isinstance(pattern, dict) and len(pattern) == 1:
        (key, inner), = pattern.items()
        if key == '$any':
            fits = isinstance(value, TYPES[inner]) and (
                inner == 'boolean' or not isinstance(value, bool))
            return None if fits else '%s: %r is no %s' % (place, value, inner)
        if key == '$time' and isinstance(value, dict) and set(value) == {'$time'}:
            same = read_time(inner) == read_time(value['$time'])
            return None if same else '%s: another time, %s' % (place, value['$time'])
        if key == '$has':
            return _map_difference(inner, value, place, is_exact=False)
    if isinstance(pattern, dict):
        return _map_difference(pattern, value, place, is_exact=True)
    if isinstance(pattern, list):
        return _list_difference(pattern, value, place)
    same = type(pattern) is type(value) and pattern == value
    return None if same else '%s: %r in place of %r' % (place, value, pattern)


def _map_difference(pattern, value, place, is_exact):
    if not isinstance(value, dict):
        return '%s: %r is no map' % (place, value)
    for key, inner in pattern.items():
        if key not in value:
            return '%s: no key %s in %r' % (place, key, value)
        found = difference(inner, value[key], '%s.%s' % (place, key))
        if found:
            return found
    more = set(value) - set(pattern)
    return '%s: more keys: %s' % (place, ', '.join(sorted(more))) if is_exact and more else None


def _list_difference(pattern, value, place):
    if not isinstance(value, list) or len(value) != len(pattern):
        return '%s: %r in place of %r' % (place, value, pattern)
    for i, (inner, v) in enumerate(zip(pattern, value)):
        found = difference(inner, v, '%s[%d]' % (place, i))
        if found:
            return found
    return None
