"""The canonical request as bodies of Ollama's wire (rules: `reference/protocols.md` §3.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from shared.chat.request import ChatRequest, EmbeddingRequest, Policy, ReasoningRequest, ResponseFormat, Tool
from shared.errors import InvalidRequest
from shared.providers.base import Target
from shared.providers.ollama.messages import ollama_messages
from shared.wire import JsonObject

WIRE = "ollama"
EFFORTS: Mapping[str, bool | str] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "max": "max",
}


def root_url(url: str) -> str:
    """The server's root, however the administrator wrote it: with `/api`, `/v1`, a whole route, slashes, a query."""
    parts = urlsplit(url.strip())
    segments = [segment for segment in parts.path.split("/") if segment]
    for route in ("api", "v1"):
        if route in segments:
            segments = segments[: segments.index(route)]
    return urlunsplit((parts.scheme, parts.netloc, "/".join(["", *segments]), "", ""))


def chat_body(request: ChatRequest, target: Target, images: Mapping[str, str]) -> JsonObject:
    """The body of `POST /api/chat` but for `options.num_ctx`."""
    if request.native.wire == WIRE and "messages" in request.native.body:
        body = _own_words(request)
    else:
        body = {"messages": ollama_messages(request.messages, images)}
        if request.tools and not (request.tool_choice and request.tool_choice.mode == "none"):
            body["tools"] = [_tool(tool) for tool in request.tools]
        _common(body, request)
    return _finish(body, target)


def generate_body(request: ChatRequest, target: Target) -> JsonObject:
    """The body of `POST /api/generate` for one text prompt; raises InvalidRequest for tokens.

    As on Ollama's own OpenAI route the prompt goes through the model's template; the endpoint's option `raw` sends it
    as it is, which Ollama cannot do together with a suffix.
    """
    prompt = request.prompts[0]
    if not isinstance(prompt, str):
        raise InvalidRequest(
            "this model's backend (Ollama) cannot read token prompts; send `prompt` as text", param="prompt"
        )
    body: JsonObject = {"prompt": prompt}
    if request.suffix:
        body["suffix"] = request.suffix
    elif target.endpoint.options.get("raw") is True:
        body["raw"] = True
    if request.policy.system_prompt and "raw" not in body:
        body["system"] = request.policy.system_prompt
    _common(body, request)
    return _finish(body, target)


def embed_body(request: EmbeddingRequest, target: Target) -> JsonObject:
    """The body of `POST /api/embed`; raises InvalidRequest for token lists."""
    body: JsonObject = {"model": target.model, "input": texts(request), "truncate": False}
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    if "keep_alive" in target.endpoint.options:
        body["keep_alive"] = target.endpoint.options["keep_alive"]
    return body


def texts(request: EmbeddingRequest) -> list[str]:
    found = [text for text in request.inputs if isinstance(text, str)]
    if len(found) != len(request.inputs):
        raise InvalidRequest(
            "this model's backend (Ollama) cannot embed token lists; send `input` as text", param="input"
        )
    return found


def dropped(request: ChatRequest) -> tuple[str, ...]:
    """The fields that Ollama has no word for."""
    if request.native.wire == WIRE:
        return ()
    choice, sampling = request.tool_choice, request.sampling
    lost = {
        "tool_choice": choice is not None and choice.mode in ("required", "named"),
        "parallel_tool_calls": bool(request.tools) and request.parallel_tool_calls is False,
        "logprobs": sampling.logprobs,
        "top_logprobs": sampling.top_logprobs is not None,
        "logit_bias": bool(sampling.logit_bias),
        "user": request.user is not None,
        "messages[].name": any(message.name for message in request.messages),
    }
    return (*(field for field, gone in lost.items() if gone), *request.extras)


def without_think(body: JsonObject, complaint: str) -> JsonObject | None:
    """The body with less to ask for after a 400 that complains of `think`; None when the complaint is another.

    Only some models take levels ("think value "low" is not supported for this model"), and many do not think at all
    ("… does not support thinking"): an effort is a wish, not worth failing for.
    """
    if "does not support thinking" in complaint and body.get("think"):
        return {field: value for field, value in body.items() if field != "think"}
    if "think value" in complaint and isinstance(body.get("think"), str):
        return {**body, "think": True}
    return None


def _own_words(request: ChatRequest) -> JsonObject:
    body = {field: value for field, value in request.native.body.items() if value is not None}
    policy = request.policy
    if policy.system_prompt is not None:
        body["messages"] = [{"role": "system", "content": policy.system_prompt}, *body["messages"]]
    given = body.get("options")
    options = {**_defaults(policy), **(given if isinstance(given, dict) else {})}
    if options:
        body["options"] = options
    return body


def _defaults(policy: Policy) -> JsonObject:
    defaults = {"num_predict": policy.max_tokens, "temperature": policy.temperature, "top_p": policy.top_p}
    return {option: value for option, value in defaults.items() if value is not None}


def _common(body: JsonObject, request: ChatRequest) -> None:
    options = _options(request)
    if options:
        body["options"] = options
    form = _format(request.response_format)
    if form is not None:
        body["format"] = form
    think = _think(request.reasoning)
    if think is not None:
        body["think"] = think


def _finish(body: JsonObject, target: Target) -> JsonObject:
    body["model"] = target.model
    body["stream"] = not target.whole
    body.setdefault("truncate", False)  # an error that names the context is better than a prompt without beginning
    body.setdefault("shift", False)
    if "keep_alive" in target.endpoint.options:
        body.setdefault("keep_alive", target.endpoint.options["keep_alive"])
    return body


def _options(request: ChatRequest) -> JsonObject:
    sampling = request.sampling
    options = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "num_predict": sampling.max_tokens,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "repeat_penalty": sampling.repetition_penalty,
    }
    return {option: value for option, value in options.items() if value is not None}


def _format(wanted: ResponseFormat | None) -> Any:
    if wanted is None:
        return None
    return wanted.schema if wanted.kind == "json_schema" and wanted.schema else "json"


def _think(wanted: ReasoningRequest | None) -> bool | str | None:
    if wanted is None:
        return None
    if wanted.effort is not None:
        return EFFORTS.get(wanted.effort, True)
    if wanted.budget_tokens is not None:
        return wanted.budget_tokens > 0
    return True if wanted.adaptive else None


def _tool(tool: Tool) -> JsonObject:
    function: JsonObject = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = tool.parameters or {"type": "object", "properties": {}}
    return {"type": "function", "function": function}
