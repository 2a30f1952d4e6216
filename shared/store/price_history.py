"""What virtual models cost since when: one immutable item per change of prices, so that a record's version of them can
be looked up for as long as the table lives (docs/adr/0009)."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from shared import wire
from shared.gateway.pricing import PriceList, prices_of
from shared.store.change import Change
from shared.store.config_items import PRICES_SCOPE
from shared.store.config_records import VirtualModelRecord
from shared.store.refusals import Conflict
from shared.store.tables import ConfigItem, Tables, reaching


class PricesSince(NamedTuple):
    """`since` is seconds since 1970; `version` is empty when there were no prices from then on."""

    since: int
    version: str
    written: PriceList


def note_prices(
    change: Change, tables: Tables, current: VirtualModelRecord | None, changed: VirtualModelRecord
) -> None:
    """Write the new prices down, when they are new, in the same transaction."""
    written = changed.value.price_list
    if written == (current.value.price_list if current else PriceList()):
        return
    prices = prices_of(written)
    document = {
        "version": prices.version if prices else "",
        "prices": {name: str(price) for name, price in written._asdict().items() if price is not None},
    }
    item = tables.config(
        PRICES_SCOPE,
        f"{changed.id:010d}#{changed.version:010d}",
        document=wire.dumps(document).decode(),
        created_at=changed.updated_at,
    )
    change.put(item, tables.config.key.does_not_exist(), Conflict(current))


def read_prices(tables: Tables, virtual_model_id: int) -> list[PricesSince]:
    """All that it ever cost, the oldest first."""
    config = tables.config
    with reaching("the history of prices"):
        items = list(config.query(PRICES_SCOPE, config.key.startswith(f"{virtual_model_id:010d}#")))
    return [_prices_since(item) for item in items]


def _prices_since(item: ConfigItem) -> PricesSince:
    document = wire.loads(item.document or "{}")
    written = PriceList(**{name: Decimal(price) for name, price in document["prices"].items()})
    return PricesSince(int(item.created_at or 0), document["version"], written)
