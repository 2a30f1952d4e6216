"""A backend may say anything at all: what comes of it is a well-formed answer or an upstream's failure, never ours."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.chat.request import ChatRequest
from shared.chat.response import Response
from shared.errors import UpstreamFailure
from shared.protocols.openai_chat.wire import OpenAIChat
from shared.protocols.openai_completions.wire import OpenAICompletions
from shared.protocols.openai_embeddings import render
from shared.protocols.rendering import Envelope, Wire
from shared.providers.openai_compatible import OpenAICompatible
from shared.providers.presets import Preset
from shared.reasoning.show import ShowReasoning
from tests.contract.asking import check_chunks, chunks_of
from tests.providers.asking import a_completion, a_request, a_target, an_embedding
from tests.providers.openai_compatible.pieces import Pieces
from tests.upstreams.openai import DONE
from tests.upstreams.script import event, frames_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


def having(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with some of the fields, or something else altogether."""
    return st.fixed_dictionaries({}, optional=fields) | st.fixed_dictionaries(fields) | JSON


def list_of(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(items, max_size=2) | JSON


INDEX = st.integers(0, 2) | JSON
WORD = st.text(max_size=4) | JSON
FINISH = st.sampled_from(["stop", "length", "tool_calls", "function_call", "eos", ""]) | JSON
FUNCTION = having(name=WORD, arguments=WORD)
MESSAGE = having(
    role=WORD,
    content=WORD | list_of(having(type=WORD, text=WORD)),
    refusal=WORD,
    reasoning_content=WORD,
    reasoning=WORD,
    tool_calls=list_of(having(index=INDEX, id=WORD, type=WORD, function=FUNCTION)),
)
LEGACY = having(content=WORD, function_call=FUNCTION)  # from before tools, and never together with them
LOGPROBS = having(content=list_of(JSON), refusal=JSON)
CHOICE = having(
    index=INDEX,
    delta=MESSAGE,
    message=MESSAGE | LEGACY,
    text=WORD,
    finish_reason=FINISH,
    logprobs=LOGPROBS,
    stop_reason=WORD,
)
USAGE = having(prompt_tokens=INDEX, completion_tokens=INDEX, prompt_tokens_details=JSON, completion_tokens_details=JSON)
ROW = having(embedding=list_of(JSON), index=INDEX)
BODY = having(id=WORD, created=JSON, choices=list_of(CHOICE), usage=USAGE, error=JSON, detail=JSON, data=list_of(ROW))
RECORDED = [
    json.loads(frame.removeprefix(b"data: "))
    for name in ("text", "parallel_tools", "two_choices", "completion")
    for frame in frames_of(f"openai/{name}.sse")[:-1]
]
STREAM = st.lists(BODY | st.sampled_from(RECORDED), max_size=6)
relaxed = settings(
    max_examples=80, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


def a_stream(bodies: Iterable[Any], *, done: bool) -> Pieces:
    return Pieces(b"".join(map(event, bodies)) + (DONE if done else b""))


async def answered(pieces: Pieces, request: ChatRequest, wire: Wire, *, hide: bool) -> bytes:
    """The whole stream as a client gets it; a failure of the backend's is none of ours."""
    renderer = wire.stream(Envelope(request))
    found = Response()
    step = ShowReasoning("hidden")
    sent = b""
    try:
        async with aclosing(OpenAICompatible(pieces, Preset()).stream(request, a_target("http://backend"))) as batches:
            async for batch in batches:
                found.add(batch)
                sent += renderer.feed(step.feed(batch) if hide else batch)
    except UpstreamFailure as failure:
        json.dumps(wire.error(failure))
        return b""
    json.dumps(wire.whole(Envelope(request), found))
    return sent + renderer.finish()


@relaxed
@given(bodies=STREAM, done=st.booleans(), hide=st.booleans(), usage=st.booleans())
async def test_any_stream_of_chat_chunks(bodies: list[Any], done: bool, hide: bool, usage: bool) -> None:
    request = a_request(include_usage=usage)
    sent = await answered(a_stream(bodies, done=done), request, OpenAIChat(), hide=hide)
    if sent:
        chunks = chunks_of(sent)
        indexes = sorted({choice["index"] for chunk in chunks for choice in chunk["choices"]})
        check_chunks(chunks, request.model, usage=usage, choices=indexes, to_the_end=False)


@relaxed
@given(bodies=STREAM, done=st.booleans(), usage=st.booleans())
async def test_any_stream_of_completion_chunks(bodies: list[Any], done: bool, usage: bool) -> None:
    request = a_completion(include_usage=usage)
    sent = await answered(a_stream(bodies, done=done), request, OpenAICompletions(), hide=False)
    if sent:
        for chunk in chunks_of(sent):
            assert all(isinstance(choice["text"], str) for choice in chunk["choices"])


@relaxed
@given(body=BODY, hide=st.booleans(), legacy=st.booleans())
async def test_any_whole_answer(body: Any, hide: bool, legacy: bool) -> None:
    pieces = Pieces(json.dumps(body).encode(), content_type="application/json")
    request = a_completion() if legacy else a_request()
    sent = await answered(pieces, request, OpenAICompletions() if legacy else OpenAIChat(), hide=hide)
    if sent:
        assert chunks_of(sent)


@relaxed
@given(body=BODY)
async def test_any_answer_to_an_embedding(body: Any) -> None:
    request = an_embedding("x", encoding_format="base64")
    adapter = OpenAICompatible(Pieces(json.dumps(body).encode(), content_type="application/json"), Preset())
    try:
        json.dumps(render(request, await adapter.embed(request, a_target("http://backend"))))
    except UpstreamFailure:
        return
