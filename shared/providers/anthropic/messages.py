"""Messages -> turns of the Messages wire: user first, roles alternating, every call answered in the very next turn."""

from __future__ import annotations

import base64
import binascii
from typing import Literal, NamedTuple, TypeAlias

from shared.chat.request import (
    AudioPart,
    CacheMark,
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from shared.errors import InvalidRequest
from shared.providers.anthropic.names import legal_id, legal_name
from shared.wire import JsonObject, loads

Block: TypeAlias = JsonObject
Side: TypeAlias = Literal["user", "assistant"]

OPENING = "[The conversation begins with the assistant.]"
GO_ON = "Continue."
MISSING = "[The result of this tool call is missing.]"
IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_PDF = "application/pdf"
_SNIFFED_CHARS = 64


class Conversation(NamedTuple):
    """`system` are the leading system parts as text blocks; `used` the tool names that the history calls, legalised."""

    system: list[Block]
    turns: list[JsonObject]
    used: dict[str, str]


def converse(messages: tuple[Message, ...], *, prefill: bool, first_index: int = 0) -> Conversation:
    """Raises InvalidRequest naming `messages[i].content` (counted from `first_index`) for what cannot be carried."""
    lead = 0
    while lead < len(messages) and messages[lead].role in ("system", "developer"):
        lead += 1
    system = [
        block
        for index, message in enumerate(messages[:lead], first_index)
        for part in message.parts
        if (block := _system_text(part, _param(index))) is not None
    ]
    turns = _Turns()
    for index, message in enumerate(messages[lead:], lead + first_index):
        turns.add(message, _param(index))
    return Conversation(system, turns.close(prefill=prefill), turns.used)


def _param(index: int) -> str:
    return f"messages[{index}].content"


class _Turns:
    """The turns so far; `_open` holds, by the client's id, the ids of the last assistant turn's unanswered calls."""

    def __init__(self) -> None:
        self.used: dict[str, str] = {}
        self._turns: list[tuple[Side, list[Block]]] = []
        self._open: dict[str, list[str]] = {}
        self._ids: set[str] = set()
        self._thoughts = 0  # thinking blocks at the head of the open assistant turn
        self._results = 0  # tool results at the head of the open user turn

    def add(self, message: Message, param: str) -> None:
        match message.role:
            case "assistant":
                for part in message.parts:
                    self._add_spoken(part, param)
            case "tool":
                for part in message.parts:
                    self._add_answered(part, param)
            case "system" | "developer":
                for part in message.parts:
                    block = _system_text(part, param)
                    if block is not None:
                        block["text"] = f"<system>\n{block['text']}\n</system>"
                    self._add_user(block)
            case "user":
                for part in message.parts:
                    self._add_answered(part, param)

    def _add_spoken(self, part: Part, param: str) -> None:
        match part:
            case ReasoningPart():
                block = _thought(part)
                if block is not None:
                    self._side("assistant").insert(self._thoughts, block)
                    self._thoughts += 1
            case ToolCallPart():
                blocks = self._side("assistant")
                name = legal_name(part.name)
                self.used[name] = part.name
                id_ = self._mint(part.id)
                self._open.setdefault(part.id, []).append(id_)
                call: Block = {"type": "tool_use", "id": id_, "name": name, "input": _arguments(part.arguments)}
                blocks.append(_marked(call, part.cache))
            case _:
                block = _content(part, param)
                if block is not None:
                    self._side("assistant").append(block)

    def _add_answered(self, part: Part, param: str) -> None:
        if not isinstance(part, ToolResultPart):
            self._add_user(_content(part, param))
            return
        content = [block for piece in part.content if (block := _content(piece, param)) is not None]
        waiting = self._open.get(part.id)
        if not waiting:
            self._add_user({"type": "text", "text": f"[tool result for {part.id or 'an unknown call'}]"})
            for block in content:
                self._add_user(block)
            return
        blocks = self._side("user")
        result: Block = {"type": "tool_result", "tool_use_id": waiting.pop(0)}
        if len(content) == 1 and content[0].keys() == {"type", "text"}:
            result["content"] = content[0]["text"]
        elif content:
            result["content"] = content
        if part.is_error:
            result["is_error"] = True
        blocks.insert(self._results, _marked(result, part.cache))
        self._results += 1

    def _add_user(self, block: Block | None) -> None:
        if block is not None:
            self._side("user").append(block)

    def _side(self, side: Side) -> list[Block]:
        if self._turns and self._turns[-1][0] == side:
            return self._turns[-1][1]
        if side == "assistant":
            self._answer_missing()
            self._open, self._thoughts = {}, 0
        else:
            self._results = 0
        self._turns.append((side, []))
        return self._turns[-1][1]

    def _answer_missing(self) -> None:
        missing = [id_ for ids in self._open.values() for id_ in ids]
        if not missing:
            return
        blocks = self._side("user")
        blocks[self._results : self._results] = [
            {"type": "tool_result", "tool_use_id": id_, "content": MISSING, "is_error": True} for id_ in missing
        ]
        self._open = {}

    def _mint(self, original: str) -> str:
        id_ = base = legal_id(original)
        again = 1
        while id_ in self._ids:
            again += 1
            id_ = f"{base}_{again}"
        self._ids.add(id_)
        return id_

    def close(self, *, prefill: bool) -> list[JsonObject]:
        self._answer_missing()
        turns = _without_bare_thoughts(self._turns)
        if turns and turns[0][0] == "assistant":
            turns.insert(0, ("user", [{"type": "text", "text": OPENING}]))
        if turns and turns[-1][0] == "assistant":
            last = turns[-1][1][-1]
            if not prefill:
                turns.append(("user", [{"type": "text", "text": GO_ON}]))
            elif last["type"] == "text":  # a prefill must not end in white space
                last["text"] = last["text"].rstrip()
        if not turns:
            turns.append(("user", [{"type": "text", "text": GO_ON}]))
        return [{"role": side, "content": blocks} for side, blocks in turns]


def _without_bare_thoughts(turns: list[tuple[Side, list[Block]]]) -> list[tuple[Side, list[Block]]]:
    """An assistant turn may not end with thinking, so one that holds nothing else goes."""
    kept: list[tuple[Side, list[Block]]] = []
    for side, blocks in turns:
        if all(block["type"] in ("thinking", "redacted_thinking") for block in blocks):
            continue
        if kept and kept[-1][0] == side:
            kept[-1][1].extend(blocks)
        else:
            kept.append((side, blocks))
    return kept


def _thought(part: ReasoningPart) -> Block | None:
    """Only thinking that its provider signed may go back, and then as it came, an empty text included."""
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.redacted}
    if part.signature:
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}
    return None


