"""Read tolerant JSON from a stream: strings passed on as they come, other values taken whole once they have ended."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from shared.tool_calls.literals import MAX_DEPTH
from shared.tool_calls.quotes import Place, closes
from shared.tool_calls.source import LOOKAHEAD, Reading, Source

MAX_KEY = 256
_PLAIN = {'"': re.compile(r'[^"\\\x00-\x1f]+'), "'": re.compile(r"[^'\"\\\x00-\x1f]+")}
_RUN = {  # the inside of a string with its plain escapes, which goes out as it is; the closing quote is not in it
    '"': re.compile(r'(?:[^"\\\x00-\x1f]+|\\["\\/bfnrt])*+'),
    "'": re.compile(r"""(?:[^'"\\\x00-\x1f]+|\\["\\/bfnrt])*+"""),
}
_INSIDE = {quote: re.compile(rf"(?:[^{quote}\\]+|\\.)*+", re.DOTALL).fullmatch for quote in "\"'"}
_CONTROL = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}
_HEX = frozenset("0123456789abcdefABCDEF")
_KEY = re.compile(r"[\w$.-]+")
_SCALAR_END = re.compile(r"[,}\]\n]|</|<\||<｜")
_OPENERS = {"{": "}", "[": "]", "(": ")"}
_STRUCTURE = re.compile(r"""[{}\[\]()"'/#<]""")
_NO_STRUCTURE = re.compile(r"""[^{}\[\]()"'/#<]*+""").fullmatch
_PLACES: dict[str, Place] = {"}": "member", "]": "item", ")": "argument"}
_QUOTE_MARKS = ('<|"|>', "<escape>")


def blank(source: Source) -> Reading[str]:
    """Read white space and comments; the character behind them, empty at the end."""
    while True:
        character = yield from source.skip_space()
        if character != "/":
            return character
        ahead = yield from source.ahead(2)
        if ahead == "//":
            yield from _through(source, "\n")
        elif ahead == "/*":
            yield from _through(source, "*/")
        else:
            return character


def _through(source: Source, mark: str) -> Reading[None]:
    """Read up to and with `mark`, or everything."""
    while True:
        found = source.text.find(mark, source.position)
        if found >= 0:
            source.position = found + len(mark)
            return
        source.position = max(source.position, len(source.text) - len(mark) + 1)
        if source.ended:
            source.position = len(source.text)
            return
        yield


def key(source: Source) -> Reading[str | None]:
    """Read a key, quoted or not; None when there is none."""
    character = yield from source.peek()
    parts: list[str] = []
    if character in ('"', "'"):
        ended = yield from string(source, "key", parts.append, limit=MAX_KEY)
        return json.loads(f'"{"".join(parts)}"') if ended else None
    found = yield from word(source)
    return found or None


def word(source: Source) -> Reading[str]:
    """Read letters, digits and `_$.-`, at most MAX_KEY of them."""
    while True:
        found = _KEY.match(source.text, source.position)
        end = found.end() if found else source.position
        if end < len(source.text) or source.ended or end - source.position > MAX_KEY:
            break
        yield
    text = source.text[source.position : min(end, source.position + MAX_KEY)]
    source.position += len(text)
    return text


def string(
    source: Source, place: Place, emit: Callable[[str], object], *, limit: int | None = None, live: bool = False
) -> Reading[bool]:
    """Read the string that begins here and hand on its inside as JSON text; False when it does not end.

    `live`: what is handed on goes to the client at once, so that plain text need not come by here.
    """
    quote = source.text[source.position]
    plain = _PLAIN[quote] if limit is not None else _RUN[quote]
    known = None if limit is not None else _RUN[quote].fullmatch
    source.position += 1
    length = 0
    while True:
        text, position = source.text, source.position
        found = plain.match(text, position)
        if found and (end := found.end()) > position:
            source.position = end
            emit(text[position:end])
            length += end - position
            position = end
        if limit is not None and length > limit:
            return False
        if position == len(text):
            if source.ended:
                return False
            yield from source.wait(known, str if live else None)
            continue
        character = text[position]
        if character == "\\":
            escape = yield from source.ahead(2)
            if len(escape) < 2 or not (yield from _escape(source, escape[1], emit)):
                source.position = len(source.text)
                return False
        elif character == quote:
            verdict = closes(text, position + 1, place, ended=source.ended)
            if verdict is None:
                yield
                continue
            source.position += 1
            if verdict:
                return True
            emit('\\"' if quote == '"' else "'")
        elif character == '"':
            source.position += 1
            emit('\\"')
        else:
            source.position += 1
            emit(_CONTROL.get(character) or f"\\u{ord(character):04x}")
        length += 1


def _escape(source: Source, sign: str, emit: Callable[[str], object]) -> Reading[bool]:
    """Hand on one escape, made legal; False when it was cut off."""
    if sign == "u":
        digits = (yield from source.ahead(6))[2:]
        if len(digits) == 4 and _HEX.issuperset(digits):
            source.position += 6
            emit("\\u" + digits)
            return True
        if len(digits) < 4 and source.ended and source.position + 2 + len(digits) == len(source.text):
            return False
    source.position += 2
    if sign in '"\\/bfnrt':
        emit("\\" + sign)
    elif sign == "'":
        emit("'")
    elif sign == "\n":
        emit("")
    elif sign < " ":
        emit("\\\\" + (_CONTROL.get(sign) or f"\\u{ord(sign):04x}"))
    else:
        emit("\\\\" + sign)
    return True


