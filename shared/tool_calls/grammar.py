"""The formats in force for one kind of request, laid out for the questions that readers ask."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from shared.markers import Markers, openings
from shared.tool_calls.aliases import TOOL_NAMES
from shared.tool_calls.formats import END_TOKENS, FORMATS, Format, spaced

PARAMETER_TAGS = (
    *spaced("<", "parameter="), *spaced("<", "parameter name="), "<param=", "<param name=", "<arg_key>",
    "<longcat_arg_key>",
)  # fmt: skip
PARAMETER_CLOSERS = (*spaced("</", "parameter>"), "</param>", "</arg_value>", "</longcat_arg_value>")
HEAD = 3  # characters by which most markup in a raw value is told to be data
_OPENERS_AS_CLOSERS = frozenset(("<tool_call>", "<tool_calls>", "[TOOL_CALLS]"))


class Opening(NamedTuple):
    """The formats by what opens them, and what finds that at the start of a line and in the rest of it.

    In the middle of a line far fewer texts can open anything, so that most of prose is passed by one search.
    """

    formats: Mapping[str, tuple[Format, ...]]
    on_line: Markers
    in_line: Markers
    anywhere: Callable[[str], re.Match[str] | None]  # finds what may open a call or code wherever it stands


class Grammar:
    """Openers, closers and structure of the formats that are switched on; immutable and shared between requests."""

    def __init__(self, formats: tuple[Format, ...]) -> None:
        self.formats = formats
        self.by_id = {row.id: row for row in formats}
        self.by_opener: dict[str, tuple[Format, ...]] = {}
        for row in formats:
            for opener in row.openers:
                self.by_opener[opener] = (*self.by_opener.get(opener, ()), row)
        self.wrappers = tuple(opener for row in formats if row.reader == "body" for opener in row.openers)
        self.tags = tuple(opener for row in formats if row.reader == "tag" for opener in row.openers)
        self.closers = _known(formats, closers=True)
        self.trailers = (*self.closers, *END_TOKENS)
        strong = tuple(opener for row in formats if row.strong for opener in row.openers)
        self.structure = tuple(dict.fromkeys((*self.trailers, *strong)))
        self.inside = (*self.structure, *PARAMETER_TAGS)
        self.heads = heads((*PARAMETER_TAGS, *PARAMETER_CLOSERS, *self.closers))
        self.opens_with_name = tuple(row for row in formats if row.opens_with_name)

    def has(self, format_id: str) -> bool:
        return format_id in self.by_id

    def opening(self, names: frozenset[str], triggers: frozenset[str] = frozenset()) -> Opening:
        """What opens a candidate beside tools of these names; `triggers` are those of administrators' patterns."""
        return _opening(self, names, triggers)

    def named(self, names: frozenset[str]) -> dict[str, tuple[Format, ...]]:
        """What opens a call, the openers made of the tools' names included."""
        found = dict(self.by_opener)
        for row in self.opens_with_name:
            for name in (*names, *_other_names(names)):
                for opener in tag_openers(name) if row.opens_with_name == "tag" else (name,):
                    found[opener] = (*found.get(opener, ()), row)
        return found


def heads(literals: Iterable[str]) -> frozenset[str]:
    """What they begin with, up to HEAD characters."""
    return frozenset(each[:length] for each in literals for length in range(1, HEAD + 1))


@lru_cache(maxsize=512)
def beginnings(literals: tuple[str, ...]) -> frozenset[str]:
    """All they begin with, themselves included."""
    return frozenset(each[:length] for each in literals for length in range(1, len(each) + 1))


def _other_names(names: frozenset[str]) -> list[str]:
    return [name for name, meant in TOOL_NAMES.items() if name not in names and names.intersection(meant)]


def tag_openers(name: str) -> tuple[str, ...]:
    """`<name>`, as models write it: with a space behind an underscore, or escaped."""
    cuts = [index + 1 for index, character in enumerate(name) if character == "_"]
    return (f"<{name}>", *(f"<{name[:cut]} {name[cut:]}>" for cut in cuts), f"&lt;{name}&gt;")


def _known(formats: Iterable[Format], *, closers: bool) -> tuple[str, ...]:
    """The closing markup of all formats, longest first; an opening that models use to close is not among them."""
    found = {closer for row in formats for closer in row.closers} - _OPENERS_AS_CLOSERS
    return tuple(sorted(found, key=len, reverse=True))


@lru_cache(maxsize=64)
def _opening(grammar: Grammar, names: frozenset[str], triggers: frozenset[str]) -> Opening:
    openers = grammar.named(names)
    on_line, in_line, anywhere = _markers(grammar, triggers)
    return Opening(openers, Markers(openers.keys() - grammar.by_opener.keys(), on_line), in_line, anywhere)


@lru_cache(maxsize=64)
def _markers(
    grammar: Grammar, triggers: frozenset[str]
) -> tuple[Markers, Markers, Callable[[str], re.Match[str] | None]]:
    openers = grammar.by_opener
    anywhere = {opener for opener, rows in openers.items() if any(row.where == "anywhere" for row in rows)}
    in_line = (anywhere | triggers | {"`"}) - {"```"}
    return (
        Markers((*((openers.keys() | triggers) - {"```"}), "\n", "`", "~~~")),
        Markers((*in_line, "\n")),
        openings(in_line),
    )


@lru_cache(maxsize=64)
def grammar_of(
    on: frozenset[str] = frozenset(), off: frozenset[str] = frozenset(), *, json_mode: bool = False
) -> Grammar:
    """The grammar with the formats of `on` and without those of `off`; in JSON mode, none that looks like JSON."""
    return Grammar(
        tuple(row for row in FORMATS if (row.on or row.id in on) and row.id not in off and not (json_mode and row.json))
    )


def fence_grammar() -> Grammar:
    """What counts in a fence that must hold nothing but calls."""
    return grammar_of(on=frozenset(("python_line",)), off=frozenset(("react", "functionary", "name_line")))
