"""Client keys: their form, their table, and the memory that spares a warm request every read."""

from __future__ import annotations

import asyncio
import string
import threading
from dataclasses import replace

import pytest

from shared.errors import StoreUnavailable
from shared.store.client_key import ClientKey, Shown, new_key, read_key
from shared.store.client_keys import ClientKeys, Revoked
from shared.store.key_cache import KeyCache
from shared.store.refusals import DuplicateName, NotFound
from shared.store.tables import Patience, Tables

NOW = 1_700_000_000.0


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(tables: Tables, clock: Clock) -> ClientKeys:
    return ClientKeys(tables, now=clock)


# -- the form ----------------------------------------------------------------------------------------------------------


def test_a_key_is_url_safe_and_never_the_same() -> None:
    made = {new_key() for _ in range(200)}
    assert len(made) == 200
    for key in made:
        assert len(key) == 53
        assert key.startswith("spk_")
        assert set(key) <= set(string.ascii_letters + string.digits + "-_")
        shown = read_key(key)
        assert shown is not None
        assert shown.secret_hash.startswith(shown.key_id)
        assert key[4:20] not in shown.secret_hash


def test_a_key_with_any_one_letter_wrong_is_refused_without_a_read() -> None:
    key = new_key()
    for place in range(len(key)):
        for letter in "aZ0-_ ":
            if letter != key[place]:
                assert read_key(key[:place] + letter + key[place + 1 :]) is None
    for rubbish in ("", "sk-proj-abc", key[:-1], key + "a", key.upper(), f" {key}", f"{key}\n", "spk_", key[4:]):
        assert read_key(rubbish) is None


# -- the table ---------------------------------------------------------------------------------------------------------


def test_a_key_is_found_by_itself_and_kept_as_a_hash_only(keys: ClientKeys, tables: Tables) -> None:
    made = keys.create("ci", "for the build")
    shown = read_key(made.key)
    assert shown is not None
    found = keys.find(shown.key_id)
    assert found == made.record == keys.get(shown.key_id)
    assert found is not None
    assert found.opens(shown, NOW)
    assert (found.label, found.notes, found.prefix) == ("ci", "for the build", made.key[:12])
    assert (found.created_at, found.revoked_at, found.last_used_at, found.version) == (1_700_000_000, None, None, 1)
    stored = repr([item.attribute_values for item in tables.api_keys.scan()])
    assert made.key[4:] not in stored
    assert made.key[12:] not in stored
    other = read_key(new_key())
    assert other is not None
    assert keys.find(other.key_id) is None
    assert not found.opens(other, NOW)


def test_the_list_is_by_label_and_has_no_helpers_in_it(keys: ClientKeys) -> None:
    for label in ("web", "ci", "cron"):
        keys.create(label)
    assert [each.label for each in keys.list()] == ["ci", "cron", "web"]


def test_no_two_living_keys_have_one_label(keys: ClientKeys) -> None:
    first, second = keys.create("ci"), keys.create("web")
    with pytest.raises(DuplicateName, match="another client key is named 'ci'"):
        keys.create("ci")
    with pytest.raises(DuplicateName):
        keys.change(second.record.key_id, label="ci")
    assert keys.change(second.record.key_id, label="web2").label == "web2"
    assert keys.create("web").record.label == "web"
    keys.revoke(first.record.key_id)
    assert keys.create("ci").record.key_id != first.record.key_id


def test_a_change_sets_what_is_given(keys: ClientKeys, clock: Clock) -> None:
    made = keys.create("ci", "old")
    clock.now += 10
    changed = keys.change(made.record.key_id, notes="", enabled=False)
    assert changed == replace(made.record, notes="", enabled=False, version=2, updated_at=1_700_000_010)
    assert keys.get(made.record.key_id) == changed
    assert keys.change(made.record.key_id, enabled=False) == changed
    shown = read_key(made.key)
    assert shown is not None
    assert not changed.opens(shown, NOW)
    assert keys.change(made.record.key_id, enabled=True).opens(shown, NOW)


