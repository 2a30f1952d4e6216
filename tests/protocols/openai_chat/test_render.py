"""Chunks for clients of OpenAI's chat wire, out of a backend's own."""

from __future__ import annotations

from typing import Any

from shared.chat.events import Frame, TextDelta
from shared.chat.request import Native
from shared.protocols.openai_chat.render import ChunkRenderer
from shared.protocols.rendering import Envelope
from shared.wire import loads
from tests.providers.asking import a_request


def a_frame(text: str) -> Frame:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
    return Frame((TextDelta(text),), Native("openai_chat", {"id": "c1", "choices": [choice]}))


def deltas_in(stream: bytes) -> list[Any]:
    return [loads(event.removeprefix(b"data: "))["choices"][0]["delta"] for event in stream.split(b"\n\n") if event]


def test_the_role_is_said_once_however_often_the_backend_says_it() -> None:
    renderer = ChunkRenderer(Envelope(a_request()))
    said = renderer.feed([a_frame("one")]) + renderer.feed([a_frame("two"), a_frame("three")])
    assert deltas_in(said) == [{"role": "assistant", "content": "one"}, {"content": "two"}, {"content": "three"}]
