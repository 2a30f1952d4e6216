from __future__ import annotations

import pytest

from shared.store.config_store import ConfigStore
from shared.store.health import Health, HealthBoard
from shared.store.tables import Tables
from tests.store.test_config_store import an_endpoint


class CountingBoard(HealthBoard):
    def __init__(self, tables: Tables) -> None:
        self.seconds = 1_000.0
        self.writes = 0
        super().__init__(tables, now=lambda: self.seconds)

    def _write(self, endpoint_id: int, health: Health) -> None:
        self.writes += 1
        super()._write(endpoint_id, health)


@pytest.fixture
def board(tables: Tables) -> CountingBoard:
    return CountingBoard(tables)


async def test_what_is_noted_is_read_by_others(board: CountingBoard, tables: Tables) -> None:
    board.note(1, True, status=200)
    board.note(2, False, "upstream_timeout", 504)
    await board.flush()
    assert HealthBoard(tables).read_all() == {
        1: Health(ok=True, at=1_000, status=200),
        2: Health(ok=False, at=1_000, status=504, error_code="upstream_timeout"),
    }


async def test_only_news_is_written(board: CountingBoard) -> None:
    for _ in range(100):
        board.note(1, True)
        await board.flush()
    assert board.writes == 1
    board.seconds += 59
    board.note(1, True)
    await board.flush()
    assert board.writes == 1
    board.seconds += 1
    board.note(1, True)
    await board.flush()
    assert board.writes == 2
    board.seconds += 1
    board.note(1, False, "upstream_unreachable")
    await board.flush()
    assert board.writes == 3


async def test_a_flapping_endpoint_is_noted_once_a_second(board: CountingBoard) -> None:
    for turn in range(50):
        board.note(1, turn % 2 == 0)
        await board.flush()
    assert board.writes == 1


async def test_an_unreachable_table_is_a_log_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    board = HealthBoard(Tables("test", region="eu-central-1", endpoint="http://127.0.0.1:9"))
    board.note(1, True)
    await board.flush()
    assert "the health of endpoint 1 was not noted" in caplog.text


async def test_a_deleted_endpoints_health_goes_with_it(board: CountingBoard, store: ConfigStore) -> None:
    endpoint = store.create_endpoint(an_endpoint())
    board.note(endpoint.id, True)
    await board.flush()
    store.delete_endpoint(endpoint.id)
    assert board.read_all() == {}
