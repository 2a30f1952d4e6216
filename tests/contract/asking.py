"""Questions, and what every stream of chunks must keep to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import httpx

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CHAT = "/v1/chat/completions"


def a_chat(model: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": HELLO, **fields}


def chunks_of(body: bytes) -> list[Any]:
    """The JSON of a raw event stream that must end with [DONE]; comments are passed over."""
    events = [event for event in body.decode().split("\n\n") if event and not event.startswith(":")]
    assert all(event.startswith("data: ") for event in events), events
    assert events[-1] == "data: [DONE]", events[-1]
    return [json.loads(event[6:]) for event in events[:-1]]


def check_chunks(
    chunks: Sequence[Any], model: str, *, usage: bool = False, choices: Sequence[int] = (0,), to_the_end: bool = True
) -> None:
    """What clients break on (docs of the wire: role once, an index everywhere, one finish reason, one id)."""
    if usage:
        *chunks, last = chunks
        assert last["choices"] == []
        assert last["usage"]["total_tokens"] == last["usage"]["prompt_tokens"] + last["usage"]["completion_tokens"]
        assert all(chunk["usage"] is None for chunk in chunks)
        assert last["id"] == chunks[0]["id"]
        assert last["model"] == model
    else:
        assert all(not chunk.get("usage") for chunk in chunks)
    assert {(chunk["id"], chunk["created"], chunk["model"], chunk["object"]) for chunk in chunks} == {
        (chunks[0]["id"], chunks[0]["created"], model, "chat.completion.chunk")
    }
    assert chunks[0]["id"]
    assert all(chunk["choices"] for chunk in chunks)
    seen: dict[int, list[Any]] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            seen.setdefault(choice["index"], []).append(choice)
    assert sorted(seen) == list(choices)
    for mine in seen.values():
        assert mine[0]["delta"]["role"] == "assistant"
        assert not any(choice["delta"].get("role") for choice in mine[1:])
        reasons = [choice["finish_reason"] for choice in mine if choice.get("finish_reason")]
        assert len(reasons) == 1
        assert not to_the_end or mine[-1]["finish_reason"] == reasons[0]
        _check_calls(mine)


def _check_calls(choices: Iterable[Any]) -> None:
    """Id, type and name of a call stand in its first delta and nowhere else; its index is its ordinal."""
    begun: set[int] = set()
    for choice in choices:
        for call in choice["delta"].get("tool_calls") or ():
            if call["index"] in begun:
                assert "id" not in call
                assert "name" not in call["function"]
            else:
                assert call["index"] == len(begun)
                begun.add(call["index"])
                assert call["id"]
                assert call["type"] == "function"
                assert call["function"]["name"]


def text_in(chunks: Iterable[Any], index: int = 0) -> str:
    found = (choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == index)
    return "".join(choice["delta"].get("content") or "" for choice in found)


def error_in(response: httpx.Response) -> dict[str, Any]:
    """OpenAI's error body, whole and nothing else."""
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert list(body) == ["error"]
    error: dict[str, Any] = body["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert error["message"]
    assert "Traceback" not in response.text
    return error
