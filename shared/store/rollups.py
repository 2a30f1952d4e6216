"""The roll-ups: usage added up by half-hour, day and month, in total and by model, endpoint, key, and key × model.

Each record is counted exactly once, however often and in whatever company it is delivered (docs/adr/0008).
"""

from __future__ import annotations

import hashlib
import random
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from shared.errors import StoreUnavailable
from shared.gateway.records import Record
from shared.store.counters import FIELDS, TTFT_CLASSES, Counters, added, counted, total
from shared.store.ledger import place_of
from shared.store.rollup_packs import Cells, pack, unpack

SLOT_SECONDS = 1_800
SEEN_SECONDS = 2 * 86_400  # a DynamoDB stream forgets after one day

MOST_ITEMS = 100  # DynamoDB's limits for one transaction, the second with room for names and numbers
MOST_BYTES = 3_500_000
_MOST_CELLS = 6_000  # of one pack, whose item may have 400 KB
OTHERS = "(others)"
_MARK_BYTES = 16
_TURNS = 40
_FIRST_WAIT_SECONDS = 0.005
_LONGEST_WAIT_SECONDS = 0.3


class Level(NamedTuple):
    """A length of time. `period` names one, `span` the partition that it is kept in; both are beginnings of a time."""

    name: str
    period_chars: int
    span_chars: int


SLOT = Level("slot", 16, 7)
DAY = Level("day", 10, 4)
MONTH = Level("month", 7, 0)
LEVELS = (SLOT, DAY, MONTH)


class Kind(NamedTuple):
    """A dimension. Its cells begin with the request type, and are spread over packs as over a grid: by a hash of the
    key, and by one of the virtual model. Who asks for one of them reads a row or a column of it, and not all."""

    name: str
    cell: Callable[[Record], str]
    by_key: int = 1
    by_model: int = 1
    has_ttft: bool = False

    @property
    def shards(self) -> int:
        return self.by_key * self.by_model

    @property
    def counters(self) -> int:
        """How many a row of it has."""
        return len(FIELDS) + (TTFT_CLASSES if self.has_ttft else 0)


TOTAL = Kind("total", lambda record: record.request_type, has_ttft=True)
MODEL = Kind("model", lambda record: f"{record.request_type}|{record.virtual_model}", has_ttft=True)
ENDPOINT = Kind(
    "endpoint", lambda record: f"{record.request_type}|{record.endpoint_id}|{record.endpoint_name}", has_ttft=True
)
KEY = Kind("key", lambda record: f"{record.request_type}|{record.key_id}", by_key=4)
PAIR = Kind(
    "pair", lambda record: f"{record.request_type}|{record.key_id}|{record.virtual_model}", by_key=8, by_model=8
)
KINDS = (TOTAL, MODEL, ENDPOINT, KEY, PAIR)


class Place(NamedTuple):
    """An item's keys."""

    dimension: str
    moment: str


class Held(NamedTuple):
    """An item's content and the number of times it was written; 0: it is not there."""

    content: bytes
    version: int


class Put(NamedTuple):
    """Write `content` where the version still is `seen`. `expires_at` is in seconds since 1970."""

    place: Place
    content: bytes
    seen: int
    expires_at: int | None = None


NOTHING = Held(b"", 0)


class Outrun(Exception):
    """Another writer was faster; nothing was written."""


class RollupStore(Protocol):
    def read(self, places: Sequence[Place]) -> Mapping[Place, Held]:
        """What is there; a place without an item is left out. Raises StoreUnavailable."""
        ...

    def write(self, puts: Sequence[Put]) -> None:
        """All of them or none. Raises Outrun when a version is another one, or StoreUnavailable, which after a lost
        answer leaves open whether it was written."""
        ...


class Delivery(NamedTuple):
    """A record of the ledger with the second in which it was put there, which every later delivery of it repeats."""

    record: Record
    put_at: int


def moment_of(time_ms: int) -> str:
    """The half-hour in UTC that it lies in, as in 2025-11-22T12:30; days and months are beginnings of that."""
    seconds = time_ms // 1000
    return datetime.fromtimestamp(seconds - seconds % SLOT_SECONDS, UTC).strftime("%Y-%m-%dT%H:%M")


def shards_of(kind: Kind, key: str | None, model: str | None) -> list[int]:
    """Where the cells of a key, of a virtual model or of both are; None stands for all of them."""
    return [
        row * kind.by_model + column
        for row in _places_of(key, kind.by_key)
        for column in _places_of(model, kind.by_model)
    ]


def shard_of(kind: Kind, record: Record) -> int:
    (shard,) = shards_of(kind, record.key_id, record.virtual_model)
    return shard


def _places_of(name: str | None, count: int) -> Iterable[int]:
    return range(count) if name is None else (zlib.crc32(name.encode()) % count,)


def place_at(level: Level, kind: Kind, shard: int, moment: str) -> Place:
    return Place(f"{level.name}#{kind.name}#{shard}#{moment[: level.span_chars]}", moment[: level.period_chars])


def others_of(name: str) -> str:
    """What counts the names of its request type for which there was no room."""
    return f"{name.partition('|')[0]}|{OTHERS}"


def add_into(cells: Cells, name: str, row: Counters) -> None:
    """A pack that has no more room counts what is new to it as others, so that nothing is lost of the sums."""
    if name not in cells and len(cells) >= _MOST_CELLS:
        name = others_of(name)
    cells[name] = added(cells[name], row) if name in cells else row


