# SPDX-License-Identifier: MIT
"""What is said on encrypted channels: sealed here, so that the hub cannot read it.

Needs the package PyNaCl, which is compiled: where only pure Python is at hand, as on phones,
encrypted channels cannot be used.
"""
from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, Optional, Union

try:
    import nacl.exceptions
    import nacl.secret
except ImportError:
    nacl = None             # type: ignore[assignment]

PREFIX = 'private-encrypted-'
KEY_SIZE = 32
OVERHEAD = 110              # bytes of JSON, nonce and proof beside the base64 of the text


def is_encrypted(channel: str) -> bool:
    """Whether what goes over the channel has to be sealed."""
    return channel.startswith(PREFIX)


def text_max(event_max: int) -> int:
    """Bytes of text that, once sealed, fill event_max bytes."""
    return (event_max - OVERHEAD) // 4 * 3


class Seal:
    """Seals and opens what goes over one channel.

    Args:
        channel: its full name.
        master_key: of the app: 32 bytes, or their base64 text as the hub's users keep it.

    Raises:
        ValueError: the key is missing, or none.
        ImportError: the package PyNaCl is missing.
    """

    def __init__(self, channel: str, master_key: Optional[Union[str, bytes]]) -> None:
        if master_key is None:
            raise ValueError(
                '%s is an encrypted channel: encryption_master_key= is needed' % channel)
        if nacl is None:
            raise ImportError('the package PyNaCl is needed for encrypted channels: '
                              'pip install chapi[encrypted]')
        key = hashlib.sha256(channel.encode() + _read_key(master_key)).digest()
        self._box = nacl.secret.SecretBox(key)

    def close(self, text: str, nonce: Optional[bytes] = None) -> str:
        """The data of an event with this text. A nonce is for tests only: each serves once."""
        sealed = self._box.encrypt(text.encode(), nonce)
        return json.dumps({
            'nonce': base64.b64encode(sealed.nonce).decode(),
            'ciphertext': base64.b64encode(sealed.ciphertext).decode()}, separators=(',', ':'))

    def open(self, data: Any) -> str:
        """The text of an event's data. Raises ValueError for what was not sealed with this key."""
        try:
            sealed = json.loads(data) if isinstance(data, str) else data
            nonce = base64.b64decode(sealed['nonce'], validate=True)
            ciphertext = base64.b64decode(sealed['ciphertext'], validate=True)
            return self._box.decrypt(ciphertext, nonce).decode()
        except (KeyError, TypeError, ValueError, nacl.exceptions.CryptoError) as e:
            raise ValueError('not sealed with this key: %s' % e) from None


def _read_key(key: Union[str, bytes]) -> bytes:
    plain = base64.b64decode(key, validate=True) if isinstance(key, str) else bytes(key)
    if len(plain) != KEY_SIZE:
        raise ValueError('an encryption master key has %d bytes, not %d' % (KEY_SIZE, len(plain)))
    return plain
