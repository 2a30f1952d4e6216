"""The laptop's roll-ups: each line of the journal once, over restarts, kills and a disk that is full."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.rollup_feed import EngineRollups, RollupFeed
from infra.local.store_disk import Change, RedoFile
from infra.local.store_engine import Engine
from shared.gateway.records import Record
from shared.store.journal import JournalTail, JournalWriter
from shared.store.rollup_packs import Cells, unpack
from shared.store.rollup_table import RollupTable
from shared.store.rollups import LEVELS, NOTHING, Place, RollupStore, aggregate
from tests.local.store import CREDENTIALS, StoreProcess
from tests.store.test_ledger import NOON, a_record

NAME = "t-rollups"


def some(count: int, first: int = 0) -> list[Record]:
    return [
        a_record(
            request_id=f"r{number}",
            time_ms=NOON + number * 400_000,
            virtual_model=f"m{number % 3}",
            key_id=f"k{number % 5}",
            input_tokens=number,
            output_cost=number * 10**9,
        )
        for number in range(first, first + count)
    ]


def rolled_up(store: RollupStore, records: list[Record]) -> dict[Place, Cells]:
    """What is stored where these records belong."""
    places = list(aggregate(records, LEVELS))
    held = store.read(places)
    return {place: unpack(held.get(place, NOTHING).content) for place in places}


class FullDisk(RedoFile):
    full = False

    def append(self, changes: list[Change]) -> None:
        if self.full:
            raise OSError("no space left")
        super().append(changes)


class Laptop:
    """The feed on a folder, started again and again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.start()

    def start(self) -> None:
        self.disk = FullDisk(self._folder / "rollups")
        self._engine = Engine(RedoFile(self._folder / "tables"), apart={NAME: self.disk})
        self._engine.ensure_table(NAME, "dimension", "moment")
        self.store = EngineRollups(self._engine, NAME)
        self.feed = RollupFeed(JournalTail(self._folder / "ledger"), self.store)

    def stop(self) -> None:
        self._engine.close()


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    laptop = Laptop(tmp_path)
    yield laptop
    laptop.stop()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[JournalWriter]:
    writer = JournalWriter(tmp_path / "ledger", segment_bytes=4_000)
    yield writer
    writer.close()


def test_each_line_counts_once_over_restarts(laptop: Laptop, journal: JournalWriter) -> None:
    records = some(40)
    for number, record in enumerate(records):
        journal.append(record)
        if number % 3 == 0:
            laptop.feed.take(2)
        if number % 7 == 0:
            laptop.stop()
            laptop.start()
    while laptop.feed.is_behind:
        laptop.feed.take(5)
    assert rolled_up(laptop.store, records) == aggregate(records)
    assert laptop.feed.take(5) == 0


def test_what_the_disk_did_not_take_is_counted_later(laptop: Laptop, journal: JournalWriter) -> None:
    records = some(10)
    for record in records:
        journal.append(record)
    laptop.feed.take(4)
    laptop.disk.full = True
    with pytest.raises(OSError, match="no space"):
        laptop.feed.take(4)
    assert rolled_up(laptop.store, records[:4]) == aggregate(records[:4])
    laptop.disk.full = False
    laptop.feed.take(100)
    assert rolled_up(laptop.store, records) == aggregate(records)


def test_a_line_torn_from_the_file_is_counted_again(laptop: Laptop, journal: JournalWriter, tmp_path: Path) -> None:
    records = some(6)
    for record in records:
        journal.append(record)
    laptop.feed.take(3)
    laptop.feed.take(3)
    laptop.stop()
    [file] = (tmp_path / "rollups").iterdir()
    content = file.read_bytes()
    file.write_bytes(content[:-7])  # as a kill leaves it
    laptop.start()
    assert rolled_up(laptop.store, records[:3]) == aggregate(records[:3])
    laptop.feed.take(100)
    assert rolled_up(laptop.store, records) == aggregate(records)


def test_segments_that_are_gone_stay_counted(laptop: Laptop, journal: JournalWriter, tmp_path: Path) -> None:
    records = some(20)
    for record in records:
        journal.append(record)
    laptop.feed.take(100)
    journal.close()
    JournalTail(tmp_path / "ledger").prune("9999-01-01")
    laptop.stop()
    laptop.start()
    later = some(5, first=20)
    for record in later:
        journal.append(record)
    laptop.feed.take(100)
    assert rolled_up(laptop.store, records + later) == aggregate(records + later)


def test_who_watches_the_configuration_does_not_see_the_roll_ups(
    laptop: Laptop, journal: JournalWriter, tmp_path: Path
) -> None:
    def state() -> dict[str, int]:
        return {path.name: path.stat().st_size for path in (tmp_path / "tables").iterdir()}

    before = state()
    for record in some(10):
        journal.append(record)
    laptop.feed.take(100)
    assert state() == before


def test_the_file_is_told_anew_when_it_has_grown(tmp_path: Path) -> None:
    laptop, journal = Laptop(tmp_path), JournalWriter(tmp_path / "ledger")
    records = [a_record(request_id=f"r{number}", key_id=f"k{number}") for number in range(400)]
    for record in records:
        journal.append(record)
        laptop.feed.take(1)
    laptop.stop()
    assert [path.name for path in (tmp_path / "rollups").iterdir()] != ["tables-00000001.jsonl"]
    laptop.start()
    assert rolled_up(laptop.store, records) == aggregate(records)
    laptop.stop()
    journal.close()


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_nothing_is_lost_or_counted_twice_by_kill_9(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    folder, chance = tmp_path / "data", random.Random(5)
    journal = JournalWriter(folder / "ledger", segment_bytes=50_000)
    store = StoreProcess(folder, LEDGER_LOCAL_RECORDS="50")  # far fewer than are counted
    records: list[Record] = []
    try:
        for number in range(4):
            store.start()
            for record in some(150, first=number * 150):
                journal.append(record)
                records.append(record)
                time.sleep(0.001)
            time.sleep(chance.random() / 4)
            store.kill()
        store.start()
        table = RollupTable(store.tables())
        expected = aggregate(records)
        deadline = time.monotonic() + 20
        found: Any = None
        while found != expected and time.monotonic() < deadline:
            time.sleep(0.1)
            found = rolled_up(table, records)
        assert found == expected
    finally:
        store.kill()
        journal.close()
