"""Read what stands behind a wrapper's opening, which models fill with every notation they have seen."""

from __future__ import annotations

from shared.tool_calls.candidate import Candidate, NoCall
from shared.tool_calls.readers import json_calls
from shared.tool_calls.readers.named import after_opener
from shared.tool_calls.readers.pythonic import call, listed
from shared.tool_calls.readers.tags import tag, tag_per_tool
from shared.tool_calls.source import Reading

_FENCES = ("```json\n", "```tool_call\n", "```python\n", "```xml\n", "```\n")
_INNER = ("<|plugin|>", "<|python_start|>")
_ONE_CALL_A_LINE = frozenset(("function_calls", "special_tokens"))


def body(candidate: Candidate) -> Reading[None]:
    source, grammar = candidate.source, candidate.grammar
    source.position += len(candidate.opener)
    while True:
        character = yield from source.skip_space()
        taken = yield from source.take_any((*grammar.wrappers, *_INNER, *_FENCES))
        candidate.fenced = candidate.fenced or taken.startswith("```")
        if not taken:
            break
    if character == "{":
        yield from json_calls.calls(candidate)
    elif character == "[":
        yield from _list(candidate)
    elif (opener := (yield from source.take_any(grammar.tags))) and opener:
        yield from tag(candidate)
    elif character == "<":
        yield from _own_tag(candidate)
    elif candidate.format.id in _ONE_CALL_A_LINE and not candidate.opener.startswith("<|action"):
        yield from call(candidate)
        while (yield from source.skip_space()).isidentifier():
            yield from call(candidate)
    else:
        yield from after_opener(candidate, closed=True)


def _list(candidate: Candidate) -> Reading[None]:
    """Behind a bracket: objects, or Python calls."""
    source = candidate.source
    length = 2
    while (ahead := (yield from source.ahead(length)))[-1:].isspace() and len(ahead) == length and length < 64:
        length += 1
    if ahead[-1] in "{[":
        yield from json_calls.calls(candidate)
    else:
        source.position += 1
        yield from listed(candidate)


def _own_tag(candidate: Candidate) -> Reading[None]:
    for name in candidate.tools.names:
        if (yield from candidate.source.take(f"<{name}>")):
            candidate.opener = f"<{name}>"
            yield from tag_per_tool(candidate)
            return
    raise NoCall
