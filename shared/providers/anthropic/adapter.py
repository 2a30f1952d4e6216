"""Talks to a backend that speaks the Anthropic Messages wire."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import urlencode

from shared.chat.events import Batch, Frame
from shared.chat.request import ChatRequest, EmbeddingRequest
from shared.errors import InvalidRequest, UpstreamCut, UpstreamFailure, UpstreamMalformed
from shared.providers.anthropic.events import MessageDecoder
from shared.providers.anthropic.request import WIRE, headers, outbound
from shared.providers.anthropic.settings import settle
from shared.providers.base import Embeddings, Target, Upstream, UpstreamResponse
from shared.providers.http import drain, join_url, json_object, media_type, parse_object, refuse
from shared.providers.sse import EventDecoder
from shared.wire import dumps

_MODELS_A_PAGE = 1_000
_MOST_PAGES = 20


class Anthropic:
    """Implements `Adapter`. The upstream always streams, for whole answers too, unless the target says `whole`."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def stream(self, request: ChatRequest, target: Target) -> AsyncGenerator[Batch, None]:
        sent = outbound(request, target, stream=not target.whole)
        endpoint = target.endpoint.name
        decoder = MessageDecoder(
            endpoint, names=sent.names, answer_tool=sent.answer_tool, native=request.native.wire == WIRE
        )
        async with self._upstream.request(
            "POST",
            join_url(target.endpoint.url, "/v1/messages"),
            headers=headers(request, target, stream=not target.whole),
            body=dumps(sent.body),
            timeouts=target.timeouts if target.whole or not request.stream else target.timeouts._replace(total=None),
        ) as response:
            if response.status != 200:
                raise refuse(response.status, response.headers, await response.read(), endpoint)
            if media_type(response.headers) == "text/event-stream":
                batches = _batches(response, decoder, endpoint)
                async with aclosing(batches):
                    async for batch in batches:
                        yield batch
            else:  # asked for whole, or a backend that does not stream
                yield decoder.whole(parse_object(await response.read(), endpoint))

    async def embed(self, request: EmbeddingRequest, target: Target) -> Embeddings:
        raise InvalidRequest(
            f"endpoint '{target.endpoint.name}' does not offer embeddings: the Anthropic API has none", param="model"
        )

    async def models(self, target: Target) -> list[str]:
        ids: set[str] = set()
        page = {"limit": str(_MODELS_A_PAGE)}
        for _ in range(_MOST_PAGES):
            async with self._upstream.request(
                "GET",
                f"{join_url(target.endpoint.url, '/v1/models')}?{urlencode(page)}",
                headers=headers(None, target, stream=False),
                timeouts=target.timeouts,
            ) as response:
                listed = await json_object(response, target.endpoint.name)
            models = listed.get("data")
            if not isinstance(models, list):
                raise UpstreamMalformed(f"endpoint '{target.endpoint.name}' answered without a list of models")
            fresh = [
                model["id"] for model in models if isinstance(model, dict) and isinstance(model.get("id"), str)
            ]  # fmt: skip
            before = len(ids)
            ids.update(fresh)
            if not listed.get("has_more") or len(ids) == before:
                break
            last = listed.get("last_id")
            page["after_id"] = last if isinstance(last, str) else fresh[-1]
        return sorted(ids)

    def dropped(self, request: ChatRequest, target: Target) -> tuple[str, ...]:
        return () if request.native.wire == WIRE else settle(request, target.model).dropped

    def serves_choices(self, request: ChatRequest, target: Target) -> bool:
        return request.sampling.n <= 1 and len(request.prompts) <= 1


async def _batches(
    response: UpstreamResponse, decoder: MessageDecoder, endpoint: str
) -> AsyncGenerator[Batch, None]:  # fmt: skip
    """One batch per read. A failure in the very first read hides the frames before it: another target may still
    answer; later the frames before it are handed out first."""
    lines = EventDecoder()
    chunks = response.chunks()
    begun = False
    async for chunk in chunks:
        batch: list[Frame] = []
        failure: UpstreamFailure | None = None
        for event in lines.feed(chunk):
            try:
                frame = decoder.decode(event)
            except UpstreamFailure as error:
                failure = error
                break
            if frame is not None:
                batch.append(frame)
        if batch and (begun or failure is None):
            begun = True
            yield batch
        if failure is not None:
            raise failure
        if decoder.complete:
            await drain(chunks)
            return
    last = _last_frame(lines, decoder, endpoint)
    if last is not None:
        yield [last]
    if not decoder.complete:
        raise UpstreamCut(f"endpoint '{endpoint}' ended its stream before the answer was complete")


def _last_frame(lines: EventDecoder, decoder: MessageDecoder, endpoint: str) -> Frame | None:
    """The frame of an event that no empty line has ended; half an event means that the stream was cut."""
    event = lines.rest()
    try:
        return decoder.decode(event) if event is not None else None
    except UpstreamMalformed as half:
        raise UpstreamCut(f"endpoint '{endpoint}' ended its stream in the middle of an event") from half