def aggregate(records: Iterable[Record], levels: Sequence[Level] = LEVELS) -> dict[Place, Cells]:
    """What the records come to, place by place: added up by half-hours first, of which the others are made."""
    slots: dict[tuple[Kind, int, str], dict[str, list[Counters]]] = {}
    moments: dict[int, str] = {}
    for record in records:
        slot = record.time_ms // (SLOT_SECONDS * 1000)
        moment = moments.get(slot) or moments.setdefault(slot, moment_of(record.time_ms))
        row = counted(record, with_ttft=True)
        rows = {True: row, False: row[: len(FIELDS)]}
        for kind in KINDS:
            cells = slots.setdefault((kind, shard_of(kind, record), moment), {})
            cells.setdefault(kind.cell(record), []).append(rows[kind.has_ttft])
    found: dict[Place, Cells] = {}
    for (kind, shard, moment), cells in slots.items():
        sums = {name: total(some) for name, some in cells.items()}
        for level in levels:
            into = found.setdefault(place_at(level, kind, shard, moment), {})
            for name, row in sums.items():
                add_into(into, name, row)
    return found


def check_countable(record: Record) -> None:
    """Raises ValueError or TypeError for a record that would stop the others of its batch."""
    place_of(record)
    aggregate([record], levels=())


def merged(held: Held, more: Cells) -> bytes:
    cells = unpack(held.content)
    for name, row in more.items():
        add_into(cells, name, row)
    return pack(cells)


def count_once(store: RollupStore, deliveries: Iterable[Delivery]) -> int:
    """Add the records that were not counted before, and say how many; after any failure it may be called again with
    the same records, with fewer or with others among them. Raises StoreUnavailable."""
    # neighbours touch the same items, so that halves of a batch that is too large for one transaction touch fewer
    waiting = sorted(
        deliveries, key=lambda each: (moment_of(each.record.time_ms), shard_of(PAIR, each.record), each.put_at)
    )
    return _count(store, waiting) if waiting else 0


def _count(store: RollupStore, deliveries: list[Delivery]) -> int:
    for turn in range(_TURNS):
        marks = _marks(deliveries)
        known = store.read(list(marks))
        fresh = _fresh(deliveries, known)
        if not fresh:
            return 0
        sums = aggregate(each.record for each in fresh)
        if len(sums) + len(marks) > MOST_ITEMS and len(fresh) > 1:
            return _count_halves(store, fresh)
        held = store.read(list(sums))
        puts = [
            Put(place, merged(held.get(place, NOTHING), more), _version(held, place)) for place, more in sums.items()
        ]
        puts += _remembered(fresh, known)
        if sum(len(put.content) for put in puts) > MOST_BYTES and len(fresh) > 1:
            return _count_halves(store, fresh)
        try:
            store.write(puts)
        except Outrun:
            wait(turn)
        else:
            return len(fresh)
    raise StoreUnavailable("the roll-ups are being written by others; try again", retry_after_seconds=1)


def wait(turn: int) -> None:
    """Before the next turn of who was outrun, by chance longer or shorter than the others."""
    time.sleep(random.random() * min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0**turn))  # noqa: S311


def _count_halves(store: RollupStore, deliveries: list[Delivery]) -> int:
    middle = len(deliveries) // 2
    return _count(store, deliveries[:middle]) + _count(store, deliveries[middle:])


def _marks(deliveries: Iterable[Delivery]) -> dict[Place, set[bytes]]:
    """Where the records are remembered: an item for each second in which some were put into the ledger."""
    found: dict[Place, set[bytes]] = {}
    for each in deliveries:
        found.setdefault(_mark_place(each.put_at), set()).add(_mark(each.record))
    return found


def _fresh(deliveries: Iterable[Delivery], known: Mapping[Place, Held]) -> list[Delivery]:
    """Those that are not remembered, each once."""
    seen = {place: _marks_in(held) for place, held in known.items()}
    fresh: list[Delivery] = []
    for each in deliveries:
        marks, mark = seen.setdefault(_mark_place(each.put_at), set()), _mark(each.record)
        if mark not in marks:
            marks.add(mark)
            fresh.append(each)
    return fresh


def _remembered(fresh: Iterable[Delivery], known: Mapping[Place, Held]) -> list[Put]:
    expires = {_mark_place(each.put_at): each.put_at + SEEN_SECONDS for each in fresh}
    return [
        Put(
            place,
            known.get(place, NOTHING).content + b"".join(sorted(marks)),
            _version(known, place),
            expires[place],
        )
        for place, marks in _marks(fresh).items()
    ]


def _mark_place(put_at: int) -> Place:
    at = datetime.fromtimestamp(put_at, UTC)
    return Place(f"seen#{at:%Y-%m-%dT%H:%M}", f"{at:%S}")


def _mark(record: Record) -> bytes:
    """128 bits of the record's place in the ledger: two records never share them."""
    return hashlib.blake2b("\n".join(place_of(record)).encode(), digest_size=_MARK_BYTES).digest()


def _marks_in(held: Held) -> set[bytes]:
    content = held.content
    return {content[start : start + _MARK_BYTES] for start in range(0, len(content), _MARK_BYTES)}


def _version(held: Mapping[Place, Held], place: Place) -> int:
    return held.get(place, NOTHING).version
