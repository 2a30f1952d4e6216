"""Estimates beside what OpenAI's tokenizers count: the mean of cl100k_base and o200k_base, taken once."""

from __future__ import annotations

import json
import time

import pytest

from shared.chat.request import ImagePart, Message, TextPart, ToolCallPart, ToolResultPart
from shared.gateway.tokens import estimate_input, estimate_texts
from tests.providers.asking import WEATHER, a_completion, a_request, an_embedding, says
from tests.providers.fixtures import fixture_bytes

COUNTED = {row["name"]: (row["text"], row["tokens"]) for row in json.loads(fixture_bytes("tokens.json"))}
ENGLISH = COUNTED["English"][0]


@pytest.mark.parametrize("name", COUNTED)
def test_is_near_what_tokenizers_count(name: str) -> None:
    text, counted = COUNTED[name]
    assert estimate_texts([text]) == pytest.approx(counted, rel=0.10)


def test_deltas_come_to_the_same_as_the_whole() -> None:
    deltas = [ENGLISH[at : at + 4] for at in range(0, len(ENGLISH), 4)]
    assert estimate_texts(deltas) == estimate_texts([ENGLISH])


def test_a_long_text_is_judged_by_its_parts_and_quickly() -> None:
    long = ENGLISH * 10_000
    began = time.process_time()
    estimate = estimate_texts([long])
    assert time.process_time() - began < 0.5
    assert estimate == pytest.approx(10_000 * estimate_texts([ENGLISH]), rel=0.03)


def test_what_was_not_kept_is_like_what_was() -> None:
    kept = estimate_texts([ENGLISH])
    assert estimate_texts([ENGLISH], 3 * len(ENGLISH)) == pytest.approx(3 * kept, abs=2)
    assert estimate_texts([], 400) == 100
    assert estimate_texts([]) == 0
    assert estimate_texts(["."]) == 1


@pytest.mark.parametrize(
    "text", [" " * 300_000, "\x0b" * 300_000, "\n " * 150_000, "_" * 300_000, "\U0001f600" * 300_000]
)
def test_hostile_texts_take_no_longer(text: str) -> None:
    began = time.process_time()
    assert estimate_texts([text]) > 0
    assert time.process_time() - began < 1


def test_a_request_is_everything_in_it() -> None:
    plain = estimate_input(a_request())
    assert plain == 1
    with_tools = estimate_input(a_request(tools=(WEATHER,)))
    assert with_tools > plain + 15
    call, result = ToolCallPart("c", "get_weather", '{"city":"Rome"}'), ToolResultPart("c", (TextPart("sunny"),))
    talk = (says("user", "hello"), Message("assistant", (call,)), Message("tool", (result,)))
    assert plain + 5 < estimate_input(a_request(messages=talk)) < plain + 20
    image = Message("user", (ImagePart(url="https://x.example/a.png"), TextPart("what is it?")))
    assert 800 < estimate_input(a_request(messages=(image,))) < 820
    assert estimate_input(a_completion("Once upon a time")) == 4
    assert estimate_input(an_embedding("one two", (1, 2, 3))) == 5
