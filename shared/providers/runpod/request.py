"""The canonical request as a job's `input`, in the shapes that workers read (`input_shape` of the endpoint)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shared.chat.request import ChatRequest, ImagePart, Message, Part, ToolCallPart, ToolResultPart, text_of
from shared.errors import InvalidRequest
from shared.providers.base import Target
from shared.providers.ollama.request import chat_body as ollama_chat_body
from shared.providers.ollama.request import dropped as ollama_dropped
from shared.providers.openai_compatible.request import COMPLETIONS, chat_body, completion_body
from shared.providers.presets import PRESETS
from shared.wire import JsonObject, dumps

DEFAULT_SHAPE = "openai_route"
SPEAKERS: Mapping[str, str] = {"system": "System", "developer": "System", "user": "User", "assistant": "Assistant"}
_PRESET = PRESETS["vllm"]

Build = Callable[[ChatRequest, Target, Mapping[str, str], bool], JsonObject]


def shape_of(target: Target) -> str:
    """The endpoint's `input_shape`; raises InvalidRequest for one that does not exist."""
    shape = target.endpoint.options.get("input_shape") or DEFAULT_SHAPE
    if shape not in SHAPES:
        raise InvalidRequest(
            f"endpoint '{target.endpoint.name}' has no valid input_shape; there are {', '.join(SHAPES)}"
        )
    return str(shape)


def job_input(request: ChatRequest, target: Target, images: Mapping[str, str], *, stream: bool) -> JsonObject:
    """The `input` of the job; `images` are fetched ones, as `ollama.messages` wants them."""
    return SHAPES[shape_of(target)](request, target, images, stream)


def speaks_openai(shape: str) -> bool:
    """Whether the worker gets an OpenAI body, and so can be told everything and answer in several choices."""
    return shape in ("openai_route", "openai")


def dropped(request: ChatRequest, shape: str) -> tuple[str, ...]:
    """The fields that the shapes other than OpenAI's have no place for."""
    if shape == "ollama_chat":
        return ollama_dropped(request)
    sampling = request.sampling
    lost = {
        "tool_choice": request.tool_choice is not None,
        "parallel_tool_calls": request.parallel_tool_calls is False,
        "response_format": request.response_format is not None,
        "reasoning_effort": request.reasoning is not None,
        "logprobs": sampling.logprobs,
        "top_logprobs": sampling.top_logprobs is not None,
        "logit_bias": bool(sampling.logit_bias),
        "suffix": bool(request.suffix),
        "user": request.user is not None,
    }
    return (*(field for field, gone in lost.items() if gone), *request.extras)


def _openai(request: ChatRequest, target: Target, images: Mapping[str, str], stream: bool) -> JsonObject:
    build = completion_body if request.native.wire == COMPLETIONS else chat_body
    return build(request, target, _PRESET, stream=stream)


def _openai_route(request: ChatRequest, target: Target, images: Mapping[str, str], stream: bool) -> JsonObject:
    route = "/v1/completions" if request.native.wire == COMPLETIONS else "/v1/chat/completions"
    return {"openai_route": route, "openai_input": _openai(request, target, images, stream)}


def _vllm(request: ChatRequest, target: Target, images: Mapping[str, str], stream: bool) -> JsonObject:
    """worker-vllm's own form; its answers hold `tokens`, whatever `use_openai_format` says, on many versions."""
    sampling = request.sampling
    params = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "max_tokens": sampling.max_tokens,
        "repetition_penalty": sampling.repetition_penalty,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
    }
    job: JsonObject = {
        "sampling_params": {name: value for name, value in params.items() if value is not None},
        "use_openai_format": 1,
        "stream": stream,
    }
    if request.prompts:
        job["prompt"] = _text_prompt(request)
    else:
        body = chat_body(request, target, _PRESET, stream=stream)
        job["messages"] = body["messages"]
        if body.get("tools"):
            job["tools"] = body["tools"]
    return job


def _ollama(request: ChatRequest, target: Target, images: Mapping[str, str], stream: bool) -> JsonObject:
    prompt = _text_prompt(request) if request.prompts else flat_prompt(request)
    return {"prompt": prompt, "stream": stream, "options": _ollama_options(request)}


def _ollama_generate(request: ChatRequest, target: Target, images: Mapping[str, str], stream: bool) -> JsonObject:
    return {"method_name": "generate", "input": _ollama(request, target, images, stream)}


def _ollama_chat(request: ChatRequest, target: Target, images: Mapping[str, str], stream: bool) -> JsonObject:
    return {"method": "/api/chat", "data": {**ollama_chat_body(request, target, images), "stream": stream}}


SHAPES: Mapping[str, Build] = {
    "openai_route": _openai_route,
    "openai": _openai,
    "vllm": _vllm,
    "ollama": _ollama,
    "ollama_generate": _ollama_generate,
    "ollama_chat": _ollama_chat,
}


def _ollama_options(request: ChatRequest) -> JsonObject:
    sampling = request.sampling
    options = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "num_predict": sampling.max_tokens,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "repeat_penalty": sampling.repetition_penalty,
    }
    return {name: value for name, value in options.items() if value is not None}


def _text_prompt(request: ChatRequest) -> str:
    prompt = request.prompts[0]
    if not isinstance(prompt, str):
        raise InvalidRequest("this model's backend cannot read token prompts; send `prompt` as text", param="prompt")
    return prompt


def flat_prompt(request: ChatRequest) -> str:
    """The chat as one text, for workers that know only prompts; tools are described and their results told."""
    turns: list[str] = []
    if request.tools and not (request.tool_choice and request.tool_choice.mode == "none"):
        turns.append(f"System: {_tool_lines(request)}")
    names: dict[str, str] = {}
    for position, message in enumerate(request.messages):
        turns += _turns(message, names, f"messages[{position}].content")
    return "\n\n".join([*turns, "Assistant:"])


def _turns(message: Message, names: dict[str, str], where: str) -> list[str]:
    turns: list[str] = []
    said: list[str] = []
    for part in message.parts:
        _refuse_images((part,), where)
        if isinstance(part, ToolResultPart):
            _refuse_images(part.content, where)
            name = names.get(part.id) or part.name or part.id
            turns.append(f"Tool {name} {'failed' if part.is_error else 'returned'}: {text_of(part.content)}")
        elif isinstance(part, ToolCallPart):
            names[part.id] = part.name
            said.append(_fence(part.name, part.arguments))
    text = text_of(message.parts)
    if text or said or not turns:
        turns.append(f"{SPEAKERS.get(message.role, 'User')}: " + "\n".join(filter(None, [text, *said])))
    return turns


def _fence(name: str, arguments: str) -> str:
    call = f'{{"name": {dumps(name).decode()}, "arguments": {arguments or "{}"}}}'
    return f"```tool_call\n{call}\n```"


def _tool_lines(request: ChatRequest) -> str:
    lines = ["These tools exist:"]
    for tool in request.tools:
        schema: Any = tool.parameters or {}
        fields = ", ".join(schema.get("properties") or {})
        lines.append(f"- {tool.name}({fields}): {tool.description or 'no description'}")
    lines.append("To use one, answer with nothing but this, once per call:")
    lines.append(_fence("the tool's name", '{"parameter": "value"}'))
    return "\n".join(lines)


def _refuse_images(parts: tuple[Part, ...], where: str) -> None:
    if any(isinstance(part, ImagePart) for part in parts):
        raise InvalidRequest(
            "this model's backend reads text only; send no images", param=where, code="unsupported_content"
        )
