"""Read calls whose parameters stand in tags of their own, their values raw and typed by the schema alone."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from shared.tool_calls.arguments import Arguments
from shared.tool_calls.candidate import Candidate, Cut, Draft, NoCall
from shared.tool_calls.formats import MINIMAX
from shared.tool_calls.grammar import HEAD, PARAMETER_CLOSERS, PARAMETER_TAGS, beginnings, heads
from shared.tool_calls.readers.json_calls import MAX_WHOLE
from shared.tool_calls.readers.json_calls import arguments as json_arguments
from shared.tool_calls.schema import MAX_DEPTH, MAX_NAME, Declared
from shared.tool_calls.source import LOOKAHEAD, SPACE, Live, Reading, Source
from shared.wire import dumps

_ATTRIBUTE = re.compile(r"""([\w.-]{1,64})\s{0,8}=\s{0,8}(?:"([^"]*)"|'([^']*)')""")
_KEY_CLOSERS = {"<arg_key>": "</arg_key>", "<longcat_arg_key>": "</longcat_arg_key>"}
_VALUE_TAGS = {"<arg_key>": "<arg_value>", "<longcat_arg_key>": "<longcat_arg_value>"}
_OWN_TAG = re.compile(r"<([A-Za-z_][\w.-]{0,63})>")
_MINIMAX_TAG = re.compile(rf"\s*{re.escape(MINIMAX)}<([\w.-]{{1,64}})>")
_PARAMETER = re.compile(r"""["']?([\w.:-]{1,64})["']?\s*[>\s<]""")
DATA = -1
_FIRST = re.compile(r"[<\]]")
_DATA = re.compile(r"[^<\]]*[^<\]\r\n]").fullmatch  # text that ends neither the value nor with its framing newline
CDATA = ("<![CDATA[", "]]>")


def tag(candidate: Candidate) -> Reading[None]:
    """`<function=T>` or `<invoke name="T">`, the opener up to the name being read already."""
    header, selfclosed = yield from _header(candidate.source)
    attributes = {found[0]: found[1] or found[2] for found in _ATTRIBUTE.findall(header)}
    name = header.split("=")[0] if attributes and header[:1] not in "\"'" else header
    tool = candidate.resolve(_unquoted(re.split(r"""(?<=["'])\s""", name.strip())[0]))
    if selfclosed:
        candidate.begin(tool).finish()
        return
    yield from members(candidate, tool)


def tag_per_tool(candidate: Candidate) -> Reading[None]:
    """`<T><k>v</k></T>`, the opening tag being read already."""
    opener = candidate.opener
    if opener.startswith("&"):
        yield from _escaped(candidate)
        return
    tool = candidate.resolve(opener[1:-1].replace(" ", ""))
    close = f"</{opener[1:]}"
    candidate.structure = (close, *(f"<{key}>" for key in tool.properties))
    yield from members(candidate, tool, close=close)


def _escaped(candidate: Candidate) -> Reading[None]:
    """`&lt;T&gt;…&lt;/T&gt;`: read whole, then read again as what it stands for."""
    opener = candidate.opener
    close = f"&lt;/{opener[4:]}"
    text = yield from _until(candidate.source, close, MAX_WHOLE)
    source = Source()
    source.append(html.unescape(text + close))
    source.ended = True
    draft = Draft()
    try:
        yield from tag_per_tool(replace(candidate, source=source, calls=draft, opener=html.unescape(opener)))
    except Cut:
        raise NoCall from None
    draft.hand_on(candidate.calls)


def _header(source: Source) -> Reading[tuple[str, bool]]:
    """Read the rest of a tag: what it says, and whether it closes itself."""
    parts: list[str] = []
    while True:
        character = yield from source.peek()
        if not character or character in "<{\n" or len(parts) > MAX_NAME:
            if character == "\n" and parts:
                break
            raise NoCall
        source.position += 1
        if character == ">":
            break
        parts.append(character)
    text = "".join(parts)
    return (text[:-1], True) if text.endswith("/") else (text, False)


def _unquoted(text: str) -> str:
    return text.strip().strip("\"'").strip()


def members(candidate: Candidate, tool: Declared, *, close: str = "") -> Reading[None]:
    """Read the inside of a call: parameters in tags, or one JSON object, or nothing."""
    source, grammar = candidate.source, candidate.grammar
    writing: Arguments | None = None
    while True:
        character = yield from source.skip_space()
        if character == "{" and writing is None:
            yield from json_arguments(candidate, candidate.begin(tool))
            if close:
                yield from source.skip_space()
                yield from source.take(close)
            return
        if not character:
            if writing is None or candidate.cut_short:
                raise Cut if writing else NoCall
            break
        opener = yield from source.take_any(PARAMETER_TAGS)
        if opener:
            writing = writing or candidate.begin(tool)
            yield from _parameter(candidate, writing, opener)
            continue
        if written := (yield from _own_tag(source, tool)):
            writing = writing or candidate.begin(tool)
            space = written.rpartition("<")[0]
            if written + ">" not in candidate.structure:
                candidate.structure = (*candidate.structure, *(f"{space}<{key}>" for key in tool.properties))
            yield from _value(
                candidate, writing, written[len(space) + 1 :], (f"{space}</{written[len(space) + 1 :]}>",)
            )
            continue
        if (close and (yield from source.starts(close))) or (yield from source.starts_any(grammar.closers)):
            break
        if writing is None and close and character.isalpha():
            yield from _attributes(candidate, tool)
            return
        if writing is None or character not in "<]":
            raise Cut if writing else NoCall
        if not (yield from source.starts_any(grammar.structure)):
            raise Cut
        break
    (writing or candidate.begin(tool)).finish()
    if close:
        yield from source.take(close)


