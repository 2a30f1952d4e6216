"""Which steps an answer passes on its way: reasoning split off, tool calls recovered, reasoning shown as wished.

Rooms are imported by the first request that needs them, and frames that
no step changes stay as the backend sent them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from shared.chat.events import Batch
from shared.chat.request import ChatRequest
from shared.gateway.catalog import Catalog
from shared.gateway.routing import Route, Stop

if TYPE_CHECKING:
    from shared.tool_calls.patterns import Pattern, PatternSet

_MOST_SETS = 1_000


class Step(Protocol):
    """One transformation of the stream, fed batch by batch."""

    def feed(self, batch: Batch) -> Batch: ...

    def finish(self) -> Batch: ...


class Steps:
    """Makes the steps of answers; administrators' patterns are compiled once per model and endpoint."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], tuple[tuple[Pattern, ...], PatternSet | None]] = {}

    def __call__(self, request: ChatRequest, route: Route, stop: Stop) -> list[Step]:
        """The steps in order; legacy completions are raw text and pass none."""
        if request.prompts:
            return []
        from shared.reasoning.show import ShowReasoning
        from shared.reasoning.split import SplitReasoning, splitting

        model, catalog = route.virtual_model, route.catalog
        split = splitting(catalog.formats_on, catalog.formats_off)
        steps: list[Step] = [SplitReasoning(split, starts_in_reasoning=model.starts_in_reasoning)]
        if request.tools:
            from shared.tool_calls.recover import Options, recovery

            options = Options(catalog.formats_on, catalog.formats_off, self._patterns(catalog, model.name, stop))
            recover = recovery(request.tools, request.tool_choice, request.response_format, options)
            if recover is not None:
                steps.append(recover)
        mode = model.reasoning or ("field" if model.show_reasoning else "hidden")
        if mode != "field" or model.starts_in_reasoning:
            steps.append(ShowReasoning(mode, starts_in_reasoning=model.starts_in_reasoning))
        return steps

    def _patterns(self, catalog: Catalog, model: str, stop: Stop) -> PatternSet | None:
        if not catalog.tool_patterns:
            return None
        place = (model, stop.endpoint.name)
        known = self._compiled.get(place)
        if known is None or known[0] is not catalog.tool_patterns:
            if len(self._compiled) >= _MOST_SETS:
                self._compiled.clear()
            known = self._compiled[place] = (catalog.tool_patterns, _compile(catalog.tool_patterns, *place))
        return known[1]


def _compile(patterns: tuple[Pattern, ...], model: str, endpoint: str) -> PatternSet | None:
    """Those that apply here, compiled; one that cannot be is left out, and the admin API shows why."""
    from shared.tool_calls.patterns import PatternSet

    fitting = [pattern for pattern in patterns if pattern.applies(model, endpoint)]
    return PatternSet(fitting) if fitting else None
