"""A gateway around values in memory: real adapters, a real HTTP client, no tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.gateway.answer import Gateway
from shared.gateway.catalog import Catalog, TargetSpec, VirtualModel
from shared.gateway.records import Record
from shared.providers.base import Endpoint, Timeouts
from shared.providers.registry import Adapters
from shared.providers.upstream import PooledUpstream


@dataclass
class FixedCatalog:
    """Implements CatalogSource."""

    catalog: Catalog
    later: Catalog | None = None
    refreshes: int = 0

    async def get(self) -> Catalog:
        return self.catalog

    async def refreshed(self) -> Catalog:
        self.refreshes += 1
        self.catalog = self.later or self.catalog
        return self.catalog

    async def settle(self) -> None:
        """Nothing is on its way."""


@dataclass
class Kept:
    """A recorder, a key ring and a health board that remember."""

    records: list[Record] = field(default_factory=list)
    notes: list[tuple[int, bool, str | None]] = field(default_factory=list)
    keys: dict[int, str] = field(default_factory=dict)

    def record(self, record: Record) -> None:
        self.records.append(record)

    async def flush(self) -> None:
        """Nothing waits."""

    def note(self, endpoint_id: int, ok: bool, error_code: str | None) -> None:
        self.notes.append((endpoint_id, ok, error_code))

    async def reveal(self, endpoint: Endpoint) -> str | None:
        return self.keys.get(endpoint.id)

    async def headers(self, model: VirtualModel) -> Mapping[str, str]:
        return model.custom_headers


def a_catalog(*endpoints: Endpoint, name: str = "fast", **fields: Any) -> Catalog:
    targets = tuple(TargetSpec(endpoint.id, "actual") for endpoint in endpoints)
    model = VirtualModel(1, name, **{"targets": targets, **fields})
    return Catalog(1, {endpoint.id: endpoint for endpoint in endpoints}, {name: model})


def a_gateway(catalog: Catalog | FixedCatalog, kept: Kept, **fields: Any) -> tuple[Gateway, PooledUpstream]:
    """The gateway, and the client to close."""
    upstream = PooledUpstream()
    defaults: dict[str, Any] = {
        "catalog": catalog if isinstance(catalog, FixedCatalog) else FixedCatalog(catalog),
        "adapters": Adapters(upstream),
        "keys": kept,
        "recorder": kept,
        "health": kept,
        "timeouts": Timeouts(connect=2.0, idle=2.0, total=2.0),
    }
    return Gateway(**{**defaults, **fields}), upstream
