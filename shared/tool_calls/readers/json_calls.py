"""Read calls that are JSON objects with a name and arguments in them, however the keys are called and nested."""

from __future__ import annotations

from typing import Any

from shared.tool_calls.arguments import Arguments
from shared.tool_calls.candidate import Candidate, Cut, NoCall, Undeclared
from shared.tool_calls.lexer import blank, key, raw_value, string
from shared.tool_calls.literals import MAX_DEPTH, parse_value
from shared.tool_calls.readers.beside import one_of_several
from shared.tool_calls.schema import MAX_NAME, Declared
from shared.tool_calls.source import Reading, Source

NAME_KEYS = frozenset(("name", "tool_name", "function_name", "tool", "function", "action", "recipient_name"))
ARGUMENT_KEYS = frozenset(
    (
        "arguments", "parameters", "args", "input", "action_input", "params", "kwargs", "tool_input", "tool_args",
        "function_args", "tool_parameters",
    )
)  # fmt: skip
CALL_KEYS = frozenset(("function", "tool_call", "function_call", "tool", "tool_use", "call"))
LIST_KEYS = frozenset(("tool_calls", "function_calls", "calls"))
OTHER_KEYS = frozenset(("type", "id", "index", "tool_call_id", "call_id", "thought", "reasoning"))
MAX_LISTS = 2  # lists around calls that have nothing else around them
MAX_WHOLE = 1 << 20  # of a value that must be seen whole before it can be judged


def calls(candidate: Candidate, *, strict: bool = False, depth: int = 0) -> Reading[None]:
    """Read the objects, or lists of objects, that follow one another; at least one must be a call.

    `strict`: nothing but the calls proves that these are calls, so each must have a name and arguments and must end.
    """
    source = candidate.source
    if depth > (MAX_LISTS if strict else MAX_DEPTH):
        raise NoCall
    listed = (yield from blank(source)) == "["
    if listed:
        source.position += 1
    found = False
    while True:
        character = yield from blank(source)
        if character == "{":
            yield from (_object(candidate, strict, depth) if strict else _member(candidate, depth))
            found = True
        elif character == "[" and not found:
            yield from calls(candidate, strict=strict, depth=depth + 1)
            found = True
        elif character in (",", ";") and found and (listed or (yield from _another(source))):
            source.position += 1
        elif character == "]" and listed:
            source.position += 1
            break
        elif found and not (listed and strict):
            break
        else:
            raise NoCall
        if not listed and strict:
            break
    if not found:
        raise NoCall
    if candidate.left:
        raise Undeclared


def _member(candidate: Candidate, depth: int) -> Reading[None]:
    def skip() -> Reading[bool]:
        return (yield from raw_value(candidate.source, "item", MAX_WHOLE)) is not None

    yield from one_of_several(candidate, lambda: _object(candidate, strict=False, depth=depth), skip)


def _another(source: Source) -> Reading[bool]:
    """Whether another object follows the separator that stands here."""
    for length in range(2, 8):
        ahead = yield from source.ahead(length)
        if len(ahead) < length or not ahead[-1].isspace():
            return ahead[-1:] == "{"
    return False


def _object(candidate: Candidate, strict: bool, depth: int) -> Reading[None]:
    source = candidate.source
    source.position += 1
    tool: Declared | None = None
    raw: str | None = None
    others: dict[str, str] = {}
    done = closed = False
    while True:
        character = yield from blank(source)
        if character == ",":
            source.position += 1
            continue
        if character == "}":
            source.position += 1
            closed = True
            break
        if not character or character == "<":
            closed = bool(character)
            break
        written = yield from key(source)
        if written is None or (yield from blank(source)) not in (":", "="):
            if done:
                return
            raise NoCall
        source.position += 1
        character = yield from blank(source)
        if written in LIST_KEYS and character == "[" and not done:
            yield from calls(candidate, strict=strict, depth=depth + 1)
            done = True
        elif written in CALL_KEYS and character == "{" and not done and depth < MAX_DEPTH:
            yield from _object(candidate, strict, depth + 1)
            done = True
        elif written in NAME_KEYS and character in ('"', "'") and tool is None and not done:
            tool = candidate.resolve((yield from _name(source)))
        elif written in ARGUMENT_KEYS and not done and raw is None:
            if tool is not None and character == "{":
                yield from arguments(candidate, candidate.begin(tool))
                done = True
            else:
                raw = yield from raw_value(source, "member", MAX_WHOLE)
                if raw is None:
                    raise NoCall
        elif character == "{" and not done and tool is None and (meant := candidate.tools.resolve(written)):
            yield from arguments(candidate, candidate.begin(meant))
            done = True
        elif strict and not done and tool is None and raw is None and written not in OTHER_KEYS:
            raise NoCall
        else:
            value = yield from raw_value(source, "member", MAX_WHOLE)
            if value is None and not done:
                raise NoCall
            others[written] = value or ""
    if done:
        return
    if tool is None or (raw is None and (strict or not closed)):
        raise NoCall
    whole(candidate, tool, _flat(tool, others) if raw is None else parsed(tool, raw))


