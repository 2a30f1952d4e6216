"""Calls in one list stand each for itself: one that names no declared tool stays text, whole, beside the others."""

from __future__ import annotations

from collections.abc import Callable

from shared.tool_calls.candidate import Candidate, NoCall, Undeclared
from shared.tool_calls.source import Reading


def one_of_several(
    candidate: Candidate, read: Callable[[], Reading[None]], skip: Callable[[], Reading[bool]]
) -> Reading[None]:
    """Read a call with `read`; `skip` reads to the end of one that is undeclared, and is False when it has none."""
    source = candidate.source
    if candidate.begun:
        candidate.calls.certain()
    before = source.held_length()
    try:
        yield from read()
    except Undeclared:
        source.rewind()
        source.position += before
        if not (yield from skip()):
            raise NoCall from None
        candidate.leave(source.held()[before:])
