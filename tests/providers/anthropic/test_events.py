"""The documented shapes of Messages streams, decoded whole and cut at every byte."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from shared.chat.events import (
    Event,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from shared.chat.response import Response
from shared.chat.usage import Usage
from shared.errors import GatewayError, UpstreamMalformed, UpstreamRefused
from shared.providers.anthropic.events import ERROR_STATUSES, MessageDecoder
from shared.providers.sse import EventDecoder, ServerEvent
from tests.providers.asking import kinds
from tests.providers.fixtures import fixture_bytes

TEXT = ["Started", "UsageReported", "TextDelta", "TextDelta", "UsageReported", "Finished"]


def decode(wire: bytes, *cuts: int, **options: Any) -> tuple[list[Event], GatewayError | None, bool]:
    """(events, the failure that ended them, whether the answer was complete) of `wire`, cut at `cuts`."""
    lines, decoder = EventDecoder(), MessageDecoder("claude", **options)
    events: list[Event] = []
    ends = [0, *cuts, len(wire)]
    try:
        for start, end in pairwise(ends):
            for event in lines.feed(wire[start:end]):
                events += [found for frame in decoder.feed([event]) for found in frame.events]
        last = lines.rest()
        events += [found for frame in decoder.feed([last] if last else []) for found in frame.events]
    except GatewayError as error:
        return events, error, decoder.complete
    return events, None, decoder.complete


def usage_in(events: list[Event]) -> list[Usage]:
    return [event.usage for event in events if isinstance(event, UsageReported)]


def body(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


STREAMS = {
    "text.sse": (
        TEXT,
        [TextDelta("Grüße"), TextDelta(", 世界 🌍"), Finished("stop")],
    ),
    "ping_noise.sse": (
        TEXT,
        [TextDelta("Grüße"), TextDelta(", 世界 🌍"), Finished("stop")],
    ),
    "parallel_tools.sse": (
        [
            "Started",
            "UsageReported",
            "TextDelta",
            "ToolCallStarted",
            "ToolCallDelta",
            "ToolCallDelta",
            "ToolCallStarted",
            "ToolCallDelta",
            "ToolCallStarted",
            "ToolCallDelta",
            "UsageReported",
            "Finished",
        ],
        [
            TextDelta("Let me look."),
            ToolCallStarted(0, "toolu_01A", "get_weather"),
            ToolCallDelta(0, '{"city": "Pa'),
            ToolCallDelta(0, 'ris"}'),
            ToolCallStarted(1, "toolu_01B", "get_time"),
            ToolCallDelta(1, "{}"),
            ToolCallStarted(2, "toolu_01C", "get_zone"),
            ToolCallDelta(2, '{"of":"Rome"}'),
            Finished("tool_calls"),
        ],
    ),
    "thinking_tools.sse": (
        [
            "Started",
            "UsageReported",
            "ReasoningDelta",
            "ReasoningDelta",
            "ReasoningDelta",
            "ToolCallStarted",
            "ToolCallDelta",
            "UsageReported",
            "Finished",
        ],
        [
            ReasoningDelta("The user wants "),
            ReasoningDelta("the weather."),
            ReasoningDelta("", signature="EqQBCgIYAhIM1gbcDa9GJwZA2b3h=="),
            ToolCallStarted(0, "toolu_01T", "get_weather"),
            ToolCallDelta(0, '{"city":"Oslo"}'),
            Finished("tool_calls"),
        ],
    ),
    "redacted_thinking.sse": (
        ["Started", "UsageReported", "ReasoningDelta", "ReasoningDelta", "TextDelta", "UsageReported", "Finished"],
        [
            ReasoningDelta("", redacted="EmwKAhgBEgy3va3pzix"),
            ReasoningDelta("", signature="c2lnbmVk"),
            TextDelta("Done."),
            Finished("stop", stop_sequence="END"),
        ],
    ),
    "cache_usage.sse": (
        ["Started", "UsageReported", "TextDelta", "UsageReported", "Finished"],
        [TextDelta("Yes."), Finished("stop")],
    ),
    "refusal.sse": (
        ["Started", "UsageReported", "TextDelta", "UsageReported", "RefusalDelta", "Finished"],
        [TextDelta("First, "), RefusalDelta("This request could enable harm."), Finished("content_filter")],
    ),
    "max_tokens.sse": (
        ["Started", "UsageReported", "TextDelta", "UsageReported", "Finished"],
        [TextDelta("Once upon"), Finished("length")],
    ),
}


@pytest.mark.parametrize("name", STREAMS)
def test_decodes(name: str) -> None:
    expected_kinds, expected = STREAMS[name]
    events, failure, complete = decode(fixture_bytes(f"anthropic/{name}"))
    assert kinds(events) == expected_kinds
    assert [event for event in events if not isinstance(event, Started | UsageReported)] == expected
    assert failure is None
    assert complete


@pytest.mark.parametrize("name", [*STREAMS, "error_midway.sse", "overloaded_first.sse", "cut.sse"])
def test_decodes_the_same_cut_at_every_byte(name: str) -> None:
    wire = fixture_bytes(f"anthropic/{name}")
    events, failure, complete = decode(wire)
    for cut in range(1, len(wire)):
        again, failed, completed = decode(wire, cut)
        assert again == events
        assert completed == complete
        assert (type(failed), str(failed)) == (type(failure), str(failure))
    assert decode(wire, *range(1, len(wire)))[0] == events


def test_takes_id_and_model_from_the_start() -> None:
    events, _, _ = decode(fixture_bytes("anthropic/text.sse"))
    assert events[0] == Started("msg_01Text", "claude-opus-5-5")
    assert usage_in(events) == [Usage(input_tokens=25, output_tokens=1), Usage(input_tokens=25, output_tokens=15)]


def test_usage_buckets_are_disjoint_and_later_counts_replace_earlier_ones() -> None:
    events, _, _ = decode(fixture_bytes("anthropic/cache_usage.sse"))
    assert usage_in(events) == [
        Usage(3, 1, 12_000, 600, 300),
        Usage(4, 5, 12_000, 600, 300, reasoning_tokens=2),
    ]
    assert usage_in(events)[-1].prompt_tokens == 12_904


def test_writes_to_the_cache_without_a_breakdown_count_as_five_minute_ones() -> None:
    usage = {"input_tokens": 1, "cache_creation_input_tokens": 7, "output_tokens": 0}
    events, _, _ = decode(body({"type": "message_start", "message": {"usage": usage}}))
    assert usage_in(events) == [Usage(1, 0, 0, 7, 0)]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("pause_turn", "stop"),
        ("a word of tomorrow", "stop"),
    ],
)
def test_stop_reasons(reason: str, expected: str) -> None:
    events, _, _ = decode(body({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {}}))
    assert [event.reason for event in events if isinstance(event, Finished)] == [expected]


def test_calls_finish_as_tool_calls_whatever_an_imitator_says() -> None:
    call = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
    events, _, complete = decode(
        body({"type": "content_block_start", "index": 0, "content_block": call}, {"type": "message_stop"})
    )
    assert events == [ToolCallStarted(0, "t1", "look"), Finished("tool_calls")]
    assert complete


@pytest.mark.parametrize(("kind", "status"), ERROR_STATUSES.items())
def test_error_events_refuse_with_the_status_of_their_type(kind: str, status: int) -> None:
    wire = body({"type": "error", "error": {"type": kind, "message": "Sorry, key sk-ant-api03-abcdefgh was bad"}})
    events, failure, complete = decode(wire)
    assert isinstance(failure, UpstreamRefused)
    assert failure.upstream_status == status
    assert failure.message == "Sorry, key [masked] was bad"
    assert (events, complete) == ([], False)


def test_an_overload_is_one_that_another_target_may_mend() -> None:
    _, failure, _ = decode(fixture_bytes("anthropic/overloaded_first.sse"))
    assert isinstance(failure, UpstreamRefused)
    assert (failure.status, failure.upstream_status, failure.another_target_may_help) == (503, 529, True)


def test_an_error_in_the_middle_keeps_what_came_before() -> None:
    events, failure, complete = decode(fixture_bytes("anthropic/error_midway.sse"))
    assert kinds(events) == ["Started", "UsageReported", "TextDelta"]
    assert isinstance(failure, UpstreamRefused)
    assert (failure.status, failure.message) == (502, "Internal server error")
    assert not complete


def test_a_stream_without_its_end_is_not_complete() -> None:
    events, failure, complete = decode(fixture_bytes("anthropic/cut.sse"))
    assert kinds(events) == ["Started", "UsageReported", "TextDelta"]
    assert (failure, complete) == (None, False)


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"content_block_delta"}',
        b'{"type":"content_block_delta","index":0,"delta":null}',
        b'{"type":"content_block_start","index":0,"content_block":{}}',
        b'{"type":"message_start"}',
        b'{"type":"error"}',
        b"{broken}",
        b"[1]}",
    ],
)
def test_rubbish_is_malformed(data: bytes) -> None:
    with pytest.raises(UpstreamMalformed, match="claude"):
        MessageDecoder("claude").feed([ServerEvent("", data)])


def test_an_error_without_a_type_is_still_one() -> None:
    with pytest.raises(UpstreamRefused, match="went wrong"):
        MessageDecoder("claude").feed([ServerEvent("", b'{"error":{"message":"it went wrong"}}')])


def test_tool_names_are_the_clients_again() -> None:
    events, _, _ = decode(fixture_bytes("anthropic/thinking_tools.sse"), names={"get_weather": "get.weather"})
    assert ToolCallStarted(0, "toolu_01T", "get.weather") in events


def test_the_answer_tool_becomes_the_answers_text() -> None:
    events, _, _ = decode(fixture_bytes("anthropic/thinking_tools.sse"), answer_tool="get_weather")
    assert kinds(events)[-3:] == ["TextDelta", "UsageReported", "Finished"]
    assert TextDelta('{"city":"Oslo"}') in events
    assert events[-1] == Finished("stop")


def test_frames_keep_the_message_for_a_client_of_the_same_wire() -> None:
    wire = fixture_bytes("anthropic/parallel_tools.sse")
    frames = MessageDecoder("claude", native=True).feed(EventDecoder().feed(wire))
    sent = [json.loads(line[6:]) for line in wire.decode().splitlines() if line.startswith("data: ")]
    assert [frame.native.body for frame in frames if frame.native] == sent
    assert {frame.native.wire for frame in frames if frame.native} == {"anthropic_messages"}
    server_tool = next(frame for frame in frames if frame.native and "srvtoolu_01" in str(frame.native.body))
    assert server_tool.events == ()
    plain = MessageDecoder("claude").feed(EventDecoder().feed(wire))
    assert all(frame.native is None and frame.events for frame in plain)


def test_a_whole_message_is_one_frame() -> None:
    message = json.loads(fixture_bytes("anthropic/whole.json"))
    (frame,) = MessageDecoder("claude", native=True).whole(message)
    assert kinds(frame.events) == [
        "Started",
        "ReasoningDelta",
        "ReasoningDelta",
        "TextDelta",
        "ToolCallStarted",
        "ToolCallDelta",
        "ToolCallStarted",
        "ToolCallDelta",
        "UsageReported",
        "Finished",
    ]
    answer = Response()
    answer.add([frame])
    choice = answer.choices[0]
    assert "".join(choice.text) == "Looking."
    assert choice.reasoning == [ReasoningDelta("Hm."), ReasoningDelta("", signature="c2ln")]
    assert [(call.name, "".join(call.arguments)) for call in choice.tool_calls.values()] == [
        ("get_weather", '{"city":"Lima"}'),
        ("get_time", "{}"),
    ]
    assert choice.finish_reason == "tool_calls"
    assert answer.usage == Usage(7, 30, 100, reasoning_tokens=4)
    assert frame.native is not None
    assert frame.native.body is message


def test_a_whole_error_and_a_whole_stranger_are_told_apart() -> None:
    with pytest.raises(UpstreamRefused, match="Overloaded"):
        MessageDecoder("claude").whole(
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        )
    with pytest.raises(UpstreamMalformed):
        MessageDecoder("claude").whole({"choices": []})


def test_a_streamed_answer_collects() -> None:
    streamed = Response()
    streamed.add(MessageDecoder("claude").feed(EventDecoder().feed(fixture_bytes("anthropic/thinking_tools.sse"))))
    assert "".join(delta.text for delta in streamed.choices[0].reasoning) == "The user wants the weather."
    assert streamed.usage == Usage(40, 60, reasoning_tokens=33)


def test_pings_say_nothing_even_to_the_same_wire() -> None:
    assert MessageDecoder("claude", native=True).decode(ServerEvent("ping", b'{"type":"ping"}')) is None
