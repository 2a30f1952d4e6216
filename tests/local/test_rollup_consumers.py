"""Several consumers of the stream at the same time, on tables with real transactions, and the API beside them."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

import pytest

from shared.errors import StoreUnavailable
from shared.gateway.records import Record
from shared.store.counters import PLACE, counted, total
from shared.store.rollup_reader import RollupReader
from shared.store.rollup_table import RollupTable
from shared.store.rollups import KINDS, Delivery, aggregate, count_once
from tests.local.store import StoreProcess
from tests.local.test_rollup_feed import rolled_up
from tests.store.test_ledger import NOON, a_record

CONSUMERS = 4


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    store = StoreProcess(tmp_path_factory.mktemp("store")).start()
    yield store
    store.kill()


def a_history(count: int) -> list[Record]:
    chance = random.Random(2)
    return [
        a_record(
            request_id=f"r{number}",
            time_ms=NOON + chance.randrange(7_200_000),
            virtual_model=f"m{chance.randrange(5)}",
            endpoint_id=chance.randrange(3),
            key_id=f"k{chance.randrange(10)}",
            input_tokens=chance.randrange(1_000),
            output_cost=chance.randrange(10**12),
            time_to_first_token_ms=chance.randrange(3_000),
        )
        for number in range(count)
    ]


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_consumers_at_the_same_time_count_each_record_once(store: StoreProcess) -> None:
    records = a_history(120)
    deliveries = [Delivery(each, NOON // 1000 + number // 20) for number, each in enumerate(records)]

    def consume(number: int) -> int:
        chance, table, fresh = random.Random(number), RollupTable(store.tables()), 0
        for start in range(number * 30, len(deliveries) + number * 30, 40):  # every consumer is given every record
            batch = [deliveries[place % len(deliveries)] for place in range(start, start + 40)]
            chance.shuffle(batch)
            while True:
                try:
                    fresh += count_once(table, batch)
                    break
                except StoreUnavailable:  # outrun too often, on a busy machine: the stream delivers again
                    time.sleep(0.05)
        return fresh

    with ThreadPoolExecutor(CONSUMERS) as pool:
        fresh = list(pool.map(consume, range(CONSUMERS)))
    assert sum(fresh) == len(records)
    assert rolled_up(RollupTable(store.tables()), records) == aggregate(records)
    reader = RollupReader(store.tables(), now=lambda: NOON / 1000 + 86_400)
    expected = total(counted(each, with_ttft=False) for each in records)
    for kind in KINDS:
        found = total(reader.sums(kind, NOON // 1000, NOON // 1000 + 7_200).values())
        assert found[: len(PLACE)] == expected


def test_an_answer_that_is_lost_is_found_done(store: StoreProcess) -> None:
    """The write is done and its answer never comes: the stream delivers again."""

    class Deaf(RollupTable):
        def write(self, puts):  # type: ignore[no-untyped-def]
            super().write(puts)
            raise StoreUnavailable("the answer was lost")

    later = int(datetime(2026, 2, 1).timestamp()) * 1000
    records = [replace(each, time_ms=later, request_id=f"d{each.request_id}") for each in a_history(12)]
    deliveries = [Delivery(each, later // 1000) for each in records]
    with pytest.raises(StoreUnavailable):
        count_once(Deaf(store.tables()), deliveries)
    assert count_once(RollupTable(store.tables()), deliveries) == 0
    assert rolled_up(RollupTable(store.tables()), records) == aggregate(records)
