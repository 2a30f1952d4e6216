from __future__ import annotations

from typing import Any

import pytest

from shared.chat.events import (
    Event,
    Finished,
    Frame,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from shared.chat.usage import Usage
from shared.errors import UpstreamCut, UpstreamFailure, UpstreamMalformed, UpstreamRefused
from shared.providers.runpod.events import OutputDecoder, job_failure
from shared.wire import loads
from tests.providers.asking import kinds, text
from tests.providers.fixtures import fixture_bytes

SSE = fixture_bytes("runpod/chat.sse").decode()
EXPECTED = [
    Started("chatcmpl-9", "actual", 1754300000),
    TextDelta("Grüße, "),
    TextDelta("wörld 🌍"),
    Finished("stop"),
    UsageReported(Usage(input_tokens=12, output_tokens=5)),
]


def frames_of(*outputs: Any, announced: bool = False, legacy: bool = False, stream: bool = True) -> list[Frame]:
    decoder = OutputDecoder("backend", "job-1", announced=announced, legacy=legacy, stream=stream)
    frames: list[Frame] = []
    for output in outputs:
        decoder.feed(output, frames)
    decoder.finish(frames)
    return frames


def decode(*outputs: Any, **fields: bool) -> list[Event]:
    return [event for frame in frames_of(*outputs, **fields) for event in frame.events]


def chunks() -> list[Any]:
    return [loads(line[6:]) for line in SSE.splitlines() if line.startswith("data: {")]


def test_raw_events_cut_anywhere() -> None:
    assert decode(SSE) == EXPECTED
    for at in range(1, len(SSE)):
        assert decode(SSE[:at], SSE[at:]) == EXPECTED
    assert decode(*SSE) == EXPECTED


def test_events_one_by_one_joined_in_pairs_and_without_a_last_empty_line() -> None:
    events = [event + "\n\n" for event in SSE.strip().split("\n\n")]
    assert decode(*events) == EXPECTED
    assert decode("".join(events[:3]), "".join(events[3:])) == EXPECTED
    assert decode(*events[:-1], "data: [DONE]") == EXPECTED
    assert decode(events) == EXPECTED  # the list that /status shows of a streamed job


def test_chunks_as_objects_alone_or_in_lists() -> None:
    assert decode(*chunks()) == EXPECTED
    assert decode(chunks()[:2], chunks()[2:]) == EXPECTED


def test_announced_jobs_bear_one_id() -> None:
    frames = frames_of(SSE, announced=True)
    assert [event for frame in frames for event in frame.events] == EXPECTED[1:]
    assert {frame.native.body["id"] for frame in frames if frame.native} == {"job-1"}


def test_native_tokens() -> None:
    outputs = loads(fixture_bytes("runpod/native_tokens.json"))
    for events in (decode(*outputs), decode(outputs)):
        assert text(events) == "Grüße, wörld 🌍"
        assert events[0] == Started("job-1")
        assert events[-2:] == [UsageReported(Usage(input_tokens=12, output_tokens=5)), Finished("stop")]


def test_native_tokens_of_two_choices() -> None:
    events = decode({"choices": [{"tokens": ["a"]}, {"tokens": ["b"]}]})
    assert events[1:] == [TextDelta("a", 0), TextDelta("b", 1), Finished("stop", 0), Finished("stop", 1)]


def test_deltas_whose_content_is_a_list() -> None:
    first = {"choices": [{"index": 0, "delta": {"content": ["a", "b"]}}]}
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}
    assert decode({"output": first}, last)[1:] == [TextDelta("ab"), Finished("length")]


