"""How many tokens a text has where nobody has counted: what OpenAI's tokenizers say, marked as an estimate, since only
OpenAI's models are sure to have these (docs/adr/0009)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.chat.request import (
    AudioPart,
    ChatRequest,
    EmbeddingRequest,
    FilePart,
    ImagePart,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from shared.gateway.tokenizer.encoding import count, encoding_of
from shared.wire import dumps

# Longer texts are judged by their beginning, middle and end, and hard ones by what was counted until then: prose takes
# 30 ms at most, a text made to be slow 120.
_SLICE_CHARS = 16 * 1_000
_MOST_MERGED_BYTES = 32 * 1_024
_IMAGE_TOKENS = 800
_LIKELY_BYTES_PER_TOKEN = 3


def estimate_texts(texts: Sequence[str], model: str) -> int:
    """How many tokens the texts are, each for itself."""
    chars = sum(map(len, texts))
    if not chars:
        return 0
    encoding = encoding_of(model)
    left = most = _MOST_MERGED_BYTES
    if chars > 3 * _SLICE_CHARS:
        texts = _slices("".join(texts))
        most //= len(texts)
    tokens = seen = 0
    for text in texts:
        counted = count(text, encoding, min(most, left))
        tokens += counted.tokens
        seen += counted.chars
        left -= counted.merged_bytes
        if left <= 0:
            break
    return max(1, round(tokens * chars / seen))


def estimate_input(request: ChatRequest | EmbeddingRequest, model: str) -> int:
    """How many tokens the request's texts are, with a fixed count for an image, and nothing for a model's template."""
    return _counted_already(request) + estimate_texts(list(_texts_of(request)), model)


def likely_input(request: ChatRequest | EmbeddingRequest) -> int:
    """About as many tokens, rarely less, and told in microseconds: for what is reserved before and settled after."""
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in _texts_of(request))
    return _counted_already(request) - (-size // _LIKELY_BYTES_PER_TOKEN)


def _slices(text: str) -> tuple[str, str, str]:
    middle = len(text) // 2
    return text[:_SLICE_CHARS], text[middle : middle + _SLICE_CHARS], text[-_SLICE_CHARS:]


def _counted_already(request: ChatRequest | EmbeddingRequest) -> int:
    """Inputs that are tokens, and images."""
    if inputs := _inputs(request):
        return sum(len(value) for value in inputs if not isinstance(value, str))
    messages = request.messages if isinstance(request, ChatRequest) else ()
    return _IMAGE_TOKENS * sum(_images(part) for message in messages for part in message.parts)


def _texts_of(request: ChatRequest | EmbeddingRequest) -> Iterator[str]:
    yield from (value for value in _inputs(request) if isinstance(value, str))
    if isinstance(request, ChatRequest) and not request.prompts:
        for message in request.messages:
            for part in message.parts:
                yield from _texts(part)
        if request.tools:
            yield dumps([(tool.name, tool.description, tool.parameters) for tool in request.tools]).decode()


def _inputs(request: ChatRequest | EmbeddingRequest) -> tuple[str | tuple[int, ...], ...]:
    return request.inputs if isinstance(request, EmbeddingRequest) else request.prompts


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
    """Pictures, and whatever else comes as data: what it is encoded as is no text."""
    match part:
        case ToolResultPart():
            return sum(map(_images, part.content))
        case ImagePart() | AudioPart():
            return 1
        case FilePart():
            return int(not part.text)
        case _:
            return 0
