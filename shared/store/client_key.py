"""A client key: what it looks like, what is kept of it, and whether it opens.

    spk_ + 43 characters of randomness (256 bits, url-safe base64) + 6 of checksum (CRC-32 in base 62)

The checksum tells rubbish, other gateways' keys and keys with a letter lost from ours without reading a table. The
key itself is stored nowhere: its SHA-256 is, and the first half of that in hexadecimal is the key's id, so that one
GetItem verifies it. A plain hash is enough for 256 random bits, which nobody can go through. A key that was rotated
keeps its id and has another secret; the one before opens beside it until a given time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass
from typing import NamedTuple

from shared.gateway.limits import UNLIMITED, Limits

_BEGINNING = "spk_"
_KEY = re.compile(r"spk_([A-Za-z0-9_\-]{43})([0-9A-Za-z]{6})")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHOWN_CHARS = 12
_ID_CHARS = 32


class Shown(NamedTuple):
    """A well-formed key that somebody shows: its hash and what begins it, no longer the key."""

    key_id: str  # the key's own, unless it was rotated
    secret_hash: str


@dataclass(frozen=True, slots=True)
class ClientKey:
    """What is kept of a key. Times are seconds since 1970; `prefix` is what its owner may recognise it by.

    `previous_hash` is the secret before the last rotation, which opens until `previous_until`; nothing opens from
    `expires_at` on.
    """

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
    expires_at: int | None = None
    previous_hash: str | None = None
    previous_until: int | None = None
    limits: Limits = UNLIMITED

    def opens(self, shown: Shown, now: float) -> bool:
        """Compared in constant time; a disabled, expired or revoked key opens nothing."""
        same = hmac.compare_digest(self.secret_hash, shown.secret_hash)
        before = hmac.compare_digest(self.previous_hash or "", shown.secret_hash)
        return (same or (before and now < (self.previous_until or 0))) and self.lives(now)

    def lives(self, now: float) -> bool:
        """Whether it opens for anyone."""
        return self.enabled and self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def new_key() -> str:
    random = secrets.token_urlsafe(32)
    return f"{_BEGINNING}{random}{_checksum(random)}"


def read_key(text: str) -> Shown | None:
    """None for what no gateway of ours ever made."""
    found = _KEY.fullmatch(text)
    if found is None or _checksum(found[1]) != found[2]:
        return None
    secret_hash = hashlib.sha256(text.encode()).hexdigest()
    return Shown(id_of(secret_hash), secret_hash)


def id_of(secret_hash: str) -> str:
    """Where a secret is looked for."""
    return secret_hash[:_ID_CHARS]


def prefix_of(key: str) -> str:
    """As much of a key as may be shown again."""
    return key[:_SHOWN_CHARS]


def _checksum(random: str) -> str:
    number, digits = zlib.crc32(random.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits
