"""What a client key may use: its limits, what a request may come to at most, and what is told when it is too much."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from shared.chat.request import (
    AudioPart,
    ChatRequest,
    EmbeddingRequest,
    FilePart,
    ImagePart,
    Part,
    ToolCallPart,
    ToolResultPart,
)
from shared.errors import ModelNotAllowed, RateLimited
from shared.gateway.pricing import Prices
from shared.gateway.tokens import likely_input
from shared.wire import dumps

ASSUMED_OUTPUT_TOKENS = 8_192  # of an answer whose length nobody has limited; a budget then limits it to this
MOST_HELD = 1_000  # requests of one key in flight, whatever its own limit is: an item of DynamoDB holds no more
_PART_TOKENS = 32  # roles, names and separators around a message's part, at most
_IMAGE_TOKENS = 6_000  # no provider's price list has a larger image for its full-sized models


class Limits(NamedTuple):
    """None and no models are no limit. Budgets are in picodollars, for a day and a month of UTC."""

    models: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel_requests: int | None = None
    daily_budget: int | None = None
    monthly_budget: int | None = None

    @property
    def counted(self) -> bool:
        """Whether a request must be counted before it goes on; a list of models alone costs nothing."""
        return any(limit is not None for limit in self[1:])

    @property
    def held(self) -> bool:
        """Whether a request holds something that must be given back."""
        return any(limit is not None for limit in self[2:])

    @property
    def budgeted(self) -> bool:
        return self.daily_budget is not None or self.monthly_budget is not None

    def allows(self, model: str) -> bool:
        return not self.models or model in self.models


UNLIMITED = Limits()


class Demand(NamedTuple):
    """What a request may come to: tokens as estimated, picodollars at most."""

    tokens: int = 0
    cost: int = 0


class Standing(NamedTuple):
    """How much of a minute's limits is left; None where there is no limit. Resets are in seconds."""

    limit_requests: int | None = None
    remaining_requests: int = 0
    reset_requests: float = 0.0
    limit_tokens: int | None = None
    remaining_tokens: int = 0
    reset_tokens: float = 0.0

    def headers(self) -> Mapping[str, str]:
        """OpenAI's names and its way to write durations."""
        found: dict[str, str] = {}
        if self.limit_requests is not None:
            found["x-ratelimit-limit-requests"] = str(self.limit_requests)
            found["x-ratelimit-remaining-requests"] = str(self.remaining_requests)
            found["x-ratelimit-reset-requests"] = duration(self.reset_requests)
        if self.limit_tokens is not None:
            found["x-ratelimit-limit-tokens"] = str(self.limit_tokens)
            found["x-ratelimit-remaining-tokens"] = str(self.remaining_tokens)
            found["x-ratelimit-reset-tokens"] = duration(self.reset_tokens)
        return found


@dataclass(frozen=True, slots=True)
class Lease:
    """That a request was let in, and what it holds until it is settled. `id` is empty where it holds nothing."""

    key_id: str
    id: str
    demand: Demand
    standing: Standing
    minute: int = 0
    day: int = 0
    until: int = 0  # when it falls back by itself, in seconds since 1970


class Limiter(Protocol):
    """Where requests are counted, for all processes together."""

    async def reserve(self, key_id: str, limits: Limits, demand: Demand, seconds: float | None) -> Lease:
        """Let one request in, whose answer takes no longer than `seconds` (None: nobody knows).

        Raises RateLimited, or StoreUnavailable where a limit must hold and cannot be checked.
        """
        ...

    async def settle(self, lease: Lease, tokens: int, cost: int) -> None:
        """The request is over and came to this; never raises."""
        ...


def check_model(limits: Limits, model: str) -> None:
    """Raises ModelNotAllowed, whether there is such a model or not."""
    if not limits.allows(model):
        raise ModelNotAllowed(
            f"this API key may not use the model {model[:200]!r}; GET /v1/models lists those it may", param="model"
        )


