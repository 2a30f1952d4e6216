"""The OpenAI-compatible backends, one row each: what differs is data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Preset(NamedTuple):
    """Paths under the endpoint's URL and habits of the backend; an endpoint's `options` override the habits.

    `chat_only` backends get legacy completions as a chat. `max_tokens_field` renames `max_completion_tokens` (or
    `max_tokens`) for backends that know only one of them; None leaves the client's word alone.
    """

    url: str | None = None
    chat: str = "/v1/chat/completions"
    completions: str | None = "/v1/completions"
    embeddings: str | None = "/v1/embeddings"
    models: tuple[str, ...] = ("/v1/models", "/models", "/api/models", "/api/v1/models")
    developer_role: str = "developer"
    max_tokens_field: str | None = None
    null_content: bool = True
    stream_usage: bool = True


PRESETS: Mapping[str, Preset] = {
    "openai": Preset(url="https://api.openai.com"),
    "openwebui": Preset(
        chat="/api/chat/completions",
        completions=None,
        embeddings="/api/v1/embeddings",
        models=("/api/models", "/api/v1/models", "/v1/models", "/models"),
        developer_role="system",
        max_tokens_field="max_tokens",
    ),
    "vllm": Preset(url="http://127.0.0.1:8000"),
    "together": Preset(url="https://api.together.xyz", developer_role="system", max_tokens_field="max_tokens"),
    "deepinfra": Preset(
        url="https://api.deepinfra.com",
        chat="/v1/openai/chat/completions",
        completions="/v1/openai/completions",
        embeddings="/v1/openai/embeddings",
        models=("/v1/openai/models",),
        developer_role="system",
        max_tokens_field="max_tokens",
    ),
    "queue": Preset(),
}
