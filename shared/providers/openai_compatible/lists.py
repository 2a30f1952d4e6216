"""OpenAI's two list answers: models and embeddings."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Any

from shared.errors import UpstreamMalformed
from shared.providers.base import Embeddings
from shared.providers.openai_compatible.events import stream_error
from shared.providers.openai_compatible.usage import read_usage
from shared.wire import JsonObject


def read_models(body: JsonObject, endpoint: str) -> list[str]:
    """Ids from `data` or `models`, each a string or an object with `id`, `name` or `model`; sorted, each once."""
    if body.get("error"):
        raise stream_error(body, endpoint)
    rows = body.get("data") if isinstance(body.get("data"), list) else body.get("models")
    if not isinstance(rows, list):
        raise UpstreamMalformed(f"endpoint '{endpoint}' answered without a list of models")
    names: set[str] = set()
    for row in rows:
        fields = (row.get("id"), row.get("name"), row.get("model")) if isinstance(row, dict) else (row,)
        names.update(
            name for name in [next((field for field in fields if isinstance(field, str) and field), "")] if name
        )
    return sorted(names)


def read_embeddings(body: JsonObject, expected: int, endpoint: str) -> Embeddings:
    """Vectors in the order of the inputs, from floats or from base64 (little-endian float32)."""
    if body.get("error"):
        raise stream_error(body, endpoint)
    rows = body.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UpstreamMalformed(f"endpoint '{endpoint}' answered without embeddings")
    ordered = sorted(enumerate(rows), key=lambda pair: _position(pair[1], pair[0]))
    vectors = [_vector(row.get("embedding"), endpoint) for _, row in ordered]
    if len(vectors) != expected:
        raise UpstreamMalformed(f"endpoint '{endpoint}' answered {len(vectors)} embeddings for {expected} inputs")
    return Embeddings(vectors, read_usage(body.get("usage")))


def _position(row: JsonObject, fallback: int) -> int:
    index = row.get("index")
    return index if type(index) is int else fallback


def _vector(value: Any, endpoint: str) -> list[float]:
    if isinstance(value, str):
        try:
            raw = base64.b64decode(value, validate=True)
            return list(struct.unpack(f"<{len(raw) // 4}f", raw))
        except (binascii.Error, struct.error):
            raise UpstreamMalformed(f"endpoint '{endpoint}' answered with a broken base64 embedding") from None
    if isinstance(value, list) and all(isinstance(number, (int, float)) for number in value):
        return value
    raise UpstreamMalformed(f"endpoint '{endpoint}' answered with an embedding that is not a list of numbers")
