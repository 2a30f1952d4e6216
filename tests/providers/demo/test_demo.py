"""The built-in backend does what its README promises."""

import json
import math
from typing import Any

import pytest

from shared.chat.events import Finished, Started, TextDelta, ToolCallDelta, ToolCallStarted, UsageReported
from shared.chat.request import (
    Message,
    ResponseFormat,
    Sampling,
    TextPart,
    Tool,
    ToolChoice,
    ToolResultPart,
)
from shared.errors import InvalidRequest
from shared.providers.demo import Demo
from shared.providers.demo.arguments import example_arguments
from tests.providers.asking import WEATHER, a_request, a_target, an_embedding, ask, kinds, says, text

TARGET = a_target("demo://built-in", options={"delay_ms": 0})


async def test_it_streams_words_and_says_what_it_is() -> None:
    events = await ask(Demo().stream(a_request(messages=(says("user", "Good morning"),)), TARGET))
    assert kinds(events) == ["Started", *["TextDelta"] * (len(events) - 3), "Finished", "UsageReported"]
    assert "demo model" in text(events)
    assert "'Good morning'" in text(events)
    words = sum(isinstance(event, TextDelta) for event in events)
    assert events[-1].usage.output_tokens == words  # type: ignore[union-attr]
    assert events[-1].usage.input_tokens == 2  # type: ignore[union-attr]


async def test_it_calls_the_first_tool_and_then_reads_the_result() -> None:
    events = await ask(Demo().stream(a_request(tools=(WEATHER,)), TARGET))
    started = next(event for event in events if isinstance(event, ToolCallStarted))
    arguments = "".join(event.arguments for event in events if isinstance(event, ToolCallDelta))
    assert started.name == "get_weather"
    assert json.loads(arguments) == {"city": "hello"}
    assert Finished("tool_calls") in events
    result = Message("tool", (ToolResultPart(started.id, (TextPart("sunny"),)),))
    after = await ask(Demo().stream(a_request(tools=(WEATHER,), messages=(says("user", "hello"), result)), TARGET))
    assert text(after) == "The tool answered: sunny"


@pytest.mark.parametrize(
    ("choice", "called"),
    [(ToolChoice("none"), None), (ToolChoice("named", "second"), "second"), (ToolChoice("required"), "get_weather")],
)
async def test_it_obeys_the_tool_choice(choice: ToolChoice, called: str | None) -> None:
    request = a_request(tools=(WEATHER, Tool("second")), tool_choice=choice)
    events = await ask(Demo().stream(request, TARGET))
    names = [event.name for event in events if isinstance(event, ToolCallStarted)]
    assert names == ([called] if called else [])


async def test_limits_and_stop_sequences_hold() -> None:
    short = await ask(Demo().stream(a_request(sampling=Sampling(max_tokens=3)), TARGET))
    assert text(short) == "Hello from the "
    assert Finished("length") in short
    stopped = await ask(Demo().stream(a_request(sampling=Sampling(stop=("demo",))), TARGET))
    assert text(stopped) == "Hello from the "
    assert Finished("stop", 0, "demo") in stopped
    none = await ask(Demo().stream(a_request(sampling=Sampling(max_tokens=0)), TARGET))
    assert none == [Started(model="demo"), Finished("length"), none[-1]]
    assert isinstance(none[-1], UsageReported)


async def test_json_mode_answers_json_that_fits_the_schema() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    events = await ask(Demo().stream(a_request(response_format=ResponseFormat("json_schema", schema=schema)), TARGET))
    assert json.loads(text(events)) == {"n": 1}


async def test_embeddings_are_unit_vectors_and_alike_for_like_texts() -> None:
    answer = await Demo().embed(an_embedding("red apple", "red apple pie", "zebra", dimensions=128), TARGET)
    assert [len(vector) for vector in answer.vectors] == [128] * 3
    assert all(math.isclose(math.hypot(*vector), 1.0) for vector in answer.vectors)

    def likeness(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True))

    assert likeness(*answer.vectors[:2]) > 0.5 > likeness(answer.vectors[0], answer.vectors[2])
    with pytest.raises(InvalidRequest, match="dimensions"):
        await Demo().embed(an_embedding("x", dimensions=9_999), TARGET)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "number"}}}, {"a": "hi", "b": 1.0}),
        ({"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["b"]}, {"b": "hi"}),
        (
            {"properties": {"a": {"enum": ["x", "y"]}, "b": {"const": 4}, "c": {"default": 5}}},
            {"a": "x", "b": 4, "c": 5},
        ),
        ({"properties": {"a": {"type": ["integer", "null"], "minimum": 7}}}, {"a": 7}),
        ({"properties": {"a": {"type": "array", "items": {"type": "boolean"}, "minItems": 2}}}, {"a": [True, True]}),
        ({"properties": {"a": {"anyOf": [{"type": "null"}, {"type": "string"}]}}}, {"a": None}),
        ({"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "integer"}}}, {"a": 1}),
        ({"properties": {"a": {"$ref": "#"}}}, None),
        ({}, {}),
    ],
)
def test_example_arguments_fit_the_schema(schema: dict[str, Any], value: Any) -> None:
    made = example_arguments(schema, "hi")
    if value is None:
        json.dumps(made)
    else:
        assert made == value
