"""What recovery costs: CPU seconds for one megabyte in small deltas, beside the same text ten times shorter.

`make bench` prints `rows` in its table; `.venv/bin/python -m tests.benchmarks.tool_calls` all texts.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from shared.chat.events import Finished, Frame, TextDelta
from shared.reasoning.show import ShowReasoning
from shared.reasoning.split import SplitReasoning, splitting
from shared.tool_calls.grammar import grammar_of
from shared.tool_calls.machine import Machine
from shared.tool_calls.pattern_defaults import DEFAULT_PATTERNS
from shared.tool_calls.patterns import PatternSet, pattern_of
from shared.tool_calls.recover import RecoverToolCalls
from shared.tool_calls.schema import Toolbox
from tests.tool_calls.corpus import tools

MEGABYTE = 1 << 20
BOX = Toolbox(tools({"tools": ["everyday", "coding", "typed"]}))
WORDS = (
    "The quick brown fox jumps over a lazy dog, and then it comments on the action: fine. "
    "Call it what you like; functions are first-class (see page 12), analysis follows.\n\n"
    "- One item, `code`, *emphasis* and [a link](https://example.com/read)\n"
)
CODE = 'def read(path):\n    """Read it."""\n    return {"path": path, "size": [1, 2, 3], "html": "<p>x</p>"}\n\n'


def filled(pattern: str, length: int) -> str:
    return (pattern * (length // len(pattern) + 1))[:length]


def argument(length: int) -> str:
    body = json.dumps({"filePath": "/a", "content": filled(CODE, length)})
    return f'<tool_call>\n{{"name": "write", "arguments": {body}}}\n</tool_call>'


def parameter(length: int) -> str:
    path = "<parameter=filePath>\n/a\n</parameter>"
    return f"<function=write>\n{path}\n<parameter=content>\n{filled(CODE, length)}\n</parameter>\n</function>"


def coerced(length: int) -> str:
    items = [{"content": f"step {number}", "status": "pending", "priority": "low"} for number in range(length // 64)]
    return f"<tool_call>{json.dumps({'name': 'todowrite', 'arguments': {'todos': items}})}</tool_call>"


TEXTS: dict[str, Callable[[int], str]] = {
    "prose": lambda length: filled(WORDS, length),
    "code": lambda length: filled(CODE, length),
    "fenced code": lambda length: f"```python\n{filled(CODE, length)}\n```\n",
    "JSON answer": lambda length: json.dumps([{"id": n, "title": "x" * 40} for n in range(length // 64)], indent=1),
    "1 MB JSON argument": argument,
    "1 MB raw argument": parameter,
    "1 MB fitted argument": coerced,
    "hostile openings": lambda length: filled('<tool_call>{"name": "write", "arguments": {"a": [', length),
    "hostile backticks": lambda length: filled("```json\n{", length),
}


def pieces(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


def machine(text: str, size: int, patterns: PatternSet | None = None) -> float:
    deltas = list(pieces(text, size))
    at_work = Machine(BOX, grammar_of(), patterns=patterns)
    start = time.process_time()
    for delta in deltas:
        at_work.feed(delta)
    at_work.finish()
    return time.process_time() - start


def steps(text: str, size: int) -> float:
    """The three steps of the data path, frames and all."""
    batches = [[Frame((TextDelta(delta),))] for delta in pieces(text, size)]
    path = [SplitReasoning(splitting()), RecoverToolCalls(BOX, grammar_of()), ShowReasoning("field")]
    batches.append([Frame((Finished("stop"),))])
    gc.collect()
    gc.freeze()  # a gateway does not hold a million events while it collects
    try:
        start = time.process_time()
        for batch in batches:
            out = batch
            for step in path:
                out = step.feed(out)
        return time.process_time() - start
    finally:
        gc.unfreeze()


class Cost(NamedTuple):
    """CPU seconds for a megabyte, and how much more that is than for a tenth of it."""

    what: str
    seconds: float
    growth: float
    budget: str


def rows(repeats: int) -> list[Cost]:
    """The best of `repeats`: the state machine alone and the three steps of the data path, which include it."""
    texts = (("prose", "prose", "0.5"), ("JSON argument", "1 MB JSON argument", "1.5"))
    found = []
    for named, key, budget in texts:
        for of, cost, limit in (("the state machine", machine, budget), ("the three steps", steps, "")):
            small, large = TEXTS[key](MEGABYTE // 10), TEXTS[key](MEGABYTE)
            tenth, whole = (min(cost(text, 4) for _ in range(repeats)) for text in (small, large))
            found.append(Cost(f"1 MB of {named} in 4-character deltas through {of}", whole, whole / tenth, limit))
    whole = min(steps(TEXTS["prose"](MEGABYTE), MEGABYTE) for _ in range(repeats))
    tenth = min(steps(TEXTS["prose"](MEGABYTE // 10), MEGABYTE) for _ in range(repeats))
    return [*found, Cost("1 MB of prose whole through the three steps", whole, whole / tenth, "")]


def main() -> None:
    patterns = PatternSet(pattern_of(record) for record in DEFAULT_PATTERNS)
    print(
        f"{'':22}{'0.1 MB / 4':>12}{'1 MB / 4':>12}{'ratio':>8}{'1 MB / 64':>12}{'steps / 4':>12}{'patterns / 4':>14}"
    )
    for name, make in TEXTS.items():
        small, large = make(MEGABYTE // 10), make(MEGABYTE)
        tenth, whole = machine(small, 4), machine(large, 4)
        wide, path, tried = machine(large, 64), steps(large, 4), machine(large, 4, patterns)
        print(
            f"{name:22}{tenth:12.3f}{whole:12.3f}{whole / max(tenth, 1e-6):8.1f}{wide:12.3f}{path:12.3f}{tried:14.3f}"
        )


if __name__ == "__main__":
    main()
