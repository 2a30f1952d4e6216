"""Read a tool's name as it stands in text."""

from __future__ import annotations

import re

from shared.tool_calls.schema import MAX_NAME
from shared.tool_calls.source import Reading, Source

_NAME = re.compile(r"[\w.:\-/]*")


def name(source: Source) -> Reading[str]:
    """Read letters, digits and `_ . : - /`; a colon at the end is no part of the name."""
    while True:
        found = _NAME.match(source.text, source.position)
        end = found.end() if found else source.position
        if end < len(source.text) or source.ended or end - source.position > MAX_NAME:
            break
        yield
    written = source.text[source.position : min(end, source.position + MAX_NAME)].rstrip(":")
    source.position += len(written)
    return written
