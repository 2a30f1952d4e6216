"""The state machine: text in, text and calls out, whatever the cuts.

Text is said at once, but for the end of it that may still become a marker. A marker begins a candidate, which a reader
reads: strong ones stream their calls, weak ones go out whole, and what turns out to be no call is said to the byte.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Generator, Mapping
from functools import cache
from typing import NamedTuple

from shared.chat.events import Event, FinishReason, TextDelta, ToolCallDelta, ToolCallStarted
from shared.tool_calls.arguments import Calls
from shared.tool_calls.candidate import Candidate, Cut, Draft, NoCall
from shared.tool_calls.formats import Format
from shared.tool_calls.grammar import Grammar, grammar_of
from shared.tool_calls.patterns import Compiled, PatternSet
from shared.tool_calls.readers import READERS
from shared.tool_calls.readers.pattern import Budget, interpret, pattern
from shared.tool_calls.schema import Toolbox
from shared.tool_calls.source import SPACE, Reading, Source
from shared.tool_calls.trailer import trailer

log = logging.getLogger(__name__)

MAX_CALLS = 128
MAX_SCANNED = 8 << 20  # characters of one answer that are looked at; the rest passes
MAX_WASTED = 1 << 19  # characters read by candidates that were no calls; keeps hostile text linear
ATTEMPT = 16  # what beginning a candidate costs, in characters
MAX_FENCE = 1 << 20
MAX_RUN = 64
MAX_SEEN = 1 << 17  # characters kept for patterns that wait for the end
PATTERN = Format("pattern", "An administrator's pattern", "pattern", "", strong=False)
CODE = ("`", "~~~")  # what begins or ends code
CALL_FENCES = frozenset(("tool_call", "tool_calls", "tool_code", "tool_use", "function_call", "tool"))
JSON_FENCES = frozenset(("json", "xml", "", "jsonc", "json5"))


def new_id() -> str:
    return f"call_{secrets.token_hex(12)}"


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
        self.calls = first_call  # how many this choice has had
        self.cut = False  # the last call broke off
        self.broken = False  # a call in the middle of the text was too malformed to end
        self.faults = 0
        self.wasted = 0  # characters read for nothing
        self._tools = tools
        self._grammar = grammar
        self._choice = choice
        self._parked = parked
        self._nested = nested
        self._make_id = make_id
        names = tools.names
        self._patterns = patterns
        self._pattern_budget = Budget(patterns.count if patterns else 0)
        triggers: Mapping[str, tuple[Compiled, ...]] = patterns.by_trigger if patterns else {}
        self._triggers = triggers
        self._openers, self._on_line, self._in_line = grammar.opening(names, frozenset(triggers))
        self._markers = self._on_line
        self.found: list[Match] = []
        self._seen: list[str] = []  # what was said, for patterns that wait for the end
        self._seen_length = 0
        self._state = self._markers.root
        self._scanned = 0  # index into source.text that the markers have read up to
        self._source = Source()
        self._reader: Generator[None, None, None] | None = None
        self._next: list[Format | Compiled | None] = []  # what else may begin here; None: plain backticks
        self._opener = ""
        self._began = ("", 0)
        self._candidate: Candidate | None = None
        self._draft: Draft | None = None
        self._open = False  # a call is being streamed
        self._passing = False  # text in the middle of a line, with nothing held back but what may become a marker
        self._trailing = False
        self._waiting: list[tuple[str, str]] = []  # parked calls, and their text
        self._waiting_text = ""
        self._cut_short = False
        self._budget = MAX_SCANNED
        self._tried: set[str] = set()  # the openers that came to nothing where the text stands
        self._at_start = True
        self._line_blank = True
        self._quoted = False
        self._code = 0  # the length of the run of backticks that an inline code span began with
        self._fence = ""
        self._out: list[Event] = []
        self._said: list[str] = []
        self._written: list[str] = []

    @property
    def idle(self) -> bool:
        """Whether nothing is held back."""
        return self._reader is None and not self._state.depth and not self._waiting_text

    @property
    def pattern_characters(self) -> int:
        """How many characters administrators' patterns were tried on."""
        return self._pattern_budget.spent

    def passes(self, text: str) -> bool:
        """Whether `text` can go on as it is, which is then taken as fed: the common case, in the middle of a line."""
        if self._passing and not self._state.depth and self._in_line.first(text) is None and self._budget > 0:
            self._budget -= len(text)
            return True
        return False

    def feed(self, text: str) -> list[Event]:
        """More of the answer; what can be said of it now."""
        if self.passes(text):
            return [TextDelta(text, self._choice)]
        if self._budget <= 0:
            return [TextDelta(text, self._choice)] if text else []
        self._budget -= len(text)
        self._scanned -= self._source.position
        self._source.append(text)
        self._run()
        if self._budget <= 0 and self._reader is None:
            self._give_up()
        self._passing = (
            self._reader is None
            and self._markers is self._in_line
            and not (self._patterns or self._waiting_text or self._line_blank)
        )
        return self._drain()

    def finish(self, reason: FinishReason = "stop") -> list[Event]:
        """No more text: what was held back."""
        self._cut_short = reason == "length"
        if self._candidate:
            self._candidate.cut_short = self._cut_short
        self._source.ended = True
        self._run()
        self._try_at_end()
        if self._waiting_text and not self._cut_short:
            self._waiting_text = ""
            self._emit_calls(self._waiting)
        else:
            self._release_waiting()
        return self._drain()

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
                log.error(
                    "a reader of tool calls failed: %s, %s", self._began[0], type(error).__name__
                )  # never the text
                self._fail()

    def _scan(self) -> bool:
        """Say text up to the next candidate; False when the text is used up."""
        source = self._source
        while True:
            if self._markers is self._on_line and not self._line_blank:
                self._resume()
            before = self._scanned
            index, state = self._markers.find(source.text, before, self._state)
            self._scanned, self._state = index, state
            if index == before or not state.hits:
                break
            for hit in state.hits:
                if self._begins(hit, index - len(hit)):
                    return True
        end = len(source.text) - (0 if source.ended else self._state.depth)
        if end > source.position:
            self._say(source.text[source.position : end])
            source.position = end
        return False

    def _begins(self, marker: str, start: int) -> bool:
        """Whether a candidate begins with `marker` at index `start`; keeps count of lines and code."""
        source = self._source
        if marker == "\n":
            self._say(source.text[source.position : start + 1])
            source.position = start + 1
            if self._line_blank:
                self._code = 0  # a code span ends with its paragraph at the latest
            self._line_blank, self._quoted = True, False
            self._resume()
            return False
        before = source.text[source.position : start]
        if not before and marker in self._tried:
            return False
        on_line = self._line_blank and (not before or before.isspace())
        quoted = self._quoted or (self._line_blank and before.lstrip().startswith(">"))
        in_code = bool(self._fence or self._code) or quoted
        formats: list[Format | Compiled | None] = []
        if not in_code and self.calls + len(self._waiting) < MAX_CALLS:
            formats += (
                row
                for row in self._openers.get("```" if marker == "`" else marker, ())
                if row.where == "anywhere" or on_line
            )
            formats += self._triggers.get("```" if marker == "`" else marker, ())
        if marker in CODE:
            if marker != "`" or in_code or not on_line:
                formats = []
            formats.append(None)
        if not formats:
            if self._line_blank and not on_line and self._state.depth <= len(marker):
                self._say(before)
                source.position = start
            return False
        if before:
            self._say(before)
            source.position = start
        self._tried.add(marker)
        self._opener = marker
        self._next = formats
        self._try_next()
        return True

    def _say(self, text: str) -> None:
        """Text for the client; it has no newline but at its end."""
        self._tried.clear()
        self._at_start = False
        if self._line_blank and (said := text.lstrip(SPACE)):
            self._line_blank = False
            self._quoted = said[0] == ">"
        if self._waiting_text and not text.isspace():
            self._release_waiting()
        if self._waiting_text:
            self._waiting_text += text
            return
        self._flush_written()
        self._said.append(text)
        if self._patterns and self._seen_length < MAX_SEEN:
            self._seen.append(text)
            self._seen_length += len(text)

    # -- candidates ---------------------------------------------------------------------------------------------------

    def _try_next(self) -> None:
        row = self._next.pop(0)
        source = self._source
        source.hold()
        self._state, self._scanned = self._markers.root, 0
        self._candidate = None
        if row is None:
            self._draft = None
            self._reader = self._ticks()
            return
        if isinstance(row, Compiled):
            self._begin_pattern(row)
            return
        self._draft = None if row.strong and not self._parked else Draft()
        self._candidate = candidate = self._candidate_for(row, self._draft or self, row.id)
        self._reader = self._fenced(candidate) if row.reader == "fence" else self._read(candidate)

    def _candidate_for(self, row: Format, calls: Calls, named: str) -> Candidate:
        source = self._source
        self._began = (named, source.before + source.position)
        return Candidate(source, self._tools, self._grammar, calls, row, self._opener, self._at_start, self._cut_short)

    def _begin_pattern(self, row: Compiled) -> None:
        self._draft = Draft()
        self._candidate = self._candidate_for(PATTERN, self._draft, row.pattern.pattern_name)
        self._reader = pattern(self._candidate, row, self._pattern_budget)

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
            self._settle(self._draft)
        self._tried.clear()
        if self._trailing:
            self._trailing = False
            source.let_go()
            self._line_blank, self._quoted = True, False
            self._resume()
        else:
            source.hold()
            self._trailing = True
            self._draft = None
            markup = (
                (*self._grammar.trailers, "```")
                if self._candidate and self._candidate.fenced
                else self._grammar.trailers
            )
            self._reader = trailer(source, markup, self._checkpoint)

    def _settle(self, draft: Draft) -> None:
        if self._parked:
            self._waiting += draft.done
            self._waiting_text += self._source.held()
        else:
            self._emit_calls(draft.done)
        self._draft = None

    def _checkpoint(self) -> None:
        """What trails a call is certain up to here."""
        if self._parked:
            self._waiting_text += self._source.held()
        self._source.hold()

    def _resume(self) -> None:
        self._markers = self._on_line if self._line_blank else self._in_line
        self._state, self._scanned = self._markers.root, self._source.position

    def _fail(self) -> None:
        """No call after all: something else may begin here, else the text is said."""
        source = self._source
        self._reader = None
        if self._open:  # its beginning is with the client already; the rest of the text is said as it is
            self._open = False
            self.cut = source.position >= len(source.text) and source.ended
            self.broken = self.broken or not self.cut
            self._flush_written()
            source.let_go()
            self._resume()
            return
        self.wasted += source.rewind() + ATTEMPT
        if self._trailing:
            self._trailing = False
            self._line_blank = True
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
        self._budget = 0
        self._state = self._markers.root
        rest = self._source.text[self._source.position :]
        self._source.position = self._scanned = len(self._source.text)
        if rest:
            self._say(rest)

    def _try_at_end(self) -> None:
        """Patterns that begin with no fixed text: their text has been said, only their calls can still be made."""
        if not self._patterns or not self._patterns.at_end or self._cut_short or self.calls or self._parked:
            return
        text = "".join(self._seen)
        for row in self._patterns.at_end:
            window = text[: row.window]
            match = row.regex.search(window)
            if match is None or not self._pattern_budget.spend(len(window)):
                continue
            draft = Draft()
            try:
                interpret(self._candidate_for(PATTERN, draft, row.pattern.pattern_name), row.pattern, match)
            except NoCall:
                continue
            self.found.append(Match(row.pattern.pattern_name, match.start(), match.end()))
            self._emit_calls(draft.done)
            return

    # -- code ---------------------------------------------------------------------------------------------------------

    def _ticks(self) -> Reading[None]:
        """A run of backticks or tildes: the edge of a code span or of a fence."""
        source = self._source
        sign = source.text[source.position]
        alone = self._line_blank
        length = 0
        while (yield from source.peek()) == sign and length < MAX_RUN:
            source.position += 1
            length += 1
        if self._fence:
            after = yield from source.peek()
            if alone and sign == self._fence[0] and length >= len(self._fence) and after in ("", *SPACE):
                self._fence = ""
        elif alone and length >= 3 and not self._quoted:
            self._fence = sign * length
        elif sign == "`":
            self._code = 0 if self._code == length else self._code or length

    def _fenced(self, candidate: Candidate) -> Reading[None]:
        """A fence that holds calls and nothing else; an ordinary one counts only if nothing else follows it."""
        source = candidate.source
        while True:
            if not (yield from source.take("```")) or (yield from source.peek()) == "`":
                raise NoCall
            language = yield from self._line(64)
            if language.strip().lower() not in CALL_FENCES | JSON_FENCES:
                raise NoCall
            inside = yield from self._fence_inside(candidate)
            calls = self._calls_of(inside)
            if not calls:
                raise NoCall
            for name, arguments in calls:
                candidate.calls.start(name)
                candidate.calls.write(arguments)
                candidate.calls.end()
            if language.strip().lower() in CALL_FENCES:
                return
            character = yield from source.skip_space()
            yield from source.take_any(candidate.grammar.trailers)
            character = yield from source.skip_space()
            if not character:
                return
            if character != "`":
                raise NoCall

    def _line(self, limit: int) -> Reading[str]:
        source = self._source
        parts: list[str] = []
        while (character := (yield from source.peek())) != "\n":
            if not character or len(parts) > limit:
                raise NoCall
            parts.append(character)
            source.position += 1
        source.position += 1
        return "".join(parts)

    def _fence_inside(self, candidate: Candidate) -> Reading[str]:
        """The text up to the closing backticks, which are read too."""
        source = self._source
        parts: list[str] = []
        length = 0
        while True:
            found = source.text.find("```", source.position)
            end = found if found >= 0 else max(source.position, len(source.text) - (0 if source.ended else 2))
            parts.append(source.text[source.position : end])
            length += end - source.position
            source.position = end
            if length > MAX_FENCE:
                raise NoCall
            if found < 0:
                if source.ended and not candidate.cut_short:
                    return "".join(parts)
                if source.ended:
                    raise NoCall
                yield
                continue
            ahead = yield from source.ahead(4)
            source.position += 3
            before = parts[-1] or "".join(parts[-8:])
            if ahead[3:] in ("", *SPACE, "<") and (
                before.rstrip(" \t")[-1:] in ("", "\n") or before.rstrip()[-1:] in "}])>"
            ):
                return "".join(parts)
            parts.append("```")

    def _calls_of(self, text: str) -> list[tuple[str, str]]:
        """The calls of a text that holds nothing else."""
        if self._nested or not text.strip():
            return []
        inner = Machine(self._tools, fence_grammar(), nested=True, make_id=str)
        events = [*inner.feed(text.strip()), *inner.finish()]
        if inner.cut or any(type(event) is TextDelta and not event.text.isspace() for event in events):
            return []
        calls: list[tuple[str, str]] = []
        for event in events:
            match event:
                case ToolCallStarted():
                    calls.append((event.name, ""))
                case ToolCallDelta():
                    calls[-1] = (calls[-1][0], calls[-1][1] + event.arguments)
        return calls

    # -- out ----------------------------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """A call is certain (readers of strong formats say so): nothing of it is taken back."""
        self._flush_written()
        self._flush_said()
        self._open = True
        self._source.let_go()
        self._out.append(ToolCallStarted(self.calls, self._make_id(), name, self._choice))
        self.calls += 1

    def write(self, arguments: str) -> None:
        self._written.append(arguments)

    def end(self) -> None:
        self._flush_written()
        self._open = False
        self._source.hold()

    def _emit_calls(self, calls: list[tuple[str, str]]) -> None:
        for name, arguments in calls:
            self.start(name)
            self.write(arguments)
            self._flush_written()
        self._open = False
        calls.clear()

    def _release_waiting(self) -> None:
        if self._waiting_text:
            self._said.append(self._waiting_text)
            self._waiting_text = ""
            self._waiting.clear()

    def _flush_written(self) -> None:
        if self._written:
            self._out.append(ToolCallDelta(self.calls - 1, "".join(self._written), self._choice))
            self._written.clear()

    def _flush_said(self) -> None:
        if self._said:
            self._out.append(TextDelta("".join(self._said), self._choice))
            self._said.clear()

    def _drain(self) -> list[Event]:
        self._flush_written()
        self._flush_said()
        out, self._out = self._out, []
        return out


@cache
def fence_grammar() -> Grammar:
    """What counts in a fence that must hold nothing but calls."""
    return grammar_of(on=frozenset(("python_line",)), off=frozenset(("react", "functionary", "name_line")))
