"""Read a Markdown fence that holds calls and nothing else; an ordinary one counts only if nothing else follows it."""

from __future__ import annotations

from collections.abc import Callable

from shared.tool_calls.candidate import Candidate, NoCall
from shared.tool_calls.source import SPACE, Reading, Source

CALL_FENCES = frozenset(("tool_call", "tool_calls", "tool_code", "tool_use", "function_call", "tool"))
JSON_FENCES = frozenset(("json", "xml", "", "jsonc", "json5"))
MAX_INSIDE = 1 << 20
MAX_LANGUAGE = 64


def fence(candidate: Candidate, calls_of: Callable[[str], list[tuple[str, str]]]) -> Reading[None]:
    """`calls_of` gives the calls of a text that holds nothing else."""
    source = candidate.source
    while True:
        if not (yield from source.take("```")) or (yield from source.peek()) == "`":
            raise NoCall
        language = (yield from _line(source, MAX_LANGUAGE)).strip().lower()
        if language not in CALL_FENCES | JSON_FENCES:
            raise NoCall
        inside = yield from _inside(candidate)
        calls = calls_of(inside)
        if not calls:
            raise NoCall
        for name, arguments in calls:
            candidate.calls.start(name)
            candidate.calls.write(arguments)
            candidate.calls.end()
        if language in CALL_FENCES:
            return
        yield from source.skip_space()
        yield from source.take_any(candidate.grammar.trailers)
        character = yield from source.skip_space()
        if not character:
            return
        if character != "`":
            raise NoCall


def _line(source: Source, limit: int) -> Reading[str]:
    parts: list[str] = []
    while (character := (yield from source.peek())) != "\n":
        if not character or len(parts) > limit:
            raise NoCall
        parts.append(character)
        source.position += 1
    source.position += 1
    return "".join(parts)


def _inside(candidate: Candidate) -> Reading[str]:
    """The text up to the closing backticks, which are read too."""
    source = candidate.source
    parts: list[str] = []
    length = 0
    while True:
        found = source.text.find("```", source.position)
        end = found if found >= 0 else max(source.position, len(source.text) - (0 if source.ended else 2))
        parts.append(source.text[source.position : end])
        length += end - source.position
        source.position = end
        if length > MAX_INSIDE:
            raise NoCall
        if found < 0:
            if source.ended and not candidate.cut_short:
                return "".join(parts)
            if source.ended:
                raise NoCall
            yield
            continue
        ahead = yield from source.ahead(4)
        source.position += 3
        before = parts[-1] or "".join(parts[-8:])
        if ahead[3:] in ("", *SPACE, "<") and (
            before.rstrip(" \t")[-1:] in ("", "\n") or before.rstrip()[-1:] in "}])>"
        ):
            return "".join(parts)
        parts.append("```")
