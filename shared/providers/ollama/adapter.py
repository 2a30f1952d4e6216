"""Talks to an Ollama server, or to whatever stands behind an address where one was expected."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from typing import Any

from shared.chat.events import Batch, Frame
from shared.chat.request import ChatRequest, EmbeddingRequest
from shared.chat.usage import Usage, count
from shared.errors import UpstreamCut, UpstreamFailure, UpstreamMalformed, UpstreamRefused
from shared.providers.base import Adapter, Embeddings, OneChoiceOnly, Target, Timeouts, Upstream, UpstreamResponse
from shared.providers.http import error_words, join_url, json_object, parse_object, refuse
from shared.providers.ollama.context import ContextWindows
from shared.providers.ollama.events import AnswerDecoder
from shared.providers.ollama.images import fetch_image
from shared.providers.ollama.messages import image_urls
from shared.providers.ollama.request import (
    WIRE,
    chat_body,
    dropped,
    embed_body,
    generate_body,
    root_url,
    texts,
    without_think,
)
from shared.providers.sse import LineDecoder
from shared.wire import JsonObject, dumps

_REMEMBER_SECONDS = 600.0
_MOST_REMEMBERED = 1_000
_SHOW_TIMEOUTS = Timeouts(connect=1.0, idle=2.0, total=2.0)


class _RouteMissing(Exception):
    """The server has no such native route: it is something else that speaks OpenAI's wire, or a very old Ollama."""


class Ollama:
    """`fallback` speaks OpenAI's wire to servers without the native routes.

    Which servers lack the native routes is learnt on the job and remembered for ten minutes.
    """

    def __init__(self, upstream: Upstream, fallback: Adapter, now: Callable[[], float] = time.monotonic) -> None:
        self._upstream = upstream
        self._fallback = fallback
        self._now = now
        self._without_native: dict[tuple[int, str], float] = {}
        self._windows = ContextWindows(self._show, now)

    async def stream(self, request: ChatRequest, target: Target) -> AsyncGenerator[Batch, None]:
        if not self._lacks_native(target):
            if request.prompts and (len(request.prompts) != 1 or request.sampling.n != 1):
                raise OneChoiceOnly
            asked = self._ask(request, target)
            try:
                async with aclosing(asked):
                    async for batch in asked:
                        yield batch
                return
            except _RouteMissing:
                if len(self._without_native) >= _MOST_REMEMBERED:
                    self._without_native.clear()
                self._without_native[_server(target)] = self._now() + _REMEMBER_SECONDS
        asked = self._fallback.stream(request, _at_root(target))
        async with aclosing(asked):
            async for batch in asked:
                yield batch

    async def _ask(self, request: ChatRequest, target: Target) -> AsyncGenerator[Batch, None]:
        if request.prompts:
            path, body = "/api/generate", generate_body(request, target)
        else:
            path, body = "/api/chat", chat_body(request, target, await self._fetch_images(request, target))
        window = await self._windows.choose(body, target)
        if window is not None:
            body["options"] = {**body.get("options", {}), "num_ctx": window}
        timeouts = target.timeouts._replace(total=None) if request.stream and not target.whole else target.timeouts
        native_wire = WIRE if request.native.wire == WIRE else None
        for _ in range(3):  # at most: a level of thinking, then plain thinking, then none
            try:
                answered = self._post(path, body, target, timeouts, native_wire)
                async with aclosing(answered):
                    async for batch in answered:
                        yield batch
                return
            except UpstreamRefused as refused:
                softer = without_think(body, refused.message) if refused.upstream_status == 400 else None
                if softer is None:
                    raise
                body = softer

    async def _post(
        self, path: str, body: JsonObject, target: Target, timeouts: Timeouts, native_wire: str | None
    ) -> AsyncGenerator[Batch, None]:
        endpoint = target.endpoint.name
        decoder = AnswerDecoder(endpoint, native_wire=native_wire)
        async with self._request("POST", path, target, body, timeouts) as response:
            if response.status != 200:
                raise await _refusal(response, endpoint)
            if body["stream"] is False:
                frame = decoder.decode(parse_object(await response.read(), endpoint))
                if not decoder.complete:
                    raise UpstreamMalformed(f"endpoint '{endpoint}' answered without `done`")
                yield [frame]
                return
            async with aclosing(_lines(response)) as reads:
                async for lines in reads:
                    batch: list[Frame] = []
                    failure: UpstreamFailure | None = None
                    for line in lines:
                        try:
                            frame = decoder.decode(parse_object(line, endpoint))
                        except UpstreamFailure as error:
                            failure = error
                            break
                        if frame.events or frame.native:
                            batch.append(frame)
                    if batch:
                        yield batch
                    if failure:
                        raise failure
        if not decoder.complete:
            raise UpstreamCut(f"endpoint '{endpoint}' ended its stream before the answer was complete")

    async def embed(self, request: EmbeddingRequest, target: Target) -> Embeddings:
        """`/api/embed`; where there is none the older `/api/embeddings`, text by text; else OpenAI's route."""
        body = embed_body(request, target)
        try:
            answer = await self._json("POST", "/api/embed", target, body)
            return _embeddings(answer, len(request.inputs), target.endpoint.name)
        except _RouteMissing:
            pass
        try:
            vectors = [await self._embed_one(text, target) for text in texts(request)]
            return Embeddings(vectors)
        except _RouteMissing:
            return await self._fallback.embed(request, _at_root(target))

    async def _embed_one(self, text: str, target: Target) -> list[float]:
        answer = await self._json("POST", "/api/embeddings", target, {"model": target.model, "prompt": text})
        return _vector(answer.get("embedding"), target.endpoint.name)

    async def models(self, target: Target) -> list[str]:
        try:
            answer = await self._json("GET", "/api/tags", target)
        except (_RouteMissing, UpstreamMalformed):
            return await self._fallback.models(_at_root(target))
        rows = answer.get("models")
        if not isinstance(rows, list):
            return await self._fallback.models(_at_root(target))
        names = {row.get("name") or row.get("model") for row in rows if isinstance(row, dict)}
        return sorted(name for name in names if isinstance(name, str))

    def dropped(self, request: ChatRequest, target: Target) -> tuple[str, ...]:
        if self._lacks_native(target):
            return self._fallback.dropped(request, _at_root(target))
        return dropped(request)

    def serves_choices(self, request: ChatRequest, target: Target) -> bool:
        if self._lacks_native(target):
            return self._fallback.serves_choices(request, _at_root(target))
        return request.sampling.n == 1 and len(request.prompts) <= 1

    async def _fetch_images(self, request: ChatRequest, target: Target) -> dict[str, str]:
        private = target.endpoint.options.get("private_image_urls") is True
        return {
            url: await fetch_image(self._upstream, url, allow_private=private) for url in image_urls(request.messages)
        }

    async def _show(self, target: Target) -> JsonObject:
        try:
            return await self._json("POST", "/api/show", target, {"model": target.model}, _SHOW_TIMEOUTS)
        except (_RouteMissing, UpstreamFailure):
            return {}

    def _lacks_native(self, target: Target) -> bool:
        return self._without_native.get(_server(target), 0.0) > self._now()

    async def _json(
        self, method: str, path: str, target: Target, body: JsonObject | None = None, timeouts: Timeouts | None = None
    ) -> JsonObject:
        async with self._request(method, path, target, body, timeouts or target.timeouts) as response:
            if response.status != 200:
                raise await _refusal(response, target.endpoint.name)
            answer = await json_object(response, target.endpoint.name)
        if answer.get("error"):
            raise refuse(500, {}, dumps(answer), target.endpoint.name)
        return answer

    def _request(
        self, method: str, path: str, target: Target, body: JsonObject | None, timeouts: Timeouts
    ) -> AbstractAsyncContextManager[UpstreamResponse]:
        headers = {"accept": "application/x-ndjson, application/json", "user-agent": "serverless-proxy"}
        if body is not None:
            headers["content-type"] = "application/json"
        if target.api_key:
            headers["authorization"] = f"Bearer {target.api_key}"
        headers.update({name.lower(): value for name, value in target.headers.items()})
        return self._upstream.request(
            method,
            join_url(root_url(target.endpoint.url), path),
            headers=headers,
            body=None if body is None else dumps(body),
            timeouts=timeouts,
        )


