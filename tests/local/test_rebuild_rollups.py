"""`make rebuild`: on this machine from the journal, for a deployment from its ledger."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from infra.local.rollup_feed import EngineRollups
from infra.local.store_process import lock, open_engine, store_tables
from infra.rebuild_rollups import main
from shared.gateway.records import Record
from shared.settings import Settings
from shared.store.journal import JournalWriter
from shared.store.ledger import Ledger
from shared.store.rollup_table import RollupTable
from shared.store.rollups import Delivery, RollupStore, aggregate, count_once
from tests.local.process import ROOT
from tests.local.store import CREDENTIALS, StoreProcess
from tests.local.test_rollup_feed import rolled_up
from tests.store.test_ledger import a_record

DAY = 86_400
TODAY = int(time.time()) // DAY * DAY


def some(days_ago: int, count: int = 6) -> list[Record]:
    begins = (TODAY - days_ago * DAY) * 1000
    return [
        a_record(request_id=f"{days_ago}-{number}", time_ms=begins + number * 60_000, key_id=f"k{number % 2}")
        for number in range(count)
    ]


def spoil(store: RollupStore, days_ago: int) -> None:
    """Something that the ledger does not know was counted."""
    wrong = a_record(request_id="wrong", time_ms=(TODAY - days_ago * DAY) * 1000, key_id="k0")
    count_once(store, [Delivery(wrong, TODAY)])


def iso(days_ago: int) -> str:
    return datetime.fromtimestamp(TODAY - days_ago * DAY, UTC).date().isoformat()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # where no .env lies
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name, value in (CREDENTIALS | {"DATA_DIR": str(tmp_path / "data")}).items():
        monkeypatch.setenv(name, value)


def test_this_machines_days_are_made_from_the_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, chosen, records = tmp_path / "data", Settings(), [*some(3), *some(1), *some(0)]
    journal = JournalWriter(data / "ledger")
    for record in records:
        journal.append(record)
    journal.close()
    assert main([iso(3), iso(0)]) == 0  # what was not counted yet is counted first, and once
    assert capsys.readouterr().out.count("all is well") == 4
    engine = open_engine(data, chosen)
    spoil(EngineRollups(engine, store_tables(chosen).rollups.Meta.table_name), 1)
    engine.close()
    assert main([iso(1)]) == 0
    assert f"{iso(1)}: " in (said := capsys.readouterr().out)
    assert "packs were wrong" in said
    engine = open_engine(data, chosen)
    assert rolled_up(EngineRollups(engine, store_tables(chosen).rollups.Meta.table_name), records) == aggregate(records)
    engine.close()


def test_a_gateway_that_runs_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with lock(tmp_path / "data"):
        assert main([iso(1)]) == 2
    assert "is in use by process" in capsys.readouterr().err


def test_a_deployments_days_are_made_from_its_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = StoreProcess(tmp_path / "store").start()
    try:
        tables = store.tables()
        table, records = RollupTable(tables), [*some(4), *some(3)]
        Ledger(tables, keep_days=90).put_batch(records)
        count_once(table, [Delivery(each, each.time_ms // 1000) for each in records])
        spoil(table, 4)
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", store.url)
        assert main([iso(4), iso(3), "--table-prefix", "serverless-proxy"]) == 0
        said = capsys.readouterr().out.splitlines()
        assert "wrong" in said[0]
        assert said[1].endswith("all is well")
        assert rolled_up(table, records) == aggregate(records)
        for day, reason in (
            (iso(1), "not over for two days"),
            (f"{date.today() - timedelta(days=200)}", "keeps 90 days"),
        ):
            assert main([day, "--table-prefix", "serverless-proxy"]) == 2
            assert reason in capsys.readouterr().err
    finally:
        store.kill()
