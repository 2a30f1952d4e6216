"""A chat completions body into the canonical request.

Field names and types are those of OpenAI's API reference; what clients really send is in `reference/clients.md` §3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from shared.chat.request import (
    ChatRequest,
    Message,
    Native,
    ReasoningRequest,
    ResponseFormat,
    Sampling,
    Tool,
    ToolChoice,
)
from shared.protocols.fields import (
    array,
    boolean,
    integer,
    invalid,
    mapping,
    missing,
    mistyped,
    number,
    required_string,
    stop_sequences,
    string,
)
from shared.protocols.openai_chat.messages import cache_mark, parse_message
from shared.wire import JsonObject

WIRE = "openai_chat"
MOST_CHOICES = 128

# top-level fields that the canonical form carries; anything else is an extra
_CARRIED = frozenset(
    "model messages tools tool_choice functions function_call parallel_tool_calls max_tokens max_completion_tokens "
    "temperature top_p top_k min_p repetition_penalty presence_penalty frequency_penalty seed stop n logprobs "
    "top_logprobs logit_bias response_format reasoning_effort stream stream_options user".split()
)

_SPELLED = {"max_completion_tokens": "max_tokens"}
_SAMPLING: Mapping[str, Callable[[JsonObject, str], Any]] = {
    "max_tokens": partial(integer, low=0),
    "max_completion_tokens": partial(integer, low=0),  # behind the older name, before which it goes
    "temperature": partial(number, low=0),
    "top_p": partial(number, low=0, high=1),
    "top_k": integer,
    "min_p": number,
    "repetition_penalty": number,
    "presence_penalty": number,
    "frequency_penalty": number,
    "seed": integer,
    "stop": stop_sequences,
    "n": partial(integer, low=1, high=MOST_CHOICES),
    "logprobs": boolean,
    "top_logprobs": partial(integer, low=0),
    "logit_bias": mapping,
}


def parse(body: JsonObject) -> ChatRequest:
    """The request in `body`; raises InvalidRequest naming the field that is missing or mistyped."""
    model = required_string(body, "model")
    options = mapping(body, "stream_options") or {}
    extras: list[str] = [field for field, value in body.items() if field not in _CARRIED and value is not None]
    return ChatRequest(
        model=model,
        messages=_messages(body, extras),
        native=Native(WIRE, body),
        tools=_tools(body, extras),
        tool_choice=_tool_choice(body),
        parallel_tool_calls=boolean(body, "parallel_tool_calls"),
        sampling=_sampling(body),
        response_format=_response_format(body),
        reasoning=_reasoning(body),
        stream=boolean(body, "stream") or False,
        include_usage=boolean(options, "include_usage", "stream_options.") or False,
        user=string(body, "user"),
        extras=tuple(extras),
    )


def _messages(body: JsonObject, extras: list[str]) -> tuple[Message, ...]:
    messages = array(body, "messages")
    if messages is None:
        raise missing("messages")
    if not messages:
        raise invalid("messages", "must hold at least one message")
    return tuple(parse_message(message, f"messages[{i}]", extras) for i, message in enumerate(messages))


def _sampling(body: JsonObject) -> Sampling:
    said: JsonObject = {}
    for field, read in _SAMPLING.items():
        if body.get(field) is not None:
            said[_SPELLED.get(field, field)] = read(body, field)
    return Sampling(**said)


def _tools(body: JsonObject, extras: list[str]) -> tuple[Tool, ...]:
    tools: list[Tool] = []
    for position, tool in enumerate(array(body, "tools") or ()):
        path = f"tools[{position}]"
        if not isinstance(tool, dict):
            raise mistyped(path, "an object", tool)
        if tool.get("type", "function") != "function":
            extras.append(path)  # custom tools: only OpenAI itself knows them
            continue
        function = mapping(tool, "function", path + ".")
        if function is None:
            raise missing(f"{path}.function")
        tools.append(_tool(function, f"{path}.function.", tool))
    for position, function in enumerate(array(body, "functions") or ()):
        if not isinstance(function, dict):
            raise mistyped(f"functions[{position}]", "an object", function)
        tools.append(_tool(function, f"functions[{position}].", function))
    return tuple(tools)


def _tool(function: JsonObject, path: str, holder: JsonObject) -> Tool:
    return Tool(
        name=required_string(function, "name", path),
        description=string(function, "description", path),
        parameters=mapping(function, "parameters", path),
        strict=boolean(function, "strict", path),
        cache=cache_mark(holder) or cache_mark(function),
    )


def _tool_choice(body: JsonObject) -> ToolChoice | None:
    field = "tool_choice" if body.get("tool_choice") is not None else "function_call"
    choice: Any = body.get(field)
    match choice:
        case None:
            return None
        case "auto" | "none" | "required":
            return ToolChoice(choice)
        case "any":
            return ToolChoice("required")
        case {"type": "function", "function": {"name": str() as name}}:
            return ToolChoice("named", name)
        case {"name": str() as name}:
            return ToolChoice("named", name)
        case {"type": "allowed_tools" | "custom"}:
            return None  # OpenAI's own; same-wire backends get it as it is
        case str() | dict():
            raise invalid(field, "must be auto, none, required or an object that names a function")
        case _:
            raise mistyped(field, "a string or an object", choice)


def _response_format(body: JsonObject) -> ResponseFormat | None:
    wanted = mapping(body, "response_format")
    if wanted is None:
        return None
    kind = required_string(wanted, "type", "response_format.")
    if kind == "json_object":
        schema = mapping(wanted, "schema", "response_format.")  # llama.cpp, Together: a schema beside json_object
        return ResponseFormat("json_schema", schema=schema) if schema else ResponseFormat("json_object")
    if kind != "json_schema":
        return None
    inner = mapping(wanted, "json_schema", "response_format.")
    if inner is None:
        raise missing("response_format.json_schema")
    path = "response_format.json_schema."
    return ResponseFormat(
        "json_schema",
        name=string(inner, "name", path),
        schema=mapping(inner, "schema", path) or {},
        strict=boolean(inner, "strict", path),
    )


def _reasoning(body: JsonObject) -> ReasoningRequest | None:
    effort = string(body, "reasoning_effort")
    return ReasoningRequest(effort=effort) if effort else None
