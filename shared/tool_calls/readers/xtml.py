"""Read Kimi K3's tags: `<|open|>call tool="T"<|sep|>`, then `<|open|>argument key="k" type="string"<|sep|>v` …"""

from __future__ import annotations

import html
import re

from shared.tool_calls.candidate import Candidate, Cut, NoCall
from shared.tool_calls.schema import MAX_NAME
from shared.tool_calls.source import Reading, Source

_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
SEPARATOR = "<|sep|>"
CALL, ARGUMENT = "<|open|>call ", "<|open|>argument "
CLOSE_ARGUMENT, CLOSE_CALL = "<|close|>argument<|sep|>", "<|close|>call<|sep|>"
MAX_HEADER = 4 * MAX_NAME


def xtml(candidate: Candidate) -> Reading[None]:
    source = candidate.source
    source.position += len(candidate.opener)
    if candidate.opener != CALL:
        yield from source.skip_space()
        if not (yield from source.take(CALL)):
            raise NoCall
    while True:
        yield from _call(candidate)
        yield from source.skip_space()
        if not (yield from source.take(CALL)):
            return


def _call(candidate: Candidate) -> Reading[None]:
    source = candidate.source
    header = yield from _through(source, SEPARATOR, MAX_HEADER)
    if header is None:
        raise NoCall
    tool = candidate.resolve(_attributes(header).get("tool", ""))
    yield from source.skip_space()
    if not ((yield from source.starts(ARGUMENT)) or (yield from source.starts(CLOSE_CALL))):
        raise NoCall
    writing = candidate.begin(tool)
    while not (yield from source.take(CLOSE_CALL)):
        if not (yield from source.take(ARGUMENT)):
            raise Cut
        header = yield from _through(source, SEPARATOR, MAX_HEADER)
        value = yield from _through(source, CLOSE_ARGUMENT)
        if header is None or value is None:
            raise Cut
        attributes = _attributes(header)
        if attributes.get("type") == "string":
            writing.value(attributes.get("key", ""), value)
        else:
            writing.unquoted(attributes.get("key", ""), value)
        yield from source.skip_space()
    writing.finish()


def _attributes(header: str) -> dict[str, str]:
    return {key: html.unescape(value) for key, value in _ATTRIBUTE.findall(header)}


def _through(source: Source, mark: str, limit: int | None = None) -> Reading[str | None]:
    """The text before `mark`, which is read too; None when it does not come."""
    parts: list[str] = []
    length = 0
    while True:
        found = source.text.find(mark, source.position)
        end = found if found >= 0 else max(source.position, len(source.text) - len(mark) + 1)
        parts.append(source.text[source.position : end])
        length += end - source.position
        source.position = end
        if limit is not None and length > limit:
            return None
        if found >= 0:
            source.position += len(mark)
            return "".join(parts)
        if source.ended:
            return None
        yield
