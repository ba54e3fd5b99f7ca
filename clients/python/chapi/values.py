# SPDX-License-Identifier: MIT
"""Values in their two encodings: MessagePack for the local socket, JSON for the hub.

None, bool, int, float, str, list and dict mean the same in both. bytes and datetime (with a
time zone) have types of their own in MessagePack; in JSON they are {"$bin": base64} and
{"$time": RFC 3339}, and a real key that begins with '$' gets one more.
"""
from __future__ import annotations

import base64
import json
from datetime import datetime, timezone
from typing import Any

import msgpack


def pack(value: Any) -> bytes:
    """To MessagePack. Raises TypeError, ValueError or OverflowError for what has no form there."""
    data: bytes = msgpack.packb(value, use_bin_type=True, datetime=True)
    return data


def to_json(value: Any) -> str:
    """To JSON text. Raises TypeError or ValueError for what has no form there."""
    return json.dumps(_marked(value), ensure_ascii=False, allow_nan=False, separators=(',', ':'))


def from_json(text: str) -> Any:
    """The value of a JSON text. Raises ValueError for a text that is none."""
    return _unmarked(json.loads(text))


def _marked(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {'$bin': base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError('a datetime needs a time zone')
        return {'$time': value.astimezone(timezone.utc).isoformat().replace('+00:00', 'Z')}
    if isinstance(value, dict):
        return {'$' + k if isinstance(k, str) and k.startswith('$') else k: _marked(v)
                for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_marked(v) for v in value]
    return value


def _unmarked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unmarked(v) for v in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (key, inner), = value.items()
        if key == '$bin' and isinstance(inner, str):
            return base64.b64decode(inner, validate=True)
        if key == '$time' and isinstance(inner, str):
            return _read_time(inner)
    return {k[1:] if k.startswith('$$') else k: _unmarked(v) for k, v in value.items()}


def _read_time(text: str) -> datetime:
    """RFC 3339 in UTC; a datetime holds microseconds, so finer digits are cut."""
    whole, _, fraction = text.rstrip('Z').partition('.')
    microsecond = int((fraction + '000000')[:6])
    return datetime.fromisoformat(whole).replace(microsecond=microsecond, tzinfo=timezone.utc)
