"""A backend on OpenAI's wire as a test finds it when it laid out nothing else."""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Any

from tests.upstreams.script import Reply, Seen, Step, frames_of, says, streams, text_of

DONE = b"data: [DONE]\n\n"


def answer(seen: Seen) -> Reply:
    """Chat, completions and embeddings that keep to what was asked, and a list of models."""
    path = seen.path.partition("?")[0]
    if seen.method == "GET" and path.endswith("/models"):
        return Reply((text_of("openai/models.json"),))
    if path.endswith("/chat/completions"):
        return stream(seen, "text") if seen.body.get("stream") else Reply((text_of("openai/text.json"),))
    if path.endswith("/completions"):
        return stream(seen, "completion") if seen.body.get("stream") else Reply((text_of("openai/completion.json"),))
    if path.endswith("/embeddings"):
        return says(embeddings(seen.body, seen.body.get("encoding_format", "float")))
    return says({"detail": "Not Found"}, 404)


def stream(seen: Seen, name: str) -> Reply:
    """A recorded stream, one write per event; its usage chunk only for those who asked."""
    asked = (seen.body.get("stream_options") or {}).get("include_usage")
    frames: list[Step] = [frame for frame in frames_of(f"openai/{name}.sse") if asked or b'"choices": []' not in frame]
    return streams(*frames)


def recorded(name: str) -> Reply:
    """A recorded answer as it stands: `.sse` as a stream of one write per event, `.json` whole."""
    if name.endswith(".json"):
        return Reply((text_of(f"openai/{name}"),))
    return streams(*frames_of(f"openai/{name}"))


def vector(value: Any, dimensions: int = 4) -> list[float]:
    """What the backend embeds a text or a list of tokens as; exact in 32 bits, so that base64 loses nothing."""
    digest = hashlib.sha256(repr(value).encode()).digest()
    return [byte / 256 - 0.5 for byte in digest[:dimensions]]


def embeddings(body: Any, encoding: str) -> dict[str, Any]:
    given = body["input"]
    inputs = given if isinstance(given, list) and given and not isinstance(given[0], int) else [given]
    vectors = [vector(value, body.get("dimensions", 4)) for value in inputs]
    rows = [
        {"object": "embedding", "index": index, "embedding": pack(row) if encoding == "base64" else row}
        for index, row in enumerate(vectors)
    ]
    return {
        "object": "list",
        "data": rows,
        "model": "actual-embedder-2026",
        "usage": {"prompt_tokens": 3 * len(inputs), "total_tokens": 3 * len(inputs)},
    }


def pack(row: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(row)}f", *row)).decode()
