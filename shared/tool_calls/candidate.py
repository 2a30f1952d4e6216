"""What a reader is given: the text, the tools, the markup in force, and a place to put calls."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.tool_calls.arguments import Arguments, Calls
from shared.tool_calls.formats import Format
from shared.tool_calls.grammar import Grammar
from shared.tool_calls.schema import Declared, Toolbox
from shared.tool_calls.source import Source

MAX_LEFT = 16  # undeclared calls before the first that counts: each of them reads all before it again


class NoCall(Exception):
    """The candidate is no call: its text stays text."""


class Undeclared(NoCall):
    """Its name means none of the request's tools."""


class Cut(Exception):
    """The call broke off before its arguments were complete."""


class Draft:
    """Calls that go out together once their candidate has proved itself."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self._name = ""
        self._parts: list[str] = []

    def start(self, name: str) -> None:
        self._name = name
        self._parts = []

    def write(self, arguments: str) -> None:
        self._parts.append(arguments)

    def end(self) -> None:
        self.done.append((self._name, "".join(self._parts)))

    def certain(self) -> None:
        """Nothing is, before the candidate has proved itself."""

    def say(self, text: str) -> None:
        raise NoCall

    def hand_on(self, calls: Calls) -> None:
        for name, arguments in self.done:
            calls.start(name)
            calls.write(arguments)
            calls.end()


@dataclass(slots=True)
class Candidate:
    """One place in the text that may hold calls."""

    source: Source
    tools: Toolbox
    grammar: Grammar
    calls: Calls
    format: Format
    opener: str
    at_start: bool = False  # nothing has been said before it
    cut_short: bool = False  # the text ends because a limit was reached
    structure: tuple[str, ...] = field(default=())  # markup that only this call's own names make
    rename: dict[str, str] | None = None  # what an administrator's pattern says of parameters
    fenced: bool = False  # the calls stand in a fence inside their markup
    meant: Declared | None = None  # the tool that was named already, which the call's object must name too

    begun: bool = False  # a call was certain
    left: list[str] = field(default_factory=list)  # undeclared calls before that, which stay text

    def resolve(self, written: str) -> Declared:
        tool = self.tools.resolve(written)
        if tool is None or (self.meant is not None and tool is not self.meant):
            raise Undeclared
        return tool

    def leave(self, text: str) -> None:
        """An undeclared call beside others: text, in its place."""
        if not self.begun:
            if len(self.left) == MAX_LEFT:
                raise NoCall
            self.left.append(text)
            return
        self.calls.say(text)
        self.calls.certain()

    def begin(self, tool: Declared) -> Arguments:
        """The call is certain."""
        for text in self.left:
            self.calls.say(text)
        self.left.clear()
        self.begun = True
        return Arguments(tool, self.calls, self.rename)
