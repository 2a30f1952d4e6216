"""The figures of the usage API: what a row of counters is called there, in the original's words and ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from shared.store.counters import COSTS, OUTCOMES, PLACE, TOKENS, ttft_percentile

_PICODOLLARS_OF_A_MILLIONTH = 10**4  # of a cent
_MILLIONTHS_OF_A_DOLLAR = 10**8

_TOKENS = slice(PLACE["input_tokens"], PLACE["output_tokens"] + 1)
_COSTS = slice(PLACE["input_cost"], PLACE["output_cost"] + 1)


class Quality(BaseModel):
    """How it went. Attempts are requests to backends; `error_rate` is the share of those that failed or broke off."""

    request_count: int = Field(description="attempts at backends: one record of the ledger each")
    client_request_count: int = Field(description="first attempts: what clients asked for")
    success_count: int
    failed_count: int = Field(description="failed before the first event")
    truncated_count: int = Field(description="broke off after the first event")
    aborted_count: int = Field(description="the client left")
    error_rate: float
    estimated_count: int = Field(description="attempts whose tokens are an estimate")
    partial_count: int = Field(description="attempts whose tokens are a part's, since they broke off")
    unpriced_count: int = Field(description="attempts without prices, whose costs are therefore missing")
    avg_response_time_ms: float | None
    avg_ttft_ms: float | None = Field(description="time to the first token")
    ttft_p50_ms: int | None = Field(description="upper bound of the class it lies in, at most a half too high")
    ttft_p95_ms: int | None
    ttft_p99_ms: int | None


class Tokens(BaseModel):
    """Disjoint but for reasoning, which is part of output."""

    input_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    reasoning_tokens: int


class Costs(BaseModel):
    """Dollars, exact to a millionth of a cent."""

    input_cost: float
    cache_read_cost: float
    cache_write_cost: float
    output_cost: float


class Figures(Quality, Tokens, Costs):
    """`prompt_tokens` is all input, cached or not; `cost_estimate` is everything, `cached_cost_estimate` a part."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_input_tokens: int
    cache_creation_tokens: int
    cost_estimate: float
    cached_cost_estimate: float


class Summary(Quality, Tokens, Costs):
    """As Figures, by the names that the original's summary has."""

    total_prompt_tokens: int
    total_completion_tokens: int
    total_tokens: int
    total_cached_input_tokens: int
    total_cache_creation_tokens: int
    total_cost: float
    total_cached_cost: float


class ModelFigures(Figures):
    virtual_model: str


class EndpointFigures(Figures):
    endpoint_id: int
    endpoint_name: str


class KeyFigures(Figures):
    key_id: str = Field(description="empty: without a key")
    label: str | None = Field(description="null: no such key any more, or none was shown")


class DayFigures(BaseModel):
    """As in the original's daily breakdown; the other routes tell more of a model."""

    prompt_tokens: int
    completion_tokens: int
    cached_input_tokens: int
    cache_creation_tokens: int
    cost_estimate: float
    cached_cost_estimate: float
    requests: int
    estimated_count: int


class DayOfModel(DayFigures):
    virtual_model: str


class Day(Figures):
    date: str
    requests: int
    models: list[DayOfModel] = Field(description="by tokens, most first")


class Hour(Figures):
    hour: str = Field(description="when it begins, with the zone's distance from UTC")
    start_date: int = Field(description="the same in seconds since 1970")


class Embeddings(BaseModel):
    total_input_tokens: int
    total_output_tokens: int
    total_tokens: int
    total_cost: float
    request_count: int


def dollars(picodollars: int) -> float:
    """Rounded once, at the end, to a millionth of a cent; JSON then shows these digits (up to ten million dollars).

    Whole numbers divide as exactly as Decimal does it, in a tenth of the time.
    """
    whole, rest = divmod(picodollars, _PICODOLLARS_OF_A_MILLIONTH)
    half = _PICODOLLARS_OF_A_MILLIONTH // 2
    return (whole + (rest > half or (rest == half and whole % 2))) / _MILLIONTHS_OF_A_DOLLAR