def _name(source: Source) -> Reading[str]:
    parts: list[str] = []
    if not (yield from string(source, "member", parts.append, limit=MAX_NAME)):
        raise NoCall
    name = parse_value(f'"{"".join(parts)}"')
    return name if isinstance(name, str) else ""


def _flat(tool: Declared, others: dict[str, str]) -> dict[str, Any]:
    """The arguments of a call that has them beside its name; they count only if all of them are declared."""
    given = {written: raw for written, raw in others.items() if written not in OTHER_KEYS or tool.key(written)}
    if not all(tool.key(written) for written in given):
        return {}
    try:
        return {written: parse_value(raw) for written, raw in given.items()}
    except ValueError:
        raise NoCall from None


def parsed(tool: Declared, raw: str) -> dict[str, Any]:
    """Arguments that were read whole: an object, an object written as a string, or the only text the tool takes."""
    try:
        value = parse_value(raw)
        if isinstance(value, str) and value.lstrip().startswith("{"):
            value = parse_value(value)
    except ValueError:
        raise NoCall from None
    if isinstance(value, dict):
        return value
    if value is None or value == "" or value == []:
        return {}
    if isinstance(value, str) and (only := tool.only_text()):
        return {only: value}
    if isinstance(value, list) and len(tool.required) == 1:
        return {tool.required[0]: value}
    raise NoCall


def whole(candidate: Candidate, tool: Declared, given: dict[str, Any]) -> None:
    """One call whose arguments are all there."""
    arguments = candidate.begin(tool)
    for written, value in given.items():
        arguments.value(written, value)
    arguments.finish()


def arguments(candidate: Candidate, writing: Arguments) -> Reading[None]:
    """Read the object of arguments that begins here, each part handed on as soon as it is certain."""
    source, tool = candidate.source, writing.tool
    source.position += 1
    while True:
        character = yield from blank(source)
        if character == ",":
            source.position += 1
            continue
        if character == "}":
            source.position += 1
            break
        if character == "<" and (yield from source.ahead(2)) in ("</", "<|", "<｜"):
            break
        if not character or (written := (yield from key(source))) is None:
            raise Cut
        if (yield from blank(source)) not in (":", "="):
            raise Cut
        source.position += 1
        character = yield from blank(source)
        meant = writing.meant(written)
        if written == "properties" and written not in tool.properties and not candidate.format.strong:
            raise NoCall  # the tool is described, not called
        if character == "{" and written in ARGUMENT_KEYS and writing.empty and tool.key(written) is None:
            yield from _inner_arguments(candidate, writing)
            return
        if character in ('"', "'") and meant and (tool.is_text(meant) or tool.is_open(meant)):
            fresh = writing.open_text(meant)
            if not (yield from string(source, "member", writing.more_text if fresh else _drop, live=fresh)):
                raise Cut
            if fresh:
                writing.close_text()
            continue
        raw = yield from raw_value(source, "member", MAX_WHOLE)
        if raw is None:
            raise Cut
        try:
            value = parse_value(raw)
        except ValueError:
            raise Cut from None
        writing.value(written, value)
    writing.finish()


def _inner_arguments(candidate: Candidate, writing: Arguments) -> Reading[None]:
    """`{"arguments": {…}}` where only the inner object was due; what is beside it says nothing."""
    source = candidate.source
    writing.forget()
    yield from arguments(candidate, writing)
    while (character := (yield from blank(source))) == ",":
        source.position += 1
        written = yield from key(source)
        colon = yield from blank(source)
        if written is None or colon not in (":", "="):
            return
        source.position += 1
        if (yield from raw_value(source, "member", MAX_WHOLE)) is None:
            return
    if character == "}":
        source.position += 1


def _drop(piece: str) -> None:
    """A second value of the same parameter."""
