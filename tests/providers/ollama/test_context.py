from __future__ import annotations

from typing import Any

import pytest

from shared.providers.base import Target
from shared.providers.ollama.context import ContextWindows, bucket, model_window, needed_tokens
from shared.wire import JsonObject, loads
from tests.providers.asking import a_target
from tests.providers.fixtures import fixture_bytes


def body(tokens: int, **options: Any) -> JsonObject:
    return {"messages": [{"role": "user", "content": "x" * 3 * tokens}], "options": options}


class Shown:
    """Counts how often the model's maximum is asked for."""

    def __init__(self, maximum: int | None) -> None:
        self.asked = 0
        self._answer = {"model_info": {"llama.context_length": maximum}} if maximum else {}

    async def __call__(self, target: Target) -> JsonObject:
        self.asked += 1
        return self._answer


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("tokens", "window"), [(1, 4096), (4096, 4096), (4097, 8192), (8192, 8192), (8193, 16384), (100_000, 131072)]
)
def test_windows_are_powers_of_two(tokens: int, window: int) -> None:
    assert bucket(tokens) == window


def test_reads_the_models_own_maximum() -> None:
    assert model_window(loads(fixture_bytes("ollama/show.json"))) == 131072
    assert model_window({"model_info": {"qwen.context_length": 4096}}) == 4096
    assert model_window({}) is None


def test_images_tools_and_the_answer_count() -> None:
    assert needed_tokens({"prompt": "x" * 300}) == 100 + 1024
    assert needed_tokens({"prompt": "", "options": {"num_predict": 7}}) == 7
    with_image = needed_tokens({"messages": [{"content": "", "images": ["A" * 10_000_000]}]})
    assert 2048 <= with_image < 2100
    assert needed_tokens({"tools": [{"description": "x" * 3000}]}) > 2000


async def test_a_short_prompt_leaves_the_context_to_the_server() -> None:
    shown = Shown(131072)
    assert await ContextWindows(shown, Clock()).choose(body(10), a_target("http://h")) is None
    assert shown.asked == 0


async def test_a_long_prompt_gets_a_window_that_never_shrinks() -> None:
    shown = Shown(131072)
    windows = ContextWindows(shown, Clock())
    assert await windows.choose(body(10_000), a_target("http://h")) == 16384
    assert await windows.choose(body(10), a_target("http://h")) == 16384
    assert await windows.choose(body(20_000), a_target("http://h")) == 32768
    assert await windows.choose(body(10), a_target("http://h", model="other")) is None
    assert shown.asked == 1


async def test_the_window_stays_within_the_model_and_the_cap() -> None:
    windows = ContextWindows(Shown(40960), Clock())
    assert await windows.choose(body(100_000), a_target("http://h")) == 40960
    capped = a_target("http://h", options={"num_ctx": 32768}, model="capped")
    assert await windows.choose(body(10), capped) == 4096
    assert await windows.choose(body(100_000), capped) == 32768


async def test_nought_leaves_it_to_the_server() -> None:
    shown = Shown(40960)
    assert (
        await ContextWindows(shown, Clock()).choose(body(100_000), a_target("http://h", options={"num_ctx": 0})) is None
    )
    assert shown.asked == 0


async def test_an_ollama_clients_wish_is_capped() -> None:
    windows = ContextWindows(Shown(None), Clock())
    assert await windows.choose(body(1, num_ctx=65536), a_target("http://h")) == 65536
    assert await windows.choose(body(1, num_ctx=65536), a_target("http://h", options={"num_ctx": 8192})) == 8192


async def test_an_unknown_maximum_does_not_stop_the_request_and_is_asked_again_later() -> None:
    shown, clock = Shown(None), Clock()
    windows = ContextWindows(shown, clock)
    assert await windows.choose(body(10_000), a_target("http://h")) == 16384
    assert await windows.choose(body(10_000), a_target("http://h")) == 16384
    assert shown.asked == 1
    clock.now = 601.0
    await windows.choose(body(10_000), a_target("http://h"))
    assert shown.asked == 2
