"""Find the reasoning in an answer's text while it streams, and take its markup away."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from shared.chat.events import Batch, Event, Finished, Frame, ReasoningDelta, TextDelta
from shared.markers import Markers
from shared.reasoning.formats import ReasoningFormat, formats_of

MAX_LEAD = 256  # white space before the answer that is waited through


class Splitting:
    """One list of formats, ready for any number of answers."""

    def __init__(self, formats: tuple[ReasoningFormat, ...]) -> None:
        self.openers = tuple((opener, row) for row in formats for opener in row.openers)
        self.anywhere = {opener: row for opener, row in self.openers if row.anywhere}
        self.drops = frozenset(drop for row in formats for drop in row.drops)
        self.in_answer = Markers((*self.anywhere, *self.drops)) if self.anywhere or self.drops else None
        self._by_row = {row.id: Markers((*row.closers, *row.ends_before)) for row in formats if row.closers}
        self.prompted = ReasoningFormat(
            "prompted",
            "opened by the prompt",
            closers=tuple(close for row in formats if row.openers for close in row.closers if close != "\n"),
        )
        self._by_row["prompted"] = Markers(self.prompted.closers or ("</think>",))

    def closers(self, row: ReasoningFormat) -> Markers:
        return self._by_row[row.id]


@lru_cache(maxsize=64)
def splitting(on: frozenset[str] = frozenset(), off: frozenset[str] = frozenset()) -> Splitting:
    return Splitting(formats_of(on, off))


class Splitter:
    """The text of one choice; `feed` and `finish` give deltas, and an empty text where reasoning has been closed."""

    def __init__(self, formats: Splitting, choice: int = 0, *, starts_in_reasoning: bool = False) -> None:
        self._formats = formats
        self._choice = choice
        self._text = ""
        self._row: ReasoningFormat | None = None
        self._starting = True
        self._stripping = False  # newlines at the edge of reasoning or answer are not part of it
        self._newlines = ""
        self._before = ""
        self._out: list[Event] = []
        self._prompted = starts_in_reasoning
        if starts_in_reasoning:
            self._row = formats.prompted
            self._stripping = True
        self._markers: Markers | None = formats.closers(self._row) if self._row else formats.in_answer
        self._state = self._markers.root if self._markers else None

    @property
    def plain(self) -> bool:
        """Whether text passes and nothing is held back."""
        return not (self._starting or self._row or self._text or self._stripping)

    def feed(self, text: str) -> list[Event]:
        if not text:
            return []
        return self._take(text, ended=False)

    def finish(self) -> list[Event]:
        return self._take("", ended=True)

    def _take(self, text: str, *, ended: bool) -> list[Event]:
        scanned = len(self._text)
        self._text += text
        while True:
            if self._starting and not self._start(ended):
                break
            if self._starting:
                scanned = 0
                continue
            if self._markers is None or self._state is None:
                self._say(self._text)
                self._text = ""
                break
            index, state = self._markers.find(self._text, scanned, self._state)
            if index > scanned and state.hits and self._hit(state.hits, index):
                scanned = 0
                continue
            moved, scanned, self._state = index > scanned, index, state
            if moved and state.hits:
                continue
            keep = 0 if ended else state.depth
            self._say(self._text[: len(self._text) - keep])
            self._text = self._text[len(self._text) - keep :]
            break
        if ended and self._row is not None and self._newlines:
            self._out.append(ReasoningDelta(self._newlines, self._choice))
            self._newlines = ""
        out, self._out = self._out, []
        return out

    def _start(self, ended: bool) -> bool:
        """Look for an opening at the start of the text; False when more of it is needed."""
        if self._stripping:
            self._text = self._text.lstrip("\r\n")
        said = self._text.lstrip()
        if not said and len(self._text) <= MAX_LEAD and not ended:
            return False
        if self._row is None:
            verdict = self._opening(said, ended)
            if verdict is None:
                return False
        elif self._prompted and self._row.id == "prompted":
            again = [opener for opener, row in self._formats.openers if not row.before_capital]
            if any(opener.startswith(said) and opener != said for opener in again) and said and not ended:
                return False
            opener = next((opener for opener in sorted(again, key=len, reverse=True) if said.startswith(opener)), "")
            if opener:
                self._text = said[len(opener) :]
            self._prompted = False
        self._starting = False
        self._state = self._markers.root if self._markers else None
        if self._row is None:
            self._stripping = False
        return True

    def _opening(self, said: str, ended: bool) -> bool | None:
        """Enter the reasoning that opens here; None when the text does not tell yet."""
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
        self._text = said[len(found[0]) :]
        self._enter(found[1])
        return True

    def _enter(self, row: ReasoningFormat) -> None:
        self._row = row
        self._stripping = True
        self._markers = self._formats.closers(row)
        self._state = self._markers.root

    def _hit(self, hits: Iterable[str], index: int) -> bool:
        """A marker ends at `index`; whether it meant something here."""
        hit = max(hits, key=len)
        start = index - len(hit)
        if self._row is None:
            if self._text[start - 1 : start] == "`" or (start == 0 and self._before == "`"):
                return False
            self._say(self._text[:start])
            self._text = self._text[index:]
            if hit in self._formats.anywhere:
                self._enter(self._formats.anywhere[hit])
            elif self._markers:
                self._state = self._markers.root
            return True
        if hit in self._row.ends_before:
            index = start
        elif self._row.ends_before and any(end.startswith(hit) for end in self._row.ends_before):
            rest = self._text[start:]
            if any(end.startswith(rest) for end in self._row.ends_before if len(end) > len(rest)):
                return False
        self._say(self._text[:start])
        self._newlines = ""
        self._row = None
        self._stripping = self._starting = True
        self._text = self._text[index:]
        self._markers = self._formats.in_answer
        self._out.append(TextDelta("", self._choice))
        return True

    def _say(self, text: str) -> None:
        if self._row is None:
            if text:
                self._before = text[-1]
                self._out.append(TextDelta(text, self._choice))
            return
        if self._stripping:
            text = text.lstrip("\r\n")
            self._stripping = not text
        text = self._newlines + text
        bare = text.rstrip("\r\n")
        self._newlines = text[len(bare) :]
        if bare:
            self._out.append(ReasoningDelta(bare, self._choice))


class SplitReasoning:
    """The step: every choice's text with its reasoning taken out; frames without any pass untouched."""

    def __init__(self, formats: Splitting, *, starts_in_reasoning: bool = False) -> None:
        self._formats = formats
        self._starts_in_reasoning = starts_in_reasoning
        self._choices: dict[int, Splitter] = {}

    def feed(self, batch: Batch) -> Batch:
        return [frame for frame in map(self._frame, batch) if frame.events or frame.native]

    def finish(self) -> Batch:
        rest = tuple(event for splitter in self._choices.values() for event in splitter.finish())
        return [Frame(rest)] if rest else []

    def _frame(self, frame: Frame) -> Frame:
        events: list[Event] = []
        changed = False
        for event in frame.events:
            if type(event) is TextDelta:
                splitter = self._splitter(event.choice)
                plain = splitter.plain
                said = splitter.feed(event.text)
                if plain and len(said) == 1 and type(said[0]) is TextDelta and said[0].text == event.text:
                    events.append(event)
                else:
                    events += said
                    changed = True
            elif type(event) is ReasoningDelta or type(event) is not Finished:
                events.append(event)
            else:
                held = self._splitter(event.choice).finish()
                changed = changed or bool(held)
                events += [*held, event]
        return Frame(tuple(events)) if changed else frame

    def _splitter(self, choice: int) -> Splitter:
        splitter = self._choices.get(choice)
        if splitter is None:
            splitter = Splitter(self._formats, choice, starts_in_reasoning=self._starts_in_reasoning)
            self._choices[choice] = splitter
        return splitter
