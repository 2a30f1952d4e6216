"""Which steps an answer passes on its way: reasoning split off, tool calls recovered, reasoning shown as wished.

Rooms are imported by the first request that needs them, and frames that
no step changes stay as the backend sent them.
"""

from __future__ import annotations

from typing import Protocol

from shared.chat.events import Batch
from shared.chat.request import ChatRequest
from shared.gateway.catalog import VirtualModel


class Step(Protocol):
    """One transformation of the stream, fed batch by batch."""

    def feed(self, batch: Batch) -> Batch: ...

    def finish(self) -> Batch: ...


def steps_for(request: ChatRequest, model: VirtualModel) -> list[Step]:
    """The steps of one answer, in order; legacy completions are raw text and pass none."""
    if request.prompts:
        return []
    from shared.reasoning.show import ShowReasoning
    from shared.reasoning.split import SplitReasoning, splitting

    mode = model.reasoning or ("field" if model.show_reasoning else "hidden")
    steps: list[Step] = [SplitReasoning(splitting(), starts_in_reasoning=model.starts_in_reasoning)]
    if request.tools:
        from shared.tool_calls.recover import recovery

        recover = recovery(request.tools, request.tool_choice, request.response_format)
        if recover is not None:
            steps.append(recover)
    if mode != "field" or model.starts_in_reasoning:
        steps.append(ShowReasoning(mode, starts_in_reasoning=model.starts_in_reasoning))
    return steps
