"""Whatever history a client sends, the turns are ones that the wire accepts."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.chat.request import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from shared.providers.anthropic.messages import converse

IDS = st.sampled_from(["a", "b", "call:1", "call 1", "a_2", ""])
TEXTS = st.sampled_from(["", " ", "x", "y "]).map(TextPart)
CALLS = st.builds(ToolCallPart, IDS, st.sampled_from(["look", "get.time"]), st.sampled_from(["", "{}", "[", "1"]))
THOUGHTS = st.builds(ReasoningPart, st.just("t"), st.sampled_from([None, "s"]))
RESULTS = st.builds(ToolResultPart, IDS, st.lists(TEXTS, max_size=2).map(tuple))
HISTORIES = st.lists(
    st.one_of(
        st.builds(Message, st.sampled_from(["user", "system", "developer"]), st.lists(TEXTS, max_size=2).map(tuple)),
        st.builds(Message, st.just("assistant"), st.lists(st.one_of(TEXTS, CALLS, THOUGHTS), max_size=4).map(tuple)),
        st.builds(Message, st.just("tool"), st.lists(RESULTS, min_size=1, max_size=2).map(tuple)),
    ),
    max_size=8,
).map(tuple)


def ids(turn: dict[str, Any], kind: str, field: str) -> list[str]:
    return [block[field] for block in turn["content"] if block["type"] == kind]


@settings(max_examples=300, deadline=None)
@given(HISTORIES)
def test_every_history_becomes_legal_turns(messages: tuple[Message, ...]) -> None:
    turns = converse(messages, prefill=False).turns
    assert [turn["role"] for turn in turns] == [("user", "assistant")[index % 2] for index in range(len(turns))]
    assert turns[-1]["role"] == "user"
    called = [id_ for turn in turns for id_ in ids(turn, "tool_use", "id")]
    assert len(set(called)) == len(called)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", id_) for id_ in called)
    for before, turn in zip([{"content": []}, *turns], turns, strict=False):
        kinds = [block["type"] for block in turn["content"]]
        assert kinds
        assert all(block["text"].strip() for block in turn["content"] if block["type"] == "text")
        first = {"user": ("tool_result",), "assistant": ("thinking", "redacted_thinking")}[turn["role"]]
        assert sorted(kinds, key=lambda kind: kind not in first) == kinds
        assert turn["role"] == "user" or kinds[-1] not in first
        assert sorted(ids(turn, "tool_result", "tool_use_id")) == sorted(ids(before, "tool_use", "id"))
