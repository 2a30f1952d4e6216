"""Patterns and built-in formats tried on a sample, before answers are read with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, Field

from shared.chat.request import Tool
from shared.store.config_records import FormatSwitches
from shared.tool_calls.formats import Format
from shared.tool_calls.grammar import Grammar, grammar_of
from shared.tool_calls.machine import Match
from shared.tool_calls.patterns import Pattern
from shared.tool_calls.trial import MAX_SAMPLE, NO_FORMATS, FoundCall, Trial, try_on
from shared.web.admin_errors import FieldError, InvalidFields
from shared.web.admin_fields import Blank, Flag, Form
from shared.web.tool_pattern_schemas import DraftToolPattern

_MOST_TOOLS = 128
_NAME_CHARS = 256
_PATTERN = "\0"  # begins no format's id: the original's patterns and our formats share names

Engine: TypeAlias = Literal["regex", "builtin"]


Scope = Annotated[Annotated[str, Field(max_length=_NAME_CHARS)] | None, Blank]


class Sample(Form):
    """What a model might write, and the tools of the request: a call counts only when its name is one of theirs.

    `pattern` is a draft, `pattern_id` one of the list. `with_formats`: beside the built-in formats that are switched
    on. `with_patterns`: beside the patterns of the list that are enabled and, where `model` or `endpoint` is named,
    hold for it; then neither draft nor id is needed, and the outcome is what the gateway would make of the sample.
    """

    passed_over: ClassVar[tuple[str, ...]] = ()

    sample: Annotated[str, Field(max_length=MAX_SAMPLE)]
    tools: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=_MOST_TOOLS)]
    pattern: DraftToolPattern | None = None
    pattern_id: Annotated[int, Field(strict=True, ge=1)] | Annotated[str, Field(max_length=100)] | None = None
    with_formats: Flag = True
    with_patterns: Flag = False
    model: Scope = None
    endpoint: Scope = None

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
    engine: Engine
    start: int = Field(description="the first character of what it read in the sample")
    end: int


class Hits(BaseModel):
    pattern: str
    engine: Engine
    count: int = Field(description="how many places of the sample it read calls from")


class FalsePositives(BaseModel):
    text: str = Field(description="a harmless text that the pattern alone, or without one all, would take for calls")
    calls: list[Call]


class Outcome(BaseModel):
    """What became of the sample: the calls, and the text that a client would be left with."""

    calls: list[Call]
    text: str
    matches: list[Place]
    hits: list[Hits]
    warnings: list[str]
    milliseconds: float
    false_positives: list[FalsePositives]


def outcome(sample: Sample, tried: Pattern | None, stored: Iterable[Pattern], switches: FormatSwitches) -> Outcome:
    """Raises PatternError when the engine cannot use `tried`, which stands in for the stored pattern of its name."""
    others = [
        _known(each)
        for each in stored
        if sample.with_patterns
        and each.enabled
        and each.applies(sample.model, sample.endpoint)
        and (tried is None or each.pattern_name != tried.pattern_name)
    ]
    grammar = grammar_of(switches.on, switches.off) if sample.with_formats else NO_FORMATS
    return _outcome(try_on(sample.sample, sample.declared(), grammar, others, _known(tried) if tried else None))


def outcome_of_format(sample: Sample, row: Format) -> Outcome:
    """The one format, on or off, without the others."""
    return _outcome(try_on(sample.sample, sample.declared(), Grammar((row,)), ()))


def _known(pattern: Pattern) -> Pattern:
    """The pattern under a name that no format has."""
    return replace(pattern, pattern_name=_PATTERN + pattern.pattern_name)


def _outcome(trial: Trial) -> Outcome:
    places = [_place(match) for match in trial.matches]
    hits = Counter((place.pattern, place.engine) for place in places)
    return Outcome(
        calls=_calls(trial.calls),
        text=trial.text,
        matches=places,
        hits=[Hits(pattern=pattern, engine=engine, count=count) for (pattern, engine), count in hits.items()],
        warnings=[warning.removeprefix(_PATTERN) for warning in trial.warnings],
        milliseconds=round(1_000 * trial.seconds, 3),
        false_positives=[FalsePositives(text=text, calls=_calls(calls)) for text, calls in trial.false_positives],
    )


def _place(match: Match) -> Place:
    engine: Engine = "regex" if match.by.startswith(_PATTERN) else "builtin"
    return Place(pattern=match.by.removeprefix(_PATTERN), engine=engine, start=match.start, end=match.end)


def _calls(found: tuple[FoundCall, ...]) -> list[Call]:
    return [Call(name=each.name, arguments=each.arguments) for each in found]
