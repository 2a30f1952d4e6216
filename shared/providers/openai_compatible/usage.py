"""OpenAI-style counts into disjoint buckets."""

from __future__ import annotations

from typing import Any

from shared.chat.usage import MOST_TOKENS, Usage, count


def read_usage(counts: Any) -> Usage | None:
    """A `usage` object in any of the spellings of OpenAI-compatible backends; None when it holds no counts, or only
    zeros: that is what LitServe and others send when they have not counted.

    `prompt_tokens` includes what the cache served: `prompt_tokens_details.cached_tokens` (OpenAI, vLLM, DeepInfra),
    `prompt_cache_hit_tokens` (DeepSeek), `cached_tokens` (Moonshot), `cache_read_input_tokens` (LiteLLM); cache writes
    are `prompt_tokens_details.cache_write_tokens` or `cache_creation_input_tokens`. RunPod's workers say
    `input`/`output`, others `input_tokens`/`output_tokens`. Thoughts are part of the output, but xAI counts them beside
    it, and only its total tells.
    """
    if not isinstance(counts, dict):
        return None
    prompt = _count(counts, "prompt_tokens", "input_tokens", "input")
    output = _count(counts, "completion_tokens", "output_tokens", "output")
    if not prompt and not output:
        return None
    details = counts.get("prompt_tokens_details") or counts.get("input_tokens_details")
    details = details if isinstance(details, dict) else {}
    read = (
        _count(details, "cached_tokens")
        or _count(counts, "prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens")
        or 0
    )
    write = _count(details, "cache_write_tokens") or _count(counts, "cache_creation_input_tokens") or 0
    thought = counts.get("completion_tokens_details") or counts.get("output_tokens_details")
    prompt, output = prompt or 0, output or 0
    reasoning = (_count(thought, "reasoning_tokens") or 0) if isinstance(thought, dict) else 0
    if reasoning and _count(counts, "total_tokens") == prompt + output + reasoning:
        output = min(output + reasoning, MOST_TOKENS)
    read = min(read, prompt)
    write = min(write, prompt - read)
    return Usage(
        input_tokens=prompt - read - write,
        output_tokens=output,
        cache_read_tokens=read,
        cache_write_5m_tokens=write,
        reasoning_tokens=min(reasoning, output),
    )


def _count(counts: dict[str, Any], *names: str) -> int | None:
    """The first of the names that holds a count."""
    for name in names:
        value = counts.get(name)
        if value is not None and (found := count(value)) is not None:
            return found
    return None
