"""Try formats and patterns on a sample: what they find, what they leave, what they cost, what they would spoil."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from shared.chat.request import Tool
from shared.tool_calls.grammar import Grammar
from shared.tool_calls.harmless import HARMLESS
from shared.tool_calls.machine import Machine, Match
from shared.tool_calls.outlet import gathered
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


def try_on(
    sample: str, tools: Sequence[Tool], grammar: Grammar, patterns: Sequence[Pattern], tried: Pattern | None = None
) -> Trial:
    """What comes of `sample` with these formats and patterns, and with `tried` among them, enabled or not.

    The false positives are those of `tried` alone, or without one of all together. Raises PatternError when `tried`
    cannot be used at all; what is wrong with the others is among the warnings.
    """
    warnings = compiled(tried).warnings if tried else ()
    box = Toolbox(tools)
    alone = PatternSet((replace(tried, enabled=True),)) if tried else None
    together = PatternSet((*patterns, *((replace(tried, enabled=True),) if tried else ())))
    together = together.beside(fence=grammar.has("fence"), json_mode=False)
    start = time.perf_counter()
    calls, text, matches = _read(sample[:MAX_SAMPLE], box, grammar, together)
    seconds = time.perf_counter() - start
    blamed = (NO_FORMATS, alone) if alone else (grammar, together)
    spoilt = ((harmless, _read(harmless, box, *blamed)[0]) for harmless in HARMLESS)
    return Trial(
        calls,
        text,
        matches,
        (*warnings, *(f"{name} is not used: {reason}" for name, reason in together.broken.items())),
        seconds,
        tuple(FalsePositive(harmless, found) for harmless, found in spoilt if found),
    )


def _read(
    text: str, tools: Toolbox, grammar: Grammar, patterns: PatternSet
) -> tuple[tuple[FoundCall, ...], str, tuple[Match, ...]]:
    machine = Machine(tools, grammar, patterns=patterns)
    calls, said = gathered([*machine.feed(text), *machine.finish()])
    return tuple(FoundCall(*call) for call in calls), said, tuple(machine.found)
