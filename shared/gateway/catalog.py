"""What administrators define, as the data path reads it: one immutable snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple

from shared.gateway.pricing import PriceList, Prices, prices_of
from shared.gateway.stored_settings import NOTHING_SET, StoredSettings
from shared.providers.base import Endpoint

if TYPE_CHECKING:
    from shared.tool_calls.patterns import Pattern


class TargetSpec(NamedTuple):
    """One of a virtual model's places to go."""

    endpoint_id: int
    actual_model: str


@dataclass(frozen=True, slots=True)
class VirtualModel:
    """A name that clients ask for; `aliases` are other names of it, and everything counts under `name`. Defaults are
    None where unset (0 is a value). Prices: dollars per million.

    `sealed_headers` are the custom headers that hold secrets: name to base64 of the sealed value. `prices` follows
    from the six that are written, so that a request multiplies whole numbers; ValueError when one is no price.
    """

    id: int
    name: str
    targets: tuple[TargetSpec, ...]
    aliases: tuple[str, ...] = ()
    description: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    system_prompt: str | None = None
    custom_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    sealed_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    disable_streaming: bool = False
    force_non_streaming: bool = False
    show_reasoning: bool = True
    reasoning: Literal["field", "inline", "hidden"] | None = None  # None: a field, or hidden without `show_reasoning`
    starts_in_reasoning: bool = False  # the opening tag is in the prompt, the model writes only the closing one
    cost_per_1m_tokens_in: Decimal | None = None
    cost_per_1m_tokens_out: Decimal | None = None
    cost_per_1m_tokens_in_cached: Decimal | None = None
    cost_per_1m_tokens_out_cached: Decimal | None = None
    cost_per_1m_tokens_cache_write_5m: Decimal | None = None
    cost_per_1m_tokens_cache_write_1h: Decimal | None = None
    enabled: bool = True
    created_at: int = 0  # seconds since 1970
    prices: Prices | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prices", prices_of(self.price_list))

    @property
    def price_list(self) -> PriceList:
        return PriceList(
            self.cost_per_1m_tokens_in,
            self.cost_per_1m_tokens_out,
            self.cost_per_1m_tokens_in_cached,
            self.cost_per_1m_tokens_out_cached,
            self.cost_per_1m_tokens_cache_write_5m,
            self.cost_per_1m_tokens_cache_write_1h,
        )


def by_name(models: Iterable[VirtualModel]) -> dict[str, VirtualModel]:
    """Each under its name and under its aliases; a name wins."""
    models = tuple(models)
    return {alias: model for model in models for alias in model.aliases} | {model.name: model for model in models}


@dataclass(frozen=True, slots=True)
class Catalog:
    """All endpoints by id and all virtual models by name and by alias, at one `version` of the configuration.

    `tool_patterns` are the enabled ones, the most important first; `formats_on` and `formats_off` are the built-in
    formats of tool calls that were switched against or along their default. `queue` is the queue server, when
    everything goes through it.
    """

    version: int = 0
    endpoints: Mapping[int, Endpoint] = field(default_factory=dict)
    virtual_models: Mapping[str, VirtualModel] = field(default_factory=dict)
    tool_patterns: tuple[Pattern, ...] = ()
    formats_on: frozenset[str] = frozenset()
    formats_off: frozenset[str] = frozenset()
    settings: StoredSettings = NOTHING_SET
    queue: Endpoint | None = None