def _attributes(candidate: Candidate, tool: Declared) -> Reading[None]:
    """`k="v">` behind a tag, as the original's documentation has it."""
    header, _ = yield from _header(candidate.source)
    found = {each[0]: each[1] or each[2] for each in _ATTRIBUTE.findall(header)}
    if not found or _ATTRIBUTE.sub("", header).strip() or not all(tool.key(key) for key in found):
        raise NoCall
    writing = candidate.begin(tool)
    for key, value in found.items():
        writing.unquoted(key, value)
    writing.finish()


def _own_tag(source: Source, tool: Declared) -> Reading[str]:
    """Read `<k>` where k is a parameter of the tool: what stands before the `>`, empty when it is not."""
    start = source.position
    space = yield from source.take_any(("<", MINIMAX + "<"))
    if not space:
        return ""
    source.position = start
    length = len(space) + 1
    while True:
        ahead = yield from source.ahead(length)
        if len(ahead) < length or ahead[-1] == ">" or length > len(space) + 65:
            break
        length += 1
    found = _OWN_TAG.fullmatch(ahead[len(space) - 1 :])
    if not found or tool.key(found[1]) is None:
        return ""
    source.position += len(ahead)
    return space + found[1]


def _parameter(candidate: Candidate, writing: Arguments, opener: str) -> Reading[None]:
    """One parameter, its opening up to the key being read already."""
    source = candidate.source
    if opener in _KEY_CLOSERS:
        try:
            written = yield from _until(source, _KEY_CLOSERS[opener])
        except NoCall:
            raise Cut from None
        yield from source.skip_space()
        yield from source.take(_VALUE_TAGS[opener])
        yield from _value(candidate, writing, written.strip(), (_VALUE_TAGS[opener].replace("<", "</"),))
        return
    header, selfclosed = yield from _parameter_header(source)
    attributes = {found[0]: found[1] or found[2] for found in _ATTRIBUTE.findall(header)}
    written = _unquoted(re.split(r"""(?<=["'])\s|\s+(?=[\w.-]+\s*=)""", header.strip())[0])
    if selfclosed:
        writing.unquoted(written, "")
        return
    closers = (*PARAMETER_CLOSERS, f"</{written}>")
    yield from _value(
        candidate, writing, written, closers, is_text={"true": True, "false": False}.get(attributes.get("string", ""))
    )


def _parameter_header(source: Source) -> Reading[tuple[str, bool]]:
    try:
        return (yield from _header(source))
    except NoCall:
        raise Cut from None


def _until(source: Source, mark: str, limit: int = MAX_NAME) -> Reading[str]:
    """Read a text and the mark behind it."""
    parts: list[str] = []
    length = 0
    while True:
        found = source.text.find(mark, source.position)
        end = found if found >= 0 else max(source.position, len(source.text) - len(mark) + 1)
        parts.append(source.text[source.position : end])
        length += end - source.position
        source.position = end
        if length > limit:
            raise NoCall
        if found >= 0:
            source.position += len(mark)
            return "".join(parts)
        if source.ended:
            raise NoCall
        yield


def _value(
    candidate: Candidate, writing: Arguments, written: str, closers: tuple[str, ...], *, is_text: bool | None = None
) -> Reading[None]:
    """One raw value up to its end, streamed when the schema says that it is text."""
    meant = writing.meant(written)
    source = candidate.source
    yield from source.take("\r")
    yield from source.take("\n")
    if (yield from source.take(CDATA[0])):
        yield from _cdata(candidate, writing, written)
        return
    streams = meant is not None and (writing.tool.is_text(meant) or (is_text is True and writing.tool.is_open(meant)))
    parts: list[str] = []
    fresh = False
    if streams and meant is not None:
        fresh = writing.open_text(meant)

    def emit(piece: str) -> None:
        if not streams:
            parts.append(piece)
        elif fresh:
            writing.more_text(_inside_quotes(piece))

    yield from _raw(candidate, writing, closers, emit, _inside_quotes if fresh else None)
    if not streams:
        text = "".join(parts)
        if is_text:
            writing.value(written, text)
        elif text.strip().startswith(MINIMAX + "<"):
            writing.value(written, nested(text.strip()))
        else:
            writing.unquoted(written, text)
    elif fresh:
        writing.close_text()


