"""The corpus's cases, and what a client sees of one of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from yaml import CSafeLoader as Loader
from yaml import load

from shared.chat.events import (
    Batch,
    Event,
    Finished,
    Frame,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from shared.chat.request import ResponseFormat, Tool, ToolChoice
from shared.reasoning.show import ShowReasoning
from shared.reasoning.split import SplitReasoning, splitting
from shared.tool_calls.pattern_defaults import DEFAULT_PATTERNS
from shared.tool_calls.patterns import PatternSet, pattern_of
from shared.tool_calls.recover import Options, recovery

FOLDER = Path(__file__).parents[1] / "fixtures" / "tool_calls"
DEFAULTS = {record["pattern_name"]: record for record in DEFAULT_PATTERNS}
FIELDS = frozenset(
    "id why raw raw_reasoning tools tool_choice response_format finish reasoning starts_in_reasoning on off patterns "
    "expect".split()
)
EXPECTED = frozenset(("calls", "text", "reasoning", "finish"))


@cache
def cases() -> list[dict[str, Any]]:
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        for case in load(path.read_text(), Loader)["cases"]:
            assert case.keys() <= FIELDS, (case["id"], case.keys() - FIELDS)
            assert case["expect"].keys() <= EXPECTED, case["id"]
            found.append({**case, "family": path.stem})
    return found


@cache
def _shared() -> dict[str, Any]:
    return json.loads((FOLDER / "tools.json").read_text())


def tools(case: dict[str, Any]) -> list[Tool]:
    found: dict[str, Tool] = {}
    for wanted in case.get("tools", ["everyday"]):
        if isinstance(wanted, dict):
            found[wanted["name"]] = Tool(wanted["name"], None, wanted.get("parameters"))
            continue
        for name in _shared()["sets"].get(wanted, [wanted]):
            found[name] = Tool(name, None, _shared()["tools"][name])
    return list(found.values())


@dataclass
class Seen:
    """What a client sees of one answer."""

    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)
    finish: str | None = None
    ids: list[str] = field(default_factory=list)


def steps(case: dict[str, Any]) -> list[Any]:
    on, off = frozenset(case.get("on", ())), frozenset(case.get("off", ()))
    mode = case.get("reasoning", "field")
    starts = case.get("starts_in_reasoning", False)
    choice = case.get("tool_choice", "auto")
    named = ToolChoice("named", choice["name"]) if isinstance(choice, dict) else ToolChoice(choice)
    wanted = case.get("response_format")
    records = [DEFAULTS[each] if isinstance(each, str) else each for each in case.get("patterns", ())]
    patterns = PatternSet(pattern_of(record) for record in records) if records else None
    assert not patterns or not patterns.broken, patterns.broken
    found: list[Any] = []
    if mode != "off":
        found.append(SplitReasoning(splitting(on, off), starts_in_reasoning=starts))
    step = recovery(tools(case), named, ResponseFormat(wanted) if wanted else None, Options(on, off, patterns))
    if step:
        found.append(step)
    if mode != "off":
        found.append(ShowReasoning(mode, starts_in_reasoning=starts))
    return found


def run(case: dict[str, Any], pieces: Iterable[str], thoughts: Iterable[str] | None = None) -> Seen:
    """What comes of the case's text, cut into `pieces`."""
    thinking = [case["raw_reasoning"]] if case.get("raw_reasoning") else []
    stream: list[Event] = [ReasoningDelta(piece) for piece in (thinking if thoughts is None else thoughts)]
    stream += [TextDelta(piece) for piece in pieces]
    stream.append(Finished(case.get("finish", "stop")))
    return see(through(steps(case), stream))


def through(found: list[Any], stream: list[Event]) -> Iterator[Event]:
    for event in stream:
        batch: Batch = [Frame((event,))]
        for step in found:
            batch = step.feed(batch)
        for frame in batch:
            yield from frame.events
    batch = []
    for step in found:
        batch = [*step.feed(batch), *step.finish()]
    for frame in batch:
        yield from frame.events


def see(events: Iterable[Event]) -> Seen:
    seen = Seen()
    parts: list[list[str]] = []
    for event in events:
        match event:
            case TextDelta():
                seen.text += event.text
            case ReasoningDelta():
                seen.reasoning += event.text
            case ToolCallStarted():
                assert event.call == len(parts)
                parts.append([event.name, ""])
                seen.ids.append(event.id)
            case ToolCallDelta():
                parts[event.call][1] += event.arguments
            case Finished():
                seen.finish = event.reason
            case _:
                raise AssertionError(f"unexpected {event}")
    seen.calls = [(name, arguments) for name, arguments in parts]
    return seen


def expected(case: dict[str, Any]) -> Seen:
    """What must be seen; arguments as JSON with sorted keys, so that 1, 1.0, "1" and true differ."""
    want = case["expect"]
    calls = [
        (call["name"], call["cut"] if "cut" in call else canonical(json.dumps(call["arguments"])))
        for call in want.get("calls", ())
    ]
    finish = case.get("finish", "stop")
    default = "tool_calls" if calls and finish == "stop" else finish
    return Seen(want.get("text", ""), want.get("reasoning", ""), calls, want.get("finish", default))


def canonical(arguments: str) -> str:
    """The same JSON with sorted keys; unchanged where it is none (a call that was cut)."""
    try:
        return json.dumps(json.loads(arguments), sort_keys=True, ensure_ascii=False)
    except ValueError:
        return arguments
