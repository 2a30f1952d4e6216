"""Virtual models as administrators read and write them, with the original's field names."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from shared.gateway.catalog import TargetSpec, VirtualModel
from shared.gateway.pricing import PRICE_PLACES, PriceList, prices_of
from shared.providers.base import Endpoint
from shared.store.config_records import VirtualModelRecord
from shared.store.price_history import PricesSince
from shared.web.admin_errors import FieldError, InvalidFields
from shared.web.admin_fields import Blank, Flag, Form, Name, Price, Version
from shared.wire import loads

Seal: TypeAlias = Callable[[str, int], bytes]
"""Seals a text for the virtual model of an id."""

MASK = "********"  # stands for the value of a header that holds a secret
_MOST_HEADERS = 50
_HEADER_CHARS = 4_096
_MOST_ALIASES = 16
_PROMPT_BYTES = 200_000  # an item of DynamoDB has 400 KB for everything
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")
_SECRET = re.compile(r"auth|cookie|key|token|secret|passw", re.IGNORECASE)
# RFC 9110 §7.6.1, and what frames the message
_REFUSED_HEADERS = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    "upgrade host content-length content-encoding expect".split()
)
_DEFAULTS = ("description", "system_prompt", "max_tokens", "temperature", "top_p", "reasoning")
_PRICES = (
    "cost_per_1m_tokens_in",
    "cost_per_1m_tokens_out",
    "cost_per_1m_tokens_in_cached",
    "cost_per_1m_tokens_out_cached",
    "cost_per_1m_tokens_cache_write_5m",
    "cost_per_1m_tokens_cache_write_1h",
)
_FIELDS = dict(zip(PriceList._fields, _PRICES, strict=True))
_BUCKETS = {  # of a usage, with the price that it is charged by
    "input": "input",
    "cache_read": "input_cached",
    "cache_write_5m": "cache_write_5m",
    "cache_write_1h": "cache_write_1h",
    "output": "output",
}
_FLAGS = ("disable_streaming", "force_non_streaming", "show_reasoning", "starts_in_reasoning", "enabled")


def _headers(value: Any) -> dict[str, str]:
    """An object, or the original's JSON string of one."""
    if isinstance(value, str):
        try:
            value = loads(value) if value.strip() else {}
        except (ValueError, RecursionError):
            raise ValueError("must be an object of names and values, or JSON text of one") from None
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(each, str) for pair in value.items() for each in pair):
        raise ValueError("must be an object of names and texts")
    if len(value) > _MOST_HEADERS:
        raise ValueError(f"may have {_MOST_HEADERS} headers")
    headers: dict[str, str] = {}
    for name, text in value.items():
        shown = name[:100]
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{shown!a} is not a header's name: letters, digits and hyphens")
        if name.lower() in _REFUSED_HEADERS:
            raise ValueError(f"{shown} belongs to the connection and cannot be set")
        if len(text) > _HEADER_CHARS or not _HEADER_VALUE.fullmatch(text):
            raise ValueError(f"the value of {shown} must be one line of at most {_HEADER_CHARS} ASCII characters")
        if name.lower() in (known.lower() for known in headers):
            raise ValueError(f"{shown} is there twice")
        headers[name] = text.strip()
    return headers


def _aliases(names: list[str]) -> list[str]:
    if twice := next((name for number, name in enumerate(names) if name in names[:number]), None):
        raise ValueError(f"{twice} is there twice")
    return names


def _prompt(value: str | None) -> str | None:
    if value and len(value.encode()) > _PROMPT_BYTES:
        raise ValueError(f"must be at most {_PROMPT_BYTES} bytes long")
    return value


CustomHeaders = Annotated[
    dict[str, str],
    BeforeValidator(_headers),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "object", "additionalProperties": {"type": "string"}},
                {"type": "string"},
                {"type": "null"},
            ],
            "description": f"sent to the backend; values of secret headers are read as {MASK}, which keeps the stored",
        }
    ),
]
Aliases = Annotated[
    list[Name],
    AfterValidator(_aliases),
    Field(max_length=_MOST_ALIASES, description="other names; no other virtual model may have one of them"),
]
Reasoning: TypeAlias = Literal["field", "inline", "hidden"]
"""How thinking is shown: as `reasoning_content`, in the text, or not at all; null goes by `show_reasoning`."""
ActualModel = Annotated[str, Field(min_length=1, max_length=512)]
EndpointId = Annotated[int, Field(strict=True, ge=1, le=9_999_999_999)]


class Target(BaseModel):
    endpoint_id: EndpointId
    actual_model: ActualModel


class NewTarget(Form):
    endpoint_id: EndpointId
    actual_model: ActualModel


