"""A client key: what it looks like, what is kept of it, and whether it opens.

    spk_ + 43 characters of randomness (256 bits, url-safe base64) + 6 of checksum (CRC-32 in base 62)

The checksum tells rubbish, other gateways' keys and keys with a letter lost from ours without reading a table. The
key itself is stored nowhere: its SHA-256 is, and the first half of that in hexadecimal is the key's id, so that one
GetItem verifies it. A plain hash is enough for 256 random bits, which nobody can go through.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass
from typing import NamedTuple

_BEGINNING = "spk_"
_KEY = re.compile(r"spk_([A-Za-z0-9_\-]{43})([0-9A-Za-z]{6})")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHOWN_CHARS = 12
_ID_CHARS = 32


class Shown(NamedTuple):
    """A well-formed key that somebody shows: its id and hash, no longer the key."""

    key_id: str
    secret_hash: str


@dataclass(frozen=True, slots=True)
class ClientKey:
    """What is kept of a key. Times are seconds since 1970; `prefix` is what its owner may recognise it by."""

    key_id: str
    secret_hash: str
    prefix: str
    label: str
    notes: str = ""
    enabled: bool = True
    created_at: int = 0
    updated_at: int = 0
    revoked_at: int | None = None
    last_used_at: int | None = None
    version: int = 1

    def opens(self, shown: Shown) -> bool:
        """Compared in constant time; a disabled or revoked key opens nothing."""
        same = hmac.compare_digest(self.secret_hash, shown.secret_hash)
        return same and self.enabled and self.revoked_at is None


def new_key() -> str:
    random = secrets.token_urlsafe(32)
    return f"{_BEGINNING}{random}{_checksum(random)}"


def read_key(text: str) -> Shown | None:
    """None for what no gateway of ours ever made."""
    found = _KEY.fullmatch(text)
    if found is None or _checksum(found[1]) != found[2]:
        return None
    secret_hash = hashlib.sha256(text.encode()).hexdigest()
    return Shown(secret_hash[:_ID_CHARS], secret_hash)


def prefix_of(key: str) -> str:
    """As much of a key as may be shown again."""
    return key[:_SHOWN_CHARS]


def _checksum(random: str) -> str:
    number, digits = zlib.crc32(random.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits
