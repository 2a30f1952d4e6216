"""The step on the data path: what it changes, what it leaves alone, and what a frame keeps."""

from __future__ import annotations

import json

from shared.chat.events import (
    Event,
    Failed,
    Finished,
    Frame,
    ReasoningDelta,
    RefusalDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from shared.chat.request import Native, ResponseFormat, Tool, ToolChoice
from shared.chat.usage import Usage
from shared.errors import UpstreamCut
from shared.tool_calls.grammar import grammar_of
from shared.tool_calls.recover import Options, RecoverToolCalls, recovery
from shared.tool_calls.schema import Toolbox

TOOLS = [Tool("get_time", None, {"type": "object", "properties": {}})]
CALL = '<tool_call>{"name": "get_time", "arguments": {}}</tool_call>'


def a_step(**fields: object) -> RecoverToolCalls:
    step = recovery(TOOLS, make_id=lambda: "call_1", **fields)  # type: ignore[arg-type]
    assert step is not None
    return step


def a_frame(*events: Event) -> Frame:
    return Frame(events, Native("openai_chat", {"choices": []}))


def events_of(batch: list[Frame]) -> list[Event]:
    return [event for frame in batch for event in frame.events]


def test_nothing_stands_in_the_way_where_no_call_can_come() -> None:
    assert recovery([]) is None
    assert recovery(TOOLS, ToolChoice("none")) is None


def test_untouched_frames_are_handed_on_as_they_are() -> None:
    step = a_step()
    frames = [
        a_frame(Started("x")),
        a_frame(TextDelta("Hello", logprobs={"content": []})),
        a_frame(TextDelta(" there, [1] and")),
        a_frame(ReasoningDelta("hm")),
        a_frame(RefusalDelta("no")),
        a_frame(UsageReported(Usage())),
        a_frame(Finished("stop")),
        a_frame(Failed(UpstreamCut("gone"))),
    ]
    out = [frame for each in frames for frame in step.feed([each])]
    assert all(mine is theirs for mine, theirs in zip(out, frames, strict=True))
    assert step.finish() == []


def test_a_frame_whose_events_change_loses_its_native_message() -> None:
    step = a_step()
    assert step.feed([a_frame(TextDelta("Now: <tool"))]) == [Frame((TextDelta("Now: "),))]
    assert step.feed([a_frame(TextDelta(CALL[5:]))]) == [
        Frame((ToolCallStarted(0, "call_1", "get_time"), ToolCallDelta(0, "{}")))
    ]
    assert step.feed([a_frame(Finished("stop"))]) == [Frame((Finished("tool_calls"),))]


def test_a_frame_without_events_is_dropped_but_usage_in_it_is_kept() -> None:
    step = a_step()
    assert step.feed([a_frame(TextDelta("<tool_"))]) == []
    assert step.feed([a_frame(TextDelta("call>"), UsageReported(Usage()))]) == [Frame((UsageReported(Usage()),))]


def test_choices_do_not_mix() -> None:
    step = a_step()
    step.feed([a_frame(TextDelta(CALL[:20], 0))])
    assert events_of(step.feed([a_frame(TextDelta("plain", 1))])) == [TextDelta("plain", 1)]
    step.feed([a_frame(TextDelta(CALL[20:], 0))])
    assert events_of(step.feed([a_frame(Finished("stop", 0), Finished("stop", 1))])) == [
        Finished("tool_calls", 0),
        Finished("stop", 1),
    ]


def test_native_calls_pass_and_end_the_search() -> None:
    step = a_step()
    native = [
        a_frame(ToolCallStarted(0, "call_x", "get_time")),
        a_frame(ToolCallDelta(0, "{}")),
        a_frame(TextDelta(CALL)),
        a_frame(Finished("tool_calls")),
    ]
    out = [frame for each in native for frame in step.feed([each])]
    assert all(mine is theirs for mine, theirs in zip(out, native, strict=True))


def test_arguments_of_native_calls_are_touched_only_where_there_are_none() -> None:
    def ends(reason: str, *deltas: ToolCallDelta) -> list[Event]:
        step = a_step()
        step.feed([a_frame(ToolCallStarted(0, "a", "get_time"))])
        step.feed([a_frame(ToolCallStarted(1, "b", "get_time"))])
        for delta in deltas:
            frame = a_frame(delta)
            assert step.feed([frame])[0] is frame
        return events_of(step.feed([a_frame(Finished(reason))]))  # type: ignore[arg-type]

    odd = "{city: 'Paris',}"
    assert ends("tool_calls", ToolCallDelta(0, odd), ToolCallDelta(1, "")) == [
        ToolCallDelta(1, "{}"),
        Finished("tool_calls"),
    ]
    assert ends("tool_calls", ToolCallDelta(0, odd), ToolCallDelta(1, "[]")) == [Finished("tool_calls")]
    assert ends("length", ToolCallDelta(0, "{}")) == [Finished("length")]


def test_native_calls_behind_recovered_ones_get_the_next_ordinal() -> None:
    step = a_step()
    step.feed([a_frame(TextDelta(CALL + " "))])
    assert events_of(step.feed([a_frame(ToolCallStarted(0, "call_x", "get_time"), ToolCallDelta(0, "{}"))])) == [
        ToolCallStarted(1, "call_x", "get_time"),
        ToolCallDelta(1, "{}"),
    ]


def test_held_text_comes_before_the_end_of_its_choice() -> None:
    step = a_step()
    step.feed([a_frame(TextDelta("a <tool_c"))])
    assert events_of(step.feed([a_frame(Finished("stop"))])) == [TextDelta("<tool_c"), Finished("stop")]


def test_held_text_comes_out_of_an_answer_that_never_said_it_ended() -> None:
    step = a_step()
    step.feed([a_frame(TextDelta("a <tool_c"))])
    assert events_of(step.finish()) == [TextDelta("<tool_c")]


def test_content_filter_keeps_its_reason() -> None:
    step = a_step()
    step.feed([a_frame(TextDelta(CALL))])
    assert events_of(step.feed([a_frame(Finished("content_filter"))])) == [Finished("content_filter")]


def test_a_call_in_reasoning_that_an_answer_follows_was_a_thought() -> None:
    step = a_step()
    assert events_of(step.feed([a_frame(ReasoningDelta("Maybe " + CALL))])) == [ReasoningDelta("Maybe ")]
    assert events_of(step.feed([a_frame(TextDelta("No."))])) == [ReasoningDelta(CALL), TextDelta("No.")]
    assert events_of(step.feed([a_frame(Finished("stop"))])) == [Finished("stop")]


def test_a_call_that_ends_reasoning_without_an_answer_counts() -> None:
    step = a_step()
    step.feed([a_frame(ReasoningDelta("Now " + CALL))])
    assert events_of(step.feed([a_frame(Finished("stop"))])) == [
        ToolCallStarted(0, "call_1", "get_time"),
        ToolCallDelta(0, "{}"),
        Finished("tool_calls"),
    ]


def test_signed_reasoning_stays_whole() -> None:
    step = a_step()
    step.feed([a_frame(ReasoningDelta("Now " + CALL))])
    signed = ReasoningDelta("", signature="sig")
    assert events_of(step.feed([a_frame(signed)])) == [ReasoningDelta(CALL), signed]


def test_json_mode_reads_no_json_but_still_markup() -> None:
    bare = json.dumps({"name": "get_time", "arguments": {}})
    step = a_step(response_format=ResponseFormat("json_object"))
    assert events_of(step.feed([a_frame(TextDelta(bare))])) == [TextDelta(bare)]
    step = a_step(response_format=ResponseFormat("json_object"))
    assert type(events_of(step.feed([a_frame(TextDelta(CALL))]))[0]) is ToolCallStarted


def test_a_format_that_is_switched_off_reads_nothing() -> None:
    step = a_step(options=Options(off=frozenset(("hermes",))))
    assert events_of(step.feed([a_frame(TextDelta(CALL))])) == [TextDelta(CALL)]


def test_arguments_stream_while_they_are_written() -> None:
    tools = [Tool("note", None, {"type": "object", "properties": {"text": {"type": "string"}}})]
    step = RecoverToolCalls(Toolbox(tools), grammar_of(), make_id=lambda: "call_1")
    pieces = ['<tool_call>{"name": "note", "argu', 'ments": {"te', 'xt": "one', " two", ' three"}}', "</tool_call>"]
    seen = [events_of(step.feed([a_frame(TextDelta(piece))])) for piece in pieces]
    assert seen == [
        [],
        [ToolCallStarted(0, "call_1", "note"), ToolCallDelta(0, "{")],
        [ToolCallDelta(0, '"text":"one')],
        [ToolCallDelta(0, " two")],
        [ToolCallDelta(0, ' three"}')],
        [],
    ]