class EffectivePrice(BaseModel):
    """What a bucket of tokens is charged, in dollars per million, and the field that says so; null: nothing does."""

    price: float
    field: str | None


class EffectivePrices(BaseModel):
    """An unset price is the input price (`field` tells). `version` is what the ledger's records name."""

    version: str
    input: EffectivePrice
    cache_read: EffectivePrice
    cache_write_5m: EffectivePrice
    cache_write_1h: EffectivePrice
    output: EffectivePrice


class PriceRow(BaseModel):
    """What was written, and what it meant, from `since` on (seconds since 1970) until the next row; the ledger's
    records name the `version`, which is null where there were no prices."""

    since: int
    version: str | None
    cost_per_1m_tokens_in: float | None
    cost_per_1m_tokens_out: float | None
    cost_per_1m_tokens_in_cached: float | None
    cost_per_1m_tokens_out_cached: float | None
    cost_per_1m_tokens_cache_write_5m: float | None
    cost_per_1m_tokens_cache_write_1h: float | None
    effective_prices: EffectivePrices | None


class PriceHistory(BaseModel):
    items: list[PriceRow]
    count: int


class VirtualModelRow(BaseModel):
    """A virtual model. `endpoint_id`, `actual_model`, `endpoint_name` and `endpoint_url` are the first target's;
    null is unset and 0 a value; prices are dollars per million tokens; times are seconds since 1970."""

    id: int
    name: str
    aliases: list[str] = Field(description="other names of it; what it does counts under `name`")
    endpoint_id: int
    actual_model: str
    targets: list[Target]
    endpoint_name: str | None
    endpoint_url: str | None
    description: str | None
    cost_per_1m_tokens_in: float | None
    cost_per_1m_tokens_out: float | None
    cost_per_1m_tokens_in_cached: float | None
    cost_per_1m_tokens_out_cached: float | None
    cost_per_1m_tokens_cache_write_5m: float | None
    cost_per_1m_tokens_cache_write_1h: float | None
    effective_prices: EffectivePrices | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    system_prompt: str | None
    custom_headers: dict[str, str]
    disable_streaming: bool
    force_non_streaming: bool
    show_reasoning: bool
    reasoning: Reasoning | None
    starts_in_reasoning: bool
    enabled: bool
    version: int
    created_at: int
    updated_at: int


class SavedVirtualModel(VirtualModelRow):
    status: Literal["ok"] = "ok"


