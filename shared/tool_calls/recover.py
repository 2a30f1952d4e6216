"""The step of the data path: events in, events out, with the calls that stood in the text as calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from shared.chat.events import Batch, Event, Finished, Frame, ReasoningDelta, TextDelta, ToolCallDelta, ToolCallStarted
from shared.chat.request import ResponseFormat, Tool, ToolChoice
from shared.tool_calls.grammar import Grammar, grammar_of
from shared.tool_calls.machine import Machine
from shared.tool_calls.outlet import new_id
from shared.tool_calls.patterns import PatternSet
from shared.tool_calls.schema import Toolbox


@dataclass(frozen=True, slots=True)
class Options:
    """What a virtual model wishes: built-in formats switched on or off against their default."""

    on: frozenset[str] = frozenset()
    off: frozenset[str] = frozenset()
    patterns: PatternSet | None = None  # the administrators' patterns for this model and endpoint


def recovery(
    tools: Iterable[Tool],
    tool_choice: ToolChoice | None = None,
    response_format: ResponseFormat | None = None,
    options: Options | None = None,
    make_id: Callable[[], str] = new_id,
) -> RecoverToolCalls | None:
    """The step for one request; None where no call can come, so that nothing stands in the text's way."""
    box = Toolbox(tools)
    if not box or (tool_choice is not None and tool_choice.mode == "none"):
        return None
    options = options or Options()
    json_mode = response_format is not None
    grammar = grammar_of(options.on, options.off, json_mode=json_mode)
    patterns = options.patterns and options.patterns.beside(fence=grammar.has("fence"), json_mode=json_mode)
    return RecoverToolCalls(box, grammar, make_id, patterns)


class RecoverToolCalls:
    """One request's step; every choice has a machine of its own, and one more where it reasons."""

    def __init__(
        self,
        tools: Toolbox,
        grammar: Grammar,
        make_id: Callable[[], str] = new_id,
        patterns: PatternSet | None = None,
    ) -> None:
        self._machine = partial(Machine, tools, grammar, make_id=make_id)
        self._patterns = patterns
        self._choices: dict[int, _Choice] = {}

    def feed(self, batch: Batch) -> Batch:
        choices = self._choices
        out: Batch | None = None  # none while the batch is as it was
        for index, frame in enumerate(batch):
            events = frame.events
            if len(events) == 1 and type(event := events[0]) is TextDelta and event.choice in choices:
                choice = choices[event.choice]
                if choice.passes(event.text):
                    if out is not None:
                        out.append(frame)
                    continue
                said = choice.text(event)
                changed = frame if len(said) == 1 and said[0] is event else Frame(tuple(said))
            else:
                changed = self._frame(frame)
            if out is None:
                out = batch[:index]
            if changed.events or changed.native:
                out.append(changed)
        return batch if out is None else out

    def finish(self) -> Batch:
        """An answer that ended without saying so: what was held back."""
        rest = tuple(event for choice in self._choices.values() for event in choice.finish())
        return [Frame(rest)] if rest else []

    def _frame(self, frame: Frame) -> Frame:
        events: list[Event] = []
        changed = False
        for event in frame.events:
            kind = type(event)
            if kind in _OURS:
                said = self._choice(event.choice).take(event)  # type: ignore[union-attr, arg-type]
                changed = changed or len(said) != 1 or said[0] is not event
                events += said
            else:
                events.append(event)
        return Frame(tuple(events)) if changed else frame

    def _choice(self, index: int) -> _Choice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice(partial(self._machine, choice=index), self._patterns)
        return choice


_OURS = frozenset((TextDelta, ReasoningDelta, ToolCallStarted, ToolCallDelta, Finished))


class _Choice:
    def __init__(self, machine: Callable[..., Machine], patterns: PatternSet | None) -> None:
        self._machine = machine(patterns=patterns)
        self._new_thoughts = partial(machine, parked=True)
        self._thoughts: Machine | None = None
        self._native = False
        self._over = False
        self._bare: dict[int, None] = {}  # the upstream's own calls without arguments so far: no JSON for a client
        self._before = 0  # calls found in the text before the upstream's own
        self.passes: Callable[[str], bool] = self._machine.passes
        """Whether text can go on as it is, which is then taken as said."""

    def take(self, event: TextDelta | ReasoningDelta | ToolCallStarted | ToolCallDelta | Finished) -> list[Event]:
        match event:
            case TextDelta():
                return self.text(event)
            case ReasoningDelta():
                return self._reasoning(event)
            case Finished():
                return self._finished(event)
            case ToolCallStarted():
                held = [] if self._native else self._settle()
                if not self._native:
                    self._native, self._before, self.passes = True, self._machine.calls, _passes
                self._bare[event.call] = None
                return [*held, event if not self._before else event._replace(call=event.call + self._before)]
            case ToolCallDelta():
                if event.call in self._bare and event.arguments.strip():
                    del self._bare[event.call]
                return [event if not self._before else event._replace(call=event.call + self._before)]

    def finish(self) -> list[Event]:
        return [] if self._over else self._settle()

    def text(self, event: TextDelta) -> list[Event]:
        """The event itself, if the same is said."""
        thoughts = self._close_thoughts() if self._thoughts else []
        if self._native:
            return [*thoughts, event]
        said = self._machine.read(event.text)
        if len(said) == 1 and type(said[0]) is TextDelta and said[0].text == event.text:
            said = [event]
        return thoughts + said if thoughts else said

    def _reasoning(self, event: ReasoningDelta) -> list[Event]:
        if event.signature or event.redacted or not event.text or self._native:
            return [*self._close_thoughts(), event]
        if self._thoughts is None:
            self._thoughts, self.passes = self._new_thoughts(), _waits
        said = _as_reasoning(self._thoughts.feed(event.text))
        if len(said) == 1 and type(said[0]) is ReasoningDelta and said[0].text == event.text:
            return [event]
        return said

    def _close_thoughts(self) -> list[Event]:
        """The reasoning is over: what was held of it was a thought."""
        if self._thoughts is None:
            return []
        thoughts, self._thoughts = self._thoughts, None
        self.passes = _passes if self._native else self._machine.passes
        return _as_reasoning(thoughts.finish("length"))

    def _settle(self) -> list[Event]:
        return [*self._close_thoughts(), *self._machine.finish("length")]

    def _finished(self, event: Finished) -> list[Event]:
        self._over = True
        if self._native:
            bare = [] if event.reason == "length" else self._bare
            return [*(ToolCallDelta(call + self._before, "{}", event.choice) for call in bare), event]
        said: list[Event] = []
        if self._thoughts is not None:
            said += _as_reasoning(self._thoughts.finish(event.reason))
        said += self._machine.finish(event.reason)
        calls = self._machine.calls + (self._thoughts.calls if self._thoughts else 0)
        if calls and event.reason == "stop":
            event = event._replace(reason="length" if self._machine.cut else "tool_calls")
        return [*said, event]


def _passes(_text: str) -> bool:
    return True


def _waits(_text: str) -> bool:
    return False


def _as_reasoning(events: list[Event]) -> list[Event]:
    return [ReasoningDelta(event.text, event.choice) if type(event) is TextDelta else event for event in events]
