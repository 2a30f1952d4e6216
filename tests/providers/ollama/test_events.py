from __future__ import annotations

import re

import pytest

from shared.chat.events import (
    Event,
    Finished,
    ReasoningDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from shared.chat.request import Native
from shared.chat.usage import Usage
from shared.errors import UpstreamCut, UpstreamRefused
from shared.providers.ollama.events import AnswerDecoder
from shared.providers.sse import LineDecoder
from shared.wire import JsonObject, loads
from tests.providers.fixtures import fixture_bytes


def decode(*pieces: bytes) -> list[Event]:
    lines, answer = LineDecoder(), AnswerDecoder("backend")
    found = [line for piece in pieces for line in lines.feed(piece)]
    found += [line] if (line := lines.rest()) else []
    events = [event for line in found for event in answer.decode(loads(line)).events]
    assert answer.complete
    return events


def answer_line(**fields: object) -> JsonObject:
    return {"model": "m", "message": {"role": "assistant", "content": ""}, **fields}


def test_text() -> None:
    assert decode(fixture_bytes("ollama/text.ndjson")) == [
        Started(None, "llama3.2", 1785858739),
        TextDelta("Grüße"),
        TextDelta(', "wörld" 🌍'),
        UsageReported(Usage(input_tokens=26, output_tokens=7)),
        Finished("stop"),
    ]


def test_thinking_comes_before_text_and_calls_arrive_whole() -> None:
    assert decode(fixture_bytes("ollama/thinking_and_tools.ndjson")) == [
        Started(None, "qwen3", 1785833539),
        ReasoningDelta("Two cities, "),
        ReasoningDelta("two calls."),
        TextDelta("Let me look."),
        ToolCallStarted(0, "call_abc", "get_weather"),
        ToolCallDelta(0, '{"city":"Zürich"}'),
        ToolCallStarted(1, "call_def", "get_weather"),
        ToolCallDelta(1, '{"city":"Rome"}'),
        ToolCallStarted(2, "call_ghi", "get_weather"),
        ToolCallDelta(2, "{}"),
        UsageReported(Usage(input_tokens=169, output_tokens=33)),
        Finished("tool_calls"),
    ]


def test_generated_text() -> None:
    assert decode(fixture_bytes("ollama/generate.ndjson"))[1:] == [
        TextDelta(" upon"),
        TextDelta(" a time"),
        UsageReported(Usage(input_tokens=5, output_tokens=3)),
        Finished("length"),
    ]


@pytest.mark.parametrize("name", ["text", "thinking_and_tools", "generate"])
def test_the_same_events_wherever_the_bytes_are_cut(name: str) -> None:
    whole = fixture_bytes(f"ollama/{name}.ndjson")
    expected = decode(whole)
    for at in range(1, len(whole)):
        assert decode(whole[:at], whole[at:]) == expected
    assert decode(*(whole[at : at + 1] for at in range(len(whole)))) == expected
    assert decode(whole.rstrip(b"\n")) == expected


def test_mints_an_id_where_a_call_has_none() -> None:
    line = answer_line(message={"tool_calls": [{"function": {"name": "f", "arguments": {}}}]})
    started = AnswerDecoder("backend").decode(line).events[1]
    assert isinstance(started, ToolCallStarted)
    assert re.fullmatch("call_[0-9a-f]{24}", started.id)


@pytest.mark.parametrize(
    ("reason", "expected"), [("stop", "stop"), ("length", "length"), ("load", "stop"), ("new", "stop"), (None, "stop")]
)
def test_finish_reasons(reason: str | None, expected: str) -> None:
    events = AnswerDecoder("backend").decode(answer_line(done=True, done_reason=reason)).events
    assert events[-1] == Finished(expected)  # type: ignore[arg-type]


def test_a_call_cut_by_the_limit_is_a_limit() -> None:
    message = {"tool_calls": [{"function": {"name": "f", "arguments": {}}}]}
    events = AnswerDecoder("backend").decode(answer_line(message=message, done=True, done_reason="length")).events
    assert events[-1] == Finished("length")


def test_an_uncounted_prompt_is_left_to_the_estimate() -> None:
    events = AnswerDecoder("backend").decode(answer_line(done=True, eval_count=9)).events
    assert [event.usage for event in events if isinstance(event, UsageReported)] == [Usage(0, 9)]


def test_no_counts_are_no_usage() -> None:
    events = AnswerDecoder("backend").decode(answer_line(done=True, eval_count=0, prompt_eval_count=-1)).events
    assert not any(isinstance(event, UsageReported) for event in events)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ({"error": "the input length exceeds the context length"}, 400),
        ({"error": "llama runner process has terminated"}, 502),
        ({"error": "too many", "status_code": 429}, 429),
    ],
)
def test_an_error_in_place_of_an_answer_is_a_refusal(line: JsonObject, status: int) -> None:
    with pytest.raises(UpstreamRefused) as refused:
        AnswerDecoder("backend").decode(line)
    assert refused.value.status == status
    assert refused.value.message == line["error"]


def test_an_error_after_text_is_a_cut() -> None:
    decoder = AnswerDecoder("backend")
    decoder.decode(answer_line(message={"content": "x"}))
    with pytest.raises(UpstreamCut, match="an error was encountered"):
        decoder.decode({"error": "an error was encountered while running the model"})


def test_the_line_itself_is_kept_for_ollamas_clients() -> None:
    line = answer_line(done=True, total_duration=5)
    assert AnswerDecoder("backend", native_wire="ollama").decode(line).native == Native("ollama", line)
    assert AnswerDecoder("backend").decode(line).native is None
