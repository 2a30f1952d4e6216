"""What administrators define, as stored: the values with their versions, and their JSON documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from shared import wire
from shared.gateway.catalog import TargetSpec, VirtualModel
from shared.gateway.pricing import HIGHEST_PRICE, PRICE_PLACES
from shared.providers.base import Endpoint
from shared.wire import JsonObject

if TYPE_CHECKING:
    from shared.tool_calls.patterns import Pattern, PatternType


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    """An endpoint as stored. `sealed_key` is the encrypted API key, `key_hint` its last characters.

    `id` 0 asks the store for one; times are seconds since 1970; `version` counts the record's changes.
    """

    name: str
    url: str
    endpoint_type: str
    id: int = 0
    sealed_key: bytes | None = field(default=None, repr=False)
    key_hint: str | None = None
    priority: int = 0
    enabled: bool = True
    options: JsonObject = field(default_factory=dict)
    created_at: int = 0
    updated_at: int = 0
    version: int = 0

    def endpoint(self) -> Endpoint:
        """What the data path needs to know of it."""
        return Endpoint(
            id=self.id,
            name=self.name,
            type=self.endpoint_type,
            url=self.url,
            enabled=self.enabled,
            priority=self.priority,
            sealed_key=self.sealed_key,
            options=self.options,
        )


@dataclass(frozen=True, slots=True)
class VirtualModelRecord:
    """A virtual model as stored; `value.id` 0 asks the store for one."""

    value: VirtualModel
    version: int = 0
    created_at: int = 0
    updated_at: int = 0

    @property
    def id(self) -> int:
        return self.value.id

    @property
    def name(self) -> str:
        return self.value.name

    @property
    def names(self) -> tuple[str, ...]:
        """All that no other virtual model may be called: its name first, then its aliases."""
        return (self.value.name, *self.value.aliases)


@dataclass(frozen=True, slots=True)
class ToolPatternRecord:
    """A tool pattern as stored, with the original's field names; `id` 0 asks the store for one.

    `models` and `endpoints` are globs of names; none means all.
    """

    pattern_name: str
    pattern_type: PatternType
    regex_pattern: str
    id: int = 0
    tool_name: str | None = None
    tool_name_group: int | None = None
    tool_name_json_path: str | None = None
    tool_name_mapping: Mapping[str, str] = field(default_factory=dict)
    parameter_mapping: Mapping[str, str] = field(default_factory=dict)
    enabled: bool = True
    priority: int = 50
    arguments_group: int | None = None
    max_window: int | None = None
    models: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    notes: str | None = None
    created_at: int = 0
    updated_at: int = 0
    version: int = 0

    @property
    def name(self) -> str:
        return self.pattern_name

    def pattern(self) -> Pattern:
        """What the engine needs to know of it. Importing the engine is left to who has a pattern (docs/adr/0002)."""
        from shared.tool_calls.patterns import Pattern

        return Pattern(**{name: getattr(self, name) for name in _TOOL_PATTERN_FIELDS if name != "id"})


@dataclass(frozen=True, slots=True)
class FormatSwitches:
    """Which built-in formats an administrator switched on or off, by id; the others go by their own default."""

    on: frozenset[str] = frozenset()
    off: frozenset[str] = frozenset()
    version: int = 0
    created_at: int = 0
    updated_at: int = 0

    def switched(self, format_id: str, enabled: bool) -> tuple[frozenset[str], frozenset[str]]:
        """`on` and `off` after switching one; a format is never in both."""
        one = frozenset((format_id,))
        return (self.on | one, self.off - one) if enabled else (self.on - one, self.off | one)


# The rest of a record stands in attributes of its own: the sealed key is binary, the others are conditions.
_ENDPOINT_FIELDS = ("id", "name", "url", "endpoint_type", "key_hint", "priority", "enabled", "options")
_PRICES = (
    "cost_per_1m_tokens_in",
    "cost_per_1m_tokens_out",
    "cost_per_1m_tokens_in_cached",
    "cost_per_1m_tokens_out_cached",
    "cost_per_1m_tokens_cache_write_5m",
    "cost_per_1m_tokens_cache_write_1h",
)
_MAPPINGS = ("tool_name_mapping", "parameter_mapping")
_VIRTUAL_MODEL_FIELDS = tuple(each.name for each in fields(VirtualModel) if each.init and each.name != "created_at")
_TOOL_PATTERN_FIELDS = tuple(
    each.name for each in fields(ToolPatternRecord) if each.name not in ("created_at", "updated_at", "version")
)


def endpoint_document(record: EndpointRecord) -> str:
    return _document({name: getattr(record, name) for name in _ENDPOINT_FIELDS})


def read_endpoint(
    document: str, *, sealed_key: bytes | None, version: int, created_at: int, updated_at: int
) -> EndpointRecord:
    """Raises ValueError or TypeError when the document is not an endpoint's."""
    given = _known(document, _ENDPOINT_FIELDS)
    return EndpointRecord(sealed_key=sealed_key, version=version, created_at=created_at, updated_at=updated_at, **given)