def test_a_whole_answer_with_a_call() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    whole = {"id": "chatcmpl-9", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    for output in (whole, [whole]):
        (frame,) = frames_of(output, stream=False)
        assert frame.events == (
            Started("chatcmpl-9"), ToolCallStarted(0, "call_1", "f"), ToolCallDelta(0, '{"a":1}'),
            Finished("tool_calls"),
        )  # fmt: skip
        assert frame.native is not None
        assert frame.native.wire == "openai_chat/whole"


def test_completions_streamed_and_whole() -> None:
    part = {"id": "cmpl-1", "object": "text_completion", "choices": [{"index": 0, "text": "a", "finish_reason": None}]}
    last = {"id": "cmpl-1", "choices": [{"index": 0, "text": "b", "finish_reason": "length"}]}
    assert decode(part, last, legacy=True)[1:] == [TextDelta("a"), TextDelta("b"), Finished("length")]
    (frame,) = frames_of([last], legacy=True, stream=False)
    assert frame.events[1:] == (TextDelta("b"), Finished("length"))
    assert frame.native is not None
    assert frame.native.wire == "openai_completions/whole"


@pytest.mark.parametrize(
    "outputs",
    [
        ("plain ", "words"),
        ("d", "ata is what I like"),
        (" ", "words"),
        ({"response": "some words", "done": True, "done_reason": "stop"},),
        ({"response": "some words"},),
        ({"message": {"role": "assistant", "content": "some words"}, "done": True},),
        ('{"response":"some ","done":false}\n', '{"response":"words","done":true}\n'),
        ({"text": "some words"},),
        ([{"choices": [{"text": "some words"}]}],),
        ({"output": {"text": "some words"}},),
        ('{"not": "an answer"}',),
    ],
)
def test_answers_of_simpler_workers(outputs: tuple[Any, ...]) -> None:
    events = decode(*outputs)
    assert isinstance(events[0], Started)
    assert events[0].id == "job-1"
    assert text(events) in {"plain words", "data is what I like", " words", "some words", '{"not": "an answer"}'}
    assert events[-1] == Finished("stop")
    assert kinds(events).count("Finished") == 1


def test_a_worker_of_text_that_is_told_of_a_chat() -> None:
    assert decode({"choices": [{"text": "hi"}], "usage": {"input": 1, "output": 2}})[1:] == [
        TextDelta("hi"), UsageReported(Usage(input_tokens=1, output_tokens=2)), Finished("stop"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("output", "status", "words"),
    [
        ({"error": {"message": "maximum context length is 4096", "type": "BadRequestError", "code": 400}}, 400,
         "maximum context length"),
        ({"object": "error", "message": "no such model", "type": "NotFoundError", "code": 404}, 404, "no such model"),
        ('data: {"error": {"message": "busy", "code": 429}}\n\n', 429, "busy"),
        ([{"error": "Invalid route"}], 502, "Invalid route"),
    ],
)  # fmt: skip
def test_errors_in_an_output(output: Any, status: int, words: str) -> None:
    with pytest.raises(UpstreamFailure, match=words) as failed:
        decode(output)
    assert failed.value.status == status


def test_what_came_before_an_error_is_kept() -> None:
    decoder = OutputDecoder("backend", "job-1", announced=True, legacy=False, stream=True)
    frames: list[Frame] = []
    with pytest.raises(UpstreamRefused):
        decoder.feed(SSE[: SSE.index('data: {"id"', 700)] + 'data: {"error":{"message":"x"}}\n\n', frames)
    assert text(event for frame in frames for event in frame.events).startswith("Grüße")


def test_an_open_answer_is_a_cut() -> None:
    with pytest.raises(UpstreamCut):
        decode(chunks()[1])


@pytest.mark.parametrize("outputs", [(), (None,), ([],), ("",), ({"progress": 3},), (7,)])
def test_no_answer_is_malformed(outputs: tuple[Any, ...]) -> None:
    with pytest.raises(UpstreamMalformed):
        decode(*outputs)


def test_a_failures_traceback_stays_inside() -> None:
    failure = job_failure(loads(fixture_bytes("runpod/failed.json"))["error"], "backend")
    assert failure.message == "the job on endpoint 'backend' failed: CUDA out of memory"
    raw = "Traceback (most recent call last):\n  File x\nRuntimeError: boom\n"
    assert job_failure(raw, "backend").message == "the job on endpoint 'backend' failed: RuntimeError: boom"
    assert len(job_failure("x" * 100_000, "backend").message) < 2_100
    assert job_failure(None, "backend").message == "the job on endpoint 'backend' failed"
