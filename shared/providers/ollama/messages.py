"""Canonical messages as Ollama's: text is one string, images are bare base64 beside it, arguments are objects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from shared.chat.request import (
    AudioPart,
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
from shared.wire import JsonObject, loads

ROLES: Mapping[str, str] = {"developer": "system"}
_FROM_TOOLS = "[from the tool results above]"


def image_urls(messages: Iterable[Message]) -> list[str]:
    """The addresses of images that must be fetched first, each once: Ollama takes no URLs."""
    found: dict[str, None] = {}
    for message in messages:
        for part in message.parts:
            for image in part.content if isinstance(part, ToolResultPart) else (part,):
                if isinstance(image, ImagePart) and image.data is None and image.url:
                    found[image.url] = None
    return list(found)


def ollama_messages(messages: Iterable[Message], images: Mapping[str, str]) -> list[JsonObject]:
    """`images` holds the base64 of every address that `image_urls` named.

    Tool results come first, each a message of its own that names the tool (the last call with its id); their images
    follow the whole run of results in a user message, because templates show images of users only.
    """
    found: list[JsonObject] = []
    tool_names: dict[str, str] = {}
    from_tools: list[str] = []
    for position, message in enumerate(messages):
        where = f"messages[{position}].content"
        results = [part for part in message.parts if isinstance(part, ToolResultPart)]
        rest = tuple(part for part in message.parts if not isinstance(part, ToolResultPart))
        if from_tools and not results:
            found.append({"role": "user", "content": _FROM_TOOLS, "images": from_tools})
            from_tools = []
        for result in results:
            found.append(_tool_result(result, tool_names.get(result.id) or result.name, where))
            from_tools += _images(result.content, images)
        if results and not rest:
            continue
        if from_tools:
            found.append({"role": "user", "content": _FROM_TOOLS, "images": from_tools})
            from_tools = []
        calls = [part for part in rest if isinstance(part, ToolCallPart)]
        tool_names.update((call.id, call.name) for call in calls)
        found.append(_message(message.role, rest, calls, images, where))
    if from_tools:
        found.append({"role": "user", "content": _FROM_TOOLS, "images": from_tools})
    return found


def _message(
    role: str, parts: tuple[Part, ...], calls: list[ToolCallPart], images: Mapping[str, str], where: str
) -> JsonObject:
    body: JsonObject = {"role": ROLES.get(role, role), "content": _text(parts, where)}
    pictures = _images(parts, images)
    if pictures:
        body["images"] = pictures
    thought = "".join(part.text for part in parts if isinstance(part, ReasoningPart))
    if thought:
        body["thinking"] = thought
    if calls:
        body["tool_calls"] = [
            {
                "id": call.id,
                "function": {"index": index, "name": call.name, "arguments": arguments_object(call.arguments)},
            }
            for index, call in enumerate(calls)
        ]
    return body


def _tool_result(result: ToolResultPart, name: str | None, where: str) -> JsonObject:
    text = _text(result.content, where)
    body: JsonObject = {"role": "tool", "content": ("ERROR: " if result.is_error else "") + (text or "(no output)")}
    if name:
        body["tool_name"] = name
    body["tool_call_id"] = result.id
    return body


def _text(parts: tuple[Part, ...], where: str) -> str:
    texts: list[str] = []
    for part in parts:
        match part:
            case TextPart() | RefusalPart():
                texts.append(part.text)
            case FilePart(text=str() as text):
                texts.append(text)
            case AudioPart():
                raise InvalidRequest(
                    "this model's backend (Ollama) cannot hear audio; send text",
                    param=where,
                    code="unsupported_content",
                )
            case FilePart():
                raise InvalidRequest(
                    "this model's backend (Ollama) cannot read files; send their text or images of their pages",
                    param=where,
                    code="unsupported_content",
                )
            case _:
                pass  # images, calls, results and reasoning have their own places
    return "\n".join(texts)


def _images(parts: tuple[Part, ...], fetched: Mapping[str, str]) -> list[str]:
    return [
        part.data if part.data is not None else fetched[str(part.url)] for part in parts if isinstance(part, ImagePart)
    ]


def arguments_object(text: str) -> JsonObject:
    """The object that `text` says. Ollama answers 400 to anything else, and a history cannot be taken back:

    no text is no arguments, an object in a string is taken out, raw line breaks in strings are forgiven, and what
    remains unreadable is wrapped as `{"_raw": …}`.
    """
    if not text.strip():
        return {}
    try:
        value: Any = loads(text)
    except ValueError:
        try:
            value = json.loads(text, strict=False)
        except ValueError:
            return {"_raw": text}
    if isinstance(value, str):
        try:
            value = loads(value)
        except ValueError:
            return {"_raw": text}
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"_raw": value}
