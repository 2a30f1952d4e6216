"""What is read back is what was counted, by whichever periods it is read, and never from the future."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.store import rollups
from shared.store.counters import PLACE, total
from shared.store.rollup_plan import plan_of, stretches
from shared.store.rollup_reader import RollupReader
from shared.store.rollup_table import RollupTable
from shared.store.rollups import (
    DAY,
    ENDPOINT,
    MODEL,
    MONTH,
    PAIR,
    SLOT,
    SLOT_SECONDS,
    TOTAL,
    Delivery,
    Level,
    count_once,
)
from shared.store.tables import Tables
from shared.web.usage_cells import endpoint_of
from shared.web.usage_range import Span
from tests.store.test_ledger import a_record

NOVEMBER = int(datetime(2025, 11, 1, tzinfo=UTC).timestamp())
NOW = NOVEMBER + 40 * 86_400
SLOTS = st.integers(0, 48 * 400).map(lambda number: NOVEMBER + (number - 48 * 360) * SLOT_SECONDS)


@settings(deadline=None)
@given(st.lists(SLOTS, min_size=2, max_size=6, unique=True).map(sorted), st.sampled_from([DAY, MONTH]))
def test_a_plan_is_each_half_hour_of_its_intervals_once(cuts: list[int], longest: Level) -> None:
    intervals = [Span("", since, until) for since, until in pairwise(cuts)]
    counted: list[dict[int, int]] = [{} for _ in intervals]
    plan = plan_of(intervals, longest, now=NOW)
    for period, uses in plan.items():
        for use in uses:
            for slot in range(period.begin, period.end, SLOT_SECONDS):
                counted[use.place][slot] = counted[use.place].get(slot, 0) + (-1 if use.is_taken_out else 1)
    for interval, slots in zip(intervals, counted, strict=True):
        assert set(slots.values()) <= {0, 1}
        assert sorted(slot for slot, count in slots.items() if count) == list(
            range(interval.since, interval.until, SLOT_SECONDS)
        )
    assert sorted(each for stretch in stretches(plan) for each in stretch) == sorted(plan)


def test_a_year_from_any_half_hour_is_few_periods() -> None:
    for hour in range(24 * 31):
        since = NOVEMBER - 365 * 86_400 + hour * 3_600
        assert len(plan_of([Span("", since, NOW)], MONTH, now=NOW)) <= 13 + 2 * 16 + 2 * 25


def test_the_future_is_not_read() -> None:
    later = [Span("", NOW + 86_400 * number, NOW + 86_400 * (number + 1)) for number in range(1, 9)]
    assert plan_of(later, DAY, now=NOW) == {}
    plan = plan_of([Span("", NOW - 1_800, NOW + 86_400 * 300)], DAY, now=NOW + 10_000)
    assert [(period.level, period.begin) for period in plan] == [(SLOT, NOW - 1_800), (DAY, NOW)]


def some(count: int) -> list[Delivery]:
    return [
        Delivery(
            a_record(
                request_id=f"r{number}",
                time_ms=(NOVEMBER + number % 30 * 86_400) * 1000,
                virtual_model=f"m{number % 7}",
                endpoint_id=number % 5 + 1,
                endpoint_name=f"e{number % 5}",
                key_id=f"k{number % 4}",
            ),
            number,
        )
        for number in range(count)
    ]


def test_sums_stay_right_where_a_month_has_no_room_for_a_name(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "_MOST_CELLS", 3)
    assert count_once(RollupTable(tables), some(90)) == 90
    reader = RollupReader(tables, now=lambda: NOW)
    since, until = NOVEMBER + 2 * 86_400, NOVEMBER + 29 * 86_400 + 1_800
    expected = sum(since <= each.record.time_ms // 1000 < until for each in some(90))
    for kind in (TOTAL, MODEL, ENDPOINT, PAIR):
        cells = reader.sums(kind, since, until)
        assert total(cells.values())[PLACE["attempts"]] == expected
        assert min(min(row) for row in cells.values()) >= 0
    names = [endpoint_of(name.partition("|")[2]) for name in reader.sums(ENDPOINT, since, until)]
    assert (0, "(others)") in names
    assert len({number for number, _ in names}) == len(names)


def test_a_long_stretch_is_read_page_by_page(tables: Tables) -> None:
    """moto ends a page of a Query at 1 MB, as DynamoDB does."""
    store, reader = RollupTable(tables), RollupReader(tables, now=lambda: NOW)
    count_once(store, some(60))
    spans = [Span("", NOVEMBER + hour * 3_600, NOVEMBER + (hour + 1) * 3_600) for hour in range(30 * 24)]
    found = reader.by_span(MODEL, spans)
    assert [number for number, cells in enumerate(found) if cells] == [day * 24 for day in range(30)]
    assert sum(row[PLACE["attempts"]] for cells in found for row in cells.values()) == 60
    assert (reader.reads, reader.places) == (1, 30 * 48)