def virtual_model_document(value: VirtualModel) -> str:
    """Unset fields are left out, so that absent stays absent and 0 stays 0; prices are decimal strings."""
    given = {name: getattr(value, name) for name in _VIRTUAL_MODEL_FIELDS}
    given = {name: item for name, item in given.items() if item is not None}
    given["aliases"] = list(value.aliases)
    given["targets"] = [target._asdict() for target in value.targets]
    given["custom_headers"] = dict(value.custom_headers)
    given["sealed_headers"] = dict(value.sealed_headers)
    for price in _PRICES:
        if price in given:
            given[price] = str(given[price])
    return _document(given)


def read_virtual_model(document: str, *, version: int, created_at: int, updated_at: int) -> VirtualModelRecord:
    """Raises ValueError or TypeError when the document is not a virtual model's."""
    given = _known(document, _VIRTUAL_MODEL_FIELDS)
    given["aliases"] = tuple(given.get("aliases", ()))
    given["targets"] = tuple(TargetSpec(**target) for target in given["targets"])
    for price in _PRICES:
        if price in given:
            given[price] = _price(given[price])
    value = VirtualModel(created_at=created_at, **given)
    return VirtualModelRecord(value=value, version=version, created_at=created_at, updated_at=updated_at)


def _price(text: str) -> Decimal:
    """As it was written; one of a version that took finer and higher ones becomes the next that there is, because a
    price that cannot be read would take the whole catalog with it."""
    price = Decimal(text)
    exponent = price.as_tuple().exponent
    fine = isinstance(exponent, int) and -exponent > PRICE_PLACES
    return min(round(price, PRICE_PLACES) if fine else price, Decimal(HIGHEST_PRICE))


def tool_pattern_document(record: ToolPatternRecord) -> str:
    """Unset fields are left out."""
    given = {name: getattr(record, name) for name in _TOOL_PATTERN_FIELDS}
    given = {name: item for name, item in given.items() if item is not None}
    for mapping in _MAPPINGS:
        given[mapping] = dict(given[mapping])
    return _document(given)


def read_tool_pattern(document: str, *, version: int, created_at: int, updated_at: int) -> ToolPatternRecord:
    """Raises ValueError or TypeError when the document is not a tool pattern's."""
    given = _known(document, _TOOL_PATTERN_FIELDS)
    for globs in ("models", "endpoints"):
        given[globs] = tuple(given.get(globs, ()))
    return ToolPatternRecord(version=version, created_at=created_at, updated_at=updated_at, **given)


def formats_document(switches: FormatSwitches) -> str:
    return _document({"on": sorted(switches.on), "off": sorted(switches.off)})


def read_formats(document: str, *, version: int, created_at: int, updated_at: int) -> FormatSwitches:
    """Raises ValueError or TypeError when the document is not the formats' switches."""
    given = {name: frozenset(ids) for name, ids in _known(document, ("on", "off")).items()}
    return FormatSwitches(version=version, created_at=created_at, updated_at=updated_at, **given)


def _document(given: JsonObject) -> str:
    return wire.dumps(given).decode()


def _known(document: str, names: tuple[str, ...]) -> dict[str, Any]:
    """The named fields of a document; a newer version's other fields are passed over."""
    given = wire.loads(document)
    return {name: given[name] for name in names if name in given}
