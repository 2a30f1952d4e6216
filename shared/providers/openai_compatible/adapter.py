"""Talks to an OpenAI-compatible backend."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing

from shared.chat.events import Batch, Frame
from shared.chat.request import ChatRequest, EmbeddingRequest
from shared.errors import InvalidRequest, UpstreamCut, UpstreamFailure, UpstreamMalformed, UpstreamRefused
from shared.providers.base import Embeddings, OneChoiceOnly, Target, Upstream, UpstreamResponse
from shared.providers.http import drain, event_batches, join_url, json_object, media_type, parse_object, refuse
from shared.providers.openai_compatible.completions import CompletionDecoder, as_chat, decode_whole_completion
from shared.providers.openai_compatible.events import ChunkDecoder, decode_whole
from shared.providers.openai_compatible.lists import read_embeddings, read_models
from shared.providers.openai_compatible.request import COMPLETIONS, chat_body, completion_body
from shared.providers.presets import Preset
from shared.wire import JsonObject, dumps

_REMEMBER_SECONDS = 600.0
_MOST_REMEMBERED = 1_000


class OpenAICompatible:
    """One class for all of them; `preset` is the row that tells this one from the others.

    Two things are learnt on the job and remembered for ten minutes: models that only chat, and endpoints that refuse
    `stream_options`.
    """

    def __init__(self, upstream: Upstream, preset: Preset, now: Callable[[], float] = time.monotonic) -> None:
        self._upstream = upstream
        self._preset = preset
        self._now = now
        self._chat_only: dict[tuple[int, str], float] = {}
        self._no_usage: dict[tuple[int, str], float] = {}

    def stream(self, request: ChatRequest, target: Target) -> AsyncGenerator[Batch, None]:
        if request.native.wire == COMPLETIONS:
            return self._complete(request, target)
        return self._ask(request, target, legacy=False)

    async def _complete(self, request: ChatRequest, target: Target) -> AsyncGenerator[Batch, None]:
        if not self._chats_only(target):
            asked = self._ask(request, target, legacy=True)
            try:
                async with aclosing(asked):
                    async for batch in asked:
                        yield batch
                return
            except UpstreamRefused as refused:
                if refused.upstream_status not in (404, 405, 501):
                    raise
                self._remember(self._chat_only, target)
        if len(request.prompts) != 1 or request.sampling.n != 1:
            raise OneChoiceOnly
        asked = self._ask(as_chat(request), target, legacy=False)
        async with aclosing(asked):
            async for batch in asked:
                yield batch

    async def _ask(self, request: ChatRequest, target: Target, *, legacy: bool) -> AsyncGenerator[Batch, None]:
        endpoint = target.endpoint.name
        path = self._preset.completions if legacy else self._preset.chat
        stream = request.stream and not target.whole
        body = (completion_body if legacy else chat_body)(request, target, self._preset, stream=stream)
        if self._fresh(self._no_usage, target):
            body.pop("stream_options", None)
        while True:
            async with self._post(str(path), body, target) as response:
                if response.status == 200:
                    if media_type(response.headers) == "text/event-stream":
                        async for batch in _frames(response, CompletionDecoder if legacy else ChunkDecoder, endpoint):
                            yield batch
                    else:
                        whole = parse_object(await response.read(), endpoint)
                        yield [decode_whole_completion(whole, endpoint) if legacy else decode_whole(whole, endpoint)]
                    return
                refused = refuse(response.status, response.headers, await response.read(), endpoint)
            if "stream_options" not in refused.message or body.pop("stream_options", None) is None:
                raise refused
            self._remember(self._no_usage, target)

    def _post(self, path: str, body: JsonObject, target: Target) -> AbstractAsyncContextManager[UpstreamResponse]:
        return self._upstream.request(
            "POST",
            join_url(target.endpoint.url, path),
            headers=self._headers(target, stream=bool(body.get("stream"))),
            body=dumps(body),
            timeouts=target.timeouts._replace(total=None) if body.get("stream") else target.timeouts,
        )

    async def embed(self, request: EmbeddingRequest, target: Target) -> Embeddings:
        if self._preset.embeddings is None:
            raise InvalidRequest(f"endpoint '{target.endpoint.name}' offers no embeddings", param="model")
        body = {field: value for field, value in request.native.body.items() if value is not None}
        body["model"] = target.model
        async with self._upstream.request(
            "POST",
            join_url(target.endpoint.url, self._preset.embeddings),
            headers=self._headers(target, stream=False),
            body=dumps(body),
            timeouts=target.timeouts,
        ) as response:
            answer = await json_object(response, target.endpoint.name)
        return read_embeddings(answer, len(request.inputs), target.endpoint.name)

    async def models(self, target: Target) -> list[str]:
        """The first discovery path that answers with a list."""
        first, *others = (join_url(target.endpoint.url, path) for path in self._preset.models)
        try:
            return await self._models(first, target)
        except (UpstreamRefused, UpstreamMalformed) as failure:
            if isinstance(failure, UpstreamRefused) and failure.upstream_status in (401, 403):
                raise
            for url in others:
                try:
                    return await self._models(url, target)
                except (UpstreamRefused, UpstreamMalformed):
                    continue
            raise

    async def _models(self, url: str, target: Target) -> list[str]:
        async with self._upstream.request(
            "GET", url, headers=self._headers(target, stream=False), timeouts=target.timeouts
        ) as response:
            body = await response.read()
            if response.status != 200:
                raise refuse(response.status, response.headers, body, target.endpoint.name)
        if body.lstrip()[:1] == b"[":  # Together answers with a bare array
            body = b'{"data":' + body + b"}"
        return read_models(parse_object(body, target.endpoint.name), target.endpoint.name)

    def dropped(self, request: ChatRequest, target: Target) -> tuple[str, ...]:
        if request.native.wire == COMPLETIONS and self._chats_only(target):
            return tuple(
                field
                for field in ("suffix", "best_of", "logprobs")
                if request.native.body.get(field) is not None
            )  # fmt: skip
        return () if request.native.wire in ("openai_chat", COMPLETIONS) else request.extras

    def serves_choices(self, request: ChatRequest, target: Target) -> bool:
        return request.native.wire != COMPLETIONS or not self._chats_only(target)

    def _chats_only(self, target: Target) -> bool:
        return self._preset.completions is None or self._fresh(self._chat_only, target)

    def _fresh(self, memory: dict[tuple[int, str], float], target: Target) -> bool:
        until = memory.get((target.endpoint.id, target.model))
        return until is not None and until > self._now()

    def _remember(self, memory: dict[tuple[int, str], float], target: Target) -> None:
        if len(memory) >= _MOST_REMEMBERED:
            memory.clear()
        memory[target.endpoint.id, target.model] = self._now() + _REMEMBER_SECONDS

    def _headers(self, target: Target, *, stream: bool) -> dict[str, str]:
        headers = {
            "content-type": "application/json",
            "accept": "text/event-stream" if stream else "application/json",
            "user-agent": "serverless-proxy",
            "x-source": "serverless-proxy",
        }
        if target.api_key:
            headers["authorization"] = f"Bearer {target.api_key}"
        headers.update({name.lower(): value for name, value in target.headers.items()})
        return headers


async def _frames(
    response: UpstreamResponse, decoding: type[ChunkDecoder | CompletionDecoder], endpoint: str
) -> AsyncGenerator[Batch, None]:
    """The frames of a stream, one batch per read; raises unless every choice came to its end."""
    decoder = decoding(endpoint)
    async with aclosing(event_batches(response)) as batches:
        async for events in batches:
            batch: list[Frame] = []
            failure: UpstreamFailure | None = None
            done = False
            for event in events:
                if event.data == b"[DONE]":
                    done = True
                    break
                if not event.data:
                    continue
                try:
                    batch.append(decoder.decode(parse_object(event.data, endpoint)))
                except UpstreamFailure as error:
                    failure = error
                    break
            if batch:
                yield batch
            if failure:
                raise failure
            if done:
                await drain(batches)
                break
    if not decoder.complete:
        raise UpstreamCut(f"endpoint '{endpoint}' ended its stream before the answer was complete")
