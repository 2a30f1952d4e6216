"""Splitting and showing reasoning on the data path."""

from __future__ import annotations

import pytest

from shared.chat.events import Event, Finished, Frame, ReasoningDelta, Started, TextDelta, ToolCallStarted
from shared.chat.request import Native
from shared.reasoning.formats import REASONING_FORMATS
from shared.reasoning.show import Mode, ShowReasoning
from shared.reasoning.split import SplitReasoning, splitting


def a_frame(*events: Event) -> Frame:
    return Frame(events, Native("openai_chat", {"choices": []}))


def events_of(batch: list[Frame]) -> list[Event]:
    return [event for frame in batch for event in frame.events]


def split(*pieces: str, starts_in_reasoning: bool = False) -> list[Event]:
    step = SplitReasoning(splitting(), starts_in_reasoning=starts_in_reasoning)
    events = [event for piece in pieces for event in events_of(step.feed([a_frame(TextDelta(piece))]))]
    return [*events, *events_of(step.finish())]


def test_frames_without_reasoning_are_handed_on_as_they_are() -> None:
    step = SplitReasoning(splitting())
    frames = [
        a_frame(Started("x")),
        a_frame(TextDelta("The answer")),
        a_frame(TextDelta(" is 42.")),
        a_frame(Finished("stop")),
    ]
    out = [frame for each in frames for frame in step.feed([each])]
    assert all(mine is theirs for mine, theirs in zip(out, frames, strict=True))


def test_native_reasoning_passes_with_its_signature() -> None:
    step = SplitReasoning(splitting())
    frame = a_frame(ReasoningDelta("hm"), ReasoningDelta("", signature="sig"))
    assert step.feed([frame])[0] is frame


def test_thoughts_stream_as_they_are_written() -> None:
    assert split("<think>one", " two", "</thi", "nk>\n\nAnswer") == [
        ReasoningDelta("one"),
        ReasoningDelta(" two"),
        TextDelta(""),
        TextDelta("Answer"),
    ]


@pytest.mark.parametrize(
    "row", [row for row in REASONING_FORMATS if row.openers and row.closers], ids=lambda row: row.id
)
def test_every_format_is_split(row) -> None:
    on = splitting(frozenset((row.id,)))
    for opener in row.openers:
        step = SplitReasoning(on)
        end = row.closers[0]
        text = f"{opener}We add.{end}It is 42."
        events = events_of(step.feed([a_frame(TextDelta(text))])) + events_of(step.finish())
        assert "".join(event.text for event in events if type(event) is ReasoningDelta) == "We add."
        assert "".join(event.text for event in events if type(event) is TextDelta) == "It is 42."


@pytest.mark.parametrize(
    "text",
    [
        "The final answer is 42",
        "final: 42",
        "analysis of the data shows",
        "Use <think> to open and </think> to close.",
        "Here is my thought process: none.",
        "<answer>42</answer>",
        "5 - 3 = 2\n\n## Heading\n- a - b",
        "  indented\n",
        "<thinker>not a tag</thinker>",
    ],
)
def test_no_sentence_of_a_real_answer_is_cut(text: str) -> None:
    assert "".join(event.text for event in split(*text)) == text
    assert {type(event) for event in split(text)} == {TextDelta}


def test_a_prompted_opening_is_known_by_the_flag() -> None:
    assert split("We add.</think>42", starts_in_reasoning=True) == [
        ReasoningDelta("We add."),
        TextDelta(""),
        TextDelta("42"),
    ]


def show(mode: Mode, *events: Event, starts: bool = False) -> list[Event]:
    step = ShowReasoning(mode, starts_in_reasoning=starts)
    return [out for event in events for out in events_of(step.feed([a_frame(event)]))]


THOUGHT, ANSWER, END = ReasoningDelta("Hm."), TextDelta("42"), Finished("stop")


def test_reasoning_is_shown_as_a_field_inline_or_not_at_all() -> None:
    assert show("field", THOUGHT, ANSWER, END) == [THOUGHT, ANSWER, END]
    assert show("inline", THOUGHT, ANSWER, END) == [TextDelta("Hm."), TextDelta("\n\n"), ANSWER, END]
    assert show("hidden", THOUGHT, ANSWER, END) == [ANSWER, END]


def test_an_answer_of_nothing_but_hidden_reasoning_is_not_left_empty() -> None:
    assert show("hidden", THOUGHT, END) == [TextDelta("Hm."), END]
    assert show("hidden", THOUGHT, Finished("length")) == [Finished("length")]
    assert show("hidden", THOUGHT, ToolCallStarted(0, "x", "f"), END) == [ToolCallStarted(0, "x", "f"), END]
    assert show("field", THOUGHT, END) == [THOUGHT, END]
    assert show("field", THOUGHT, END, starts=True) == [THOUGHT, TextDelta("Hm."), END]


def test_signatures_are_kept_where_reasoning_is_shown() -> None:
    signed = ReasoningDelta("", signature="sig")
    assert show("field", THOUGHT, signed, ANSWER) == [THOUGHT, signed, ANSWER]
    assert show("inline", THOUGHT, signed, ANSWER)[1] == signed
    assert show("hidden", THOUGHT, signed, ANSWER) == [ANSWER]
