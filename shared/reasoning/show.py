"""Show reasoning as the virtual model wishes: as a field of its own, in the text, or not at all."""

from __future__ import annotations

from typing import Literal, TypeAlias

from shared.chat.events import Batch, Event, Finished, Frame, ReasoningDelta, TextDelta, ToolCallDelta, ToolCallStarted

Mode: TypeAlias = Literal["field", "inline", "hidden"]

BETWEEN = "\n\n"  # of reasoning and answer, when both are text
MAX_KEPT = 1 << 20  # characters of reasoning kept for an answer that never comes


class ShowReasoning:
    """The last step. An answer that has nothing but reasoning is not left empty where the client would see nothing:
    hidden reasoning, and reasoning that only the flag `starts_in_reasoning` made reasoning, becomes the answer."""

    def __init__(self, mode: Mode, *, starts_in_reasoning: bool = False) -> None:
        self._mode = mode
        self._keeps = mode == "hidden" or starts_in_reasoning
        self._kept: dict[int, list[str]] = {}
        self._length: dict[int, int] = {}
        self._answered: set[int] = set()
        self._inside: set[int] = set()
        self._plain: set[int] = set()  # choices whose text passes: answered, and not inside reasoning

    def feed(self, batch: Batch) -> Batch:
        for index, frame in enumerate(batch):
            events = frame.events
            if len(events) == 1:
                event = events[0]
                if type(event) is ToolCallDelta:
                    continue
                if type(event) is TextDelta and event.choice in self._plain and event.text:
                    continue
            return self._changed(batch, index)
        return batch

    def _changed(self, batch: Batch, start: int) -> Batch:
        """The batch, of which the frames before `start` pass as they are."""
        out = batch[:start]
        for frame in batch[start:]:
            changed = self._frame(frame)
            if changed.events or changed.native:
                out.append(changed)
        return out

    def finish(self) -> Batch:
        return []

    def _frame(self, frame: Frame) -> Frame:
        events: list[Event] = []
        changed = False
        for event in frame.events:
            kind = type(event)
            if kind is ReasoningDelta:
                shown = self._reasoning(event)  # type: ignore[arg-type]  # mypy does not narrow by type() is
            elif kind is TextDelta and not event.text:  # type: ignore[union-attr]
                shown = []
            elif kind is TextDelta or kind is ToolCallStarted:
                self._answered.add(event.choice)  # type: ignore[union-attr]
                shown = [*self._close(event), event]  # type: ignore[arg-type]
                self._plain.add(event.choice)  # type: ignore[union-attr]
            elif kind is Finished:
                shown = [*self._last(event), event]  # type: ignore[arg-type]
            else:
                shown = [event]
            changed = changed or len(shown) != 1 or shown[0] is not event
            events += shown
        return Frame(tuple(events)) if changed else frame

    def _reasoning(self, event: ReasoningDelta) -> list[Event]:
        choice = event.choice
        if self._keeps and choice not in self._answered and self._length.get(choice, 0) < MAX_KEPT:
            self._kept.setdefault(choice, []).append(event.text)
            self._length[choice] = self._length.get(choice, 0) + len(event.text)
        if self._mode == "hidden":
            return []
        if self._mode == "field" or not event.text:
            return [event]
        self._inside.add(choice)
        self._plain.discard(choice)
        return [TextDelta(event.text, choice)]

    def _close(self, event: TextDelta | ToolCallStarted) -> list[Event]:
        """What stands between reasoning in the text and the answer."""
        if event.choice not in self._inside:
            return []
        self._inside.discard(event.choice)
        return [TextDelta(BETWEEN, event.choice)] if type(event) is TextDelta else []

    def _last(self, event: Finished) -> list[Event]:
        kept = self._kept.pop(event.choice, None)
        if kept and event.choice not in self._answered and event.reason == "stop" and self._mode != "inline":
            return [TextDelta("".join(kept), event.choice)]
        return []