def _inside_quotes(text: str) -> str:
    return dumps(text).decode()[1:-1]


def _cdata(candidate: Candidate, writing: Arguments, written: str) -> Reading[None]:
    source = candidate.source
    parts: list[str] = []
    while True:
        found = source.text.find(CDATA[1], source.position)
        end = found if found >= 0 else max(source.position, len(source.text) - 2)
        parts.append(source.text[source.position : end])
        source.position = end
        if found >= 0:
            break
        if source.ended:
            raise Cut
        yield
    source.position += len(CDATA[1])
    yield from source.skip_space()
    yield from source.take_any((*PARAMETER_CLOSERS, f"</{written}>"))
    writing.unquoted(written, "".join(parts))


def _raw(
    candidate: Candidate, writing: Arguments, closers: tuple[str, ...], emit: Callable[[str], None], live: Live
) -> Reading[None]:
    """Read a raw value and its closing tag; the framing newline before the tag is not part of it.

    `live`: what is emitted goes to the client at once, as it puts it.
    """
    source = candidate.source
    known = candidate.grammar.heads | heads((*closers, *candidate.structure))
    newline = ""
    while True:
        text, position = source.text, source.position
        found = _FIRST.search(text, position)
        end = found.start() if found else len(text)
        if end > position:
            piece = newline + text[position:end]
            newline = ""
            if piece.endswith("\n"):
                newline = "\r\n" if piece.endswith("\r\n") else "\n"
                piece = piece[: -len(newline)]
            elif piece.endswith("\r"):
                newline, piece = "\r", piece[:-1]
            if piece:
                emit(piece)
            source.position = end
        if not found:
            if source.ended:
                raise Cut
            yield from source.wait(None if newline else _DATA, live)
            continue
        head = text[end : end + HEAD]
        verdict: int | None = DATA
        if head in known:
            undecided = len(head) < HEAD and not source.ended
            verdict = None if undecided else _ends(candidate, writing, closers, on_new_line=bool(newline))
        if verdict is None:
            yield
        elif verdict == DATA:
            emit(newline + text[end])
            newline = ""
            source.position += 1
        else:
            source.position += verdict
            return


def _ends(candidate: Candidate, writing: Arguments, closers: tuple[str, ...], *, on_new_line: bool) -> int | None:
    """How long the closing tag is that stands here; DATA when the value goes on, None when the text does not tell yet.

    A closing tag counts only where the call's own structure goes on behind it; it is 0 long where the model left it out
    and went straight on to the next parameter or to the end of the call.
    """
    source, grammar = candidate.source, candidate.grammar
    text, start, ended = source.text, source.position, source.ended
    rest = text[start : start + LOOKAHEAD]
    for closer in closers:
        if rest.startswith(closer):
            verdict = _follows(text, start + len(closer), (*grammar.inside, *candidate.structure), ended=ended)
            return None if verdict is None else len(closer) if verdict else DATA
    for opener in PARAMETER_TAGS:
        if rest.startswith(opener):
            if not on_new_line:
                return DATA
            key = _PARAMETER.match(rest, len(opener))
            if key is None:
                return DATA if ended or len(rest) > len(opener) + 66 else None
            return 0 if writing.tool.key(key[1]) else DATA
    for literal in (*grammar.closers, *candidate.structure):
        if rest.startswith(literal):
            verdict = _follows(text, start + len(literal), grammar.structure, ended=ended)
            return None if verdict is None else 0 if verdict else DATA
    begun = any(rest in beginnings(group) for group in (closers, PARAMETER_TAGS, grammar.closers, candidate.structure))
    return None if begun and not ended else DATA


def _follows(text: str, index: int, literals: tuple[str, ...], *, ended: bool) -> bool | None:
    """Whether one of `literals` or the end of the text follows, white space apart."""
    limit = index + LOOKAHEAD
    while index < len(text) and text[index] in SPACE and index < limit:
        index += 1
    if index >= limit:
        return True
    if index == len(text):
        return True if ended else None
    if text[index] not in "<]✿[":
        return False
    if text.startswith(literals, index):
        return True
    return None if not ended and text[index : index + LOOKAHEAD] in beginnings(literals) else False


def nested(text: str, depth: int = 0) -> Any:
    """MiniMax-M3's lists (`<item>` after `<item>`) and objects (a tag for each key), tags within tags."""
    found: list[tuple[str, Any]] = []
    position = 0
    while depth < MAX_DEPTH and (opening := _MINIMAX_TAG.match(text, position)):
        close = f"{MINIMAX}</{opening[1]}>"
        end = text.find(close, opening.end())
        if end < 0:
            return text
        found.append((opening[1], nested(text[opening.end() : end], depth + 1)))
        position = end + len(close)
    if not found or text[position:].strip():
        return text
    if all(key == "item" for key, _ in found):
        return [value for _, value in found]
    return dict(found)
