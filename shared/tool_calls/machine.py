"""The state machine: text in, text and calls out, whatever the cuts.

Text is said at once, but for the end of it that may still become a marker. A marker begins a candidate, which a reader
reads: strong ones stream their calls, weak ones go out whole, and what turns out to be no call is said to the byte.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Generator, Mapping
from typing import NamedTuple

from shared.chat.events import Event, FinishReason, TextDelta
from shared.tool_calls.arguments import Calls
from shared.tool_calls.candidate import Candidate, Cut, Draft, NoCall
from shared.tool_calls.formats import Format
from shared.tool_calls.grammar import Grammar, fence_grammar
from shared.tool_calls.late import Late
from shared.tool_calls.outlet import Outlet, gathered, new_id
from shared.tool_calls.patterns import Compiled, PatternSet
from shared.tool_calls.place import Place
from shared.tool_calls.readers import READERS
from shared.tool_calls.readers.fence import fence
from shared.tool_calls.readers.pattern import Budget, pattern
from shared.tool_calls.schema import Toolbox
from shared.tool_calls.source import SPACE, Reading, Source
from shared.tool_calls.trailer import trailer

log = logging.getLogger(__name__)

MAX_CALLS = 128
MAX_SCANNED = 8 << 20  # characters of one answer that are looked at; the rest passes
MAX_WASTED = 1 << 19  # characters read by candidates that were no calls; keeps hostile text linear
ATTEMPT = 16  # what beginning a candidate costs, in characters
PATTERN = Format("pattern", "An administrator's pattern", "pattern", "", strong=False)
CODE = ("`", "~~~")  # what begins or ends code
_LINE_BEGIN = re.compile(r"[ \t\r]*([^ \t\r\n].)", re.DOTALL)
_LINE_BEGINS = re.compile(r"\n[ \t\r]*([^ \t\r\n].?)")


class Match(NamedTuple):
    """Which format or pattern read calls, and where: indexes into the answer's text."""

    by: str
    start: int
    end: int