def figures(row: Sequence[int]) -> dict[str, Any]:
    """The fields of Figures."""
    sums = _Sums.of(row)
    return {
        **_common(row),
        "prompt_tokens": sums.prompt,
        "completion_tokens": sums.completion,
        "total_tokens": sums.tokens,
        "cached_input_tokens": sums.cached,
        "cache_creation_tokens": sums.created,
        "cost_estimate": dollars(sums.cost),
        "cached_cost_estimate": dollars(sums.cached_cost),
    }


def day_figures(row: Sequence[int]) -> dict[str, Any]:
    """The fields of DayFigures."""
    sums = _Sums.of(row)
    return {
        "prompt_tokens": sums.prompt,
        "completion_tokens": sums.completion,
        "cached_input_tokens": sums.cached,
        "cache_creation_tokens": sums.created,
        "cost_estimate": dollars(sums.cost),
        "cached_cost_estimate": dollars(sums.cached_cost),
        "requests": row[PLACE["attempts"]],
        "estimated_count": row[PLACE["estimated"]],
    }


def summary(row: Sequence[int]) -> dict[str, Any]:
    """The fields of Summary."""
    sums = _Sums.of(row)
    return {
        **_common(row),
        "total_prompt_tokens": sums.prompt,
        "total_completion_tokens": sums.completion,
        "total_tokens": sums.tokens,
        "total_cached_input_tokens": sums.cached,
        "total_cache_creation_tokens": sums.created,
        "total_cost": dollars(sums.cost),
        "total_cached_cost": dollars(sums.cached_cost),
    }


def embeddings(row: Sequence[int]) -> dict[str, Any]:
    """The fields of Embeddings."""
    sums = _Sums.of(row)
    return {
        "total_input_tokens": sums.prompt,
        "total_output_tokens": sums.completion,
        "total_tokens": sums.tokens,
        "total_cost": dollars(sums.cost),
        "request_count": row[PLACE["attempts"]],
    }


def tokens_of(row: Sequence[int]) -> int:
    """All of them, by which lists are ordered."""
    return _Sums.of(row).tokens


class _Sums(NamedTuple):
    """What is not counted but follows; costs in picodollars."""

    cached: int
    created: int
    prompt: int
    completion: int
    tokens: int
    cost: int
    cached_cost: int

    @classmethod
    def of(cls, row: Sequence[int]) -> _Sums:
        fresh, cached, write_5m, write_1h, output = row[_TOKENS]
        created = write_5m + write_1h
        prompt = fresh + cached + created
        _, read_cost, write_cost, _ = costs = row[_COSTS]
        return cls(cached, created, prompt, output, prompt + output, sum(costs), read_cost + write_cost)


def _common(row: Sequence[int]) -> dict[str, Any]:
    attempts, ttft_count = row[PLACE["attempts"]], row[PLACE["ttft_count"]]
    broken = row[PLACE["failed"]] + row[PLACE["truncated"]]
    return {
        "request_count": attempts,
        "client_request_count": row[PLACE["requests"]],
        **{f"{name}_count": row[PLACE[name]] for name in OUTCOMES},
        "error_rate": round(broken / attempts, 6) if attempts else 0.0,
        **{f"{name}_count": row[PLACE[name]] for name in ("estimated", "partial", "unpriced")},
        "avg_response_time_ms": round(row[PLACE["total_ms"]] / attempts, 1) if attempts else None,
        "avg_ttft_ms": round(row[PLACE["ttft_ms"]] / ttft_count, 1) if ttft_count else None,
        **{f"ttft_p{share}_ms": ttft_percentile(row, share / 100) for share in (50, 95, 99)},
        **{name: row[PLACE[name]] for name in TOKENS},
        **{name: dollars(row[PLACE[name]]) for name in COSTS},
    }
