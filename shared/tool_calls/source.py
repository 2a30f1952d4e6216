"""The text in hand: what a reader may look at, and what must be given back if it was no call.

Readers are generators: they `yield` when they need more text, and are resumed when there is more or none will come.
No index into `text` survives a yield; `position` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable
from functools import lru_cache
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Reading: TypeAlias = Generator[None, None, T]
"""A reader at work: yields for more text, returns a T."""

Live: TypeAlias = Callable[[str], str] | None
"""Makes JSON of text in a value that the client gets as it is read; None when it does not."""

LOOKAHEAD = 256  # the most white space or name that a decision looks beyond; bounds what a cut can make us re-read
SPACE = " \t\r\n"


class Source:
    """`plain` tells text in which the reader, which has read all there is, has nothing to look for: it is kept until
    the reader must be asked, or with `live` goes out as part of a text value."""

    __slots__ = ("_held", "_holding", "_kept", "_mark", "before", "ended", "live", "plain", "position", "text")

    def __init__(self) -> None:
        self.text = ""
        self.before = 0  # characters of the answer before text[0]
        self.position = 0
        self.ended = False
        self.plain: Callable[[str], re.Match[str] | None] | None = None
        self.live: Live = None
        self._kept: list[str] = []
        self._held: list[str] = []
        self._holding = False
        self._mark = 0

    def keep(self, more: str) -> None:
        """More text, of which the reader need not know yet."""
        self._kept.append(more)

    def append(self, more: str) -> None:
        position = self.position
        if self._kept:
            self._kept.append(more)
            more = "".join(self._kept)
            self._kept.clear()
        if self._holding and position > self._mark:
            self._held.append(self.text[self._mark : position])
        self.before += position
        self.text = self.text[position:] + more if position < len(self.text) else more
        self.position = self._mark = 0

    def wait(self, plain: Callable[[str], re.Match[str] | None] | None, live: Live = None) -> Reading[None]:
        """Yield with all text read; more of it that is `plain` need not be shown."""
        self.plain, self.live = plain, live
        yield
        self.plain = None

    def hold(self) -> None:
        """What is read from here on can be given back."""
        self._held.clear()
        self._holding = True
        self._mark = self.position

    def let_go(self) -> None:
        """What was read since `hold`, and what is read from here on, is swallowed."""
        self._held.clear()
        self._holding = False

    def rewind(self) -> int:
        """Go back to where `hold` was said; the number of characters given back."""
        length = self.held_length()
        if self._held:
            given_back = "".join(self._held)
            self.before += self._mark - len(given_back)
            self.text = given_back + self.text[self._mark :]
            self._held.clear()
            self._mark = 0
        self.position = self._mark
        return length

    def held(self) -> str:
        return "".join(self._held) + self.text[self._mark : self.position]

    def held_length(self) -> int:
        return sum(map(len, self._held)) + self.position - self._mark

    def peek(self) -> Reading[str]:
        """The next character, not read; empty at the end."""
        while self.position >= len(self.text):
            if self.ended:
                return ""
            yield
        return self.text[self.position]

    def skip_space(self, limit: int | None = None) -> Reading[str]:
        """Read white space, at most `limit` characters; the character behind it, empty at the end."""
        left = limit
        while True:
            text, position = self.text, self.position
            while position < len(text) and text[position] in SPACE and left != 0:
                position += 1
                left = left - 1 if left is not None else None
            self.position = position
            if position < len(text):
                return text[position]
            if self.ended:
                return ""
            yield

    def ahead(self, length: int) -> Reading[str]:
        """The next `length` characters, not read; fewer only at the end."""
        while len(self.text) - self.position < length and not self.ended:
            yield
        return self.text[self.position : self.position + length]

    def starts(self, literal: str) -> Reading[bool]:
        """Whether the text goes on with `literal`; asks for no more than it takes to know."""
        while True:
            available = self.text[self.position : self.position + len(literal)]
            if available == literal:
                return True
            if self.ended or not literal.startswith(available):
                return False
            yield

    def take(self, literal: str) -> Reading[bool]:
        """Read `literal` if the text goes on with it."""
        if (yield from self.starts(literal)):
            self.position += len(literal)
            return True
        return False

    def take_any(self, literals: Iterable[str]) -> Reading[str]:
        """Read the longest of `literals` that the text goes on with; empty when none fits."""
        first = yield from self.peek()
        for literal in _by_first(tuple(literals)).get(first, ()):
            if (yield from self.take(literal)):
                return literal
        return ""

    def starts_any(self, literals: Iterable[str]) -> Reading[bool]:
        """Whether the text goes on with one of `literals`."""
        first = yield from self.peek()
        for literal in _by_first(tuple(literals)).get(first, ()):
            if (yield from self.starts(literal)):
                return True
        return False


@lru_cache(maxsize=256)
def _by_first(literals: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The literals by their first character, the longest first."""
    found: dict[str, tuple[str, ...]] = {}
    for literal in sorted(literals, key=len, reverse=True):
        found[literal[0]] = (*found.get(literal[0], ()), literal)
    return found
