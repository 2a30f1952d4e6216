"""A pattern or a built-in format tried on a sample, before answers are read with it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field

from functions.admin_tool_patterns.schemas import DraftToolPattern
from shared.chat.events import TextDelta, ToolCallDelta, ToolCallStarted
from shared.chat.request import Tool
from shared.tool_calls.formats import Format
from shared.tool_calls.grammar import Grammar
from shared.tool_calls.harmless import HARMLESS
from shared.tool_calls.machine import Machine, Match
from shared.tool_calls.patterns import Pattern
from shared.tool_calls.schema import Toolbox
from shared.tool_calls.trial import MAX_SAMPLE, FalsePositive, FoundCall, Trial, try_pattern
from shared.web.admin_errors import FieldError, InvalidFields
from shared.web.admin_fields import Flag, Form

_MOST_TOOLS = 128
_NAME_CHARS = 256
_TRIED = "\0tried"  # no format's id: the original's patterns and our formats share names


class Sample(Form):
    """What a model might write, and the tools of the request: a call counts only when its name is one of theirs.

    `pattern` is a draft, `pattern_id` one of the list; `with_formats` false leaves the built-in formats out.
    """

    passed_over: ClassVar[tuple[str, ...]] = ()

    sample: Annotated[str, Field(max_length=MAX_SAMPLE)]
    tools: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=_MOST_TOOLS)]
    pattern: DraftToolPattern | None = None
    pattern_id: Annotated[int, Field(strict=True, ge=1)] | Annotated[str, Field(max_length=100)] | None = None
    with_formats: Flag = True

    def declared(self) -> list[Tool]:
        """The tools as OpenAI's clients declare them, or the functions alone; raises InvalidFields."""
        tools: list[Tool] = []
        wrong: list[FieldError] = []
        for index, given in enumerate(self.tools):
            inner = given.get("function")
            function: dict[str, Any] = inner if isinstance(inner, dict) else given
            name, parameters = function.get("name"), function.get("parameters", function.get("input_schema"))
            if not isinstance(name, str) or not 0 < len(name) <= _NAME_CHARS:
                wrong.append(FieldError(f"tools[{index}]", f"needs a name of at most {_NAME_CHARS} characters"))
            elif not isinstance(parameters, dict | None):
                wrong.append(FieldError(f"tools[{index}]", "parameters must be a JSON schema"))
            else:
                tools.append(Tool(name, parameters=parameters))
        if wrong:
            raise InvalidFields(wrong)
        return tools


class Call(BaseModel):
    name: str
    arguments: str = Field(description="JSON text, as in a tool call")


class Place(BaseModel):
    pattern: str = Field(description="the pattern's name, or the built-in format's")
    engine: Literal["regex", "builtin"]
    start: int = Field(description="the first character of what it read in the sample")
    end: int


class FalsePositives(BaseModel):
    text: str = Field(description="a harmless text that the pattern alone takes for calls")
    calls: list[Call]


class Outcome(BaseModel):
    """What became of the sample: the calls, and the text that a client would be left with."""

    calls: list[Call]
    text: str
    matches: list[Place]
    warnings: list[str]
    milliseconds: float
    false_positives: list[FalsePositives]


def outcome_of_pattern(sample: Sample, pattern: Pattern) -> Outcome:
    """Raises PatternError when the engine cannot use the pattern."""
    tried = replace(pattern, pattern_name=_TRIED)
    trial = try_pattern(sample.sample, sample.declared(), tried, with_formats=sample.with_formats)
    return _outcome(trial, pattern.pattern_name)


def outcome_of_format(sample: Sample, row: Format) -> Outcome:
    """The one format, without the others."""
    box, grammar = Toolbox(sample.declared()), Grammar((row,))
    machine = Machine(box, grammar)
    start = time.perf_counter()
    calls, text = _read(machine, sample.sample)
    seconds = time.perf_counter() - start
    spoilt = ((harmless, _read(Machine(box, grammar), harmless)[0]) for harmless in HARMLESS)
    false_positives = tuple(FalsePositive(harmless, found) for harmless, found in spoilt if found)
    return _outcome(Trial(calls, text, tuple(machine.found), (), seconds, false_positives))


def _read(machine: Machine, text: str) -> tuple[tuple[FoundCall, ...], str]:
    calls: list[FoundCall] = []
    said: list[str] = []
    for event in [*machine.feed(text), *machine.finish()]:
        match event:
            case TextDelta():
                said.append(event.text)
            case ToolCallStarted():
                calls.append(FoundCall(event.name, ""))
            case ToolCallDelta():
                calls[-1] = FoundCall(calls[-1].name, calls[-1].arguments + event.arguments)
    return tuple(calls), "".join(said)


def _outcome(trial: Trial, pattern_name: str = "") -> Outcome:
    return Outcome(
        calls=_calls(trial.calls),
        text=trial.text,
        matches=[_place(match, pattern_name) for match in trial.matches],
        warnings=list(trial.warnings),
        milliseconds=round(1_000 * trial.seconds, 3),
        false_positives=[FalsePositives(text=text, calls=_calls(calls)) for text, calls in trial.false_positives],
    )


def _place(match: Match, pattern_name: str) -> Place:
    if match.by == _TRIED:
        return Place(pattern=pattern_name, engine="regex", start=match.start, end=match.end)
    return Place(pattern=match.by, engine="builtin", start=match.start, end=match.end)


def _calls(found: tuple[FoundCall, ...]) -> list[Call]:
    return [Call(name=each.name, arguments=each.arguments) for each in found]