class VirtualModelChange(Form):
    """Only what is sent changes; null unsets a default or a price. `endpoint_id` and `actual_model` are the first of
    the `targets`: send those two, or the list."""

    passed_over: ClassVar[tuple[str, ...]] = (
        "id", "status", "endpoint_name", "endpoint_url", "created_at", "updated_at", "cache_enabled", "failover*",
        "effective_prices",
    )  # fmt: skip

    # what a client left out is never read: `given` looks at what it sent
    name: Name = ""
    aliases: Aliases = Field(default_factory=list)
    endpoint_id: EndpointId = 0
    actual_model: ActualModel = ""
    targets: Annotated[list[NewTarget], Field(min_length=1, max_length=32)] = Field(default_factory=list)
    description: Annotated[Annotated[str, Field(max_length=10_000)] | None, Blank] = None
    cost_per_1m_tokens_in: Price | None = None
    cost_per_1m_tokens_out: Price | None = None
    cost_per_1m_tokens_in_cached: Price | None = None
    cost_per_1m_tokens_out_cached: Price | None = None
    cost_per_1m_tokens_cache_write_5m: Price | None = None
    cost_per_1m_tokens_cache_write_1h: Price | None = None
    max_tokens: Annotated[int, Field(strict=True, ge=0, le=100_000_000)] | None = None
    temperature: Annotated[float, Field(strict=True, ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(strict=True, ge=0, le=1)] | None = None
    system_prompt: Annotated[str | None, AfterValidator(_prompt), Blank] = None
    custom_headers: CustomHeaders = Field(default_factory=dict)
    disable_streaming: Flag = False
    force_non_streaming: Flag = False
    show_reasoning: Flag = True
    reasoning: Reasoning | None = None
    starts_in_reasoning: Flag = False
    enabled: Flag = True
    version: Version | None = None

    def changes(self, current: VirtualModel | None, seal: Seal) -> dict[str, Any]:
        """The virtual model's new fields; raises InvalidFields. `current` None is a new one."""
        changes = self.given("name", *_DEFAULTS, *_PRICES, *_FLAGS)
        changes |= self._alias_changes(current)
        targets = self._targets(current)
        if current is None or targets != current.targets:
            changes["targets"] = targets
        if "custom_headers" in self.model_fields_set:
            changes |= self._header_changes(current, seal)
        return changes

    def value(self, new_id: Callable[[], int], seal: Seal) -> VirtualModel:
        """A new virtual model; a secret header is sealed for an id that it then must have."""
        secret = any(map(_is_secret, self.custom_headers))
        empty = VirtualModel(id=new_id() if secret else 0, name="", targets=())
        return replace(empty, **self.changes(None, lambda text, _: seal(text, empty.id)))

    def _alias_changes(self, current: VirtualModel | None) -> dict[str, Any]:
        before = current.aliases if current else ()
        after = tuple(self.aliases) if "aliases" in self.model_fields_set else before
        if (name := self.name or (current.name if current else "")) in after:
            field = "aliases" if "aliases" in self.model_fields_set else "name"
            raise InvalidFields([FieldError(field, f"{name} cannot be both its name and an alias of it")])
        return {} if after == before else {"aliases": after}

    def _header_changes(self, current: VirtualModel | None, seal: Seal) -> dict[str, Any]:
        """Plain headers as they are, secret ones sealed; the mask keeps what is stored."""
        stored = {name.lower(): sealed for name, sealed in current.sealed_headers.items()} if current else {}
        unknown = [name for name, text in self.custom_headers.items() if text == MASK and name.lower() not in stored]
        if unknown:
            raise InvalidFields([FieldError("custom_headers", f"no value is stored for {unknown[0]}: send one")])
        owner = current.id if current else 0
        return {
            "custom_headers": {name: text for name, text in self.custom_headers.items() if not _is_secret(name)},
            "sealed_headers": {
                name: stored[name.lower()] if text == MASK else b64encode(seal(text, owner)).decode()
                for name, text in self.custom_headers.items()
                if _is_secret(name) and text
            },
        }

    def _targets(self, current: VirtualModel | None) -> tuple[TargetSpec, ...]:
        single = self.given("endpoint_id", "actual_model")
        if "targets" in self.model_fields_set:
            targets = tuple(TargetSpec(each.endpoint_id, each.actual_model) for each in self.targets)
            wrong = [name for name, value in single.items() if getattr(targets[0], name) != value]
            if wrong:
                raise InvalidFields(
                    FieldError(name, "is not the first target's: send the targets, or this without them")
                    for name in wrong
                )
            return targets
        if current is not None:
            return (current.targets[0]._replace(**single), *current.targets[1:])
        missing = [name for name in TargetSpec._fields if name not in single]
        if missing:
            raise InvalidFields(FieldError(name, "is required, or a list of targets") for name in missing)
        return (TargetSpec(**single),)


class NewVirtualModel(VirtualModelChange):
    name: Name = Field()


def virtual_model_row(record: VirtualModelRecord, endpoint: Endpoint | None) -> dict[str, Any]:
    """The record beside its first endpoint, None when that is gone."""
    value = record.value
    prices: dict[str, Decimal | None] = {name: getattr(value, name) for name in _PRICES}
    return {
        "id": value.id,
        "name": value.name,
        "aliases": list(value.aliases),
        **value.targets[0]._asdict(),
        "targets": [target._asdict() for target in value.targets],
        "endpoint_name": endpoint.name if endpoint else None,
        "endpoint_url": endpoint.url if endpoint else None,
        **{name: getattr(value, name) for name in (*_DEFAULTS, *_FLAGS)},
        # a price has at most 11 digits: as a number it is the same decimal again
        **{name: None if price is None else float(price) for name, price in prices.items()},
        "effective_prices": effective_prices(value.price_list),
        "custom_headers": {**value.custom_headers, **dict.fromkeys(value.sealed_headers, MASK)},
        "version": record.version,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }


def price_row(known: PricesSince) -> PriceRow:
    prices = {name: None if price is None else float(price) for name, price in zip(_PRICES, known.written, strict=True)}
    return PriceRow(
        since=known.since,
        version=known.version or None,
        effective_prices=effective_prices(known.written),
        **prices,
    )


def effective_prices(written: PriceList) -> EffectivePrices | None:
    """What is charged by what was written; None without prices."""
    prices = prices_of(written)
    if prices is None:
        return None
    fallback = None if written.input is None else _FIELDS["input"]
    buckets = {
        bucket: EffectivePrice(
            price=getattr(prices, bucket) / 10**PRICE_PLACES,
            field=fallback if getattr(written, name) is None else _FIELDS[name],
        )
        for bucket, name in _BUCKETS.items()
    }
    return EffectivePrices(version=prices.version, **buckets)


def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None
