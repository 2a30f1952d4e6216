"""Endpoint type → adapter. A room is imported when the first request needs it: a cold start pays for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.errors import InvalidRequest
from shared.providers.base import Adapter, Upstream
from shared.providers.presets import PRESETS

Build = Callable[["Adapters"], Adapter]


class Adapters:
    """The adapters of one process, made on first use around one HTTP client."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self._made: dict[str, Adapter] = {}

    def __getitem__(self, endpoint_type: str) -> Adapter:
        adapter = self._made.get(endpoint_type)
        if adapter is None:
            build = TYPES.get(endpoint_type)
            if build is None:
                raise InvalidRequest(f"no endpoint type '{endpoint_type}'; there are {', '.join(TYPES)}")
            adapter = self._made[endpoint_type] = build(self)
        return adapter


def _openai_compatible(endpoint_type: str) -> Build:
    def build(adapters: Adapters) -> Adapter:
        from shared.providers.openai_compatible import OpenAICompatible

        return OpenAICompatible(adapters.upstream, PRESETS[endpoint_type])

    return build


def _anthropic(adapters: Adapters) -> Adapter:
    from shared.providers.anthropic.adapter import Anthropic

    return Anthropic(adapters.upstream)


def _ollama(adapters: Adapters) -> Adapter:
    from shared.providers.ollama.adapter import Ollama

    return Ollama(adapters.upstream, fallback=adapters["openai"])


def _runpod(adapters: Adapters) -> Adapter:
    from shared.providers.runpod.adapter import RunPod

    return RunPod(adapters.upstream, openai=adapters["vllm"])


def _queue(adapters: Adapters) -> Adapter:
    from shared.providers.openai_compatible import OpenAICompatible
    from shared.providers.queue.adapter import Queue

    return Queue(OpenAICompatible(adapters.upstream, PRESETS["queue"]))


def _demo(adapters: Adapters) -> Adapter:
    from shared.providers.demo.adapter import Demo

    return Demo()


TYPES: Mapping[str, Build] = {
    "openai": _openai_compatible("openai"),
    "openwebui": _openai_compatible("openwebui"),
    "ollama": _ollama,
    "vllm": _openai_compatible("vllm"),
    "together": _openai_compatible("together"),
    "deepinfra": _openai_compatible("deepinfra"),
    "anthropic": _anthropic,
    "runpod": _runpod,
    "queue": _queue,
    "demo": _demo,
}
