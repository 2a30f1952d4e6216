"""The readers: each reads one candidate and hands on its calls, or raises NoCall (it is text) or Cut (it broke off)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from shared.tool_calls.candidate import Candidate
from shared.tool_calls.readers.bare import bare_json
from shared.tool_calls.readers.body import body
from shared.tool_calls.readers.gemma import gemma
from shared.tool_calls.readers.harmony import harmony
from shared.tool_calls.readers.named import functionary, name_line, named
from shared.tool_calls.readers.pythonic import python_line, pythonic
from shared.tool_calls.readers.react import react
from shared.tool_calls.readers.tags import tag, tag_per_tool
from shared.tool_calls.readers.xtml import xtml
from shared.tool_calls.source import Reading

Reader: TypeAlias = Callable[[Candidate], Reading[None]]

READERS: Mapping[str, Reader] = {
    "body": body,
    "tag": tag,
    "tag_per_tool": tag_per_tool,
    "named": named,
    "functionary": functionary,
    "name_line": name_line,
    "bare_json": bare_json,
    "pythonic": pythonic,
    "python_line": python_line,
    "gemma": gemma,
    "harmony": harmony,
    "react": react,
    "xtml": xtml,
}
"""What reads a format; fences are read by the machine itself, which reads their inside with a machine of its own."""
