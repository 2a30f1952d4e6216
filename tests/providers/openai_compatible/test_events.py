"""Recorded streams of OpenAI-compatible backends, whole and cut at every byte."""

from __future__ import annotations

import json

import pytest

from shared.chat.events import (
    Event,
    Finished,
    Frame,
    ReasoningDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from shared.chat.usage import Usage
from shared.errors import UpstreamCut, UpstreamFailure, UpstreamMalformed, UpstreamRefused
from shared.providers.openai_compatible import OpenAICompatible
from shared.providers.openai_compatible.events import decode_whole
from shared.providers.presets import Preset
from tests.providers.asking import a_completion, a_request, a_target
from tests.providers.fixtures import fixture_bytes
from tests.providers.openai_compatible.pieces import Pieces

CALLS = [
    ToolCallStarted(0, "call_a", "get_weather"),
    ToolCallDelta(0, '{"city":'),
    ToolCallStarted(1, "call_b", "get_time"),
    ToolCallDelta(1, "{}"),
    ToolCallDelta(0, '"Paris"}'),
    Finished("tool_calls"),
]

STREAMS: dict[str, list[Event]] = {
    "text": [
        Started("chatcmpl-1", "gpt-x", 1795300000),
        TextDelta("Größe "),
        TextDelta("🎉"),
        Finished("stop"),
        UsageReported(Usage(input_tokens=15, output_tokens=4, cache_read_tokens=5, reasoning_tokens=1)),
    ],
    "parallel_calls": [Started("c1", "m"), *CALLS],
    "all_index_zero": [
        Started("c2"),
        ToolCallStarted(0, "call_a", "one"),
        ToolCallDelta(0, '{"a":1}'),
        ToolCallStarted(1, "call_b", "two"),
        ToolCallDelta(1, '{"b":2}'),
        Finished("tool_calls"),
    ],
    "llama_cpp_python": [
        Started("chatcmpl-l", "any", 1),
        ToolCallStarted(0, "call__0_get_weather", "get_weather"),
        ToolCallDelta(0, '{"city"'),
        ToolCallDelta(0, ":1}"),
        Finished("tool_calls"),
    ],
    "reasoning_two_choices": [
        Started("v", "m"),
        ReasoningDelta("think "),
        ReasoningDelta("more"),
        TextDelta("B", 1),
        Finished("length", 1),
        TextDelta("A"),
        Finished("stop", 0, "END"),
        UsageReported(Usage(input_tokens=2, output_tokens=2, cache_read_tokens=1)),
    ],
    "completion": [
        Started("cmpl-1", "m"),
        TextDelta("once"),
        TextDelta("twice", 1),
        Finished("length"),
        Finished("stop", 1),
        UsageReported(Usage(input_tokens=4, output_tokens=2)),
    ],
}


async def frames(name: str, *pieces: bytes) -> list[Frame]:
    adapter = OpenAICompatible(Pieces(*pieces), Preset())
    request = a_completion(("a", "b")) if name == "completion" else a_request()
    return [frame async for batch in adapter.stream(request, a_target("http://backend")) for frame in batch]


def events(found: list[Frame]) -> list[Event]:
    return [event for frame in found for event in frame.events]


@pytest.mark.parametrize("name", STREAMS)
async def test_a_recorded_stream_means_the_same_however_it_is_cut(name: str) -> None:
    stream = fixture_bytes(f"openai_compatible/{name}.sse")
    whole = await frames(name, stream)
    assert [type(event).__name__ for event in events(whole)] == [type(event).__name__ for event in STREAMS[name]]
    assert events(whole) == STREAMS[name]
    for cut in range(1, len(stream)):
        assert events(await frames(name, stream[:cut], stream[cut:])) == STREAMS[name], cut


@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_that_ends_too_early_never_looks_complete(name: str) -> None:
    stream = fixture_bytes(f"openai_compatible/{name}.sse")
    finish = max(stream.rfind(b'"finish_reason":"' + reason) for reason in (b"stop", b"tool_calls", b"length"))
    for cut in range(1, stream.index(b"data: ", 1) if name == "text" else finish):
        with pytest.raises(UpstreamFailure) as failure:
            await frames(name, stream[:cut])
        assert failure.type in (UpstreamCut, UpstreamMalformed)


async def test_the_frames_that_are_relayed_were_mended_in_place() -> None:
    found = await frames("llama_cpp_python", fixture_bytes("openai_compatible/llama_cpp_python.sse"))
    deltas = [frame.native.body["choices"][0]["delta"] for frame in found if frame.native]
    assert deltas[1]["tool_calls"][0]["id"] == "call__0_get_weather"
    assert deltas[2]["tool_calls"][0] == {"index": 0, "function": {"arguments": ":1}"}}
    assert "function_call" not in deltas[1]
    assert "role" not in deltas[2]
    zero = await frames("all_index_zero", fixture_bytes("openai_compatible/all_index_zero.sse"))
    indexes = [frame.native.body["choices"][0]["delta"]["tool_calls"][0]["index"] for frame in zero[:3] if frame.native]
    assert indexes == [0, 1, 1]


async def test_unknown_fields_of_a_chunk_stay() -> None:
    recorded = fixture_bytes("openai_compatible/text.sse")
    stream = recorded.replace(b'"logprobs":null', b'"logprobs":null,"timings":{"ms":1.5}')
    found = await frames("text", stream)
    assert found[1].native is not None
    assert found[1].native.body["choices"][0]["timings"] == {"ms": 1.5}


@pytest.mark.parametrize(
    ("chunk", "status", "code"),
    [
        ({"error": {"message": "slow down", "type": "rate_limit_error"}}, 429, "rate_limit_exceeded"),
        ({"error": {"message": "too long", "code": 400, "type": "BadRequestError"}}, 400, "upstream_rejected"),
        ({"error": {"message": "full", "code": "context_length_exceeded"}}, 400, "context_length_exceeded"),
        ({"error": "went wrong"}, 502, "upstream_error"),
        ({"error_type": "engine", "error_message": "engine died"}, 502, "upstream_error"),
        ({"detail": "Not Found"}, 502, "upstream_error"),
    ],
)
async def test_an_error_inside_a_stream_is_a_failure(chunk: object, status: int, code: str) -> None:
    with pytest.raises(UpstreamRefused) as failure:
        await frames("text", b"data: " + json.dumps(chunk).encode() + b"\n\n")
    assert (failure.value.status, failure.value.code) == (status, code)


async def test_what_came_before_an_error_in_the_same_read_is_not_lost() -> None:
    stream = fixture_bytes("openai_compatible/text.sse")
    head = stream[: stream.index(b": a comment")]
    adapter = OpenAICompatible(Pieces(head + b'data: {"error":{"message":"late"}}\n\n'), Preset())
    stream_of_batches = adapter.stream(a_request(), a_target("http://backend"))
    first = await anext(stream_of_batches)
    assert TextDelta("Größe ") in events(first)
    with pytest.raises(UpstreamRefused, match="late"):
        await anext(stream_of_batches)


@pytest.mark.parametrize("ending", [b"data: [DONE]\n\n", b""])
async def test_a_stream_without_a_finish_reason_is_cut(ending: bytes) -> None:
    with pytest.raises(UpstreamCut, match="before the answer was complete"):
        await frames("text", b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n' + ending)


async def test_a_whole_answer_to_a_streaming_request_is_taken_as_one_frame() -> None:
    body = {"id": "x", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "usage": None}
    adapter = OpenAICompatible(Pieces(json.dumps(body).encode(), content_type="application/json"), Preset())
    found = [batch async for batch in adapter.stream(a_request(), a_target("http://backend"))]
    assert events(found[0]) == [Started("x"), TextDelta("hi"), Finished("stop")]


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"choices": [{"mess', b"[]", b'{"choices":[]}', b"{}"])
async def test_a_body_that_is_no_answer_is_malformed(body: bytes) -> None:
    adapter = OpenAICompatible(Pieces(body, content_type="text/html"), Preset())
    with pytest.raises(UpstreamMalformed, match="endpoint 'backend'"):
        await anext(adapter.stream(a_request(stream=False), a_target("http://backend")))


def test_a_whole_answer_is_mended() -> None:
    call = {"function": {"name": "f", "arguments": {"a": 1}}}
    frame = decode_whole(
        {"choices": [{"message": {"content": None, "tool_calls": [call]}, "finish_reason": "stop"}]}, "x"
    )
    assert frame.native is not None
    choice = frame.native.body["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    mended = choice["message"]["tool_calls"][0]
    assert mended["function"]["arguments"] == '{"a":1}'
    assert mended["type"] == "function"
    assert mended["id"].startswith("call_")


def test_a_call_that_is_said_twice_is_one_call() -> None:
    function = {"name": "f", "arguments": "{}"}
    message = {"content": None, "tool_calls": [{"id": "call_a", "function": function}], "function_call": function}
    frame = decode_whole({"choices": [{"message": message, "finish_reason": "stop"}]}, "x")
    assert frame.native is not None
    assert "function_call" not in frame.native.body["choices"][0]["message"]
    assert frame.native.body["choices"][0]["finish_reason"] == "tool_calls"
    assert [event for event in frame.events if isinstance(event, ToolCallStarted)] == [
        ToolCallStarted(0, "call_a", "f")
    ]


def test_a_whole_answer_without_a_finish_reason_is_malformed() -> None:
    with pytest.raises(UpstreamMalformed, match="finish reason"):
        decode_whole({"choices": [{"message": {"content": "x"}, "finish_reason": None}]}, "x")


def test_a_whole_answer_that_counted_nothing_reports_nothing() -> None:
    counts = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    frame = decode_whole({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": counts}, "x")
    assert not any(isinstance(event, UsageReported) for event in frame.events)
    assert frame.native is not None
    assert "usage" not in frame.native.body


async def test_a_usage_dressed_with_an_empty_choice_opens_no_completion_again() -> None:
    """As LiteLLM sends it, behind the finish reason."""
    stream = (
        b'data: {"choices":[{"index":0,"text":"once"}]}\n\n'
        b'data: {"choices":[{"index":0,"finish_reason":"stop"}]}\n\n'
        b'data: {"choices":[{"index":0}],"usage":{"prompt_tokens":4,"completion_tokens":2}}\n\n'
        b"data: [DONE]\n\n"
    )
    found = await frames("completion", stream)
    assert events(found)[-3:] == [TextDelta("once"), Finished("stop"), UsageReported(Usage(4, 2))]
    assert found[-1].native is not None
    assert found[-1].native.body["choices"] == []
