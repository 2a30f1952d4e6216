"""What goes out of the state machine, in order: text said, calls made, and calls in reasoning that must wait."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable

from shared.chat.events import Event, TextDelta, ToolCallDelta, ToolCallStarted
from shared.tool_calls.source import SPACE, Source


def new_id() -> str:
    return f"call_{secrets.token_hex(12)}"


def gathered(events: Iterable[Event]) -> tuple[list[tuple[str, str]], str]:
    """The calls, by name and arguments, and the text."""
    calls: list[tuple[str, str]] = []
    said: list[str] = []
    for event in events:
        match event:
            case TextDelta():
                said.append(event.text)
            case ToolCallStarted():
                calls.append((event.name, ""))
            case ToolCallDelta():
                calls[-1] = (calls[-1][0], calls[-1][1] + event.arguments)
    return calls, "".join(said)


class Outlet:
    """Readers of strong formats write to it: what they have begun here is with the client and never taken back."""

    __slots__ = ("_choice", "_make_id", "_out", "_said", "_source", "_waiting", "_written", "calls", "held", "open")

    def __init__(self, source: Source, choice: int, first_call: int, make_id: Callable[[], str]) -> None:
        self.calls = first_call  # how many this choice has had
        self.open = False  # a call is being streamed
        self.held = ""  # the text of calls that wait
        self._source = source
        self._choice = choice
        self._make_id = make_id
        self._waiting: list[tuple[str, str]] = []
        self._out: list[Event] = []
        self._said: list[str] = []
        self._written: list[str] = []

    @property
    def expected(self) -> int:
        """Calls made and calls that wait."""
        return self.calls + len(self._waiting)

    def say(self, text: str) -> None:
        if self.held:
            if not text.strip(SPACE):
                self.held += text
                return
            self.release()
        self._flush_written()
        self._said.append(text)

    def relay(self, arguments: str) -> list[Event]:
        """More of the call that is being streamed, when nothing else is to go out."""
        return [ToolCallDelta(self.calls - 1, arguments, self._choice)]

    def start(self, name: str) -> None:
        self._flush_written()
        self._flush_said()
        self.open = True
        self._source.let_go()
        self._out.append(ToolCallStarted(self.calls, self._make_id(), name, self._choice))
        self.calls += 1

    def write(self, arguments: str) -> None:
        self._written.append(arguments)

    def end(self) -> None:
        self._flush_written()
        self.open = False
        self._source.hold()

    def certain(self) -> None:
        self._source.hold()

    def break_off(self) -> None:
        """The call that is being streamed goes no further."""
        self._flush_written()
        self.open = False

    def make(self, calls: Iterable[tuple[str, str]]) -> None:
        """Whole calls."""
        for name, arguments in calls:
            self.start(name)
            self.write(arguments)
            self._flush_written()
        self.open = False

    def park(self, calls: Iterable[tuple[str, str]], text: str) -> None:
        """Calls that count only if nothing follows them, and the text they stood in."""
        self._waiting += calls
        self.held += text

    def release(self) -> None:
        """Something followed: what waits is text."""
        if self.held:
            self._said.append(self.held)
        self.held = ""
        self._waiting.clear()

    def settle(self) -> None:
        """Nothing followed: what waits are calls."""
        waiting, self._waiting, self.held = self._waiting, [], ""
        self.make(waiting)

    def drain(self) -> list[Event]:
        self._flush_written()
        self._flush_said()
        out, self._out = self._out, []
        return out

    def _flush_written(self) -> None:
        if self._written:
            self._out.append(ToolCallDelta(self.calls - 1, "".join(self._written), self._choice))
            self._written.clear()

    def _flush_said(self) -> None:
        if self._said:
            self._out.append(TextDelta("".join(self._said), self._choice))
            self._said.clear()
