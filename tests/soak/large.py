# SPDX-License-Identifier: MIT
"""Records in parts, cut and put together here and not by the code under test."""
import base64
import hashlib
import json
import string
import zlib

RECORD_MAX = 1 << 20
PIECE = 7000            # bytes of a slice


def text_of(record):
    return json.dumps(record).encode()


def words(rand):
    """From some 12 KiB to 1 MiB, each magnitude as often; one half of them can be compressed."""
    size = min(int(2 ** rand.uniform(13.6, 20)), RECORD_MAX - 1000)
    if rand.random() < 0.5:
        return ' '.join('%d' % rand.randrange(1000) for _ in range(size // 4))[:size]
    return ''.join(rand.choices(string.ascii_letters + string.digits, k=size))


def cut(number, text, hashed=None):
    """The parts of a record; hashed: what the hash is of, if it is to be a wrong one."""
    packed = zlib.compress(text, 1)
    encoding, data = ('zlib', packed) if len(packed) < len(text) else ('json', text)
    slices = [data[i:i + PIECE] for i in range(0, len(data), PIECE)]
    digest = base64.b64encode(hashlib.sha256(text if hashed is None else hashed).digest()).decode()
    return [{'id': number, 'part': i, 'parts': len(slices), 'encoding': encoding, 'sha256': digest,
             'data': base64.b64encode(s).decode()} for i, s in enumerate(slices)]


def shrink(value):
    """So that what is kept of thousands of answers is little."""
    if isinstance(value, dict) and len(value.get('text', '')) > 100:
        return dict(value, text=hashlib.sha256(value['text'].encode()).hexdigest())
    return value


class Answers:
    """Responses in parts, which come in any order and more than once."""

    def __init__(self):
        self.digests = {}       # id: of the first record whose parts came
        self.slices = {}        # id: {number: bytes}; None: its record was complete

    def add(self, part):
        """(record or None, what is wrong or None)"""
        number = part['id']
        if self.digests.setdefault(number, part['sha256']) != part['sha256']:
            return None, 'two answers in parts for %s' % number
        slices = self.slices.setdefault(number, {})
        if slices is None:
            return None, None
        slices[part['part']] = base64.b64decode(part['data'])
        if len(slices) < part['parts']:
            return None, None
        self.slices[number] = None
        data = b''.join(slices[i] for i in range(part['parts']))
        text = zlib.decompress(data) if part['encoding'] == 'zlib' else data
        if base64.b64encode(hashlib.sha256(text).digest()).decode() != part['sha256']:
            return None, 'an answer in parts for %s has another hash' % number
        return json.loads(text), None
