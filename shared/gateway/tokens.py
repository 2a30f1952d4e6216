"""How many tokens a text has where nobody has counted: an estimate."""

from __future__ import annotations

from collections.abc import Iterable

from shared.chat.request import ChatRequest, EmbeddingRequest, Part, TextPart, ToolCallPart, ToolResultPart
from shared.wire import dumps

_CHARS_PER_TOKEN = 4
_IMAGE_TOKENS = 800


def estimate_texts(texts: Iterable[str], chars: int) -> int:
    """Roughly how many tokens `texts` are; `chars` of which they are the beginning, where not all was kept."""
    return -(-chars // _CHARS_PER_TOKEN)


def estimate_input(request: ChatRequest | EmbeddingRequest) -> int:
    """Roughly how many tokens the request holds: four characters each, a fixed count for an image."""
    inputs = request.inputs if isinstance(request, EmbeddingRequest) else request.prompts
    tokens = sum(len(value) for value in inputs if not isinstance(value, str))
    chars = sum(len(value) for value in inputs if isinstance(value, str))
    if isinstance(request, ChatRequest) and not inputs:
        for message in request.messages:
            for part in message.parts:
                chars += _size(part)
        if request.tools:
            chars += len(dumps([(tool.name, tool.description, tool.parameters) for tool in request.tools]))
    return tokens + -(-chars // _CHARS_PER_TOKEN)


def _size(part: Part) -> int:
    match part:
        case TextPart():
            return len(part.text)
        case ToolCallPart():
            return len(part.name) + len(part.arguments)
        case ToolResultPart():
            return sum(map(_size, part.content))
        case _:
            return len(getattr(part, "text", None) or "") or _IMAGE_TOKENS * _CHARS_PER_TOKEN
