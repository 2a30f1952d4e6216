"""A usage block as each kind of backend sends it: in a whole answer, and at the place where its stream has it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from tests.providers.loopback import Answer, Loopback, Seen

Block: TypeAlias = Mapping[str, Any]
TEXT = "Hello there"
SSE = "text/event-stream"


class WireOf(NamedTuple):
    """Where a type of endpoint is asked, and what it answers around a block; `stream` None: it never streams."""

    base: str
    lay_out: Callable[[Loopback, Block], None]
    options: Mapping[str, Any] = {}


def events(*payloads: Any, named: bool = False) -> bytes:
    return b"".join(
        (f"event: {payload['type']}\n" if named else "").encode() + b"data: " + json.dumps(payload).encode() + b"\n\n"
        for payload in payloads
    )


def _by_mode(whole: Any, stream: bytes, content_type: str) -> Callable[[Seen], Answer]:
    def answer(seen: Seen) -> Answer:
        return Answer(stream, content_type=content_type) if seen.body.get("stream") else Answer(whole)

    return answer


def openai(path: str) -> Callable[[Loopback, Block], None]:
    def lay_out(server: Loopback, block: Block) -> None:
        head = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "actual"}
        said = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
        whole = {**head, "object": "chat.completion", "choices": [said], "usage": block}
        chunk = {**head, "object": "chat.completion.chunk"}
        stream = events(
            {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": TEXT}}]},
            {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {**chunk, "choices": [], "usage": block},
        )
        server.on("POST", path, _by_mode(whole, stream + b"data: [DONE]\n\n", SSE))

    return lay_out


def queue(server: Loopback, block: Block) -> None:
    """It answers whole, whatever the client asked for."""
    said = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
    body = {"id": "chatcmpl-q1", "object": "chat.completion", "created": 1, "model": "actual", "choices": [said]}
    server.on("POST", "/v1/chat/completions", Answer({**body, "usage": block}))


def message_start(block: Block) -> dict[str, Any]:
    """Where Anthropic counts the prompt, and the answer's first token."""
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "actual", "content": []}
    begun = {**head, "stop_reason": None, "stop_sequence": None, "usage": {**block, "output_tokens": 1}}
    return {"type": "message_start", "message": begun}


def text_block(text: str) -> tuple[dict[str, Any], ...]:
    return (
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": 0},
    )


def anthropic(server: Loopback, block: Block) -> None:
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "actual"}
    whole = {**head, **end, "content": [{"type": "text", "text": TEXT}], "usage": block}
    stream = events(
        message_start(block),
        *text_block(TEXT),
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": block["output_tokens"]}},
        {"type": "message_stop"},
        named=True,
    )
    server.on("POST", "/v1/messages", _by_mode(whole, stream, SSE))


def ollama(server: Loopback, block: Block) -> None:
    head = {"model": "actual", "created_at": "2026-08-04T08:52:19Z"}
    said = {**head, "message": {"role": "assistant", "content": TEXT}}
    end = {"done": True, "done_reason": "stop", **block}
    lines = ({**said, "done": False}, {**head, "message": {"role": "assistant", "content": ""}, **end})
    stream = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    server.on("POST", "/api/chat", _by_mode({**said, **end}, stream, "application/x-ndjson"))


def runpod(server: Loopback, block: Block) -> None:
    """A native worker's job; `usage` is counted up from item to item."""
    items = [
        {"choices": [{"tokens": ["Hello"]}], "usage": {**block, "output": 1}},
        {"choices": [{"tokens": [" there"]}], "usage": block},
    ]
    job = {"id": "job-1", "status": "COMPLETED"}
    server.on("POST", "/v2/abc/runsync", Answer({**job, "output": items}))
    server.on("POST", "/v2/abc/run", Answer({"id": "job-1", "status": "IN_QUEUE"}))
    looks = [Answer({**job, "stream": [{"output": item} for item in items]}), Answer({**job, "stream": []})]
    server.on("GET", "/v2/abc/stream/job-1", *looks)
    server.on("GET", "/v2/abc/status/job-1", Answer({**job, "output": items}))


_OPENAI = WireOf("", openai("/v1/chat/completions"))
WIRES: Mapping[str, WireOf] = {
    "openai": _OPENAI,
    "vllm": _OPENAI,
    "together": _OPENAI,
    "openwebui": WireOf("", openai("/api/chat/completions")),
    "deepinfra": WireOf("", openai("/v1/openai/chat/completions")),
    "anthropic": WireOf("", anthropic),
    "ollama": WireOf("", ollama),
    "runpod": WireOf("/v2/abc", runpod, {"mode": "job"}),
    "queue": WireOf("", queue),
}
