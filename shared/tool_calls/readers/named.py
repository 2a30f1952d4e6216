"""Read calls that say the name first and the arguments behind it: JSON, parameters in tags, or Python."""

from __future__ import annotations

from shared.tool_calls.candidate import Candidate, NoCall
from shared.tool_calls.lexer import raw_value
from shared.tool_calls.literals import parse_value
from shared.tool_calls.readers import json_calls
from shared.tool_calls.readers.names import name
from shared.tool_calls.readers.pythonic import called
from shared.tool_calls.readers.tags import members, tag
from shared.tool_calls.schema import Declared
from shared.tool_calls.source import Reading

SEPARATORS = (
    "[ARGS]", "<|tool_call_argument_begin|>", "<｜tool▁sep｜>", "<｜tool_sep｜>", "<|tool▁sep|>", "<|tool_sep|>",
    "<tool_sep>", "[/tool]", "✿ARGS✿:", "✿ARGS✿", "<|message|>", "<|constrain|>json", "<|constrain|>", "```json",
    "```python", "```", ":", "<|role_sep|>",
)  # fmt: skip
CALL_ID = "[CALL_ID]"
WHOLE_CALL = "<|content_invoke_tool_json|>"  # the object behind it repeats the name
_KINDS = frozenset(("function", "tool", "tool_call"))  # DeepSeek V3 says what kind of thing follows


def named(candidate: Candidate) -> Reading[None]:
    candidate.source.position += len(candidate.opener)
    yield from after_opener(candidate)


def after_opener(candidate: Candidate, *, closed: bool = False) -> Reading[None]:
    """A name and its arguments; `closed`: with closing markup behind it, the name alone is a call."""
    source = candidate.source
    yield from source.take(":")
    yield from source.skip_space()
    written = yield from name(source)
    if written in _KINDS and candidate.tools.resolve(written) is None:
        yield from source.skip_space()
        if not (yield from source.take_any(SEPARATORS)):
            raise NoCall
        if (yield from source.take_any(candidate.grammar.tags)):
            yield from tag(candidate)
            return
        written = yield from name(source)
    if written.removeprefix("functions.").isdigit() and candidate.tools.resolve(written) is None:
        yield from _counted(candidate)
        return
    yield from after_name(candidate, candidate.resolve(written), closed=closed)


def _counted(candidate: Candidate) -> Reading[None]:
    """A counter where the name should be (Kimi K2): the one tool whose parameters these are."""
    source = candidate.source
    while True:
        character = yield from source.skip_space()
        if not (yield from source.take_any(SEPARATORS)):
            break
    raw = (yield from raw_value(source, "alone", json_calls.MAX_WHOLE)) if character == "{" else None
    try:
        given = parse_value(raw or "")
    except ValueError:
        raise NoCall from None
    tools = [tool for tool in candidate.tools.all() if tool.takes(given)]
    if not given or len(tools) != 1:
        raise NoCall
    json_calls.whole(candidate, tools[0], given)


def after_name(candidate: Candidate, tool: Declared, *, closed: bool = False) -> Reading[None]:
    source = candidate.source
    while True:
        character = yield from source.skip_space()
        if (yield from source.take(WHOLE_CALL)):
            candidate.meant = tool
            yield from json_calls.calls(candidate)
            return
        if (yield from source.take(CALL_ID)):
            yield from name(source)
        elif separator := (yield from source.take_any(SEPARATORS)):
            candidate.fenced = candidate.fenced or separator.startswith("```")
        else:
            break
    if character == "{":
        yield from json_calls.arguments(candidate, candidate.begin(tool))
    elif character == "(":
        yield from called(candidate, tool)
    elif character in ("<", "]") and character:
        yield from members(candidate, tool)
    elif character == "" and closed and not tool.required and not candidate.cut_short:
        candidate.begin(tool).finish()
    else:
        raise NoCall


def functionary(candidate: Candidate) -> Reading[None]:
    """`>>>T` and JSON on the next line; `>>>all` says that text follows."""
    source = candidate.source
    source.position += len(candidate.opener)
    written = yield from name(source)
    if not (yield from source.take("\n")):
        raise NoCall
    if written == "all" and candidate.at_start and candidate.tools.resolve(written) is None:
        return
    tool = candidate.resolve(written)
    if (yield from source.skip_space()) != "{":
        raise NoCall
    yield from json_calls.arguments(candidate, candidate.begin(tool))


def name_line(candidate: Candidate) -> Reading[None]:
    """The name alone on its line, then JSON or a Python call in a fence."""
    source = candidate.source
    written = yield from name(source)
    tool = candidate.resolve(written)
    if not (yield from source.take("\n")):
        raise NoCall
    if (yield from source.take("```")):
        yield from name(source)
        if not (yield from source.take("\n")):
            raise NoCall
        if (yield from source.peek()) != "{":
            yield from name(source)
        if (yield from source.peek()) == "(":
            yield from called(candidate, tool)
        elif (yield from source.peek()) == "{":
            yield from json_calls.arguments(candidate, candidate.begin(tool))
        else:
            raise NoCall
        yield from source.skip_space()
        if not (yield from source.take("```")):
            raise NoCall
        return
    if (yield from source.peek()) != "{":
        raise NoCall
    yield from json_calls.arguments(candidate, candidate.begin(tool))