class Machine:
    """One choice's text.

    `parked`: the text is reasoning, in which a call counts only if nothing follows it; what is said is then for the
    step to report as reasoning.
    """

    def __init__(
        self,
        tools: Toolbox,
        grammar: Grammar,
        *,
        choice: int = 0,
        first_call: int = 0,
        parked: bool = False,
        nested: bool = False,
        patterns: PatternSet | None = None,
        make_id: Callable[[], str] = new_id,
    ) -> None:
        self.cut = False  # the last call broke off
        self.broken = False  # a call in the middle of the text was too malformed to end
        self.faults = 0
        self.wasted = 0  # characters read for nothing
        self.found: list[Match] = []
        self._tools = tools
        self._grammar = grammar
        self._choice = choice
        self._parked = parked
        self._nested = nested
        self._source = source = Source()
        self._outlet = Outlet(source, choice, first_call, make_id)
        self._place = Place()
        self._pattern_budget = Budget()
        triggers: Mapping[str, tuple[Compiled, ...]] = patterns.by_trigger if patterns else {}
        self._triggers = triggers
        opening = grammar.opening(tools.names, frozenset(triggers))
        self._openers, self._on_line, self._in_line = opening.formats, opening.on_line, opening.in_line
        self._anywhere, self._opens = opening.anywhere, opening.in_line.opening
        self._late = Late(patterns, self._pattern_budget) if patterns and patterns.at_end else None
        self._markers = self._on_line
        self._state = self._markers.root
        self._scanned = 0  # index into source.text that the markers have read up to
        self._passing = False  # nothing is held, and nothing is looked for but what may open a call
        self._given_up = False
        self._reader: Generator[None, None, None] | None = None
        self._next: list[Format | Compiled | None] = []  # what else may begin here; None: plain backticks
        self._opener = ""
        self._began = ("", 0)
        self._candidate: Candidate | None = None
        self._draft: Draft | None = None
        self._trailing = False
        self._cut_short = False
        self._tried: set[str] = set()  # the openers that came to nothing where the text stands
        self._at_start = True

    @property
    def calls(self) -> int:
        """How many calls this choice has had."""
        return self._outlet.calls

    @property
    def idle(self) -> bool:
        """Whether nothing is held back."""
        return self._reader is None and not self._state.depth and not self._outlet.held

    @property
    def pattern_steps(self) -> int:
        """What administrators' patterns have cost, in steps of their engine."""
        return self._pattern_budget.spent

    def passes(self, text: str) -> bool:
        """Whether `text` can go on as it is, which is then taken as said: nothing in it can open a call."""
        if not self._passing:
            return False
        if (self._opens(text) is not None or self._markers is not self._in_line) and not self._passes_lines(text):
            return False
        self._source.before += len(text)
        return True

    def _passes_lines(self, text: str) -> bool:
        """The same for text that begins or ends a line."""
        place = self._place
        if place.in_span or self._anywhere(text) is not None:
            return False
        for head in _LINE_BEGINS.findall("\n" + text if place.line_blank else text):
            if self._on_line.begins(head):
                return False
        _, newline, line = text.rpartition("\n")
        if newline:
            place.begin_line()
        place.say(line)
        self._tried.clear()
        self._at_start = False
        self._resume()
        return True

    def feed(self, text: str) -> list[Event]:
        """More of the answer; what can be said of it now."""
        return [TextDelta(text, self._choice)] if self.passes(text) else self.read(text)

    def read(self, text: str) -> list[Event]:
        """The same, for text that does not pass."""
        source = self._source
        if source.plain is not None and source.plain(text) is not None:
            return self._keep_on(text)
        if source.before >= MAX_SCANNED and self._reader is None and not self._given_up:
            self._give_up()
        if self._given_up:
            return [*self._outlet.drain(), *([TextDelta(text, self._choice)] if text else [])]
        self._scanned -= source.position
        source.append(text)
        self._run()
        self._passing = self.idle and self._late is None and not self._given_up
        return self._outlet.drain()

    def _keep_on(self, text: str) -> list[Event]:
        """Text in which the reader has nothing to look for: more of a value, which it is streaming or waits through."""
        source, outlet = self._source, self._outlet
        if outlet.open and source.live:
            source.before += len(text)
            return outlet.relay(source.live(text))
        source.keep(text)
        return []

    def finish(self, reason: FinishReason = "stop") -> list[Event]:
        """No more text: what was held back."""
        self._passing = False
        self._cut_short = reason == "length"
        if self._candidate:
            self._candidate.cut_short = self._cut_short
        self._scanned -= self._source.position
        self._source.append("")
        self._source.ended = True
        self._run()
        self._try_late()
        if self._cut_short:
            self._outlet.release()
        else:
            self._outlet.settle()
        return self._outlet.drain()

    # -- text ---------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            if self._reader is None:
                if not self._scan():
                    return
                continue
            try:
                next(self._reader)
                return
            except StopIteration:
                self._succeed()
            except (NoCall, Cut):
                self._fail()
            except Exception as error:  # noqa: BLE001 (the outermost handler of readers: their bug must not cost the answer)
                self.faults += 1
                # never the text
                log.error("a reader of tool calls failed: %s, %s", self._began[0], type(error).__name__)
                self._fail()

    def _scan(self) -> bool:
        """Say text up to the next candidate; False when the text is used up."""
        source = self._source
        while True:
            if self._markers is self._on_line and not self._place.line_blank:
                self._resume()
            before = self._scanned
            index, state = self._markers.find(source.text, before, self._state)
            self._scanned, self._state = index, state
            if index == before or not state.hits:
                break
            for hit in state.hits:
                if self._begins(hit, index - len(hit)):
                    return True
        self._say_to(len(source.text) - (0 if source.ended else self._state.depth))
        if not self._state.depth:
            self._state = self._markers.root
        return False

    def _begins(self, marker: str, start: int) -> bool:
        """Whether a candidate begins with `marker` at index `start`; keeps count of lines and code."""
        source, place = self._source, self._place
        if marker == "\n":
            self._say_to(start + 1)
            place.end_line()
            self._resume()
            return False
        before = source.text[source.position : start]
        if not before and marker in self._tried:
            return False
        on_line = place.line_blank and not before.strip(SPACE)
        in_code = place.in_code or place.quoted or (place.line_blank and before.lstrip(SPACE).startswith(">"))
        formats = [] if in_code else self._formats(marker, on_line=on_line)
        if marker in CODE:
            if marker != "`" or not on_line:
                formats = []
            formats.append(None)
        if not formats:
            if place.line_blank and not on_line and self._state.depth <= len(marker):
                self._say_to(start)
            return False
        self._say_to(start)
        self._tried.add(marker)
        self._opener = marker
        self._next = formats
        self._try_next()
        return True

    def _formats(self, marker: str, *, on_line: bool) -> list[Format | Compiled | None]:
        """What may begin with the marker."""
        if self._outlet.expected >= MAX_CALLS:
            return []
        opener = "```" if marker == "`" else marker
        rows = (row for row in self._openers.get(opener, ()) if row.where == "anywhere" or on_line)
        patterns = (each for each in self._triggers.get(opener, ()) if on_line or not each.begins_a_line)
        return [*rows, *patterns]

    def _say_to(self, index: int) -> None:
        """Say the text up to there; it has no newline but at its end."""
        source = self._source
        if index > source.position:
            text = source.text[source.position : index]
            source.position = index
            self._say(text)

    def _say(self, text: str) -> None:
        self._tried.clear()
        self._at_start = False
        self._place.say(text)
        self._outlet.say(text)
        if self._late:
            self._late.say(text)

    # -- candidates ---------------------------------------------------------------------------------------------------

    def _try_next(self) -> None:
        row = self._next.pop(0)
        source = self._source
        source.hold()
        self._state, self._scanned = self._markers.root, 0
        self._candidate = None
        if row is None:
            self._draft = None
            self._reader = self._place.ticks(source)
            return
        if isinstance(row, Compiled):
            self._draft = Draft()
            self._candidate = self._candidate_for(PATTERN, self._draft, row.pattern.pattern_name)
            self._reader = pattern(self._candidate, row, self._pattern_budget)
            return
        self._draft = None if row.strong and not self._parked else Draft()
        self._candidate = candidate = self._candidate_for(row, self._draft or self._outlet, row.id)
        self._reader = fence(candidate, self._calls_of) if row.reader == "fence" else self._read(candidate)

    def _candidate_for(self, row: Format, calls: Calls, named: str) -> Candidate:
        source = self._source
        self._began = (named, source.before + source.position)
        return Candidate(source, self._tools, self._grammar, calls, row, self._opener, self._at_start, self._cut_short)

    def _read(self, candidate: Candidate) -> Reading[None]:
        if candidate.format.reader in ("tag", "tag_per_tool"):
            candidate.source.position += len(candidate.opener)
        yield from READERS[candidate.format.reader](candidate)

    def _succeed(self) -> None:
        """The reader is through: its text is swallowed, its calls go out."""
        source = self._source
        self._reader = None
        if self._opener in CODE and not self._draft and not self._trailing:
            self._say(source.held())
            source.let_go()
            self._resume()
            return
        if not self._trailing:
            self.found.append(Match(*self._began, source.before + source.position))
        if self._draft is not None:
            if self._parked:
                self._outlet.park(self._draft.done, source.held())
            else:
                self._outlet.make(self._draft.done)
            self._draft = None
        self._tried.clear()
        if self._trailing:
            self._trailing = False
            source.let_go()
            self._place.begin_line()
            self._resume()
        else:
            source.hold()
            self._trailing = True
            trailers = self._grammar.trailers
            markup = (*trailers, "```") if self._candidate and self._candidate.fenced else trailers
            self._reader = trailer(source, markup, self._checkpoint)

    def _checkpoint(self) -> None:
        """What trails a call is certain up to here."""
        if self._parked:
            self._outlet.park((), self._source.held())
        self._source.hold()

    def _resume(self) -> None:
        source = self._source
        self._markers = self._in_line
        if self._place.line_blank:
            begins = _LINE_BEGIN.match(source.text, source.position)
            if begins is None or self._on_line.begins(begins[1]):
                self._markers = self._on_line
        self._state, self._scanned = self._markers.root, source.position

    def _fail(self) -> None:
        """No call after all: something else may begin here, else the text is said."""
        source = self._source
        self._reader = None
        if self._outlet.open:  # its beginning is with the client already; the rest of the text is said as it is
            self._outlet.break_off()
            self.cut = source.position >= len(source.text) and source.ended
            self.broken = self.broken or not self.cut
            source.let_go()
            self._resume()
            return
        self.wasted += source.rewind() + ATTEMPT
        if self._trailing:
            self._trailing = False
            self._place.line_blank = True
            self._resume()
        elif self.wasted > MAX_WASTED:
            source.let_go()
            self._give_up()
        elif self._next:
            self._try_next()
        else:
            source.let_go()
            self._resume()

    def _give_up(self) -> None:
        """Too much was read for nothing: all further text passes."""
        self._given_up = True
        self._state = self._markers.root
        self._say_to(len(self._source.text))
        self._scanned = self._source.position

    def _try_late(self) -> None:
        if self._late is None or self._cut_short or self.calls or self._parked:
            return
        found = self._late.find(lambda draft, name: self._candidate_for(PATTERN, draft, name))
        if found:
            self.found.append(Match(*found[:3]))
            self._outlet.make(found.calls)

    def _calls_of(self, text: str) -> list[tuple[str, str]]:
        """The calls of a text that holds nothing else."""
        if self._nested or not text.strip():
            return []
        inner = Machine(self._tools, fence_grammar(), nested=True, make_id=str)
        calls, said = gathered([*inner.feed(text.strip()), *inner.finish()])
        return [] if inner.cut or said.strip() else calls
