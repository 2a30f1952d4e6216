"""Read Gemma's own notation: `call:T{k:<|"|>text<|"|>,n:5}`."""

from __future__ import annotations

from shared.tool_calls.candidate import Candidate, NoCall
from shared.tool_calls.lexer import raw_value
from shared.tool_calls.readers.json_calls import MAX_WHOLE, parsed, whole
from shared.tool_calls.readers.names import name
from shared.tool_calls.source import Reading


def gemma(candidate: Candidate) -> Reading[None]:
    source = candidate.source
    source.position += len(candidate.opener)
    yield from source.skip_space()
    yield from source.take("call:")
    tool = candidate.resolve((yield from name(source)))
    if (yield from source.skip_space()) != "{":
        raise NoCall
    raw = yield from raw_value(source, "alone", MAX_WHOLE)
    if raw is None:
        raise NoCall
    whole(candidate, tool, parsed(tool, raw))
    yield from source.take("</call>")
