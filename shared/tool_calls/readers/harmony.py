"""Read harmony messages with a recipient (gpt-oss), with or without their special tokens."""

from __future__ import annotations

from shared.tool_calls.candidate import Candidate, Cut, NoCall
from shared.tool_calls.readers import json_calls
from shared.tool_calls.readers.names import name
from shared.tool_calls.schema import Declared
from shared.tool_calls.source import Reading

RECIPIENT = "to="
MAX_HEADER = 200
_TOKENS = ("<|channel|>", "<|constrain|>", "<|message|>")
_BEFORE = frozenset(("assistant", "commentary", "analysis", "final"))
_KINDS = frozenset(("commentary", "analysis", "json", "code", "func", "tool_call", ""))
ENDS = ("<|call|>", "<|end|>", "<|return|>", "<|start|>", "<|channel|>")


def harmony(candidate: Candidate) -> Reading[None]:
    source = candidate.source
    source.position += len(candidate.opener)
    if not candidate.opener.endswith(RECIPIENT):
        yield from _to_recipient(candidate)
    tool = candidate.resolve((yield from name(source)))
    said = yield from _to_message(candidate)
    character = yield from source.peek()
    if character == "{":
        yield from json_calls.arguments(candidate, candidate.begin(tool))
    elif said and (only := tool.only_text()):
        yield from _text(candidate, tool, only)
    else:
        raise NoCall


def _to_recipient(candidate: Candidate) -> Reading[None]:
    """`<|start|>assistant<|channel|>commentary to=`, in any of the orders that models write."""
    source = candidate.source
    length = 0
    while not (yield from source.take(RECIPIENT)):
        yield from source.skip_space(8)
        if (yield from source.starts(RECIPIENT)):
            continue
        if (yield from source.take("<|channel|>")):
            continue
        word = yield from name(source)
        length += len(word)
        if word not in _BEFORE or length > MAX_HEADER:
            raise NoCall


def _to_message(candidate: Candidate) -> Reading[bool]:
    """Skip what stands between the recipient and the message; whether a token said that the message begins."""
    source = candidate.source
    said = False
    for _ in range(12):
        character = yield from source.skip_space()
        if character == "{" or said:
            break
        token = yield from source.take_any(_TOKENS)
        said = token == "<|message|>"  # noqa: S105 (a token of the model's, no secret)
        if not token and (yield from name(source)) not in _KINDS - {""}:
            raise NoCall
    return said


def _text(candidate: Candidate, tool: Declared, key: str) -> Reading[None]:
    """A message that is no JSON: the one text that the tool takes."""
    source = candidate.source
    writing = candidate.begin(tool)
    parts: list[str] = []
    while not (yield from source.starts_any(ENDS)):
        character = yield from source.peek()
        if not character:
            if candidate.cut_short:
                raise Cut
            break
        end = source.text.find("<", source.position + 1)
        end = len(source.text) if end < 0 else end
        parts.append(source.text[source.position : end])
        source.position = end
    writing.value(key, "".join(parts))
    writing.finish()
