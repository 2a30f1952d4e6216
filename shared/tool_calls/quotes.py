"""Where a quoted string ends when the model forgot to escape the quotes inside it.

A quote closes a string only where the text behind it goes on as the place demands: a member of an object must be
followed by the next key or the end of the object, an item by a comma or the end of the list, and so on.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from shared.tool_calls.source import LOOKAHEAD, SPACE

Place: TypeAlias = Literal["key", "member", "item", "argument", "alone"]

_ENOUGH = 160  # characters in which the next key must show itself
_NEXT: dict[Place, re.Pattern[str]] = {
    "member": re.compile(
        r"""\s*(?:\}|//|/\*|\#|["'][^"'\n]{0,64}["']\s*:|<\|"\||[A-Za-z_$][\w$-]{0,63}\s*:)""", re.VERBOSE
    ),
    "item": re.compile(r"""\s*[\]"'\[{(\w+.<#/-]"""),
    "argument": re.compile(r"""\s*(?:\)|[A-Za-z_][\w-]{0,63}\s*=|["'\[{(\d-]|(?:True|False|None|true|false|null)\b)"""),
}
_MISSING_COMMA = re.compile(r"""["'][\w$. -]{1,64}["']\s*:""")
_ENDS: dict[Place, str] = {"key": ":=", "member": "}]", "item": "]})", "argument": ")", "alone": ""}


def closes(text: str, behind: int, place: Place, *, ended: bool) -> bool | None:
    """Whether the quote before index `behind` ends its string; None when the text so far does not tell."""
    index, end = behind, min(len(text), behind + LOOKAHEAD)
    while index < end and text[index] in SPACE:
        index += 1
    if index == len(text):
        return True if ended else None
    character = text[index]
    if character in _ENDS[place] or index == behind + LOOKAHEAD or place == "alone":
        return True
    if place == "key":
        return False
    if character == "<":  # braces are missing, and a closing tag follows
        return True if text[index + 1 : index + 2] in ("/", "|", "｜") else None if index + 1 == len(text) else False
    if character == ",":
        if _NEXT[place].match(text, index + 1):
            return True
        if len(text) - index < _ENOUGH:
            return (not text[index + 1 :].strip()) if ended else None
        return False
    if place == "member" and index > behind and character in "\"'":
        if _MISSING_COMMA.match(text, index):
            return True
        return None if not ended and len(text) - index < _ENOUGH else False
    return False
