"""Find many literal markers in a stream, however it is cut: an Aho-Corasick automaton that builds itself as it is used.

A state is the longest end of the text that some marker begins with. States and steps are learnt when they first occur,
so that a new set of markers (every list of tools makes one) costs only its prefixes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property


class State:
    """One state: how many characters may still become a longer marker, and which ones end here, the longest first."""

    __slots__ = ("depth", "hits", "next", "text")

    def __init__(self, text: str, depth: int, hits: tuple[str, ...]) -> None:
        self.text = text
        self.depth = depth
        self.hits = hits
        self.next: dict[str, State] = {}


class Markers:
    """A fixed set of markers; one object serves any number of streams."""

    def __init__(self, literals: Iterable[str], base: Markers | None = None) -> None:
        """Finds `literals`, and those of `base`, whose preparation is used again."""
        more = frozenset(literals)
        if not (more or base) or "" in more:
            raise ValueError("markers are one or more texts of at least one character")
        growing = frozenset(literal[:end] for literal in more for end in range(1, len(literal)))
        self.literals: frozenset[str] = more | base.literals if base else more
        self._growing: frozenset[str] = growing | base._growing if base else growing
        self._alphabet: frozenset[str] = frozenset("".join(more)) | (base._alphabet if base else frozenset())
        self.root = State("", 0, ())
        self._states = {"": self.root}
        firsts = "".join(sorted({literal[0] for literal in self.literals}))
        self._first: Callable[..., re.Match[str] | None] = re.compile(f"[{re.escape(firsts)}]").search

    @cached_property
    def opening(self) -> Callable[[str], re.Match[str] | None]:
        """Finds the first place where a marker could begin, judged by two characters: None for most of prose."""
        return openings(self.literals)

    def begins(self, two: str) -> bool:
        """Whether a marker can begin with these two characters, or with this one at the end of a text."""
        return two in self._growing or two in self.literals or two[0] in self.literals

    def find(self, text: str, start: int, state: State) -> tuple[int, State]:
        """Read `text` from `start` until a marker ends or the text does: the index behind it, and the state there.

        The markers are in `state.hits`, if the index moved; `state.depth` characters before it may still become one.
        """
        root, alphabet, skip = self.root, self._alphabet, self._first
        position, end = start, len(text)
        while position < end:
            if state is root:
                first = skip(text, position)
                if first is None:
                    return end, root
                position = first.start()
            character = text[position]
            position += 1
            known = state.next.get(character)
            if known is None:
                known = self._learn(state, character) if character in alphabet else root
            state = known
            if state.hits:
                return position, state
        return end, state

    def _learn(self, state: State, character: str) -> State:
        """The longest end of the text so far that begins a marker."""
        text = state.text + character
        while text and text not in self._growing and text not in self.literals:
            text = text[1:]
        known = self._states.get(text)
        if known is None:
            ends = [text[begin:] for begin in range(len(text))]
            depth = next((len(end) for end in ends if end in self._growing), 0)
            known = self._states[text] = State(text, depth, tuple(end for end in ends if end in self.literals))
        state.next[character] = known
        return known


def openings(literals: Iterable[str]) -> Callable[[str], re.Match[str] | None]:
    """Finds where one of `literals` could begin: its first two characters, or its first at the end of the text."""
    seconds: dict[str, set[str]] = {}
    for literal in literals:
        seconds.setdefault(literal[0], set()).add(literal[1:2])
    alone = [first for first, found in seconds.items() if "" in found]
    followed = [
        f"{re.escape(first)}(?:[{re.escape(''.join(sorted(found)))}]|\\Z)"
        for first, found in sorted(seconds.items())
        if "" not in found
    ]
    return re.compile("|".join([f"[{re.escape(''.join(sorted(alone)))}]"] * bool(alone) + followed)).search
