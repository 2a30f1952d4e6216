from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Iterator

import pytest

from shared.errors import StoreUnavailable
from shared.gateway.catalog import Catalog
from shared.store.config_store import ConfigStore
from shared.store.snapshot import CatalogCache
from shared.store.tables import REQUEST_PATH, Tables


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


class Source:
    """A table that counts what is asked of it, and can be away or slow."""

    def __init__(self) -> None:
        self.version = 1
        self.asked: list[str] = []
        self.away = False
        self.answers_after_seconds = 0.0

    def connect(self) -> None:
        self.asked.append("connect")

    def read_version(self) -> int:
        self._answer("version")
        return self.version

    def load_catalog(self) -> Catalog:
        version = self.version
        self._answer("load")
        return Catalog(version=version)

    def _answer(self, question: str) -> None:
        self.asked.append(question)
        time.sleep(self.answers_after_seconds)
        if self.away:
            raise StoreUnavailable("nobody there")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def cache(source: Source, clock: Clock) -> CatalogCache:
    return CatalogCache(source, clock=clock)


async def settle(cache: CatalogCache) -> None:
    while cache._flight is not None:
        await asyncio.sleep(0.002)


async def test_a_warm_request_reads_no_table(cache: CatalogCache, source: Source, clock: Clock) -> None:
    first = await cache.get()
    for _ in range(100):
        clock.seconds += 0.049
        assert await cache.get() is first
    assert source.asked == ["connect", "load"]


async def test_a_crowd_shares_the_first_load(cache: CatalogCache, source: Source) -> None:
    source.answers_after_seconds = 0.02
    catalogs = await asyncio.gather(*(cache.get() for _ in range(50)))
    assert len({id(catalog) for catalog in catalogs}) == 1
    assert source.asked == ["connect", "load"]


async def test_after_five_seconds_it_is_checked_behind_the_request(
    cache: CatalogCache, source: Source, clock: Clock
) -> None:
    first = await cache.get()
    source.version, source.answers_after_seconds = 2, 0.1
    clock.seconds += 5.1
    began = time.perf_counter()
    assert await cache.get() is first
    assert time.perf_counter() - began < 0.09
    await settle(cache)
    assert (await cache.get()).version == 2
    assert source.asked == ["connect", "load", "version", "load"]


async def test_an_unchanged_version_loads_nothing(cache: CatalogCache, source: Source, clock: Clock) -> None:
    first = await cache.get()
    clock.seconds += 5.1
    await cache.get()
    await settle(cache)
    clock.seconds += 4.9
    assert await cache.get() is first
    assert source.asked == ["connect", "load", "version"]


async def test_after_a_freeze_the_request_waits_for_the_check(
    cache: CatalogCache, source: Source, clock: Clock
) -> None:
    await cache.get()
    source.version = 2
    clock.seconds += 61
    assert (await cache.get()).version == 2


async def test_a_clock_set_back_is_not_trusted(cache: CatalogCache, source: Source, clock: Clock) -> None:
    await cache.get()
    source.version = 2
    clock.seconds -= 100
    assert (await cache.get()).version == 2


async def test_an_outage_serves_the_last_good_catalog_and_logs_once(
    cache: CatalogCache, source: Source, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    first = await cache.get()
    source.away = True
    clock.seconds += 61
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            assert await cache.get() is first
    assert [record.getMessage() for record in caplog.records] == [
        "the configuration was not revalidated, version 1 serves: nobody there"
    ]
    assert source.asked == ["connect", "load", "version"]
    source.away, source.version = False, 2
    clock.seconds += 5.1
    assert (await cache.get()).version == 2


async def test_without_any_catalog_the_store_is_unavailable_until_it_is_back(
    cache: CatalogCache, source: Source
) -> None:
    source.away = True
    with pytest.raises(StoreUnavailable, match="nobody there"):
        await cache.get()
    source.away = False
    assert (await cache.get()).version == 1


async def test_a_slow_table_holds_a_request_for_the_deadline_only(
    cache: CatalogCache, source: Source, clock: Clock
) -> None:
    first = await cache.get()
    source.answers_after_seconds = 0.6
    clock.seconds += 61
    began = time.perf_counter()
    assert await cache.get() is first
    assert 0.24 < time.perf_counter() - began < 0.5
    began = time.perf_counter()
    assert await cache.get() is first
    assert time.perf_counter() - began < 0.1


async def test_an_administrators_change_is_seen_at_once(cache: CatalogCache, source: Source) -> None:
    await cache.get()
    source.version = 2
    cache.invalidate()
    assert (await cache.get()).version == 2
    assert source.asked == ["connect", "load", "load"]


async def test_a_change_during_a_check_is_not_missed(cache: CatalogCache, source: Source, clock: Clock) -> None:
    await cache.get()
    source.answers_after_seconds = 0.03
    clock.seconds += 5.1
    await cache.get()
    await asyncio.sleep(0.01)
    source.version = 2
    cache.invalidate()
    assert (await cache.get()).version == 2


async def test_a_check_cut_by_a_freeze_is_repeated(cache: CatalogCache, source: Source, clock: Clock) -> None:
    await cache.get()
    source.away, source.answers_after_seconds = True, 0.05
    clock.seconds += 5.1
    await cache.get()
    await asyncio.sleep(0.02)
    clock.seconds += 3_600
    waiting = asyncio.create_task(cache.get())
    await asyncio.sleep(0.05)
    source.away, source.version = False, 2
    assert (await waiting).version == 2


async def test_a_client_that_leaves_does_not_stop_the_others(cache: CatalogCache, source: Source) -> None:
    source.answers_after_seconds = 0.05
    leaving, staying = asyncio.create_task(cache.get()), asyncio.create_task(cache.get())
    await asyncio.sleep(0.01)
    leaving.cancel()
    assert (await staying).version == 1


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


async def test_a_hanging_dynamodb_is_given_up_within_the_deadline(
    silent_port: int, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    tables = Tables("test", region="eu-central-1", endpoint=f"http://127.0.0.1:{silent_port}", patience=REQUEST_PATH)
    store = ConfigStore(tables)
    store.connect()
    cache = CatalogCache(store, clock=clock, first_deadline_seconds=0.25)
    began = time.perf_counter()
    with pytest.raises(StoreUnavailable, match=r"no answer in 0\.25 s"):
        await cache.get()
    assert 0.2 < time.perf_counter() - began < 0.6


async def test_a_check_behind_a_request_ends_before_the_process_may_be_frozen(
    cache: CatalogCache, source: Source, clock: Clock
) -> None:
    await cache.get()
    await cache.settle()  # nothing is on its way
    source.version, source.answers_after_seconds = 2, 0.02
    clock.seconds += 6
    assert (await cache.get()).version == 1
    await cache.settle()
    assert (await cache.get()).version == 2
