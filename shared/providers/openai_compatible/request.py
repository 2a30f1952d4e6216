"""The canonical request as a body on OpenAI's wire.

A client that spoke OpenAI's wire itself gets its own body sent on, with only what must change.
"""

from __future__ import annotations

from typing import Any

from shared.chat.request import (
    AudioPart,
    ChatRequest,
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    text_of,
)
from shared.providers.base import Target
from shared.providers.presets import Preset
from shared.wire import JsonObject

CHAT = "openai_chat"
COMPLETIONS = "openai_completions"


def chat_body(request: ChatRequest, target: Target, preset: Preset, *, stream: bool) -> JsonObject:
    """The body of `POST …/chat/completions`."""
    if request.native.wire == CHAT:
        body = _own_words(request)
        if request.policy.system_prompt is not None:
            prompt: Any = {"role": "system", "content": request.policy.system_prompt}
            body["messages"] = [prompt, *body["messages"]]
    else:
        body = canonical_body(request)
    if not body.get("tools") and "functions" not in body:
        for field in ("tools", "tool_choice", "parallel_tool_calls"):  # without tools they are refused upstream
            body.pop(field, None)
    _adapt(body, target, preset)
    return _finish(body, request, target, preset, stream=stream)


def completion_body(request: ChatRequest, target: Target, preset: Preset, *, stream: bool) -> JsonObject:
    """The body of `POST …/completions`: the client's own."""
    return _finish(_own_words(request), request, target, preset, stream=stream)


def _own_words(request: ChatRequest) -> JsonObject:
    """The client's body without nulls (a null says nothing, and some backends choke on it) and with the defaults."""
    body = {field: value for field, value in request.native.body.items() if value is not None}
    policy = request.policy
    if policy.max_tokens is not None and "max_completion_tokens" not in body:
        body.setdefault("max_tokens", policy.max_tokens)
    if policy.temperature is not None:
        body.setdefault("temperature", policy.temperature)
    if policy.top_p is not None:
        body.setdefault("top_p", policy.top_p)
    return body


def _finish(body: JsonObject, request: ChatRequest, target: Target, preset: Preset, *, stream: bool) -> JsonObject:
    body["model"] = target.model
    if stream:
        body["stream"] = True
        if habit(target, preset, "stream_usage"):
            options = body.get("stream_options")
            body["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        else:
            body.pop("stream_options", None)
    else:
        body.pop("stream_options", None)
        if "stream" in body:
            body["stream"] = False
    return body


def habit(target: Target, preset: Preset, name: str) -> Any:
    """What the endpoint's options say of the backend, or else what its type says."""
    return target.endpoint.options.get(name, getattr(preset, name))


def _adapt(body: JsonObject, target: Target, preset: Preset) -> None:
    role = habit(target, preset, "developer_role")
    null_content = habit(target, preset, "null_content")
    if role != "developer" or not null_content:
        body["messages"] = [_adapt_message(message, role, null_content) for message in body["messages"]]
    field = habit(target, preset, "max_tokens_field")
    other = "max_tokens" if field == "max_completion_tokens" else "max_completion_tokens"
    if field and other in body:
        value = body.pop(other)
        body.setdefault(field, value)


def _adapt_message(message: Any, developer_role: str, null_content: bool) -> Any:
    if not isinstance(message, dict):
        return message
    if message.get("role") == "developer" and developer_role != "developer":
        message = {**message, "role": developer_role}
    if not null_content and message.get("content") is None:
        message = {**message, "content": ""}
    return message


def canonical_body(request: ChatRequest) -> JsonObject:
    """A body from the canonical form, for clients of another wire (rules: `reference/protocols.md` §3.5)."""
    sampling = request.sampling
    body: JsonObject = {"messages": [part for message in request.messages for part in _messages(message)]}
    optional = {
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repetition_penalty": sampling.repetition_penalty,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "n": sampling.n if sampling.n != 1 else None,
        "logprobs": sampling.logprobs or None,
        "top_logprobs": sampling.top_logprobs,
        "logit_bias": sampling.logit_bias,
        "user": request.user,
        "reasoning_effort": request.reasoning.effort if request.reasoning else None,
        "response_format": _response_format(request),
    }
    body.update({field: value for field, value in optional.items() if value is not None})
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        if request.tool_choice:
            choice = request.tool_choice
            named = {"type": "function", "function": {"name": choice.name}}
            body["tool_choice"] = named if choice.mode == "named" else choice.mode
        if request.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = request.parallel_tool_calls
    return body


def _response_format(request: ChatRequest) -> JsonObject | None:
    wanted = request.response_format
    if wanted is None:
        return None
    if wanted.kind == "json_object":
        return {"type": "json_object"}
    schema: JsonObject = {"name": wanted.name or "answer", "schema": wanted.schema}
    if wanted.strict is not None:
        schema["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": schema}


def _tool(tool: Tool) -> JsonObject:
    function: JsonObject = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = tool.parameters or {"type": "object", "properties": {}}
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _messages(message: Message) -> list[JsonObject]:
    """One canonical message as messages: tool results first, each its own; images of results follow as a user's."""
    results = [part for part in message.parts if isinstance(part, ToolResultPart)]
    rest = tuple(part for part in message.parts if not isinstance(part, ToolResultPart))
    found: list[JsonObject] = [
        {"role": "tool", "tool_call_id": result.id, "content": _result_text(result)} for result in results
    ]
    for result in results:
        images = [part for part in result.content if isinstance(part, ImagePart | FilePart)]
        if images:
            label = {"type": "text", "text": f"[from tool call {result.id}]"}
            found.append({"role": "user", "content": [label, *filter(None, map(_part, images))]})
    if rest or not results:
        found.append(_assistant(message, rest) if message.role == "assistant" else _speaker(message, rest))
    return found


def _result_text(result: ToolResultPart) -> str:
    text = text_of(result.content)
    return ("ERROR: " if result.is_error else "") + (text or "(no output)")


def _speaker(message: Message, parts: tuple[Part, ...]) -> JsonObject:
    body: JsonObject = {"role": message.role}
    if all(isinstance(part, TextPart) for part in parts):
        body["content"] = text_of(parts, "\n\n" if message.role == "system" else "\n")
    else:
        body["content"] = list(filter(None, map(_part, parts)))
    if message.name:
        body["name"] = message.name
    return body


def _assistant(message: Message, parts: tuple[Part, ...]) -> JsonObject:
    calls = [part for part in parts if isinstance(part, ToolCallPart)]
    text = text_of(parts)
    body: JsonObject = {"role": "assistant", "content": text or (None if calls else "")}
    if calls:
        body["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
        thought = "".join(part.text for part in parts if isinstance(part, ReasoningPart))
        if thought:  # DeepSeek, Kimi and others want it back on turns with calls
            body["reasoning_content"] = thought
    return body


def _part(part: Part) -> JsonObject | None:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            url = part.url or f"data:{part.media_type or 'image/png'};base64,{part.data}"
            image: JsonObject = {"url": url}
            if part.detail:
                image["detail"] = part.detail
            return {"type": "image_url", "image_url": image}
        case AudioPart():
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}
        case FilePart(text=str() as text):
            return {"type": "text", "text": text}
        case FilePart():
            return {"type": "file", "file": _file(part)}
        case RefusalPart():
            return {"type": "text", "text": part.text}
        case _:
            return None


def _file(part: FilePart) -> JsonObject:
    if part.file_id:
        return {"file_id": part.file_id}
    data = part.url or f"data:{part.media_type or 'application/pdf'};base64,{part.data}"
    return {"filename": part.filename or "document.pdf", "file_data": data}
