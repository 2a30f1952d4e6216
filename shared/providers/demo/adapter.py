"""Answers out of this process: streams words, calls a tool when tools are offered, embeds by hashing.

It is honest about what it is: the answer says so, and the same question always gets the same answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
from collections.abc import AsyncGenerator, Iterator

from shared.chat.events import (
    Batch,
    Event,
    Finished,
    Frame,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from shared.chat.request import ChatRequest, EmbeddingRequest, Message, Tool, ToolResultPart, text_of
from shared.chat.usage import Usage
from shared.errors import InvalidRequest
from shared.providers.base import Embeddings, Target
from shared.providers.demo.arguments import example_arguments
from shared.wire import dumps

DEFAULT_DIMENSIONS = 64
MOST_DIMENSIONS = 4_096
_QUOTED_CHARS = 200
_DEFAULT_DELAY_MS = 10
_WORD = re.compile(r"\S+\s*")


class Demo:
    """`options["delay_ms"]` of the endpoint is the pause between two words (10 by default, 0 to 1,000)."""

    async def stream(self, request: ChatRequest, target: Target) -> AsyncGenerator[Batch, None]:
        pause = _pause_seconds(target) if request.stream and not target.whole else 0.0
        wait = False
        for event in _answer(request):
            if wait and pause and isinstance(event, TextDelta | ToolCallDelta):
                await asyncio.sleep(pause)
            wait = True
            yield [Frame((event,))]

    async def embed(self, request: EmbeddingRequest, target: Target) -> Embeddings:
        dimensions = request.dimensions or DEFAULT_DIMENSIONS
        if not 1 <= dimensions <= MOST_DIMENSIONS:
            raise InvalidRequest(f"the demo model has 1 to {MOST_DIMENSIONS} dimensions", param="dimensions")
        texts = [value if isinstance(value, str) else " ".join(map(str, value)) for value in request.inputs]
        count = sum(_count(text) for text in texts)
        return Embeddings([_vector(text, dimensions) for text in texts], Usage(input_tokens=count))

    async def models(self, target: Target) -> list[str]:
        return ["demo"]

    def dropped(self, request: ChatRequest, target: Target) -> tuple[str, ...]:
        return ()

    def serves_choices(self, request: ChatRequest, target: Target) -> bool:
        return request.sampling.n == 1 and len(request.prompts) <= 1


def _answer(request: ChatRequest) -> Iterator[Event]:
    yield Started(model="demo")
    prompt = sum(_count(text_of(message.parts)) for message in request.messages)
    tool = _tool_to_call(request)
    if tool:
        arguments = dumps(example_arguments(tool.parameters or {}, _last_words(request))).decode()
        digest = hashlib.sha256((tool.name + arguments).encode()).hexdigest()
        yield ToolCallStarted(0, f"call_{digest[:24]}", tool.name)
        for start in range(0, len(arguments), 16):
            yield ToolCallDelta(0, arguments[start : start + 16])
        yield Finished("tool_calls")
        yield UsageReported(Usage(prompt, _count(arguments)))
        return
    words = _WORD.findall(_text(request))
    limit = request.sampling.max_tokens
    shown = words if limit is None else words[: max(limit, 0)]
    written = ""
    for word in shown:
        stop = next((stop for stop in request.sampling.stop if stop and stop in written + word), None)
        if stop:
            yield TextDelta((written + word).partition(stop)[0][len(written) :])
            yield Finished("stop", stop_sequence=stop)
            break
        written += word
        yield TextDelta(word)
    else:
        yield Finished("stop" if len(shown) == len(words) else "length")
    yield UsageReported(Usage(prompt, len(shown)))


def _tool_to_call(request: ChatRequest) -> Tool | None:
    """The first tool, or the one that was named, unless the model is told not to or has its result already."""
    choice = request.tool_choice
    if not request.tools or (choice and choice.mode == "none"):
        return None
    forced = choice is not None and choice.mode in ("required", "named")
    if not forced and any(isinstance(part, ToolResultPart) for part in _last(request).parts):
        return None
    if choice and choice.mode == "named":
        return next((tool for tool in request.tools if tool.name == choice.name), request.tools[0])
    return request.tools[0]


def _text(request: ChatRequest) -> str:
    if request.response_format:
        schema = request.response_format.schema
        value = example_arguments(schema, "demo") if schema else {"answer": "demo"}
        return dumps(value).decode()
    results = [part for part in _last(request).parts if isinstance(part, ToolResultPart)]
    if results:
        return f"The tool answered: {text_of(results[-1].content)[:_QUOTED_CHARS]}"
    said = _last_words(request)
    return (
        "Hello from the demo model. It is built into the gateway and needs no key: "
        f"it repeats what you said, {said!r}. Add a real endpoint to get real answers."
    )


def _last(request: ChatRequest) -> Message:
    return request.messages[-1] if request.messages else Message("user", ())


def _last_words(request: ChatRequest) -> str:
    said = next((text_of(message.parts) for message in reversed(request.messages) if message.role == "user"), "")
    return said[:_QUOTED_CHARS]


def _count(text: str) -> int:
    return len(_WORD.findall(text))


def _pause_seconds(target: Target) -> float:
    value = target.endpoint.options.get("delay_ms", _DEFAULT_DELAY_MS)
    return min(max(float(value), 0.0), 1_000.0) / 1_000 if isinstance(value, int | float) else 0.0


def _vector(text: str, dimensions: int) -> list[float]:
    """A unit vector: every word adds one to the dimension its hash names, so shared words mean likeness."""
    vector = [0.0] * dimensions
    for word in text.lower().split() or [""]:
        digest = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
        vector[digest % dimensions] += 1.0 if digest >> 63 else -1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]
