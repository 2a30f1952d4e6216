"""Read calls that are JSON and have nothing around them: only what they say makes them calls."""

from __future__ import annotations

from shared.tool_calls.candidate import Candidate, NoCall
from shared.tool_calls.readers.json_calls import calls
from shared.tool_calls.source import Reading


def bare_json(candidate: Candidate) -> Reading[None]:
    yield from calls(candidate, strict=True)
    character = yield from candidate.source.peek()
    while character in (" ", "\t"):
        candidate.source.position += 1
        character = yield from candidate.source.peek()
    if character and character not in "\n;,<`[":
        raise NoCall
