"""What a reader is given: the text, the tools, the markup in force, and a place to put calls."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.tool_calls.arguments import Arguments, Calls
from shared.tool_calls.formats import Format
from shared.tool_calls.grammar import Grammar
from shared.tool_calls.schema import Declared, Toolbox
from shared.tool_calls.source import Source


class NoCall(Exception):
    """The candidate is no call: its text stays text."""


class Cut(Exception):
    """The call broke off before its arguments were complete."""


@dataclass(slots=True)
class Candidate:
    """One place in the text that may hold calls."""

    source: Source
    tools: Toolbox
    grammar: Grammar
    calls: Calls
    format: Format
    opener: str
    cut_short: bool = False  # the text ends because a limit was reached
    structure: tuple[str, ...] = field(default=())  # markup that only this call's own names make

    def resolve(self, written: str) -> Declared:
        tool = self.tools.resolve(written)
        if tool is None:
            raise NoCall
        return tool

    def begin(self, tool: Declared) -> Arguments:
        """The call is certain."""
        return Arguments(tool, self.calls)
