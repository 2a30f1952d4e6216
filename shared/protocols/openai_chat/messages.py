"""Messages of the chat wire into canonical messages."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

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
from shared.protocols.fields import array, invalid, mapping, missing, mistyped, required_string, string
from shared.wire import JsonObject, dumps

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def parse_message(message: Any, path: str, extras: list[str]) -> Message:
    """One message; parts of a type that is not known are named in `extras`."""
    if not isinstance(message, dict):
        raise mistyped(path, "an object", message)
    role = required_string(message, "role", path + ".")
    if role not in _ROLES:
        raise invalid(f"{path}.role", f"must be one of {', '.join(_ROLES)}")
    parts = _content(message, path, extras)
    name = string(message, "name", path + ".")
    if role == "assistant":
        return Message(
            "assistant", (*_reasoning(message), *parts, *_refusal(message), *_calls(message, path, extras)), name
        )
    if message.get("content") is None:
        raise missing(f"{path}.content")
    if role == "tool":
        result = ToolResultPart(required_string(message, "tool_call_id", path + "."), parts, name=name)
        return Message("tool", (result,), name)
    if role == "function":
        return Message("tool", (ToolResultPart(name or "function", parts, name=name),), name)
    match role:
        case "system" | "developer" | "user":
            return Message(role, parts, name)
    raise invalid(f"{path}.role", "is not known")


def _content(message: JsonObject, path: str, extras: list[str]) -> tuple[Part, ...]:
    content = message.get("content")
    if content is None:
        return ()
    if isinstance(content, str):
        return (TextPart(content, cache_mark(message)),) if content else ()
    if not isinstance(content, list):
        raise mistyped(f"{path}.content", "a string or an array of parts", content)
    parts = (_part(part, f"{path}.content[{i}]", extras) for i, part in enumerate(content))
    return tuple(part for part in parts if part is not None)


def _part(part: Any, path: str, extras: list[str]) -> Part | None:
    if isinstance(part, str):
        return TextPart(part)
    if not isinstance(part, dict):
        raise mistyped(path, "an object", part)
    kind = required_string(part, "type", path + ".")
    if kind in ("text", "input_text", "output_text"):
        text = string(part, "text", path + ".")
        if text is None:
            raise missing(f"{path}.text")
        return TextPart(text, cache_mark(part))
    if kind == "image_url":
        return _image(part, path)
    if kind == "input_audio":
        audio = mapping(part, "input_audio", path + ".")
        if audio is None:
            raise missing(f"{path}.input_audio")
        inner = f"{path}.input_audio."
        return AudioPart(required_string(audio, "data", inner), required_string(audio, "format", inner))
    if kind == "file":
        return _file(part, path)
    if kind == "refusal":
        return RefusalPart(string(part, "refusal", path + ".") or "")
    extras.append(path)
    return None


def _image(part: JsonObject, path: str) -> ImagePart:
    image: Any = part.get("image_url")
    if isinstance(image, str):
        image = {"url": image}
    if not isinstance(image, dict):
        raise missing(f"{path}.image_url") if image is None else mistyped(f"{path}.image_url", "an object", image)
    url = required_string(image, "url", f"{path}.image_url.")
    detail = string(image, "detail", f"{path}.image_url.")
    if url[:5].lower() == "data:":
        media_type, data = data_url(url, f"{path}.image_url.url")
        return ImagePart(data=data, media_type=media_type, detail=detail, cache=cache_mark(part))
    if url[:7].lower() != "http://" and url[:8].lower() != "https://":
        raise invalid(f"{path}.image_url.url", "must be an http(s) URL or a data: URL")
    return ImagePart(url=url, detail=detail, cache=cache_mark(part))


def _file(part: JsonObject, path: str) -> FilePart:
    file = mapping(part, "file", path + ".")
    if file is None:
        raise missing(f"{path}.file")
    inner = f"{path}.file."
    name = string(file, "filename", inner)
    file_id = string(file, "file_id", inner)
    data = string(file, "file_data", inner)
    if file_id:
        return FilePart(file_id=file_id, filename=name)
    if not data:
        raise missing(f"{path}.file.file_data")
    if data[:5].lower() == "data:":
        media_type, data = data_url(data, f"{path}.file.file_data")
        return FilePart(data=data, media_type=media_type, filename=name, cache=cache_mark(part))
    return FilePart(data=data, media_type="application/pdf", filename=name, cache=cache_mark(part))


def data_url(url: str, field: str) -> tuple[str, str]:
    """(media type, base64 data) of a `data:` URL (RFC 2397); percent-encoded data is turned into base64."""
    head, comma, data = url[5:].partition(",")
    if not comma:
        raise invalid(field, "is not a valid data: URL")
    media_type, *parameters = head.split(";")
    if parameters and parameters[-1].strip().lower() == "base64":
        return media_type.strip().lower() or "text/plain", data
    import base64  # only for the rare data URL that is not base64

    return media_type.strip().lower() or "text/plain", base64.b64encode(unquote_to_bytes(data)).decode()


def _calls(message: JsonObject, path: str, extras: list[str]) -> tuple[ToolCallPart, ...]:
    calls: list[ToolCallPart] = []
    for position, call in enumerate(array(message, "tool_calls", path + ".") or ()):
        where = f"{path}.tool_calls[{position}]"
        if not isinstance(call, dict):
            raise mistyped(where, "an object", call)
        if call.get("type") == "custom":
            extras.append(where)  # only OpenAI itself knows custom tools
            continue
        function = mapping(call, "function", where + ".")
        if function is None:
            raise missing(f"{where}.function")
        calls.append(
            ToolCallPart(
                id=required_string(call, "id", where + "."),
                name=required_string(function, "name", f"{where}.function."),
                arguments=_arguments(function, where),
            )
        )
    legacy = mapping(message, "function_call", path + ".")
    if legacy and not calls:
        name = required_string(legacy, "name", f"{path}.function_call.")
        calls.append(ToolCallPart(name, name, string(legacy, "arguments", f"{path}.function_call.") or "{}"))
    return tuple(calls)


def _arguments(function: JsonObject, path: str) -> str:
    arguments = function.get("arguments")
    if arguments is None:
        return "{}"
    if isinstance(arguments, dict):
        return dumps(arguments).decode()
    if not isinstance(arguments, str):
        raise mistyped(f"{path}.function.arguments", "a string of JSON", arguments)
    return arguments


def _reasoning(message: JsonObject) -> tuple[ReasoningPart, ...]:
    """Earlier thinking: `reasoning_details` (with what its provider signed) or plain `reasoning_content`."""
    details = message.get("reasoning_details")
    if isinstance(details, list):
        parts = tuple(
            ReasoningPart(
                str(detail.get("text") or detail.get("summary") or ""), detail.get("signature"), detail.get("data")
            )
            for detail in details
            if isinstance(detail, dict)
        )
        if parts:
            return parts
    thought = message.get("reasoning_content") or message.get("reasoning")
    return (ReasoningPart(thought),) if isinstance(thought, str) and thought else ()


def _refusal(message: JsonObject) -> tuple[RefusalPart, ...]:
    refusal = message.get("refusal")
    return (RefusalPart(refusal),) if isinstance(refusal, str) and refusal else ()


def cache_mark(holder: JsonObject) -> CacheMark | None:
    """`cache_control` (Anthropic's, which OpenAI clients send too) or OpenAI's `prompt_cache_breakpoint`."""
    mark = holder.get("cache_control") or holder.get("prompt_cache_breakpoint")
    if isinstance(mark, dict):
        ttl = mark.get("ttl")
        return CacheMark(ttl if ttl in ("5m", "1h") else None)
    return CacheMark() if mark is True else None
