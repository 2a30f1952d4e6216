"""The roll-ups' store in memory, to be interrupted anywhere: what a table in DynamoDB would do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from shared.errors import StoreUnavailable
from shared.store.rollups import MOST_BYTES, MOST_ITEMS, NOTHING, Held, Outrun, Place, Put


class MemoryStore:
    def __init__(self) -> None:
        self.items: dict[Place, Held] = {}
        self.writes = 0

    def read(self, places: Sequence[Place]) -> Mapping[Place, Held]:
        return {place: self.items[place] for place in places if place in self.items}

    def write(self, puts: Sequence[Put]) -> None:
        assert len(puts) <= MOST_ITEMS
        assert sum(len(put.content) for put in puts) <= MOST_BYTES
        assert len({put.place for put in puts}) == len(puts)
        if any(self.items.get(put.place, NOTHING).version != put.seen for put in puts):
            raise Outrun
        self.writes += 1
        self.items |= {put.place: Held(put.content, put.seen + 1) for put in puts}


class Interrupted:
    """A store in which other things happen: `plan` says before each write what does.

    "well"    nothing
    "before"  the process ends before the write
    "after"   the write is done, its answer lost
    "other"   `other` runs between our reading and our writing
    """

    def __init__(self, store: MemoryStore, plan: Iterator[str], other: Callable[[], None]) -> None:
        self._store = store
        self._plan = plan
        self._other = other

    def read(self, places: Sequence[Place]) -> Mapping[Place, Held]:
        return self._store.read(places)

    def write(self, puts: Sequence[Put]) -> None:
        match next(self._plan, "well"):
            case "before":
                raise StoreUnavailable("killed before the write")
            case "after":
                self._store.write(puts)
                raise StoreUnavailable("killed after the write")
            case "other":
                self._other()
        self._store.write(puts)
