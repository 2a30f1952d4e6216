"""Fills the embedded roll-ups from the journal, exactly once: what was counted and how far was read are one write."""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping, Sequence

from infra.local.store_engine import Attributes, Engine
from infra.local.store_tables import OrderedTable
from infra.local.store_tables import Place as ItemPlace
from shared import wire
from shared.gateway.records import Record
from shared.store.journal import JournalTail
from shared.store.rollups import NOTHING, Held, Outrun, Place, Put, aggregate, check_countable, merged

log = logging.getLogger(__name__)

_POSITION = Place("feed", "journal")


class EngineRollups:
    """The roll-ups' store where the tables themselves are: in this process."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name

    def read(self, places: Sequence[Place]) -> Mapping[Place, Held]:
        table: OrderedTable = self._engine.table(self._name)
        found: dict[Place, Held] = {}
        for place in places:
            item = table.peek(ItemPlace(self._name, *place))
            if item is not None:
                found[place] = Held(item.attrs["content"].value, int(item.attrs["version"].value))
        return found

    def write(self, puts: Sequence[Put]) -> None:
        """Raises Outrun, or OSError when the disk takes no more."""
        held = self.read([put.place for put in puts])
        if any(held.get(put.place, NOTHING).version != put.seen for put in puts):
            raise Outrun
        self._engine.put(self._name, [_attributes(put) for put in puts])


class RollupFeed:
    """Counts each line of the journal once over restarts and kills. Segments that are gone were read before."""

    def __init__(self, tail: JournalTail, store: EngineRollups) -> None:
        self._tail = tail
        self._store = store
        self._resume()

    def take(self, limit: int) -> int:
        """Count the journal's next records; returns how many."""
        before = self._tail.positions
        records = self._tail.read(limit)
        if self._tail.positions == before:
            return 0
        sums = aggregate(filter(_is_countable, records))
        held = self._store.read([*sums, _POSITION])
        puts = [
            Put(place, merged(held.get(place, NOTHING), cells), held.get(place, NOTHING).version)
            for place, cells in sums.items()
        ]
        alive = {segment.name for segment in self._tail.segments()}
        position = {name: end for name, end in self._tail.positions.items() if name in alive}
        try:
            self._store.write([*puts, Put(_POSITION, wire.dumps(position), held.get(_POSITION, NOTHING).version)])
        except BaseException:
            self._resume()  # what is written says whether it was: the failure may have come after it
            raise
        return len(records)

    def _resume(self) -> None:
        position = self._store.read([_POSITION]).get(_POSITION)
        self._tail.resume({} if position is None else wire.loads(position.content))

    @property
    def is_behind(self) -> bool:
        return self._tail.unread_bytes() > 0


def _is_countable(record: Record) -> bool:
    """A line by another hand must not stop the store at every start."""
    try:
        check_countable(record)
    except (TypeError, ValueError, AttributeError, OverflowError, OSError) as failure:
        log.error("request %s cannot be counted (%s)", record.request_id, type(failure).__name__)
        return False
    return True


def _attributes(put: Put) -> Attributes:
    item: Attributes = {
        "dimension": {"S": put.place.dimension},
        "moment": {"S": put.place.moment},
        "content": {"B": base64.b64encode(put.content).decode()},
        "version": {"N": str(put.seen + 1)},
    }
    if put.expires_at is not None:
        item["expires_at"] = {"N": str(put.expires_at)}
    return item
