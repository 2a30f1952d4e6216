"""Runs inside the environment of RunPod's SDK: a handler with worker-vllm's manners and a model that echoes.

An OpenAI route in the job is answered as worker-vllm does: a stream as the raw text of server-sent events, cut where it
happens, a whole answer as one object; an error as an object too. A job with a prompt gets worker-vllm's own form.
"""

import json
from collections.abc import Iterator
from typing import Any

import runpod

_CUT = 37
_COUNTS = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def work(job: dict[str, Any]) -> Iterator[Any]:
    asked = job["input"]
    if "openai_route" not in asked:
        yield from _native(asked)
        return
    body = asked["openai_input"]
    legacy = asked["openai_route"] == "/v1/completions"
    said = body["prompt"] if legacy else body["messages"][-1]["content"]
    if said == "raise":
        raise RuntimeError("the model is gone")
    if said == "too much":
        yield {"error": {"message": "maximum context length is 16 tokens", "type": "BadRequestError", "code": 400}}
    elif body.get("stream"):
        text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in _chunks(body, said, legacy)) + "data: [DONE]\n\n"
        for begin in range(0, len(text), _CUT):
            yield text[begin : begin + _CUT]
    else:
        yield _whole(body, said, legacy)


def _native(asked: dict[str, Any]) -> Iterator[Any]:
    yield {"choices": [{"tokens": ["You said "]}], "usage": {"input": 7, "output": 2}}
    yield {"choices": [{"tokens": [asked["messages"][-1]["content"]]}], "usage": {"input": 7, "output": 3}}


def _chunks(body: dict[str, Any], said: str, legacy: bool) -> Iterator[dict[str, Any]]:
    kind = "text_completion" if legacy else "chat.completion.chunk"
    head = {"id": "cmpl-1", "object": kind, "created": 1_795_300_000, "model": body["model"]}
    for word in ("You ", "said ", said):
        part = {"text": word} if legacy else {"delta": {"content": word}}
        yield {**head, "choices": [{"index": 0, **part, "finish_reason": None}]}
    if body.get("tools"):
        call = {"index": 0, "id": "call_a", "type": "function", "function": {"name": "get_weather"}}
        yield {**head, "choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]}
        rest = {"index": 0, "function": {"arguments": '{"city": "Oslo"}'}}
        yield {**head, "choices": [{"index": 0, "delta": {"tool_calls": [rest]}, "finish_reason": None}]}
    end = {"text": ""} if legacy else {"delta": {}}
    yield {**head, "choices": [{"index": 0, **end, "finish_reason": "stop"}]}
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": _COUNTS}


def _whole(body: dict[str, Any], said: str, legacy: bool) -> dict[str, Any]:
    head = {"id": "cmpl-1", "created": 1_795_300_000, "model": body["model"], "usage": _COUNTS}
    if legacy:
        choice = {"index": 0, "text": f"You said {said}", "finish_reason": "stop"}
        return {**head, "object": "text_completion", "choices": [choice]}
    message: dict[str, Any] = {"role": "assistant", "content": f"You said {said}"}
    if body.get("tools"):
        function = {"name": "get_weather", "arguments": '{"city": "Oslo"}'}
        message["tool_calls"] = [{"id": "call_a", "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {**head, "object": "chat.completion", "choices": [choice]}


if __name__ == "__main__":
    runpod.serverless.start({"handler": work, "return_aggregate_stream": True})
