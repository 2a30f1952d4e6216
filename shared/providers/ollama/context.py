"""How large a context to ask Ollama for: its default is short, and each change reloads the model.

Hence buckets (powers of two), which never shrink for a model once it was asked for more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from shared.providers.base import Target
from shared.wire import JsonObject, dumps

SMALLEST = 4_096  # the smallest default context of an Ollama server
OUTPUT_TOKENS = 1_024  # room for the answer where the client set no limit
_IMAGE_TOKENS = 1_024
_REMEMBER_SECONDS = 600.0
_MOST_REMEMBERED = 1_000
_BYTES_PER_TOKEN = 3  # low for English, right for Chinese: too large a context costs less than a refused prompt

Show = Callable[[Target], Awaitable[JsonObject]]


class ContextWindows:
    """Chooses `num_ctx`; `show` answers what `/api/show` says of a target's model, `{}` when it says nothing.

    A model's maximum is remembered for ten minutes, the largest window asked for as long as the process lives.
    """

    def __init__(self, show: Show, now: Callable[[], float]) -> None:
        self._show = show
        self._now = now
        self._maxima: dict[tuple[int, str, str], tuple[float, int | None]] = {}
        self._asked: dict[tuple[int, str, str], int] = {}

    async def choose(self, body: JsonObject, target: Target) -> int | None:
        """The bucket of what the request needs, within the model's maximum and the endpoint's option `num_ctx`.

        The option caps it; 0 leaves it to the server. Without the option a request that fits every server's default
        says nothing either, until a longer one was asked of the model.
        """
        cap = target.endpoint.options.get("num_ctx")
        cap = cap if type(cap) is int else None
        if cap is not None and cap <= 0:
            return None
        own = (body.get("options") or {}).get("num_ctx")
        if type(own) is int:  # an Ollama client's own wish
            return own if cap is None else min(own, cap)
        key = (target.endpoint.id, target.endpoint.url, target.model)
        needed, asked = needed_tokens(body), self._asked.get(key, 0)
        if cap is None and not asked and needed <= SMALLEST:
            return None
        limits = (cap, await self._maximum(key, target))
        window = min([max(bucket(needed), asked), *(limit for limit in limits if limit is not None)])
        if len(self._asked) >= _MOST_REMEMBERED:
            self._asked.clear()
        self._asked[key] = window
        return window

    async def _maximum(self, key: tuple[int, str, str], target: Target) -> int | None:
        until, known = self._maxima.get(key, (0.0, None))
        if until > self._now():
            return known
        found = model_window(await self._show(target)) or known
        if len(self._maxima) >= _MOST_REMEMBERED:
            self._maxima.clear()
        self._maxima[key] = (self._now() + _REMEMBER_SECONDS, found)
        return found


def needed_tokens(body: JsonObject) -> int:
    """An upper estimate of the prompt of a chat or generate body, plus the answer's limit."""
    size = 0
    images = 0
    for message in body.get("messages") or ():
        if not isinstance(message, dict):
            continue
        size += 16 + len(str(message.get("content") or "").encode("utf-8", "replace"))
        size += len(str(message.get("thinking") or "").encode("utf-8", "replace"))
        size += len(dumps(message["tool_calls"])) if message.get("tool_calls") else 0
        images += len(message.get("images") or ())
    for field in ("prompt", "suffix", "system"):
        size += len(str(body.get(field) or "").encode("utf-8", "replace"))
    size += len(dumps(body["tools"])) if body.get("tools") else 0
    limit = (body.get("options") or {}).get("num_predict")
    answer = limit if isinstance(limit, int) and limit > 0 else OUTPUT_TOKENS
    return size // _BYTES_PER_TOKEN + images * _IMAGE_TOKENS + answer


def bucket(tokens: int) -> int:
    """The next power of two, at least `SMALLEST`."""
    return max(SMALLEST, 1 << max(tokens - 1, 1).bit_length())


def model_window(shown: JsonObject) -> int | None:
    """The model's own maximum from an answer of `/api/show`: `model_info."<architecture>.context_length"`."""
    facts = shown.get("model_info")
    if not isinstance(facts, dict):
        return None
    named = facts.get(f"{facts.get('general.architecture')}.context_length")
    found = [named] if _is_count(named) else [facts[key] for key in facts if str(key).endswith(".context_length")]
    return next((value for value in found if _is_count(value)), None)


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0
