"""Rows as whole numbers come to what rows as lists do."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import wire
from shared.store.counters import COSTS, FIELDS, PLACE, TTFT_CLASSES, counted, total
from shared.store.rollup_packs import Cells, Sums, add_to, pack, row_of, sum_of_packs, take_from, unpack
from tests.store.test_ledger import a_record

WIDE = {PLACE[name] for name in COSTS}


@st.composite
def rows(draw: st.DrawFn, counters: int) -> list[int]:
    return [draw(st.integers(0, 2**120 if place in WIDE else 2**60)) for place in range(counters)]


@st.composite
def packs(draw: st.DrawFn) -> list[Cells]:
    counters = draw(st.sampled_from([1, 14, 17, len(FIELDS), len(FIELDS) + TTFT_CLASSES]))
    names = st.sampled_from(["chat", "chat|fast", "chat|\n", "chat|näme\ud800", ""])
    return draw(st.lists(st.dictionaries(names, rows(counters), max_size=4), min_size=1, max_size=4))


def in_the_first_form(cells: Cells) -> bytes:
    return zlib.compress(wire.dumps(cells), 6)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(packs())
def test_what_is_packed_is_unpacked(given: list[Cells]) -> None:
    for cells in given:
        assert unpack(pack(cells)) == cells
        assert unpack(in_the_first_form(cells)) == cells


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(packs(), st.booleans())
def test_packs_add_up_as_their_rows_do(given: list[Cells], first_is_old: bool) -> None:
    contents = [pack(cells) for cells in given]
    if first_is_old:
        contents[0] = in_the_first_form(given[0])
    names = {name for cells in given for name in cells}
    counters = max((len(row) for cells in given for row in cells.values()), default=0)
    found = sum_of_packs(contents)
    assert {name: row_of(number, counters) for name, number in found.items()} == {
        name: total(cells[name] for cells in given if name in cells) for name in names
    }
    take_from(found, sum_of_packs(contents[1:]).items())
    rest = {name: row_of(number, counters) for name, number in found.items() if number}
    assert rest == {name: row for name, row in given[0].items() if any(row)}


def test_only_the_names_that_are_asked_for() -> None:
    assert sum_of_packs([pack({"a": [1], "b": [2]})], lambda name: name == "b") == {"b": 2}


def test_a_row_of_zeros_and_no_row_at_all() -> None:
    assert unpack(pack({"a": [0, 0], "b": [0, 0]})) == {"a": [0, 0], "b": [0, 0]}
    assert (unpack(pack({})), unpack(b"")) == ({}, {})


def test_a_shorter_row_is_one_of_before_counters_were_added() -> None:
    assert unpack(pack({"a": [1], "b": [1, 2]})) == {"a": [1, 0], "b": [1, 2]}


def test_a_part_that_is_ahead_of_its_whole_takes_nothing_from_its_neighbours() -> None:
    size = len(FIELDS)
    whole, part = [5] * size, [5] * size
    for place in (0, 7, PLACE["input_cost"], PLACE["output_cost"], size - 1):
        part[place] = 9
    found: Sums = sum_of_packs([pack({"a": whole})])
    take_from(found, sum_of_packs([pack({"a": part})]).items())
    assert row_of(found["a"], size) == [one - other for one, other in zip(whole, part, strict=True)]
    add_to(found, sum_of_packs([pack({"a": part})]).items())
    assert row_of(found["a"], size) == whole


def test_a_thousand_names_take_little_room() -> None:
    record = a_record(input_tokens=1_234, output_tokens=567, input_cost=1_234_000_000, output_cost=567_000_000)
    cells = {f"chat|{number:032x}": counted(record, with_ttft=False) for number in range(6_000)}
    assert len(pack(cells)) < 400_000


@pytest.mark.parametrize(
    "wrong", [{"input_tokens": -1}, {"total_ms": 2**53}, {"output_cost": 2**100}, {"input_cost": -(10**12)}]
)
def test_a_number_that_would_leave_its_lane_is_not_counted(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="cannot be counted"):
        counted(a_record(**wrong), with_ttft=True)
