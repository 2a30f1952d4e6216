from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.errors import StoreUnavailable
from shared.gateway.records import Record
from shared.store.journal import JournalTail, JournalWriter, pump
from shared.store.ledger import Ledger
from shared.store.recorders import MOST_WAITING, JournalRecorder, TableRecorder
from shared.store.tables import Tables
from tests.store.test_ledger import NOON, a_record


class TakingLedger(Ledger):
    """A ledger that can be away, and remembers what it took."""

    def __init__(self) -> None:
        self.taken: list[Record] = []
        self.away = False

    def put(self, record: Record) -> None:
        self.put_batch([record])

    def put_batch(self, records: object) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.taken += records


def some_records(count: int) -> list[Record]:
    return [a_record(request_id=f"r{number}", user_agent="ü\n\x00") for number in range(count)]


def test_what_is_appended_is_read_in_order(tmp_path: Path) -> None:
    writer, tail = JournalWriter(tmp_path / "ledger"), JournalTail(tmp_path / "ledger")
    assert tail.read() == []
    for record in some_records(10):
        writer.append(record)
    assert tail.read(4) + tail.read(4) + tail.read(4) == some_records(10)
    assert tail.read() == []
    writer.append(a_record(request_id="late"))
    assert tail.read() == [a_record(request_id="late")]


def test_a_segment_is_private_and_ends_with_the_day_or_its_size(tmp_path: Path) -> None:
    now = [NOON / 1000]
    writer = JournalWriter(tmp_path, segment_bytes=1_000, now=lambda: now[0])
    for _ in range(5):
        writer.append(a_record())
    now[0] += 86_400
    writer.append(a_record())
    tail = JournalTail(tmp_path)
    names = [segment.name for segment in tail.segments()]
    assert len(names) > 2
    assert {name[:10] for name in names} == {"2025-11-22", "2025-11-23"}
    assert all(segment.stat().st_mode & 0o077 == 0 for segment in tail.segments())
    assert len(tail.read()) == 6
    assert len(tail.prune("2025-11-23")) == len(names) - 1
    assert [segment.name[:10] for segment in tail.segments()] == ["2025-11-23"]


def test_a_torn_last_line_is_passed_over_and_never_read_early(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    writer.append(a_record(request_id="whole"))
    (segment,) = JournalTail(tmp_path).segments()
    tail = JournalTail(tmp_path)
    with open(segment, "ab") as file:
        file.write(b'{"time_ms": 17638')
    assert [record.request_id for record in tail.read()] == ["whole"]
    assert tail.read() == []
    JournalWriter(tmp_path).append(a_record(request_id="next process"))
    assert [record.request_id for record in tail.read()] == ["next process"]


def test_the_position_outlives_the_reader(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "ledger")
    for record in some_records(6):
        writer.append(record)
    ledger = TakingLedger()
    assert pump(JournalTail(tmp_path / "ledger", tmp_path / "position"), ledger, limit=4) == 4
    assert pump(JournalTail(tmp_path / "ledger", tmp_path / "position"), ledger) == 2
    assert pump(JournalTail(tmp_path / "ledger", tmp_path / "position"), ledger) == 0
    assert ledger.taken == some_records(6)


def test_what_the_table_did_not_take_is_read_again(tmp_path: Path) -> None:
    JournalWriter(tmp_path / "ledger").append(a_record())
    ledger, tail = TakingLedger(), JournalTail(tmp_path / "ledger", tmp_path / "position")
    ledger.away = True
    with pytest.raises(StoreUnavailable):
        pump(tail, ledger)
    ledger.away = False
    assert pump(tail, ledger) == 1
    assert ledger.taken == [a_record()]


@pytest.mark.parametrize(("newest", "expected"), [(0, 0), (1, 1), (7, 7), (12, 12), (100, 20)])
def test_only_the_newest_can_be_read(tmp_path: Path, newest: int, expected: int) -> None:
    records = some_records(20)
    for part in (records[:8], records[8:13], records[13:]):
        writer = JournalWriter(tmp_path)
        for record in part:
            writer.append(record)
        writer.close()
    tail = JournalTail(tmp_path)
    tail.skip_to_newest(newest)
    assert tail.read() == records[20 - expected :]


WRITER = """
import sys
from pathlib import Path
from shared.store.journal import JournalWriter
from tests.store.test_ledger import a_record
writer = JournalWriter(Path(sys.argv[1]))
for number in range(10_000_000):
    writer.append(a_record(request_id=f"r{number}", user_agent="x" * (number % 3000)))
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def test_a_killed_writer_loses_nothing_it_said_was_written(tmp_path: Path) -> None:
    for turn in range(3):
        folder = tmp_path / str(turn)
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            for _ in range(50):
                process.stdout.readline()
            time.sleep(0.003 * turn)
        finally:
            process.send_signal(signal.SIGKILL)
            said = process.stdout.read().split(b"\n")[:-1]
            process.wait()
            process.stdout.close()
        acknowledged = 50 + len(said)
        read = JournalTail(folder).read(limit=10_000_000)
        assert [record.request_id for record in read[:acknowledged]] == [f"r{n}" for n in range(acknowledged)]


def test_a_full_disk_is_logged_and_never_raised(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = JournalWriter(tmp_path)
    recorder = JournalRecorder(journal)
    recorder.record(a_record(request_id="first"))
    full = os.open("/dev/full", os.O_WRONLY)
    healthy, journal._descriptor = journal._descriptor, full
    recorder.record(a_record(request_id="lost"))
    journal._descriptor = healthy
    os.close(full)
    recorder.record(a_record(request_id="third"))
    assert [record.request_id for record in JournalTail(tmp_path).read()] == ["first", "third"]
    assert "request lost" in caplog.text


async def test_on_lambda_records_are_put_by_flush(tables: Tables) -> None:
    ledger = Ledger(tables, keep_days=90, now=lambda: NOON / 1000)
    recorder = TableRecorder(ledger)
    recorder.record(a_record(attempt=1))
    assert ledger.newest().records == []
    await recorder.flush()
    recorder.record(a_record(attempt=2))
    recorder.record(a_record(attempt=3))
    await recorder.flush()
    await recorder.flush()
    assert [record.attempt for record in ledger.newest().records] == [3, 2, 1]


async def test_what_the_table_did_not_take_waits_for_the_next_flush(caplog: pytest.LogCaptureFixture) -> None:
    ledger = TakingLedger()
    recorder = TableRecorder(ledger)
    ledger.away = True
    for record in some_records(3):
        recorder.record(record)
    await recorder.flush()
    recorder.record(a_record(request_id="later"))
    ledger.away = False
    await recorder.flush()
    assert ledger.taken == [*some_records(3), a_record(request_id="later")]
    assert "3 ledger records wait" in caplog.text


async def test_what_waits_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    ledger = TakingLedger()
    recorder = TableRecorder(ledger)
    for record in some_records(MOST_WAITING + 2):
        recorder.record(record)
    await asyncio.gather(recorder.flush(), recorder.flush())
    assert ledger.taken == some_records(MOST_WAITING + 2)[2:]
    assert caplog.text.count("lost") == 2
