"""Days made anew from the ledger, also while others count."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from shared.errors import InvalidRequest, StoreUnavailable
from shared.gateway.records import Record
from shared.store.ledger import Ledger
from shared.store.rollup_packs import pack, unpack
from shared.store.rollup_rebuild import check_kept, check_settled, rebuild_day, records_of_day
from shared.store.rollups import NOTHING, Delivery, Place, Put, aggregate, count_once
from shared.store.tables import Tables
from tests.store.rollup_memory import Interrupted, MemoryStore
from tests.store.test_ledger import DAY, NOON, a_record

TODAY = date(2025, 11, 22)
NOON_SECONDS = NOON // 1000


def some(day: int, count: int = 12) -> list[Record]:
    return [
        a_record(
            request_id=f"{day}-{number}",
            time_ms=NOON + day * DAY + number * 1_700_000,
            virtual_model=f"m{number % 3}",
            key_id=f"k{number % 4}",
            input_tokens=number + 1,
        )
        for number in range(count)
    ]


def counted_in(store: MemoryStore, records: list[Record]) -> None:
    count_once(store, [Delivery(each, each.time_ms // 1000) for each in records])


def stored(store: MemoryStore) -> dict[Place, Any]:
    """Without packs that are empty, as one is that was counted by mistake."""
    cells = {place: unpack(held.content) for place, held in store.items.items() if place.dimension[:4] != "seen"}
    return {place: each for place, each in cells.items() if each}


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    counted_in(store, [*some(0), *some(-2), *some(-30)])
    return store


ALL = [*some(0), *some(-2), *some(-30)]


def test_what_is_well_stays_untouched(store: MemoryStore) -> None:
    writes = store.writes
    assert rebuild_day(store, TODAY, of_today(ALL)) == 0
    assert store.writes == writes


def of_today(records: list[Record]) -> list[Record]:
    return [each for each in records if NOON - DAY // 2 <= each.time_ms < NOON + DAY // 2]


@pytest.mark.parametrize("harm", ["lost", "doubled", "foreign", "month"])
def test_what_is_wrong_is_made_anew(store: MemoryStore, harm: str) -> None:
    wrong = [place for place in store.items if "2025-11-22" in place.moment and "pair" in place.dimension]
    match harm:
        case "lost":
            for place in wrong:
                del store.items[place]
        case "doubled":
            counted_in(store, [replace(each, request_id=each.request_id + "x") for each in of_today(ALL)])
        case "foreign":
            counted_in(store, [a_record(request_id="y", virtual_model="never", key_id="nobody")])
        case "month":
            place = Place("month#total#0#", "2025-11")
            store.write([Put(place, pack({"chat": [7]}), store.items[place].version)])
    assert rebuild_day(store, TODAY, of_today(ALL)) > 0
    assert stored(store) == aggregate(ALL)


def test_who_counts_meanwhile_is_not_lost(store: MemoryStore) -> None:
    late = [a_record(request_id=f"late{number}", time_ms=NOON - 2 * DAY, key_id="k1") for number in range(4)]
    waiting = iter(late)

    def other() -> None:
        counted_in(store, [next(waiting)])

    for place in [each for each in store.items if "2025-11-22" in each.moment]:
        del store.items[place]
    rebuild_day(Interrupted(store, iter(["other"] * 4), other), TODAY, of_today(ALL))
    assert next(waiting, None) is None
    assert stored(store) == aggregate([*ALL, *late])


def test_stopped_half_way_it_is_done_again(store: MemoryStore) -> None:
    for place in [each for each in store.items if "2025-11-22" in each.moment]:
        del store.items[place]
    for plan in (["well", "before"], ["after"], ["well", "well", "after"]):
        with pytest.raises(StoreUnavailable):
            rebuild_day(Interrupted(store, iter(plan), lambda: None), TODAY, of_today(ALL))
    rebuild_day(store, TODAY, of_today(ALL))
    assert stored(store) == aggregate(ALL)


def test_a_day_of_the_ledger_is_read_to_its_bounds(tables: Tables) -> None:
    ledger = Ledger(tables, keep_days=90, now=lambda: NOON_SECONDS + 3 * 86_400)
    midnight = NOON - DAY // 2
    records = [
        a_record(request_id=f"r{number}", time_ms=time_ms)
        for number, time_ms in enumerate((midnight - 1, midnight, NOON, midnight + DAY - 1, midnight + DAY))
    ]
    ledger.put_batch(records)
    assert list(records_of_day(ledger, TODAY)) == records[3:0:-1]


def test_only_days_that_are_whole_and_settled() -> None:
    midnight = NOON_SECONDS - 43_200
    check_kept(TODAY, keep_days=90, now=midnight + 90 * 86_400 - 1)
    with pytest.raises(InvalidRequest, match="keeps 90 days"):
        check_kept(TODAY, keep_days=90, now=midnight + 90 * 86_400)
    check_settled(TODAY, now=midnight + 3 * 86_400)
    with pytest.raises(InvalidRequest, match="not over for two days"):
        check_settled(TODAY, now=midnight + 3 * 86_400 - 1)


def test_nothing_held_is_nothing() -> None:
    assert unpack(NOTHING.content) == {}
