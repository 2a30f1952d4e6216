"""How many tokens a text has where nobody has counted: an estimate, calibrated on real tokenizers (docs/adr/0009).

A real one has to bring its vocabulary: 48 MB of package and 67 MB of memory for OpenAI's, and none fits all models.
Tokenizers cut a text at the same places, though, and then into pieces whose length hardly differs; so does this.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from shared.chat.request import ChatRequest, EmbeddingRequest, Part, TextPart, ToolCallPart, ToolResultPart
from shared.wire import dumps

_IDEOGRAPH = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")  # Chinese, Japanese, Korean
_TOKEN = re.compile(
    rf"""
      [^\r\n\w]?_?[A-Za-z]{{1,8}}                    # a word or its next piece, with the sign before it
    | [0-9]{{1,3}}
    | {_IDEOGRAPH.pattern}
    | [^\r\n\w]?[^\W\d_A-Za-z{_IDEOGRAPH.pattern[1:-1]}]{{1,3}}   # letters of other alphabets
    | [ ]?[^\s\w]{{1,2}}\n*                          # signs
    | _ | \s*\n+ | \s+
    """,
    re.VERBOSE,
)
_PER_IDEOGRAPH = 0.8
_SLICE_CHARS = 16 * 1024  # longer texts are judged by their beginning, middle and end: at most 5 ms
_IMAGE_TOKENS = 800
_CHARS_PER_TOKEN = 4


def estimate_texts(texts: Iterable[str], chars: int | None = None) -> int:
    """Roughly how many tokens the texts are in a row; they may be the beginning of so many characters."""
    text = "".join(texts)
    if not text:
        return -(-(chars or 0) // _CHARS_PER_TOKEN)
    sample = text
    if len(text) > 3 * _SLICE_CHARS:
        middle = len(text) // 2
        sample = text[:_SLICE_CHARS] + text[middle : middle + _SLICE_CHARS] + text[-_SLICE_CHARS:]
    ideographs = len(_IDEOGRAPH.findall(sample))
    pieces = len(_TOKEN.findall(sample)) - (1 - _PER_IDEOGRAPH) * ideographs
    return max(1, round(pieces * max(len(text), chars or 0) / len(sample)))


def estimate_input(request: ChatRequest | EmbeddingRequest) -> int:
    """Roughly how many tokens the request holds, with a fixed count for an image."""
    inputs = request.inputs if isinstance(request, EmbeddingRequest) else request.prompts
    tokens = sum(len(value) for value in inputs if not isinstance(value, str))
    texts = [value for value in inputs if isinstance(value, str)]
    if isinstance(request, ChatRequest) and not inputs:
        parts = [part for message in request.messages for part in message.parts]
        texts = [text for part in parts for text in _texts(part)]
        tokens = _IMAGE_TOKENS * sum(map(_images, parts))
        if request.tools:
            tools = [(tool.name, tool.description, tool.parameters) for tool in request.tools]
            texts.append(dumps(tools).decode())
    return tokens + estimate_texts(texts)


def _texts(part: Part) -> Iterator[str]:
    match part:
        case TextPart():
            yield part.text
        case ToolCallPart():
            yield part.name
            yield part.arguments
        case ToolResultPart():
            for inner in part.content:
                yield from _texts(inner)
        case _:
            yield getattr(part, "text", None) or ""


def _images(part: Part) -> int:
    """Pictures, and whatever else comes as data."""
    if isinstance(part, ToolResultPart):
        return sum(map(_images, part.content))
    return int(not isinstance(part, TextPart | ToolCallPart) and not getattr(part, "text", None))
