"""Read a value that should be JSON: as JSON, else as what models write instead (JSON5, Python literals), never guessed.

One pass, no evaluation, bounded depth. What was cut off raises ValueError: it is not for us to invent its end.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from shared.tool_calls.quotes import Place, closes

MAX_DEPTH = 64
_WORDS = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    "null": None, "None": None, "none": None, "NULL": None, "undefined": None,
}  # fmt: skip
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", "\\": "\\", '"': '"', "'": "'", "\n": ""}
_BLANK = re.compile(r"(?:[\s]+|//[^\n]*|/\*.*?\*/|\#[^\n]*)+", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])")
_WORD = re.compile(r"[A-Za-z_$][\w$.-]*")
_BARE = re.compile(r"[^,{}\[\]()\n\"':<>]+(?=[,}\]\n])")
_KEY = re.compile(r"[A-Za-z_$][\w$.-]*|\d+")
_PLAIN = re.compile(r"""[^"'\\<]+""")
_PREFIXED = re.compile(r"""[rRbBuUfF]{1,2}(?=["'])""")
SPECIAL_QUOTES = ('<|"|>', "<escape>")


def parse_value(raw: str) -> Any:
    """The value of `raw`, all of which must be read; raises ValueError."""
    try:
        return json.loads(raw, strict=False, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return parse_loosely(raw)


def parse_loosely(raw: str) -> Any:
    parser = Parser(raw)
    value = parser.value("alone")
    parser.blank()
    if parser.position != len(raw):
        raise ValueError("text behind the value")
    return value


class Parser:
    """One pass over `text`; `position` is the first character not read."""

    def __init__(self, text: str, position: int = 0) -> None:
        self.text = text
        self.position = position
        self._depth = 0

    def blank(self) -> str:
        """Skip white space and comments; the character behind them, empty at the end."""
        found = _BLANK.match(self.text, self.position)
        if found:
            self.position = found.end()
        return self.text[self.position : self.position + 1]

    def value(self, place: Place) -> Any:
        character = self.blank()
        if character in ("{", "[", "("):
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise ValueError("nested too deeply")
            self.position += 1
            value = self._object() if character == "{" else self._list("]" if character == "[" else ")")
            self._depth -= 1
            return value
        if character in ('"', "'") or self.text.startswith(SPECIAL_QUOTES, self.position):
            return self.string(place)
        if prefix := _PREFIXED.match(self.text, self.position):
            self.position = prefix.end()
            return self.string(place, raw="r" in prefix.group().lower())
        if number := _NUMBER.match(self.text, self.position):
            self.position = number.end()
            return _number(number.group())
        if word := _WORD.match(self.text, self.position):
            self.position = word.end()
            if word.group() in _WORDS:
                return _WORDS[word.group()]
            if self.blank() in ("", ",", "}", "]"):
                return word.group()
            if self._depth and (bare := _BARE.match(self.text, word.start())):  # {city: New York}
                self.position = bare.end()
                return bare.group().rstrip()
        raise ValueError("not a value")

    def _object(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (character := self.blank()) != "}":
            if character == ",":
                self.position += 1
                continue
            key = self.key()
            if self.blank() not in (":", "="):
                raise ValueError("a key without a value")
            self.position += 1
            found[key] = self.value("member")
            if self.blank() not in (",", "}", '"', "'"):
                raise ValueError("text behind a member")
        self.position += 1
        return found

    def _list(self, close: str) -> list[Any]:
        found: list[Any] = []
        while (character := self.blank()) != close:
            if character == ",":
                self.position += 1
                continue
            found.append(self.value("item"))
            if self.blank() not in (",", close):
                raise ValueError("text behind an item")
        self.position += 1
        return found

    def key(self) -> str:
        if self.text.startswith(('"', "'", *SPECIAL_QUOTES), self.position):
            return self.string("key")
        word = _KEY.match(self.text, self.position)
        if not word:
            raise ValueError("not a key")
        self.position = word.end()
        return word.group()

    def string(self, place: Place, *, raw: bool = False) -> str:
        """The string whose opening quote stands here; raises ValueError when it does not end."""
        text = self.text
        quote = next((mark for mark in SPECIAL_QUOTES if text.startswith(mark, self.position)), "")
        if not quote:
            quote = text[self.position] * (3 if text.startswith(text[self.position] * 3, self.position) else 1)
        start = self.position + len(quote)
        if len(quote) > 1:
            end = text.find(quote, start)
            if end < 0:
                if quote in ('"""', "'''"):  # an empty string and a stray quote, or "" before a word
                    return self._quoted(quote[0], place, raw=raw)
                raise ValueError("a string without an end")
            self.position = end + len(quote)
            inside = text[start:end]
            return inside if raw or quote in SPECIAL_QUOTES else _unescape(inside)
        return self._quoted(quote, place, raw=raw)

    def _quoted(self, quote: str, place: Place, *, raw: bool) -> str:
        text = self.text
        index = start = self.position + 1
        while True:
            plain = _PLAIN.match(text, index)
            index = plain.end() if plain else index
            if index >= len(text):
                raise ValueError("a string without an end")
            if text[index] == "\\":
                index += 2
            elif text[index] == quote and closes(text, index + 1, place, ended=True):
                self.position = index + 1
                return text[start:index] if raw else _unescape(text[start:index])
            else:
                index += 1


_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.|\Z)", re.DOTALL)
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(_escaped, text)
    return _SURROGATES.sub(lambda pair: pair.group().encode("utf-16", "surrogatepass").decode("utf-16"), plain)


def _escaped(found: re.Match[str]) -> str:
    sign = found.group(1)
    if len(sign) > 1:
        return chr(int(sign[1:], 16))
    return _ESCAPES.get(sign, found.group())  # an escape that does not exist (\d, \U) is what the model meant to write


def _number(word: str) -> int | float | str:
    digits = word.replace("_", "")
    try:
        return int(digits)
    except ValueError:
        pass
    try:
        return _finite(digits)
    except ValueError:
        return word


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError("a number out of range")
    return number


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
