"""Read calls that are JSON and have nothing around them: only what they say makes them calls."""

from __future__ import annotations

from shared.tool_calls.candidate import Candidate, NoCall
from shared.tool_calls.readers.json_calls import calls
from shared.tool_calls.source import Reading


def bare_json(candidate: Candidate) -> Reading[None]:
    yield from calls(candidate, strict=True)
    yield from end_of_line(candidate)


def end_of_line(candidate: Candidate) -> Reading[None]:
    """Nothing but markup may follow on the line: what is talked about is no call."""
    source = candidate.source
    while (character := (yield from source.peek())) in (" ", "\t") and character:
        source.position += 1
    if character and character not in "\n;,<`[":
        raise NoCall