def raw_value(source: Source, place: Place, limit: int | None = None) -> Reading[str | None]:
    """Read one value whole, as it was written; None when it was cut off or cannot be one.

    A closing tag in the middle of it ends it: the brackets that are missing are then supplied, because the model went
    on and so had nothing more to say in them.
    """
    character = yield from blank(source)
    if not character:
        return None
    parts: list[str] = []
    if character in ('"', "'"):
        start = character
        ended = yield from _raw_string(source, place, parts)
        return start + "".join(parts) if ended else None
    if character not in _OPENERS:
        return (yield from _scalar(source))
    closers: list[str] = []
    length = 0
    while True:
        text, position = source.text, source.position
        found = _STRUCTURE.search(text, position)
        end = found.start() if found else len(text)
        parts.append(text[position:end])
        length += end - position
        source.position = end
        if limit is not None and length > limit:
            return None
        if not found:
            if source.ended:
                return None
            yield from source.wait(_NO_STRUCTURE)
            continue
        character = text[end]
        if character in ('"', "'"):
            parts.append(character)
            before = len(parts)
            inside = yield from _raw_string(source, _PLACES[closers[-1]], parts, keys=closers[-1] == "}")
            if not inside:
                return None
            length += sum(map(len, parts[before:]))
            continue
        if character in "/#":
            yield from _comment(source, parts)
            continue
        if character == "<":
            mark = yield from source.take_any(_QUOTE_MARKS)
            if mark:
                if not (yield from _marked_string(source, mark, parts)):
                    return None
                continue
            ahead = yield from source.ahead(2)
            if ahead in ("</", "<|", "<｜"):
                return "".join(parts) + "".join(reversed(closers))
        source.position += 1
        parts.append(character)
        if character in _OPENERS:
            closers.append(_OPENERS[character])
            if len(closers) > MAX_DEPTH:
                return None
        elif character != "<":
            if character not in closers:  # it closes what is around the value: the value's own brackets are missing
                source.position -= 1
                return "".join(parts[:-1]) + "".join(reversed(closers))
            while (missing := closers.pop()) != character:
                parts.insert(-1, missing)
            if not closers:
                return "".join(parts) if limit is None or length <= limit else None


def _raw_string(source: Source, place: Place, parts: list[str], *, keys: bool = False) -> Reading[bool]:
    """Read a string as it was written, the opening quote already noted; False when it does not end."""
    quote = source.text[source.position]
    plain = _PLAIN[quote]
    triple = yield from source.take(quote * 3)
    if triple:
        parts.append(quote * 2)
        return (yield from _marked_string(source, quote * 3, parts, opened=True))
    source.position += 1
    while True:
        text, position = source.text, source.position
        found = plain.match(text, position)
        if found:
            source.position = position = found.end()
            parts.append(found.group())
        if position == len(text):
            if source.ended:
                return False
            yield from source.wait(_INSIDE[quote])
            continue
        if text[position] == "\\":
            escape = yield from source.ahead(2)
            if len(escape) < 2:
                return False
            parts.append(escape)
            source.position += 2
            continue
        if text[position] == quote:
            verdict = closes(text, position + 1, place, ended=source.ended)
            if not verdict and keys:
                colon = closes(text, position + 1, "key", ended=source.ended)
                verdict = True if colon else None if verdict is None or colon is None else False
            if verdict is None:
                yield
                continue
            parts.append(quote)
            source.position += 1
            if verdict:
                return True
            continue
        parts.append(text[position])
        source.position += 1


def _marked_string(source: Source, mark: str, parts: list[str], *, opened: bool = False) -> Reading[bool]:
    if not opened:
        parts.append(mark)
    while True:
        start = source.position
        found = source.text.find(mark, start)
        end = found if found >= 0 else max(start, len(source.text) - len(mark) + 1)
        parts.append(source.text[start:end])
        source.position = end
        if found >= 0:
            parts.append(mark)
            source.position += len(mark)
            return True
        if source.ended:
            return False
        yield


def _comment(source: Source, parts: list[str]) -> Reading[None]:
    ahead = yield from source.ahead(2)
    if ahead.startswith("#") or ahead == "//":
        yield from _through(source, "\n")
    elif ahead == "/*":
        yield from _through(source, "*/")
    else:
        parts.append(ahead[:1])
        source.position += 1


def _scalar(source: Source) -> Reading[str | None]:
    """Read a number or word; None when the text ends with it, for it may have been cut."""
    parts: list[str] = []
    length = 0
    while True:
        text, position = source.text, source.position
        found = _SCALAR_END.search(text, position)
        end = found.start() if found else len(text) if source.ended else max(position, len(text) - 1)
        parts.append(text[position:end])
        length += end - position
        source.position = end
        if found:
            return "".join(parts).strip() or None
        if source.ended or length > LOOKAHEAD:
            return None
        yield
