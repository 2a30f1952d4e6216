"""Valid requests and targets with fields to override, and the whole of a stream as events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any

from shared.chat.events import Batch, Event, TextDelta
from shared.chat.request import ChatRequest, EmbeddingRequest, Message, Native, TextPart, Tool
from shared.providers.base import Endpoint, Target, Timeouts

WEATHER = Tool("get_weather", "The weather in a city", {"type": "object", "properties": {"city": {"type": "string"}}})


def says(role: Any, text: str) -> Message:
    return Message(role, (TextPart(text),))


def a_request(**fields: Any) -> ChatRequest:
    body = {"model": "fast", "messages": [{"role": "user", "content": "hello"}], **fields.pop("body", {})}
    defaults: dict[str, Any] = {
        "model": "fast",
        "messages": (says("user", "hello"),),
        "native": Native("openai_chat", body),
        "stream": True,
    }
    return ChatRequest(**{**defaults, **fields})


def a_completion(prompt: Any = "Once", **fields: Any) -> ChatRequest:
    body = {"model": "fast", "prompt": prompt, **fields.pop("body", {})}
    prompts = (prompt,) if isinstance(prompt, str) else tuple(prompt)
    messages = (says("user", prompt),) if isinstance(prompt, str) else ()
    return a_request(native=Native("openai_completions", body), prompts=prompts, messages=messages, **fields)


def an_embedding(*inputs: Any, **fields: Any) -> EmbeddingRequest:
    body = {"model": "fast", "input": list(inputs)}
    return EmbeddingRequest("fast", inputs, Native("openai_embeddings", body), **fields)


def a_target(url: str, **fields: Any) -> Target:
    endpoint = Endpoint(
        id=fields.pop("endpoint_id", 1),
        name="backend",
        type=fields.pop("type", "openai"),
        url=url,
        options=fields.pop("options", {}),
    )
    defaults: dict[str, Any] = {"model": "actual", "timeouts": Timeouts(connect=10.0, idle=10.0)}
    return Target(endpoint, **{**defaults, **fields})


def events_of(batches: Iterable[Batch]) -> list[Event]:
    return [event for batch in batches for frame in batch for event in frame.events]


async def ask(stream: AsyncGenerator[Batch, None]) -> list[Event]:
    """All events; an empty batch breaks the contract."""
    batches: list[Batch] = []
    async with aclosing(stream):
        async for batch in stream:
            assert batch
            batches.append(batch)
    return events_of(batches)


def text(events: Iterable[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def kinds(events: Iterable[Event]) -> list[str]:
    return [type(event).__name__ for event in events]
