"""Read calls that are written as Python: `[f(a='x'), g()]`, one call a line, or `print(default_api.f(a='x'))`."""

from __future__ import annotations

import re
from typing import Any

from shared.tool_calls.candidate import Candidate, NoCall, Undeclared
from shared.tool_calls.lexer import raw_value
from shared.tool_calls.literals import Parser
from shared.tool_calls.readers.bare import end_of_line
from shared.tool_calls.readers.beside import one_of_several
from shared.tool_calls.readers.json_calls import MAX_WHOLE, whole
from shared.tool_calls.readers.names import name
from shared.tool_calls.schema import Declared
from shared.tool_calls.source import Reading, Source

_KEYWORD = re.compile(r"([A-Za-z_][\w.-]*)\s*=(?!=)")
_COLON = re.compile(r"([A-Za-z_][\w.-]*)\s*:")
WRAPPERS = frozenset(("print", "await", "return"))


def pythonic(candidate: Candidate) -> Reading[None]:
    """A list in brackets, the opening one being the opener."""
    candidate.source.position += len(candidate.opener)
    yield from listed(candidate)
    yield from end_of_line(candidate)


def listed(candidate: Candidate) -> Reading[None]:
    """The rest of a list of calls, its opening bracket being read already."""
    source = candidate.source
    found = False
    while True:
        character = yield from source.skip_space()
        if character == "]" and found:
            if candidate.left:
                raise Undeclared
            source.position += 1
            return
        if character == "," and found:
            source.position += 1
            continue
        yield from one_of_several(candidate, lambda: call(candidate), lambda: _skip(source))
        found = True


def _skip(source: Source) -> Reading[bool]:
    """Read a call of anything."""
    yield from name(source)
    return (yield from source.skip_space()) == "(" and (yield from raw_value(source, "alone", MAX_WHOLE)) is not None


def python_line(candidate: Candidate) -> Reading[None]:
    """One call and nothing else on its line."""
    if candidate.opener == "Call:":
        candidate.source.position += len(candidate.opener)
        yield from candidate.source.skip_space()
    yield from call(candidate)
    yield from end_of_line(candidate)


def call(candidate: Candidate) -> Reading[None]:
    """One call, perhaps in a print(…)."""
    source = candidate.source
    written = yield from name(source)
    if written in WRAPPERS and candidate.tools.resolve(written) is None:
        yield from source.skip_space()
        bracket = yield from source.take("(")
        yield from source.skip_space()
        yield from call(candidate)
        yield from source.skip_space()
        if bracket and not (yield from source.take(")")):
            raise NoCall
        return
    yield from called(candidate, candidate.resolve(written.removesuffix(".call")))


def called(candidate: Candidate, tool: Declared) -> Reading[None]:
    """The arguments of a call in parentheses."""
    if (yield from candidate.source.peek()) != "(":
        raise NoCall
    raw = yield from raw_value(candidate.source, "alone", MAX_WHOLE)
    if raw is None:
        raise NoCall
    try:
        whole(candidate, tool, keywords(tool, raw))
    except ValueError:
        raise NoCall from None


def keywords(tool: Declared, raw: str) -> dict[str, Any]:
    """`(a='x', b=2)` → its arguments; positional ones go by the order of the schema. Raises ValueError."""
    parser = Parser(raw, 1)
    given: dict[str, Any] = {}
    order = [*tool.required, *(key for key in tool.properties if key not in tool.required)]
    while (character := parser.blank()) != ")":
        if character == ",":
            parser.position += 1
            continue
        found = _KEYWORD.match(raw, parser.position) or _COLON.match(raw, parser.position)
        if found:
            parser.position = found.end()
            key = found[1]
        else:
            key = next((free for free in order if free not in given), "")
        value = parser.value("argument")
        if not key:
            raise ValueError("more values than parameters")
        given[key] = value
        if parser.blank() not in (",", ")"):
            raise ValueError("text behind an argument")
    return given
