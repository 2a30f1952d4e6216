"""A legacy completions body into the canonical request (OpenAI's API reference, `POST /v1/completions`)."""

from __future__ import annotations

from typing import Any

from shared.chat.request import ChatRequest, Message, Native, Prompt, Sampling, TextPart
from shared.protocols.fields import (
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
from shared.wire import JsonObject

WIRE = "openai_completions"
MOST_PROMPTS = 2_048

_CARRIED = frozenset(
    "model prompt suffix max_tokens temperature top_p top_k min_p repetition_penalty presence_penalty "
    "frequency_penalty seed stop n logprobs echo logit_bias stream stream_options user".split()
)


def parse(body: JsonObject) -> ChatRequest:
    """The request in `body`; `echo` is the renderer's business wherever the backend does not do it itself."""
    model = required_string(body, "model")
    prompts = read_prompts(body)
    options = mapping(body, "stream_options") or {}
    boolean(body, "echo")
    text = prompts[0] if len(prompts) == 1 else None
    return ChatRequest(
        model=model,
        messages=(Message("user", (TextPart(text),)),) if isinstance(text, str) else (),
        native=Native(WIRE, body),
        sampling=Sampling(
            max_tokens=integer(body, "max_tokens", low=0),
            temperature=number(body, "temperature", low=0),
            top_p=number(body, "top_p", low=0, high=1),
            top_k=integer(body, "top_k"),
            min_p=number(body, "min_p"),
            repetition_penalty=number(body, "repetition_penalty"),
            presence_penalty=number(body, "presence_penalty"),
            frequency_penalty=number(body, "frequency_penalty"),
            seed=integer(body, "seed"),
            stop=stop_sequences(body),
            n=integer(body, "n", low=1, high=128) or 1,
            logprobs=body.get("logprobs") is not None,
            top_logprobs=integer(body, "logprobs", low=0),
            logit_bias=mapping(body, "logit_bias"),
        ),
        stream=boolean(body, "stream") or False,
        include_usage=boolean(options, "include_usage", "stream_options.") or False,
        user=string(body, "user"),
        prompts=prompts,
        suffix=string(body, "suffix"),
        extras=tuple(field for field, value in body.items() if field not in _CARRIED and value is not None),
    )


def read_prompts(body: JsonObject, field: str = "prompt") -> tuple[Prompt, ...]:
    """A string, a list of strings, a list of token numbers, or a list of such lists."""
    value = body.get(field)
    if value is None:
        raise missing(field)
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise mistyped(field, "a string, an array of strings or arrays of token numbers", value)
    if not value:
        raise invalid(field, "must not be empty")
    if all(_is_token(item) for item in value):
        return (tuple(value),)
    if len(value) > MOST_PROMPTS:
        raise invalid(field, f"must hold at most {MOST_PROMPTS} items")
    return tuple(_prompt(item, f"{field}[{position}]") for position, item in enumerate(value))


def _prompt(item: Any, path: str) -> Prompt:
    if isinstance(item, str):
        return item
    if isinstance(item, list) and item and all(_is_token(token) for token in item):
        return tuple(item)
    raise mistyped(path, "a string or an array of token numbers", item)


def _is_token(item: Any) -> bool:
    return type(item) is int and item >= 0
