"""Roll-ups made anew from the ledger, a day at a time, while new days are being counted (docs/adr/0008)."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

from shared.errors import InvalidRequest, StoreUnavailable
from shared.gateway.records import Record
from shared.store.ledger import Filter, Ledger
from shared.store.rollup_packs import Cells, pack, unpack
from shared.store.rollups import (
    DAY,
    KINDS,
    MONTH,
    NOTHING,
    SEEN_SECONDS,
    SLOT,
    SLOT_SECONDS,
    Kind,
    Outrun,
    Place,
    Put,
    RollupStore,
    add_into,
    aggregate,
    place_at,
    wait,
)

_TURNS = 40
_PAGE = 1_000


def check_kept(day: date, *, keep_days: int, now: float) -> None:
    """Raises InvalidRequest, unless the ledger has all of the day."""
    if _begins(day) + keep_days * 86_400 <= now:
        raise InvalidRequest(f"the ledger keeps {keep_days} days and has not all of {day} any more")


def check_settled(day: date, *, now: float) -> None:
    """Raises InvalidRequest, unless the stream has forgotten the day: nothing of it is counted beside this."""
    if _begins(day) + 86_400 + SEEN_SECONDS > now:
        raise InvalidRequest(f"{day} is not over for two days yet: some of it may still be on its way to be counted")


def _begins(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def records_of_day(ledger: Ledger, day: date) -> Iterator[Record]:
    """Newest first."""
    begins = _begins(day) * 1000
    only = Filter(since_ms=begins, until_ms=begins + 86_400_000)
    cursor: str | None = None
    while True:
        page = ledger.newest(_PAGE, cursor, only)
        yield from page.records
        cursor = page.next_cursor
        if cursor is None:
            return


def rebuild_day(store: RollupStore, day: date, records: Iterable[Record]) -> int:
    """Make the day's roll-ups what `records` come to, and its month's the sum of its days'; says how many packs were
    wrong. Stopped half-way it is done again from the start. Raises StoreUnavailable."""
    sums = aggregate(records, (SLOT, DAY))
    return sum(_rebuild(store, kind, shard, day, sums) for kind in KINDS for shard in range(kind.shards))


def _rebuild(store: RollupStore, kind: Kind, shard: int, day: date, sums: dict[Place, Cells]) -> int:
    places = _places(kind, shard, day)
    month, days = place_at(MONTH, kind, shard, f"{day}"), _days_of_month(kind, shard, day)
    own = place_at(DAY, kind, shard, f"{day}")
    for turn in range(_TURNS):
        # The month is read before its days: who adds to one of them meanwhile adds to the month too, and its version
        # then refuses what was summed up here.
        whole = store.read([month]).get(month, NOTHING)
        held = store.read([*places, *days])
        puts = [
            Put(place, pack(sums.get(place, {})), held.get(place, NOTHING).version)
            for place in places
            if unpack(held.get(place, NOTHING).content) != sums.get(place, {})
        ]
        cells: Cells = {}
        for place in days:
            for name, row in (sums.get(own, {}) if place == own else unpack(held.get(place, NOTHING).content)).items():
                add_into(cells, name, row)
        if not puts and unpack(whole.content) == cells:
            return 0
        try:
            store.write([*puts, Put(month, pack(cells), whole.version)])
        except Outrun:
            wait(turn)
        else:
            return len(puts) + 1
    raise StoreUnavailable("the roll-ups are being written by others; try again", retry_after_seconds=1)


def _places(kind: Kind, shard: int, day: date) -> list[Place]:
    """The day's and its half-hours'."""
    begins = datetime(day.year, day.month, day.day)
    slots = [
        (begins + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M") for seconds in range(0, 86_400, SLOT_SECONDS)
    ]
    return [place_at(DAY, kind, shard, f"{day}"), *(place_at(SLOT, kind, shard, slot) for slot in slots)]


def _days_of_month(kind: Kind, shard: int, day: date) -> list[Place]:
    count = calendar.monthrange(day.year, day.month)[1]
    return [place_at(DAY, kind, shard, f"{day.replace(day=number + 1)}") for number in range(count)]
