"""Estimates: what is counted of texts and requests, and how much work that may be."""

from __future__ import annotations

import json

import pytest

from shared.chat.request import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from shared.gateway.tokenizer.encoding import count
from shared.gateway.tokens import estimate_input, estimate_texts, likely_input
from shared.wire import dumps
from tests.gateway.tokenizer.corpus import FOLDER
from tests.providers.asking import WEATHER, a_completion, a_request, an_embedding, says

TEXTS: list[str] = json.loads((FOLDER / "texts.json").read_bytes())
ENGLISH = TEXTS[0]
CHINESE = "网关统计经过的每一个令牌，即使没有人询问。"


def tokens(text: str) -> int:
    return count(text, "o200k_base", 1 << 30).tokens


def test_each_text_is_counted_for_itself() -> None:
    assert estimate_texts([ENGLISH], "m") == tokens(ENGLISH)
    assert estimate_texts(["hel", "lo"], "m") == tokens("hel") + tokens("lo") != tokens("hello")
    assert estimate_texts([], "m") == estimate_texts(["", ""], "m") == 0


def test_the_actual_model_decides_which_tokenizer_counts() -> None:
    assert estimate_texts([CHINESE], "gpt-4") == count(CHINESE, "cl100k_base", 1 << 30).tokens
    assert estimate_texts([CHINESE], "gpt-4o") == tokens(CHINESE) != estimate_texts([CHINESE], "gpt-4")


def test_texts_of_48_000_characters_are_counted_and_longer_ones_judged_by_their_parts() -> None:
    fits = (ENGLISH * 200)[:48_000]
    assert estimate_texts([fits], "m") == tokens(fits)
    long = ENGLISH * 10_000
    assert estimate_texts([long], "m") == pytest.approx(10_000 * estimate_texts([ENGLISH], "m"), rel=0.02)
    mixed = ENGLISH * 100 + CHINESE * 2_000 + "1234567 " * 5_000
    assert estimate_texts([mixed], "m") == pytest.approx(tokens(mixed), rel=0.2)


@pytest.mark.parametrize(
    "text",
    [
        " " * 300_000, "\n " * 150_000, "\U0001f600" * 300_000, "ab" * 150_000, "é1" * 24_000,
        "".join(chr(0x4E00 + at * 7919 % 20_000) for at in range(48_000)),
        "".join(chr(0xA1 + at * 7919 % 30_000) for at in range(300_000)),
        "".join(chr(0xD800 + at * 7919 % 2_048) for at in range(48_000)),
    ],
)  # fmt: skip
def test_hostile_texts_are_judged_by_what_is_quickly_counted(text: str) -> None:
    exact = tokens(text[:3_000]) * len(text) / 3_000
    assert estimate_texts([text], "m") == pytest.approx(exact, rel=0.25)


def test_many_small_hard_texts_are_no_more_work_than_one() -> None:
    texts = [CHINESE + chr(0x4E00 + number) * 7 for number in range(1_500)]
    assert estimate_texts(texts, "m") == pytest.approx(sum(map(tokens, texts)), rel=0.05)


def test_a_request_is_everything_in_it() -> None:
    assert estimate_input(a_request(), "m") == tokens("hello") == 1
    wire = dumps([(WEATHER.name, WEATHER.description, WEATHER.parameters)]).decode()
    assert estimate_input(a_request(tools=(WEATHER,)), "m") == 1 + tokens(wire)
    arguments = '{"city":"Rome","days":[1,2,3]}'
    call, result = ToolCallPart("c", "get_weather", arguments), ToolResultPart("c", (TextPart("sunny and warm"),))
    thought = ReasoningPart("I should ask.", signature="c2lnbmVk" * 50)
    talk = (says("user", "hello"), Message("assistant", (thought, call)), Message("tool", (result,)))
    texts = ("hello", "I should ask.", "get_weather", arguments, "sunny and warm")
    assert estimate_input(a_request(messages=talk), "m") == sum(map(tokens, texts))
    assert estimate_input(a_completion("Once upon a time"), "m") == tokens("Once upon a time")
    assert estimate_input(an_embedding("one two", (1, 2, 3)), "m") == 2 + 3


def test_what_comes_as_data_is_no_text() -> None:
    data = "iVBORw0KGgo" * 10_000
    shown = ToolResultPart("c", (ImagePart(data=data, media_type="image/png"), TextPart("a map")))
    parts = (
        ImagePart(url=f"data:image/png;base64,{data}"),
        ImagePart(data=data),
        AudioPart(data, "wav"),
        FilePart(data=data),
    )
    messages = (Message("user", (*parts, TextPart("what is it?"))), Message("tool", (shown,)))
    expected = 5 * 800 + tokens("what is it?") + tokens("a map")
    assert estimate_input(a_request(messages=messages), "m") == expected
    assert likely_input(a_request(messages=messages)) < expected + 20
    document = Message("user", (FilePart(text=ENGLISH, filename="a.txt"),))
    assert estimate_input(a_request(messages=(document,)), "m") == tokens(ENGLISH)
    hidden = Message("assistant", (ReasoningPart("", redacted=data),))
    assert estimate_input(a_request(messages=(hidden,)), "m") == 0


def test_what_is_reserved_is_enough_for_most_texts() -> None:
    requests = [a_request(messages=(says("user", text),)) for text in TEXTS[:80] if len(text) > 40]
    pairs = [(likely_input(request), estimate_input(request, "m")) for request in requests]
    assert sum(likely >= estimated for likely, estimated in pairs) > 0.7 * len(pairs)
    assert min(likely / estimated for likely, estimated in pairs) > 0.4
    assert likely_input(a_completion("hi there")) == 3
    assert likely_input(an_embedding("one two", (1, 2, 3))) == 3 + 3
