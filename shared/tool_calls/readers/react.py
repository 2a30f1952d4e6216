"""Read ReAct: an Action line, then Action Input; or a JSON object behind Action."""

from __future__ import annotations

from shared.tool_calls.candidate import Candidate, NoCall
from shared.tool_calls.readers import json_calls
from shared.tool_calls.readers.names import name
from shared.tool_calls.source import Reading

INPUTS = ("Action Input:", "Action input:", "ActionInput:", "Input:")
_FENCES = ("```json", "```")
_ENDS = ("\nObservation", "\nThought:", "\nAction:", "\nFinal Answer:")
MAX_TEXT = 1 << 20


def react(candidate: Candidate) -> Reading[None]:
    source = candidate.source
    source.position += len(candidate.opener)
    character = yield from source.skip_space()
    if character in ("{", "[", "`"):
        yield from source.take_any(_FENCES)
        yield from json_calls.calls(candidate)
        yield from source.skip_space()
        yield from source.take("```")
        return
    quoted = yield from source.take("`")
    tool = candidate.resolve((yield from name(source)))
    if quoted:
        yield from source.take("`")
    yield from source.take_any(("()",))
    yield from source.skip_space()
    if not (yield from source.take_any(INPUTS)):
        raise NoCall
    yield from source.skip_space()
    fenced = yield from source.take_any(_FENCES)
    if (yield from source.skip_space()) == "{":
        yield from json_calls.arguments(candidate, candidate.begin(tool))
        yield from source.skip_space()
        if fenced:
            yield from source.take("```")
        return
    text = yield from _text(candidate)
    if text[:1] in ('"', "'", "["):
        json_calls.whole(candidate, tool, json_calls.parsed(tool, text))
    elif text in ("", "None", "null") and not tool.required:
        json_calls.whole(candidate, tool, {})
    elif only := tool.only_text():
        json_calls.whole(candidate, tool, {only: text})
    else:
        raise NoCall


def _text(candidate: Candidate) -> Reading[str]:
    """The rest, up to what the model invents next."""
    source = candidate.source
    parts: list[str] = []
    length = 0
    while True:
        found = source.text.find("\n", source.position + 1)
        end = found if found >= 0 else len(source.text)
        parts.append(source.text[source.position : end])
        length += end - source.position
        source.position = end
        if length > MAX_TEXT:
            raise NoCall
        if (yield from source.peek()) == "":
            if candidate.cut_short:
                raise NoCall
            break
        if source.text[source.position] == "\n":
            for mark in _ENDS:
                if (yield from source.starts(mark)):
                    return "".join(parts).strip()
    return "".join(parts).strip()
