"""Every case of the corpus, whole and cut: the same text, reasoning, calls and finish reason."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from tests.tool_calls.corpus import DEFAULTS, Seen, canonical, cases, expected, run

SIZES = (1, 3, 7, 64)


def by_id(case: dict[str, Any]) -> str:
    return case["id"]


@pytest.mark.parametrize("case", cases(), ids=by_id)
def test_a_client_sees_what_the_corpus_says_however_the_text_is_cut(case: dict[str, Any]) -> None:
    raw = case["raw"]
    whole = run(case, [raw] if raw else [])
    compare(whole, expected(case))
    assert len(set(whole.ids)) == len(whole.ids)
    assert all(re.fullmatch("call_[0-9a-f]{24}", each) for each in whole.ids)
    thoughts = case.get("raw_reasoning", "")
    dice = random.Random(case["id"])
    ways = [lambda text, size=size: even(text, size) for size in SIZES]
    ways += [lambda text: uneven(text, dice)] * 3
    for way in ways:
        compare(run(case, way(raw), way(thoughts)), whole)


@pytest.mark.slow
def test_the_seeded_patterns_change_nothing_that_the_built_in_formats_do() -> None:
    """An installation has the original's patterns from its first start: they may spoil no text and no call."""
    seeded = [name for name, record in DEFAULTS.items() if record["enabled"]]
    for case in cases():
        if "patterns" not in case:
            pieces = even(case["raw"], 7)
            assert see({**case, "patterns": seeded}, pieces) == see(case, pieces), case["id"]


def see(case: dict[str, Any], pieces: list[str]) -> Seen:
    seen = run(case, pieces)
    seen.ids = []
    return seen


def compare(seen: Seen, want: Seen) -> None:
    assert seen.text == want.text
    assert seen.reasoning == want.reasoning
    assert [(name, canonical(arguments)) for name, arguments in seen.calls] == [
        (name, canonical(arguments)) for name, arguments in want.calls
    ]
    assert seen.finish == want.finish


def even(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def uneven(text: str, dice: random.Random) -> list[str]:
    cuts = sorted(dice.sample(range(len(text) + 1), min(len(text), dice.randint(1, 12))))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def test_every_case_has_an_id_of_its_own() -> None:
    ids = [case["id"] for case in cases()]
    assert len(set(ids)) == len(ids)
