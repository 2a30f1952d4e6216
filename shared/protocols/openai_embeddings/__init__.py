"""OpenAI's embeddings: the request in, the vectors out in the encoding that was asked for."""

from __future__ import annotations

import base64
import struct

from shared.chat.request import EmbeddingRequest, Native
from shared.chat.response import Embeddings
from shared.chat.usage import Usage
from shared.protocols.fields import integer, invalid, missing, required_string, string
from shared.protocols.openai_completions.parse import read_prompts
from shared.wire import JsonObject

WIRE = "openai_embeddings"


def parse(body: JsonObject, default_model: str | None = None) -> EmbeddingRequest:
    """The request in `body`; `default_model` (`EMBEDDING_MODEL`) serves where the client names none."""
    if body.get("model") is None and default_model:
        body = {**body, "model": default_model}
    model = required_string(body, "model")
    if body.get("input") is None:
        raise missing("input")
    inputs = read_prompts(body, "input")
    if any(not value for value in inputs):
        raise invalid("input", "must not hold an empty string")
    encoding = string(body, "encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise invalid("encoding_format", "must be float or base64")
    return EmbeddingRequest(
        model=model,
        inputs=inputs,
        native=Native(WIRE, body),
        dimensions=integer(body, "dimensions", low=1),
        encoding_format="base64" if encoding == "base64" else "float",
        user=string(body, "user"),
    )


def render(request: EmbeddingRequest, embeddings: Embeddings) -> JsonObject:
    """`{"object":"list","data":[…],"model","usage"}`; base64 is little-endian float32, as OpenAI packs it."""
    usage = embeddings.usage or Usage()
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _encode(vector, request.encoding_format)}
            for index, vector in enumerate(embeddings.vectors)
        ],
        "model": request.model,
        "usage": {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens},
    }


def _encode(vector: list[float], encoding: str) -> list[float] | str:
    if encoding == "float":
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
