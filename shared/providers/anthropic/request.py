"""ChatRequest -> the body and the headers of POST /v1/messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from shared.chat.request import ChatRequest, Tool
from shared.errors import InvalidRequest
from shared.providers.anthropic.messages import Conversation, converse
from shared.providers.anthropic.models import Family, family_of
from shared.providers.anthropic.names import legal_name
from shared.providers.anthropic.schemas import strict_schema, tool_schema
from shared.providers.anthropic.settings import ANSWER_TOOL, settle
from shared.providers.base import Target
from shared.wire import JsonObject

WIRE = "anthropic_messages"
VERSION = "2023-06-01"
MOST_CACHE_MARKS = 4
_CLIENT_HEADERS = ("anthropic-version", "anthropic-beta")


class Outbound(NamedTuple):
    """What is sent, and what its answer needs: `names` maps changed tool names back to the client's, `answer_tool`
    is the tool whose input is the answer's text (JSON mode on families without structured outputs)."""

    body: JsonObject
    names: Mapping[str, str] = {}
    answer_tool: str | None = None


def outbound(request: ChatRequest, target: Target, *, stream: bool) -> Outbound:
    """The request as this wire says it; raises InvalidRequest for what cannot be carried (audio, unknown files)."""
    if request.native.wire == WIRE:
        return Outbound(_native_body(request, target, stream=stream))
    if any(not isinstance(prompt, str) for prompt in request.prompts):
        raise InvalidRequest("this model's backend takes prompts as text, not as token ids", param="prompt")
    family = family_of(target.model)
    settings = settle(request, target.model)
    talk = converse(request.messages, prefill=family.prefill, first_index=-1 if _has_policy_prompt(request) else 0)
    system = talk.system
    if settings.instruction:
        system.append({"type": "text", "text": settings.instruction})
    body: JsonObject = {"model": target.model, "stream": stream, **settings.fields}
    tools = [_tool(tool, family) for tool in (*request.tools, *filter(None, (settings.answer_tool,)))]
    if not tools and talk.used:  # the wire wants the tools of its history declared
        tools = [{"name": name, "input_schema": tool_schema(None)} for name in talk.used]
        body["tool_choice"] = {"type": "none"}
    if tools:
        body["tools"] = tools
    if system:
        body["system"] = system
    body["messages"] = talk.turns
    _keep_last_marks(body)
    return Outbound(body, _names(request, talk), ANSWER_TOOL if settings.answer_tool else None)


def headers(request: ChatRequest | None, target: Target, *, stream: bool) -> dict[str, str]:
    """The adapter's headers, for a client of the same wire its own version and betas, and the target's over all."""
    sent = {
        "content-type": "application/json",
        "accept": "text/event-stream" if stream else "application/json",
        "user-agent": "serverless-proxy",
        "anthropic-version": VERSION,
    }
    if target.api_key:
        sent["x-api-key"] = target.api_key
    if request is not None and request.native.wire == WIRE:
        sent.update((name, value) for name, value in request.headers if name in _CLIENT_HEADERS)
    sent.update((name.lower(), value) for name, value in target.headers.items())
    return sent


def _native_body(request: ChatRequest, target: Target, *, stream: bool) -> JsonObject:
    """The client's own body: model and stream changed, the virtual model's defaults only where it said nothing."""
    policy = request.policy
    body = {**request.native.body, "model": target.model, "stream": stream}
    for field, value in (
        ("max_tokens", policy.max_tokens),
        ("temperature", policy.temperature),
        ("top_p", policy.top_p),
    ):
        if value is not None and body.get(field) is None:
            body[field] = value
    if body.get("max_tokens") is None:
        body["max_tokens"] = family_of(target.model).max_tokens
    if policy.system_prompt:
        block = {"type": "text", "text": policy.system_prompt}
        own = body.get("system") or []
        body["system"] = [block, *([{"type": "text", "text": own}] if isinstance(own, str) else own)]
    return body


def _has_policy_prompt(request: ChatRequest) -> bool:
    """Whether the first message is the virtual model's, so that the client's own are counted one later."""
    return bool(request.policy.system_prompt) and bool(request.messages) and request.messages[0].role == "system"


def _tool(tool: Tool, family: Family) -> JsonObject:
    schema = tool_schema(tool.parameters)
    sent: JsonObject = {"name": legal_name(tool.name)}
    if tool.description:
        sent["description"] = tool.description
    if tool.strict and family.structured:
        sent |= {"input_schema": strict_schema(schema), "strict": True}
    else:
        sent["input_schema"] = schema
    if tool.cache is not None:
        sent["cache_control"] = {"type": "ephemeral", **({"ttl": tool.cache.ttl} if tool.cache.ttl else {})}
    return sent


def _names(request: ChatRequest, talk: Conversation) -> dict[str, str]:
    names = {legal: own for legal, own in talk.used.items() if legal != own}
    names.update((legal_name(tool.name), tool.name) for tool in request.tools if legal_name(tool.name) != tool.name)
    return names


def _keep_last_marks(body: JsonObject) -> None:
    """The wire takes four cache marks; the last four cache the most."""
    marked = [
        block
        for blocks in (body.get("tools", ()), body.get("system", ()), *(turn["content"] for turn in body["messages"]))
        for outer in blocks
        for block in (*_inner(outer), outer)
        if "cache_control" in block
    ]
    for block in marked[:-MOST_CACHE_MARKS]:
        del block["cache_control"]


def _inner(block: JsonObject) -> list[JsonObject]:
    content = block.get("content")
    return content if isinstance(content, list) else []
