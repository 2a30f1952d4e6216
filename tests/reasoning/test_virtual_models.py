"""Which steps an answer passes: what the virtual model, the formats' switches and the patterns' scopes make of it."""

from __future__ import annotations

import json

import pytest

from shared.chat.events import Event, Finished, Frame, ReasoningDelta, TextDelta, ToolCallDelta, ToolCallStarted
from shared.chat.request import ChatRequest, Native, Tool
from shared.gateway.catalog import Catalog, TargetSpec, VirtualModel
from shared.gateway.routing import Route, Stop
from shared.gateway.steps import Steps
from shared.providers.base import Endpoint
from shared.tool_calls.patterns import pattern_of

TOOL = Tool("bash", None, {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]})
EXECUTE = {
    "pattern_name": "execute",
    "pattern_type": "bracket",
    "regex_pattern": r"\[EXECUTE:(\w+):([^\]]+)\]",
    "tool_name_group": 1,
    "parameter_mapping": {"2": "command"},
}


def seen(text: str, catalog: Catalog, *, tools: bool = True, endpoint: str = "local", **model: object) -> list[Event]:
    """What a client of the virtual model `fast` at this endpoint sees of the text."""
    virtual = VirtualModel(1, "fast", (TargetSpec(1, "m"),), **model)  # type: ignore[arg-type]
    stop = Stop(Endpoint(1, endpoint, "openai", "http://127.0.0.1"), "m")
    request = ChatRequest("fast", (), Native("openai_chat", {}), tools=(TOOL,) if tools else ())
    steps = Steps()(request, Route(virtual, (stop,), catalog), stop)
    batch = [Frame((TextDelta(text),)), Frame((Finished("stop"),))]
    for step in steps:
        batch = [*step.feed(batch), *step.finish()]
    return [event for frame in batch for event in frame.events if event != TextDelta("")]


THOUGHT, ANSWER, END = ReasoningDelta("Hm."), TextDelta("42"), Finished("stop")


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ({}, [THOUGHT, ANSWER, END]),
        ({"reasoning": "field"}, [THOUGHT, ANSWER, END]),
        ({"reasoning": "inline"}, [TextDelta("Hm."), TextDelta("\n\n"), ANSWER, END]),
        ({"reasoning": "hidden"}, [ANSWER, END]),
        ({"show_reasoning": False}, [ANSWER, END]),
        ({"show_reasoning": False, "reasoning": "field"}, [THOUGHT, ANSWER, END]),
    ],
)
@pytest.mark.parametrize("tools", [True, False])
def test_reasoning_is_shown_as_the_virtual_model_wishes(
    model: dict[str, object], wanted: list[Event], tools: bool
) -> None:
    assert seen("<think>Hm.</think>42", Catalog(), tools=tools, **model) == wanted


def test_a_virtual_model_says_that_its_opening_tag_is_in_the_prompt() -> None:
    assert seen("Hm.</think>42", Catalog()) == [TextDelta("Hm.</think>42"), END]
    assert seen("Hm.</think>42", Catalog(), starts_in_reasoning=True) == [THOUGHT, ANSWER, END]


def test_a_format_is_switched_for_all() -> None:
    text = '[TOOL_CALLS]bash[ARGS]{"command": "ls"}'
    assert type(seen(text, Catalog())[0]) is ToolCallStarted
    assert seen(text, Catalog(formats_off=frozenset(("mistral",)))) == [TextDelta(text), END]
    assert seen(text, Catalog(), tools=False) == [TextDelta(text), END]


@pytest.mark.parametrize(
    ("scope", "endpoint", "holds"),
    [
        ({}, "local", True),
        ({"models": ["fast"]}, "local", True),
        ({"models": ["slow", "fa*"]}, "local", True),
        ({"models": ["slow"]}, "local", False),
        ({"endpoints": ["local"]}, "local", True),
        ({"endpoints": ["local"]}, "cloud", False),
        ({"models": ["fast"], "endpoints": ["cloud"]}, "local", False),
    ],
)
def test_a_pattern_holds_for_the_models_and_endpoints_it_names(
    scope: dict[str, object], endpoint: str, holds: bool
) -> None:
    catalog = Catalog(tool_patterns=(pattern_of({**EXECUTE, **scope}),))
    events = seen("[EXECUTE:bash:ls]", catalog, endpoint=endpoint)
    if not holds:
        assert "".join(event.text for event in events if type(event) is TextDelta) == "[EXECUTE:bash:ls]"
        assert events[-1] == END
        return
    started, delta, end = events
    assert isinstance(started, ToolCallStarted)
    assert isinstance(delta, ToolCallDelta)
    assert (started.name, json.loads(delta.arguments), end) == ("bash", {"command": "ls"}, Finished("tool_calls"))


def test_patterns_are_compiled_once_for_a_model_and_endpoint() -> None:
    patterns = (pattern_of(EXECUTE),)
    steps = Steps()
    stop = Stop(Endpoint(1, "local", "openai", "http://127.0.0.1"), "m")
    one = steps._patterns(Catalog(tool_patterns=patterns), "fast", stop)
    assert steps._patterns(Catalog(version=2, tool_patterns=patterns), "fast", stop) is one
    assert steps._patterns(Catalog(version=3, tool_patterns=(pattern_of(EXECUTE),)), "fast", stop) is not one
    assert steps._patterns(Catalog(), "fast", stop) is None
