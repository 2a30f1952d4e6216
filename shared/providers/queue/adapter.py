"""Talks to a queue server, which holds a request until a worker has answered it; there are no jobs to look at."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from urllib.parse import quote

from shared.chat.events import Batch
from shared.chat.request import ChatRequest, EmbeddingRequest
from shared.errors import UpstreamRefused
from shared.providers.base import Adapter, Embeddings, Target
from shared.providers.openai_compatible.events import ERROR_TYPES

PRIORITIES = frozenset(("HIGH", "NORMAL", "LOW"))
SOURCE = "serverless-proxy"
_LONGEST_VALUE = 256
_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]")


class Queue:
    """OpenAI's wire as `openai` speaks it. The queue answers in one piece unless the endpoint's option `stream` says
    that it can stream."""

    def __init__(self, openai: Adapter) -> None:
        self._openai = openai

    async def stream(self, request: ChatRequest, target: Target) -> AsyncGenerator[Batch, None]:
        asked = self._openai.stream(request, _queued(target, request.user, dict(request.headers)))
        async with aclosing(asked):
            try:
                async for batch in asked:
                    yield batch
            except UpstreamRefused as refused:
                status = _implied_status(refused)
                if status is None:
                    raise
                raise UpstreamRefused(
                    refused.message, upstream_status=status, code=refused.code, param=refused.param
                ) from refused

    async def embed(self, request: EmbeddingRequest, target: Target) -> Embeddings:
        return await self._openai.embed(request, _queued(target, request.user, {}))

    async def models(self, target: Target) -> list[str]:
        return await self._openai.models(_queued(target, None, {}))

    def dropped(self, request: ChatRequest, target: Target) -> tuple[str, ...]:
        return self._openai.dropped(request, target)

    def serves_choices(self, request: ChatRequest, target: Target) -> bool:
        return self._openai.serves_choices(request, target)


def _implied_status(refused: UpstreamRefused) -> int | None:
    """An error that the queue wrapped as text into a 200 has no status of its own, but its code may imply one."""
    return ERROR_TYPES.get(refused.code or "") if refused.upstream_status == 500 else None


def _queued(target: Target, user: str | None, client: Mapping[str, str]) -> Target:
    """The target with the queue's headers, under the virtual model's own; in one piece unless the queue can stream."""
    given = {name.lower(): value for name, value in target.headers.items()}
    return replace(
        target,
        headers={**queue_headers(target, user, client), **given},
        whole=target.whole or target.endpoint.options.get("stream") is not True,
    )


def queue_headers(target: Target, user: str | None, client: Mapping[str, str]) -> dict[str, str]:
    """What the client says of itself goes before what the endpoint's options `source` and `priority` say."""
    options = target.endpoint.options
    priorities = (client.get("x-priority"), options.get("priority"), "NORMAL")
    headers = {
        "x-source": _word(client.get("x-source") or str(options.get("source") or SOURCE)),
        "x-priority": next(word for given in priorities if (word := str(given).strip().upper()) in PRIORITIES),
    }
    if target.model:
        headers["x-model"] = _word(target.model)
    if who := user or client.get("x-user-id"):
        headers["x-user-id"] = _word(who)
    return headers


def _word(value: str) -> str:
    """A header's value: printable ASCII, everything else percent-encoded."""
    return _NOT_PRINTABLE.sub(lambda match: quote(match[0], errors="replace"), value.strip())[:_LONGEST_VALUE]