def _arguments(text: str) -> JsonObject:
    """The object that `input` must be; what is no JSON object is kept under `_raw`."""
    if not text.strip():
        return {}
    try:
        value = loads(text)
        if isinstance(value, str):  # encoded twice
            value = loads(value)
    except ValueError:
        return {"_raw": text}
    return value if isinstance(value, dict) else {"_raw": value}


def _content(part: Part, param: str) -> Block | None:
    """One content block, or None for what says nothing (the wire refuses empty text)."""
    match part:
        case TextPart() | RefusalPart():
            if not part.text.strip():
                return None
            return _marked({"type": "text", "text": part.text}, part.cache if isinstance(part, TextPart) else None)
        case ImagePart():
            return _marked({"type": "image", "source": _image(part, param)}, part.cache)
        case FilePart():
            return _marked(_document(part, param), part.cache)
        case AudioPart():
            raise InvalidRequest(
                "this model's backend takes no audio input; send its transcript as text",
                param=param,
                code="unsupported_parameter",
            )
        case ToolCallPart() | ToolResultPart() | ReasoningPart():
            return None


def _system_text(part: Part, param: str) -> Block | None:
    block = _content(part, param)
    if block is not None and block["type"] != "text":
        raise InvalidRequest("system messages hold text only", param=param)
    return block


def _marked(block: Block, mark: CacheMark | None) -> Block:
    if mark is not None:
        block["cache_control"] = {"type": "ephemeral", "ttl": mark.ttl} if mark.ttl else {"type": "ephemeral"}
    return block


def _image(part: ImagePart, param: str) -> JsonObject:
    if part.data is None:
        if not part.url:
            raise InvalidRequest("an image needs a URL or data", param=param)
        return {"type": "url", "url": part.url}
    data, declared = _base64(part.data, part.media_type)
    media_type = _sniff(data, param) or (declared or "").replace("image/jpg", "image/jpeg")
    if media_type not in IMAGE_TYPES:
        raise InvalidRequest(
            f"this model's backend takes images of the types {', '.join(IMAGE_TYPES)} only",
            param=param,
            code="invalid_image_format",
        )
    return {"type": "base64", "media_type": media_type, "data": data}


def _document(part: FilePart, param: str) -> Block:
    titled: Block = {"title": part.filename} if part.filename else {}
    if part.text is not None:
        return {"type": "document", "source": _plain(part.text), **titled}
    if part.data is not None:
        data, declared = _base64(part.data, part.media_type)
        found = _sniff(data, param)
        if found in IMAGE_TYPES:
            return {"type": "image", "source": {"type": "base64", "media_type": found, "data": data}}
        if found == _PDF or declared == _PDF:
            return {"type": "document", "source": {"type": "base64", "media_type": _PDF, "data": data}, **titled}
        return {"type": "document", "source": _plain(_decoded(data, param)), **titled}
    if part.url:
        return {"type": "document", "source": {"type": "url", "url": part.url}, **titled}
    if part.file_id and part.file_id.startswith("file_"):
        return {"type": "document", "source": {"type": "file", "file_id": part.file_id}, **titled}
    raise InvalidRequest(
        "this model's backend does not know that file id; send the file itself as file_data", param=param
    )


def _plain(text: str) -> JsonObject:
    return {"type": "text", "media_type": "text/plain", "data": text}


def _base64(data: str, media_type: str | None) -> tuple[str, str | None]:
    """The bare base64 and its media type, a `data:` URL taken apart."""
    if data[:5].lower() == "data:":
        head, _, data = data.partition(",")
        media_type = head[5:].partition(";")[0] or media_type
    if any(space in data for space in "\r\n \t"):
        data = "".join(data.split())
    return data, media_type.lower() if media_type else None


def _sniff(data: str, param: str) -> str | None:
    """The type that the first bytes tell: declared types are often wrong, and the wire refuses a wrong one."""
    head = data[:_SNIFFED_CHARS]
    try:
        first = base64.b64decode(head + "=" * (-len(head) % 4), validate=True)
    except binascii.Error:
        raise InvalidRequest("the data is not base64", param=param) from None
    if first.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if first.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if first.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if first.startswith(b"RIFF") and first[8:12] == b"WEBP":
        return "image/webp"
    return _PDF if first.startswith(b"%PDF-") else None


def _decoded(data: str, param: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode("utf-8-sig")
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidRequest(
            "this model's backend takes PDFs, images and text files in UTF-8 only", param=param
        ) from None
