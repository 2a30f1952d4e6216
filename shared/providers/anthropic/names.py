"""Ids and tool names as the Messages wire allows them, mapped the same way every time.

An id that is legal stays; any other becomes its legal characters and eight hex digits of its SHA-256, so that history
sent again maps alike and prompt caches hold.
"""

from __future__ import annotations

import hashlib
import re

_LEGAL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")
MAX_NAME_CHARS = 64


def legal_id(original: str) -> str:
    return original if _LEGAL_ID.fullmatch(original) else _hashed(original)


def legal_name(original: str) -> str:
    if len(original) <= MAX_NAME_CHARS and _LEGAL_ID.fullmatch(original):
        return original
    return _hashed(original)


def _hashed(original: str) -> str:
    digest = hashlib.sha256(original.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{_ILLEGAL.sub('_', original)[: MAX_NAME_CHARS - 9]}_{digest}"
