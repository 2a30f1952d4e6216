"""Try a pattern on a sample before it is saved: what it finds, what it leaves, what it costs, what it would spoil."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from shared.chat.events import Event, TextDelta, ToolCallDelta, ToolCallStarted
from shared.chat.request import Tool
from shared.tool_calls.grammar import Grammar, grammar_of
from shared.tool_calls.harmless import HARMLESS
from shared.tool_calls.machine import Machine, Match
from shared.tool_calls.patterns import Pattern, PatternSet, compiled
from shared.tool_calls.schema import Toolbox

MAX_SAMPLE = 1 << 18
NO_FORMATS = Grammar(())


class FoundCall(NamedTuple):
    name: str
    arguments: str


class FalsePositive(NamedTuple):
    """A harmless text that the pattern alone takes for a call."""

    text: str
    calls: tuple[FoundCall, ...]


class Trial(NamedTuple):
    """`matches` name the pattern or the built-in format that read the text from `start` to `end`."""

    calls: tuple[FoundCall, ...]
    text: str
    matches: tuple[Match, ...]
    warnings: tuple[str, ...]
    seconds: float
    false_positives: tuple[FalsePositive, ...]


def try_pattern(sample: str, tools: Sequence[Tool], pattern: Pattern, *, with_formats: bool = True) -> Trial:
    """What comes of `sample` with this pattern, enabled or not; raises PatternError when it cannot be used at all.

    `with_formats`: beside the built-in formats, as an answer would be read; else the pattern alone.
    """
    warnings = compiled(pattern).warnings
    box = Toolbox(tools)
    patterns = PatternSet((replace(pattern, enabled=True),))
    start = time.perf_counter()
    calls, text, matches = _read(sample[:MAX_SAMPLE], box, grammar_of() if with_formats else NO_FORMATS, patterns)
    seconds = time.perf_counter() - start
    spoilt = ((harmless, _read(harmless, box, NO_FORMATS, patterns)[0]) for harmless in HARMLESS)
    return Trial(
        calls,
        text,
        matches,
        warnings,
        seconds,
        tuple(FalsePositive(harmless, found) for harmless, found in spoilt if found),
    )


def _read(
    text: str, tools: Toolbox, grammar: Grammar, patterns: PatternSet
) -> tuple[tuple[FoundCall, ...], str, tuple[Match, ...]]:
    machine = Machine(tools, grammar, patterns=patterns)
    events: list[Event] = [*machine.feed(text), *machine.finish()]
    calls: list[FoundCall] = []
    said: list[str] = []
    for event in events:
        match event:
            case TextDelta():
                said.append(event.text)
            case ToolCallStarted():
                calls.append(FoundCall(event.name, ""))
            case ToolCallDelta():
                calls[-1] = FoundCall(calls[-1].name, calls[-1].arguments + event.arguments)
    return tuple(calls), "".join(said), tuple(machine.found)