def bounded(request: ChatRequest, limits: Limits, prices: Prices | None, tokens: int | None = None) -> ChatRequest:
    """The request with an end to its answer, without which no budget could be kept: only where one is to be kept, and
    neither the client nor the virtual model has set one. `tokens` is an administrator's choice of it."""
    if prices is None or not limits.budgeted or request.sampling.max_tokens is not None:
        return request
    return request._replace(
        sampling=request.sampling._replace(max_tokens=tokens or ASSUMED_OUTPUT_TOKENS),
        policy=request.policy._replace(max_tokens=tokens or ASSUMED_OUTPUT_TOKENS),
    )


def demand_of(request: ChatRequest | EmbeddingRequest, limits: Limits, prices: Prices | None) -> Demand:
    """Nothing is worked out that no limit asks for."""
    output = 0
    choices = 1
    if isinstance(request, ChatRequest):
        choices = _choices(request)
        output = ASSUMED_OUTPUT_TOKENS if request.sampling.max_tokens is None else request.sampling.max_tokens
        output *= choices * max(1, len(request.prompts))
    tokens = 0
    if limits.tokens_per_minute is not None:
        # an answer of unknown length would nearly always be taken for longer than it is: the settlement counts it
        known = isinstance(request, EmbeddingRequest) or request.sampling.max_tokens is not None
        tokens = likely_input(request) + (output if known else 0)
    cost = 0
    if limits.budgeted and prices is not None:
        dearest = max(prices.input, prices.cache_read, prices.cache_write_5m, prices.cache_write_1h)
        # a backend that serves one choice at a time is asked, and paid, for the prompt each time
        cost = most_input_tokens(request) * choices * dearest + output * prices.output
    return Demand(tokens, cost)


def most_input_tokens(request: ChatRequest | EmbeddingRequest) -> int:
    """More tokens than the request can be for any tokenizer: none makes more of a text than it has bytes."""
    inputs = request.inputs if isinstance(request, EmbeddingRequest) else request.prompts
    tokens = sum(len(each.encode("utf-8", "surrogatepass")) if isinstance(each, str) else len(each) for each in inputs)
    if isinstance(request, ChatRequest):
        if not inputs:
            tokens += sum(_most(part) for message in request.messages for part in message.parts)
            tokens += _PART_TOKENS * len(request.messages)
        if request.tools:
            tokens += len(dumps([(tool.name, tool.description, tool.parameters) for tool in request.tools]))
            tokens += _PART_TOKENS * len(request.tools) + 1_024  # the provider's own words about tools
        if request.response_format is not None and request.response_format.schema is not None:
            tokens += len(dumps(request.response_format.schema))
    return tokens + _PART_TOKENS


def _most(part: Part) -> int:
    match part:
        case ImagePart():
            return _IMAGE_TOKENS
        case ToolResultPart():
            return _PART_TOKENS + sum(map(_most, part.content))
        case ToolCallPart():
            texts = [part.name, part.arguments]
        case AudioPart():
            texts = [part.data]
        case FilePart():
            texts = [part.data or "", part.text or "", part.filename or ""]
        case _:
            texts = [part.text]
    return _PART_TOKENS + sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def _choices(request: ChatRequest) -> int:
    """How many answers are made for a prompt; of legacy completions' `best_of`, those that nobody sees too."""
    best_of = request.native.body.get("best_of")
    return max(1, request.sampling.n, best_of if type(best_of) is int else 1)


def duration(seconds: float) -> str:
    """`1m30s`, `12s`, `0s`."""
    whole = math.ceil(max(0.0, seconds))
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def too_much(
    message: str, standing: Standing, retry_after_seconds: float | None, *, budget: bool = False
) -> RateLimited:
    """The refusal with OpenAI's code for it; one that waiting does not help says so."""
    code = "insufficient_quota" if budget else "rate_limit_exceeded"
    refused = RateLimited(message, code=code, retry_after_seconds=retry_after_seconds)
    refused.headers = standing.headers()
    if budget:
        refused.type = "insufficient_quota"
    return refused