async def _lines(response: UpstreamResponse) -> AsyncGenerator[list[bytes], None]:
    decoder = LineDecoder()
    async for chunk in response.chunks():
        lines = decoder.feed(chunk)
        if lines:
            yield lines
    last = decoder.rest()
    if last:
        yield [last]


async def _refusal(response: UpstreamResponse, endpoint: str) -> Exception:
    """What an error status means; a 404 that speaks of the model is Ollama's own and no missing route."""
    body = await response.read()
    if response.status in (405, 501):
        return _RouteMissing()
    if response.status == 404:
        message = error_words(body)[0] or ""
        if body.lstrip()[:1] != b"{" or "model" not in message.lower():
            return _RouteMissing()
    return refuse(response.status, response.headers, body, endpoint)


def _embeddings(answer: JsonObject, expected: int, endpoint: str) -> Embeddings:
    rows = answer.get("embeddings")
    if not isinstance(rows, list) or len(rows) != expected:
        raise UpstreamMalformed(f"endpoint '{endpoint}' did not answer with {expected} embeddings")
    counted = count(answer.get("prompt_eval_count"))
    return Embeddings(
        [_vector(row, endpoint) for row in rows],
        Usage(input_tokens=counted) if counted else None,
    )


def _vector(value: Any, endpoint: str) -> list[float]:
    if not isinstance(value, list) or not value or not all(isinstance(number, (int, float)) for number in value):
        raise UpstreamMalformed(f"endpoint '{endpoint}' answered with an embedding that is not a list of numbers")
    return value


def _server(target: Target) -> tuple[int, str]:
    return target.endpoint.id, target.endpoint.url


def _at_root(target: Target) -> Target:
    return replace(target, endpoint=replace(target.endpoint, url=root_url(target.endpoint.url)))