def test_a_revoked_key_stays_revoked(keys: ClientKeys, clock: Clock) -> None:
    made = keys.create("ci")
    clock.now += 5
    revoked = keys.revoke(made.record.key_id)
    assert (revoked.enabled, revoked.revoked_at) == (False, 1_700_000_005)
    clock.now += 5
    assert keys.revoke(made.record.key_id) == revoked
    with pytest.raises(Revoked):
        keys.change(made.record.key_id, enabled=True)
    keys.note_use(made.record.key_id, 1)
    assert not keys.get(made.record.key_id).enabled


@pytest.mark.parametrize("key_id", ["nothing", "label#ci"])
def test_what_is_no_key_is_not_found(keys: ClientKeys, key_id: str) -> None:
    keys.create("ci")
    assert keys.find(key_id) is None
    for ask in (keys.get, keys.revoke, keys.change):
        with pytest.raises(NotFound):
            ask(key_id)
    keys.note_use(key_id, 5)
    assert len(keys.list()) == 1
    assert keys.find(key_id) is None


def test_the_last_use_is_noted_beside_a_change(keys: ClientKeys) -> None:
    made = keys.create("ci")
    keys.note_use(made.record.key_id, 1_700_000_500)
    keys.change(made.record.key_id, notes="new")
    found = keys.get(made.record.key_id)
    assert (found.last_used_at, found.notes) == (1_700_000_500, "new")


def test_a_store_that_is_away_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    keys = ClientKeys(
        Tables("gone", region="eu-central-1", endpoint="http://127.0.0.1:9", patience=Patience(0.1, 0.1, 0))
    )
    for ask in (keys.list, lambda: keys.create("x"), lambda: keys.find("x"), lambda: keys.note_use("x", 1)):
        with pytest.raises(StoreUnavailable):
            ask()


# -- the memory --------------------------------------------------------------------------------------------------------


class Source:
    """A table that counts, can be away, and can be slow."""

    def __init__(self) -> None:
        self.keys: dict[str, ClientKey] = {}
        self.reads: list[str] = []
        self.uses: list[tuple[str, int]] = []
        self.away = False
        self.gate = threading.Event()
        self.gate.set()

    def connect(self) -> None:
        pass

    def add(self) -> tuple[Shown, ClientKey]:
        shown = read_key(new_key())
        assert shown is not None
        self.keys[shown.key_id] = ClientKey(*shown, prefix="spk_", label="x")
        return shown, self.keys[shown.key_id]

    def find(self, key_id: str) -> ClientKey | None:
        self.reads.append(key_id)
        found = self.keys.get(key_id)
        self.gate.wait(5)
        if self.away:
            raise StoreUnavailable("away")
        return found

    def note_use(self, key_id: str, at: int) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.uses.append((key_id, at))


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def cache(source: Source, clock: Clock) -> KeyCache:
    return KeyCache(source, clock=clock, deadline_seconds=5)


async def landed(cache: KeyCache) -> None:
    """Everything behind the requests is done."""
    while cache._flights:
        await asyncio.sleep(0.001)
    await cache.settle()


async def test_a_warm_key_needs_no_read(cache: KeyCache, source: Source, clock: Clock) -> None:
    shown, _ = source.add()
    for _ in range(50):
        assert await cache.verify(shown)
        clock.now += 0.09
    assert len(source.reads) == 1


async def test_after_5_seconds_it_is_checked_behind_the_request(cache: KeyCache, source: Source, clock: Clock) -> None:
    shown, key = source.add()
    assert await cache.verify(shown)
    source.keys[shown.key_id] = replace(key, enabled=False, revoked_at=5)
    clock.now += 6
    assert await cache.verify(shown)
    await landed(cache)
    assert not await cache.verify(shown)
    assert len(source.reads) == 2


async def test_after_60_seconds_it_is_checked_first(cache: KeyCache, source: Source, clock: Clock) -> None:
    shown, key = source.add()
    assert await cache.verify(shown)
    source.keys[shown.key_id] = replace(key, enabled=False)
    clock.now += 61
    assert not await cache.verify(shown)


