"""The virtual model's wish about reasoning: shown as it comes, or hidden."""

from __future__ import annotations

from shared.chat.events import Batch, Frame, ReasoningDelta


class HideReasoning:
    """Takes the thinking out; frames without any pass untouched."""

    def feed(self, batch: Batch) -> Batch:
        kept = (_without(frame) for frame in batch)
        return [frame for frame in kept if frame.events or frame.native]

    def finish(self) -> Batch:
        return []


def _without(frame: Frame) -> Frame:
    if not any(type(event) is ReasoningDelta for event in frame.events):
        return frame
    return Frame(tuple(event for event in frame.events if type(event) is not ReasoningDelta))
