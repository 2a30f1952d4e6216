"""Every record is counted once, whatever happens on the way."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import StoreUnavailable
from shared.gateway.records import Record
from shared.store import rollups
from shared.store.counters import FIELDS, PLACE, added, counted, total, ttft_percentile
from shared.store.rollup_packs import unpack
from shared.store.rollup_table import RollupTable
from shared.store.rollups import (
    DAY,
    KINDS,
    LEVELS,
    MODEL,
    SLOT,
    TOTAL,
    Delivery,
    Outrun,
    Place,
    Put,
    RollupStore,
    aggregate,
    count_once,
    place_at,
)
from shared.store.tables import Tables
from tests.store.rollup_memory import Interrupted, MemoryStore
from tests.store.test_ledger import a_record

NOON = 1_763_812_800_000  # 2025-11-22T12:00:00Z
NEW_YEAR = 1_767_225_600_000

MODELS = ["fast", "slow", "wïth|bar", ""]
KEYS = ["", "a" * 32, "b" * 32, "c" * 32]
RECORDS = st.builds(
    a_record,
    time_ms=st.one_of(
        st.integers(NOON, NOON + 86_400_000 * 2),
        st.integers(NEW_YEAR - 3_600_000, NEW_YEAR + 3_600_000),
    ),
    virtual_model=st.sampled_from(MODELS),
    endpoint_id=st.integers(-2, 2),
    endpoint_name=st.sampled_from(["ollama", "a|b"]),
    key_id=st.sampled_from(KEYS),
    request_type=st.sampled_from(["chat", "completion", "embedding"]),
    outcome=st.sampled_from(["success", "failed", "truncated", "aborted"]),
    usage_source=st.sampled_from(["provider", "estimated", "partial"]),
    attempt=st.sampled_from([1, 2, 1001, 1002]),
    input_tokens=st.integers(0, 10**7),
    output_tokens=st.integers(0, 10**6),
    cache_read_tokens=st.integers(0, 10**6),
    cache_write_5m_tokens=st.integers(0, 10**6),
    cache_write_1h_tokens=st.integers(0, 10**6),
    reasoning_tokens=st.integers(0, 10**6),
    price_version=st.sampled_from(["", "3"]),
    input_cost=st.integers(0, 10**15),
    cache_read_cost=st.integers(0, 10**12),
    cache_write_cost=st.integers(0, 10**12),
    output_cost=st.integers(0, 10**20),
    total_ms=st.integers(0, 900_000),
    time_to_first_token_ms=st.one_of(st.none(), st.integers(0, 900_000)),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Delivery]:
    records = draw(st.lists(RECORDS, min_size=1, max_size=25))
    seconds = draw(st.lists(st.integers(NOON // 1000, NOON // 1000 + 3), min_size=len(records), max_size=len(records)))
    return [
        Delivery(replace(record, request_id=f"r{number}"), put_at)
        for number, (record, put_at) in enumerate(zip(records, seconds, strict=True))
    ]


def stored(store: MemoryStore) -> dict[Place, Any]:
    return {
        place: unpack(held.content) for place, held in store.items.items() if not place.dimension.startswith("seen")
    }


def records_of(deliveries: Iterable[Delivery]) -> list[Record]:
    return [each.record for each in deliveries]


@settings(max_examples=150, deadline=None)
@given(
    history=histories(),
    seed=st.integers(0, 2**32),
    plan=st.lists(st.sampled_from(["well", "well", "before", "after", "other"]), max_size=60),
)
def test_a_record_is_counted_once_whatever_happens(history: list[Delivery], seed: int, plan: list[str]) -> None:
    """Batches of any bounds, in any order, again and again, beside each other, with crashes before and after writes."""
    chance = random.Random(seed)
    store, events = MemoryStore(), iter(plan)

    def a_batch() -> list[Delivery]:
        start = chance.randrange(len(history))
        batch = history[start : start + chance.randint(1, len(history))]
        batch += chance.choices(history, k=chance.randint(0, 3))  # delivered twice within one batch
        chance.shuffle(batch)
        return batch

    def deliver(batch: list[Delivery], depth: int = 0) -> bool:
        def other() -> None:
            if depth < 2:
                deliver(a_batch(), depth + 1)

        try:
            count_once(Interrupted(store, events, other), batch)
        except StoreUnavailable:
            return False
        return True

    for _ in range(chance.randint(1, 4)):
        deliver(a_batch())
    while not deliver(list(history)):  # the stream delivers until it is told that all went well
        pass
    assert stored(store) == aggregate(records_of(history))


@settings(max_examples=60, deadline=None)
@given(history=histories())
def test_every_dimension_and_every_level_comes_to_the_same(history: list[Delivery]) -> None:
    store = MemoryStore()
    assert count_once(store, history) == len(history)
    expected = total(counted(each.record, with_ttft=True) for each in history)
    for level in LEVELS:
        for kind in KINDS:
            packs = [
                cells
                for place, cells in stored(store).items()
                if place.dimension.startswith(f"{level.name}#{kind.name}#")
            ]
            found = total(row for cells in packs for row in cells.values())
            assert found[: len(FIELDS)] == expected[: len(FIELDS)]
            if kind.has_ttft:
                assert found == expected


def test_a_batch_too_large_for_one_transaction_is_several() -> None:
    history = [
        Delivery(a_record(request_id=f"r{number}", key_id=f"k{number}", time_ms=NOON + number * 5_000), number)
        for number in range(500)
    ]
    store = MemoryStore()
    assert count_once(store, history) == 500
    assert store.writes > 1
    assert stored(store) == aggregate(records_of(history))
    writes = store.writes
    assert count_once(store, history[::-1]) == 0
    assert store.writes == writes


def test_a_pack_without_room_counts_what_is_new_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "_MOST_CELLS", 2)
    store = MemoryStore()
    for number in range(5):
        count_once(store, [Delivery(a_record(request_id=f"r{number}", virtual_model=f"m{number}"), 1)])
    day = stored(store)[place_at(DAY, MODEL, 0, "2025-11-22")]
    day |= stored(store).get(place_at(DAY, MODEL, 1, "2025-11-22"), {})
    assert "chat|(others)" in day
    assert total(day.values())[PLACE["attempts"]] == 5


def test_those_who_are_always_outrun_give_up() -> None:
    class Busy(MemoryStore):
        def write(self, puts: Any) -> None:
            raise Outrun

    with pytest.raises(StoreUnavailable):
        count_once(Busy(), [Delivery(a_record(), 1)])


@pytest.fixture
def table(tables: Tables) -> RollupTable:
    return RollupTable(tables)


def read(store: RollupStore, place: Place) -> Any:
    return unpack(store.read([place])[place].content)


def test_the_table_keeps_what_is_counted(table: RollupTable) -> None:
    history = [Delivery(a_record(request_id=f"r{number}", key_id=f"k{number}"), NOON // 1000) for number in range(30)]
    assert count_once(table, history[:20]) == 20
    assert count_once(table, history[10:]) == 10
    expected = aggregate(records_of(history))
    for place, cells in expected.items():
        assert read(table, place) == cells


def test_the_table_writes_all_or_nothing(table: RollupTable) -> None:
    one, two = Place("a", "1"), Place("a", "2")
    table.write([Put(one, b"x", 0), Put(two, b"y", 0, 4_000_000_000)])
    for wrong in ([Put(one, b"z", 1), Put(two, b"z", 0)], [Put(one, b"z", 1), Put(two, b"z", 2)]):
        with pytest.raises(Outrun):
            table.write(wrong)
    held = table.read([one, two, Place("a", "3")])
    assert {place: (each.content, each.version) for place, each in held.items()} == {one: (b"x", 1), two: (b"y", 1)}


def test_what_was_seen_is_forgotten_after_two_days(table: RollupTable, tables: Tables) -> None:
    count_once(table, [Delivery(a_record(), NOON // 1000)])
    [mark] = tables.rollups.query("seen#2025-11-22T12:00")
    assert mark.expires_at == NOON // 1000 + 2 * 86_400
    [day] = tables.rollups.query(place_at(DAY, TOTAL, 0, "2025-11-22").dimension)
    assert day.expires_at is None


def test_slots_are_half_hours_in_utc() -> None:
    found = aggregate([a_record(time_ms=NOON + 1_799_999), a_record(time_ms=NOON + 1_800_000)], [SLOT])
    moments = {place.moment for place in found if place.dimension.startswith("slot#total")}
    assert moments == {"2025-11-22T12:00", "2025-11-22T12:30"}


def test_rows_of_unequal_length_are_added() -> None:
    assert added([1, 2], [1, 2, 3]) == [2, 4, 3]


@pytest.mark.parametrize(
    ("times", "share", "bound"),
    [([], 0.5, None), ([40], 0.5, 50), ([40, 60, 70, 80], 0.5, 75), ([40, 10**6], 0.99, 49_263), ([50, 51], 0.5, 50)],
)
def test_percentiles_are_upper_bounds_of_classes(times: list[int], share: float, bound: int | None) -> None:
    row = total(counted(a_record(time_to_first_token_ms=ms), with_ttft=True) for ms in times)
    assert ttft_percentile(row, share) == bound
