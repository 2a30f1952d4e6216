"""Patterns that begin with no fixed text: tried when all text has been said, so that only their calls can be made."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from shared.tool_calls.candidate import Candidate, Draft, NoCall
from shared.tool_calls.patterns import PatternSet
from shared.tool_calls.readers.pattern import Budget, interpret

MAX_SEEN = 1 << 17  # characters of the answer that are kept for them


class Found(NamedTuple):
    """The calls of a pattern, and where in the text it matched."""

    by: str
    start: int
    end: int
    calls: list[tuple[str, str]]


class Late:
    def __init__(self, patterns: PatternSet, budget: Budget) -> None:
        self._patterns = patterns.at_end
        self._budget = budget
        self._said: list[str] = []
        self._length = 0

    def say(self, text: str) -> None:
        if self._length < MAX_SEEN:
            self._said.append(text[: MAX_SEEN - self._length])
            self._length += len(text)

    def find(self, candidate_for: Callable[[Draft, str], Candidate]) -> Found | None:
        """What the most important of them finds first."""
        text = "".join(self._said)
        for row in self._patterns:
            window = text[: row.window]
            if not self._budget.spend(row, len(window)) or (match := row.regex.search(window)) is None:
                continue
            name, draft = row.pattern.pattern_name, Draft()
            try:
                interpret(candidate_for(draft, name), row.pattern, match)
            except NoCall:
                continue
            return Found(name, match.start(), match.end(), draft.done)
        return None