async def test_an_unknown_key_is_remembered_for_5_seconds(cache: KeyCache, source: Source, clock: Clock) -> None:
    shown, key = source.add()
    del source.keys[shown.key_id]
    for _ in range(10):
        assert not await cache.verify(shown)
    assert len(source.reads) == 1
    source.keys[shown.key_id] = key
    assert not await cache.verify(shown)
    clock.now += 6
    assert await cache.verify(shown)


async def test_a_flood_of_invented_keys_pushes_no_true_one_out(source: Source, clock: Clock) -> None:
    cache = KeyCache(source, clock=clock, limit=3)
    shown, _ = source.add()
    assert await cache.verify(shown)
    for _ in range(20):
        invented = read_key(new_key())
        assert invented is not None
        assert not await cache.verify(invented)
    assert len(cache._refused) == 3
    reads = len(source.reads)
    assert await cache.verify(shown)
    assert len(source.reads) == reads


async def test_everyone_at_once_shares_one_read(cache: KeyCache, source: Source) -> None:
    shown, _ = source.add()
    source.gate.clear()
    asked = [asyncio.create_task(cache.verify(shown)) for _ in range(30)]
    await asyncio.sleep(0.02)
    asked[0].cancel()  # one that leaves takes nobody with it
    source.gate.set()
    assert all(await asyncio.gather(*asked[1:]))
    assert len(source.reads) == 1


async def test_a_known_key_opens_through_an_outage_of_15_minutes(cache: KeyCache, source: Source, clock: Clock) -> None:
    shown, _ = source.add()
    assert await cache.verify(shown)
    source.away = True
    clock.now += 100
    assert await cache.verify(shown)
    assert await cache.verify(shown)
    assert len(source.reads) == 2  # and the table is not asked by every request meanwhile
    stranger, _ = source.add()
    with pytest.raises(StoreUnavailable):
        await cache.verify(stranger)
    clock.now += 900
    with pytest.raises(StoreUnavailable):
        await cache.verify(shown)
    source.away = False
    clock.now += 6
    assert await cache.verify(shown)


async def test_a_table_that_does_not_answer_is_not_waited_for(source: Source, clock: Clock) -> None:
    cache = KeyCache(source, clock=clock, deadline_seconds=0.01, first_deadline_seconds=0.01)
    shown, _ = source.add()
    source.gate.clear()
    with pytest.raises(StoreUnavailable):
        await cache.verify(shown)
    source.gate.set()


async def test_what_was_read_before_a_change_does_not_count(cache: KeyCache, source: Source) -> None:
    shown, key = source.add()
    source.gate.clear()
    asked = asyncio.create_task(cache.verify(shown))
    while not source.reads:
        await asyncio.sleep(0.001)
    source.keys[shown.key_id] = replace(key, enabled=False)
    cache.invalidate()
    source.gate.set()
    assert not await asked
    assert not await cache.verify(shown)


async def test_the_use_is_noted_every_ten_minutes_at_most(cache: KeyCache, source: Source, clock: Clock) -> None:
    shown, _ = source.add()
    began = int(clock.now)
    for _ in range(700):
        assert await cache.verify(shown)
        clock.now += 1
    await landed(cache)
    assert source.uses == [(shown.key_id, began), (shown.key_id, began + 600)]


async def test_a_use_that_another_environment_noted_is_not_noted_again(
    cache: KeyCache, source: Source, clock: Clock
) -> None:
    shown, key = source.add()
    source.keys[shown.key_id] = replace(key, last_used_at=int(clock.now) - 100)
    assert await cache.verify(shown)
    await landed(cache)
    assert source.uses == []


async def test_a_use_that_cannot_be_noted_harms_nobody(
    cache: KeyCache, source: Source, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    shown, _ = source.add()
    assert await cache.verify(shown)
    await landed(cache)
    source.away = True
    clock.now += 601
    assert await cache.verify(shown)
    await landed(cache)
    assert "was not noted" in caplog.text
