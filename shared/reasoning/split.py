"""Find the reasoning in an answer's text while it streams, and take its markup away."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from shared.chat.events import Batch, Event, Finished, Frame, ReasoningDelta, TextDelta
from shared.markers import Markers
from shared.reasoning.formats import ReasoningFormat, formats_of

MAX_LEAD = 256  # white space before the answer that is waited through
MAX_PROOF = 1 << 18  # characters in which a phrase that opened reasoning must be closed
FENCE = "```"
PROMPTED = "prompted"


class Splitting:
    """One list of formats, ready for any number of answers."""

    def __init__(self, formats: tuple[ReasoningFormat, ...]) -> None:
        self.openers = tuple((opener, row) for row in formats for opener in row.openers)
        self.initials = frozenset(opener[0] for opener, _ in self.openers)
        self.anywhere = {opener: row for opener, row in self.openers if row.anywhere}
        self.tags = tuple(opener for opener, row in self.openers if not row.before_capital and not row.proven)
        drops = {drop for row in formats if row.anywhere for drop in row.drops}
        self._answer = frozenset((*self.anywhere, *drops))
        self._wrapping = frozenset(
            drop for row in formats if not row.openers and not row.anywhere for drop in row.drops
        )
        closers = {closer for row in formats if not row.proven for closer in row.closers} - {"\n"}
        self.prompted = ReasoningFormat(
            PROMPTED, "opened by the prompt", closers=tuple(sorted(closers)) or ("</think>",)
        )
        self._closers = {
            row.id: Markers((*row.closers, *row.ends_before)) for row in (*formats, self.prompted) if row.closers
        }
        self._answers: dict[str, Markers | None] = {"": Markers(self._answer) if self._answer else None}

    def plain(self, answer: str) -> bool:
        """Whether nothing in a whole answer can be reasoning or its markup."""
        markers = self._answers[""]
        begins = answer.lstrip()[:1]
        return begins not in self.initials and (markers is None or markers.opening(answer) is None)

    def closers(self, row: ReasoningFormat) -> Markers:
        return self._closers[row.id]

    def answer(self, last: ReasoningFormat | None) -> Markers | None:
        """What counts in an answer; after reasoning, that also comes back at the start of a line."""
        key = last.id if last else ""
        if key not in self._answers and last:
            again = [] if last.anywhere or last.before_capital or last.proven else [*last.openers, FENCE]
            self._answers[key] = Markers((*self._answer, *self._wrapping, *last.drops, *again, FENCE))
        return self._answers[key]


@lru_cache(maxsize=64)
def splitting(on: frozenset[str] = frozenset(), off: frozenset[str] = frozenset()) -> Splitting:
    return Splitting(formats_of(on, off))


class Splitter:
    """The text of one choice; `feed` and `finish` give deltas, and an empty text where reasoning has been closed."""

    def __init__(self, formats: Splitting, choice: int = 0, *, starts_in_reasoning: bool = False) -> None:
        self._formats = formats
        self._choice = choice
        self._text = ""
        self._scanned = 0
        self._row: ReasoningFormat | None = None  # the reasoning we are in
        self._last: ReasoningFormat | None = None  # and the last that was closed
        self._starting = True
        self._stripping = ""  # white space that is not part of what begins here
        self._space = ""  # white space that may end the reasoning
        self._before = "\n"  # the last character said
        self._fenced = False
        self._thought = False
        self._opener = ""  # of a phrase that must prove itself
        self._prompted = starts_in_reasoning
        self._out: list[Event] = []
        self._passing = False  # in the answer, with nothing held back
        self._opens: Callable[[str], re.Match[str] | None] | None = None  # finds what could be a marker there
        self._markers = formats.answer(None)
        self._state = self._markers.root if self._markers else None
        if starts_in_reasoning:
            self._enter(formats.prompted)

    def passes(self, text: str) -> bool:
        """Whether `text` can go on as it is, which is then taken as fed: the common case, in the answer."""
        if not self._passing or not text or (self._opens is not None and self._opens(text) is not None):
            return False
        self._before = text[-1]
        return True

    def feed(self, text: str) -> list[Event]:
        return self._take(text, ended=False) if text else []

    def finish(self) -> list[Event]:
        return self._take("", ended=True)

    def _take(self, text: str, *, ended: bool) -> list[Event]:
        self._text += text
        while not self._starting or self._start(ended):
            if self._markers is None or self._state is None:
                self._say(self._text)
                self._text = ""
                break
            index, state = self._markers.find(self._text, self._scanned, self._state)
            moved = index > self._scanned
            self._scanned, self._state = index, state
            if moved and state.hits:
                self._hit(state.hits[0], index, ended=ended)
                continue
            self._rest(0 if ended else state.depth, ended=ended)
            break
        self._passing = not (self._starting or self._row or self._text)
        if self._passing and self._markers:
            self._opens, self._state, self._scanned = self._markers.opening, self._markers.root, 0
        if ended and self._row and self._space:
            self._out.append(ReasoningDelta(self._space, self._choice))
            self._space = ""
        out, self._out = self._out, []
        return out

    def _rest(self, keep: int, *, ended: bool) -> None:
        """Say all but the last `keep` characters; nothing while a phrase must prove itself."""
        if self._row and self._row.proven:
            if not ended and len(self._text) <= MAX_PROOF:
                return
            self._row = None
            self._before, self._markers = "", self._formats.answer(None)
            self._text, keep = self._opener + self._text, 0
            self._state = self._markers.root if self._markers else None
        self._say(self._text[: len(self._text) - keep])
        self._text = self._text[len(self._text) - keep :]
        self._scanned = keep

    def _start(self, ended: bool) -> bool:
        """Look for an opening at the start of the text; False when more of it is needed."""
        if self._stripping:
            self._text = self._text.lstrip(self._stripping)
        said = self._text.lstrip()
        if not said and len(self._text) <= MAX_LEAD and not ended:
            return False
        if self._row is None:
            if self._opening(said, ended) is None:
                return False
        elif self._prompted:
            if said and not ended and any(opener.startswith(said) and opener != said for opener in self._formats.tags):
                return False
            again = [opener for opener in self._formats.tags if said.startswith(opener)]
            self._text = said[len(max(again, key=len)) :] if again else self._text
            self._prompted = False
        self._starting = False
        self._scanned = 0
        self._state = self._markers.root if self._markers else None
        if self._row is None:
            self._stripping = ""
        return True

    def _opening(self, said: str, ended: bool) -> bool | None:
        """Enter the reasoning that opens here; None when the text does not tell yet."""
        if said and said[0] not in self._formats.initials:  # most answers
            return False
        found: tuple[str, ReasoningFormat] | None = None
        for opener, row in self._formats.openers:
            if said.startswith(opener) and (found is None or len(opener) > len(found[0])):
                after = said[len(opener) : len(opener) + 1]
                if row.before_capital and not after and not ended:
                    return None
                if not row.before_capital or after.isupper():
                    found = opener, row
            elif not ended and said and opener.startswith(said):
                return None
        if found is None:
            return False
        self._opener = self._text[: len(self._text) - len(said)] + found[0]
        self._text = said[len(found[0]) :]
        self._enter(found[1])
        return True

    def _enter(self, row: ReasoningFormat) -> None:
        self._row = row
        self._stripping = " \t\r\n"
        self._markers = self._formats.closers(row)
        self._state, self._scanned = self._markers.root, 0

    def _hit(self, marker: str, index: int, *, ended: bool) -> None:
        """A marker ends at `index`."""
        start = index - len(marker)
        before = self._text[start - 1 : start] if start else self._before
        if self._row is None:
            if marker == FENCE:
                self._fenced = not self._fenced
                return
            row = self._formats.anywhere.get(marker)
            again = row is None and self._last is not None and marker in self._last.openers
            if before == "`" or self._fenced or (again and before != "\n"):
                return
            self._say(self._text[:start])
            self._text, self._scanned = self._text[index:], 0
            self._state = self._markers.root if self._markers else None
            if row or (again and self._last):
                self._enter(row or self._last)  # type: ignore[arg-type]  # one of them is set
            elif self._last and not marker.startswith(("</", "\n")):
                self._starting, self._stripping = True, "\r\n"
            return
        if before == "`":
            return
        if marker in self._row.ends_before:
            index = start
        elif self._grows(marker, self._text[start:], ended=ended):
            return
        proven = self._row.proven
        self._say(self._text[:start])
        self._space = ""
        self._last, self._row = self._row, None
        self._starting, self._stripping = True, " \t\r\n" if proven else "\r\n"
        self._text, self._scanned = self._text[index:], 0
        self._before, self._fenced = "\n", False
        self._markers = self._formats.answer(self._last)
        self._out.append(TextDelta("", self._choice))

    def _grows(self, marker: str, rest: str, *, ended: bool) -> bool:
        """Whether a longer ending may stand where `marker` does."""
        longer = [end for end in self._row.ends_before if end.startswith(marker)] if self._row else []
        return any(rest.startswith(end) or (not ended and end.startswith(rest)) for end in longer)

    def _say(self, text: str) -> None:
        if self._row is None:
            if text:
                self._before = text[-1]
                self._out.append(TextDelta(text, self._choice))
            return
        if text:
            self._before = text[-1]
        if self._stripping:
            text = text.lstrip(self._stripping)
            if not text:
                return
            self._stripping = ""
            self._space = "\n\n" if self._thought else ""
        text = self._space + text
        bare = text.rstrip()
        self._space = text[len(bare) :]
        if bare:
            self._thought = True
            self._out.append(ReasoningDelta(bare, self._choice))


class SplitReasoning:
    """The step: every choice's text with its reasoning taken out; frames without any pass untouched."""

    def __init__(self, formats: Splitting, *, starts_in_reasoning: bool = False) -> None:
        self._formats = formats
        self._starts_in_reasoning = starts_in_reasoning
        self._choices: dict[int, Splitter] = {}

    def feed(self, batch: Batch) -> Batch:
        choices = self._choices
        for index, frame in enumerate(batch):
            events = frame.events
            if len(events) == 1 and type(event := events[0]) is TextDelta:
                known = choices.get(event.choice)
                if known is not None and known.passes(event.text):
                    continue
            return self._changed(batch, index)
        return batch

    def _changed(self, batch: Batch, start: int) -> Batch:
        """The batch, of which the frames before `start` have passed."""
        out = batch[:start]
        for frame in batch[start:]:
            changed = self._frame(frame)
            if changed.events or changed.native:
                out.append(changed)
        return out

    def finish(self) -> Batch:
        rest = tuple(event for splitter in self._choices.values() for event in splitter.finish())
        return [Frame(rest)] if rest else []

    def _frame(self, frame: Frame) -> Frame:
        if not self._choices and not self._starts_in_reasoning and self._is_plain(frame):
            return frame
        events: list[Event] = []
        changed = False
        for event in frame.events:
            if type(event) is TextDelta:
                splitter = self._splitter(event.choice)
                if splitter.passes(event.text):
                    events.append(event)
                    continue
                said = splitter.feed(event.text)
                if len(said) == 1 and type(said[0]) is TextDelta and said[0].text == event.text:
                    events.append(event)
                else:
                    events += said
                    changed = True
            elif type(event) is Finished:
                held = self._splitter(event.choice).finish()
                changed = changed or bool(held)
                events += [*held, event]
            else:
                events.append(event)
        return Frame(tuple(events)) if changed else frame

    def _is_plain(self, frame: Frame) -> bool:
        """Whether the frame is an answer of one choice from beginning to end, with nothing to take out of it."""
        texts = [event for event in frame.events if type(event) is TextDelta]
        ends = [event for event in frame.events if type(event) is Finished]
        return len(texts) == len(ends) == 1 and texts[0].choice == ends[0].choice and self._formats.plain(texts[0].text)

    def _splitter(self, choice: int) -> Splitter:
        splitter = self._choices.get(choice)
        if splitter is None:
            splitter = Splitter(self._formats, choice, starts_in_reasoning=self._starts_in_reasoning)
            self._choices[choice] = splitter
        return splitter
