# SPDX-License-Identifier: MIT
"""Records too large for one event of the hub, in parts."""
from __future__ import annotations

import base64
import hashlib
import json
import zlib
from typing import Any, Dict, List, Optional

EVENT_MAX = 10240           # bytes of data that a hub takes
RECORD_MAX = 1 << 20        # bytes of JSON text of a record
PARTS_MAX = 1024
AGAIN_MAX = 240             # bytes of what a repeat says: an instance with escapes, numbers


def split(number: str, text: str, limit: int = EVENT_MAX, to: Optional[str] = None) -> List[str]:
    """The parts, as JSON texts of at most limit bytes, of the record with that id.

    Those that come again have room. to: the gateway that is meant; what others say of parts
    would be taken for its answer.
    """
    plain = text.encode()
    packed = zlib.compress(plain)
    encoding, packed = ('zlib', packed) if len(packed) < len(plain) else ('json', plain)
    head: Dict[str, Any] = {'id': number, 'encoding': encoding, 'sha256': _digest(plain)}
    if to is not None:
        head['to'] = to
    room = limit - AGAIN_MAX - len(_part(head, PARTS_MAX, PARTS_MAX, ''))
    data, size = base64.b64encode(packed).decode(), room // 4 * 4
    slices = [data[i:i + size] for i in range(0, len(data), size)]
    return [_part(head, i, len(slices), s) for i, s in enumerate(slices)]


def _part(head: Dict[str, Any], index: int, n: int, data: str) -> str:
    return json.dumps({**head, 'part': index, 'parts': n, 'data': data}, separators=(',', ':'))


def say_again(text: str, again: Dict[str, Any]) -> str:
    """The part as that of a repeat, which says so: retry, retry_ms, and the time that is left."""
    return json.dumps({**json.loads(text), **again}, separators=(',', ':'))


def _digest(plain: bytes) -> str:
    return base64.b64encode(hashlib.sha256(plain).digest()).decode()


class Assembly:
    """The parts of one answer, which come in any order and more than once.

    Those of another record take the place of the ones before: only the gateway answers, and it was
    started again, so what there is of its first answer will never be complete.
    """

    def __init__(self) -> None:
        self._head: Any = None
        self._slices: Dict[int, str] = {}

    def add(self, part: Dict[str, Any]) -> Optional[str]:
        """The record's JSON text when this was the last part missing, else None.

        Raises ValueError for what is no part, and for parts that make no record.
        """
        head = (part.get('parts'), part.get('sha256'), part.get('encoding'))
        index, data = part.get('part'), part.get('data')
        n = head[0]
        if not (isinstance(n, int) and isinstance(index, int) and 0 <= index < n <= PARTS_MAX) or \
                not isinstance(data, str):
            raise ValueError('a part without its fields')
        if self._head != head:
            self._head, self._slices = head, {}
        self._slices[index] = data
        return self._join() if len(self._slices) == n else None

    def _join(self) -> str:
        _, digest, encoding = self._head
        plain = b''.join(base64.b64decode(self._slices[i]) for i in range(len(self._slices)))
        if encoding == 'zlib':
            plain = _inflate(plain)
        if len(plain) > RECORD_MAX or _digest(plain) != digest:
            raise ValueError('parts that make no record')
        return plain.decode()


def _inflate(data: bytes) -> bytes:
    """Stops at the limit: a small text can stand for a huge one."""
    try:
        return zlib.decompressobj().decompress(data, RECORD_MAX + 1)
    except zlib.error as e:
        raise ValueError('parts that cannot be inflated: %s' % e) from e
