from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.errors import StoreUnavailable
from shared.store.config_store import ConfigStore
from shared.store.journal import JournalWriter
from shared.store.ledger import Filter, Ledger
from shared.store.refusals import Conflict, DuplicateName
from tests.local.store import StoreProcess
from tests.store.test_config_store import a_virtual_model, an_endpoint
from tests.store.test_ledger import a_record


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    store = StoreProcess(tmp_path_factory.mktemp("store")).start()
    yield store
    store.kill()


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[StoreProcess]:
    store = StoreProcess(tmp_path / "data", LEDGER_LOCAL_RECORDS="300")
    yield store
    store.kill()


def eventually(condition: object, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


# -- writers at the same time ------------------------------------------------------------------------------------------


def test_no_update_of_two_writers_is_lost(shared_store: StoreProcess) -> None:
    stores = [shared_store.config_store() for _ in range(4)]
    endpoint = stores[0].create_endpoint(an_endpoint(name="counted", options={}))

    conflicts: list[tuple[int, int]] = []

    def count(writer: int) -> None:
        done = 0
        while done < 8:
            current = stores[writer].get_endpoint(endpoint.id)
            changed = {**current.options, f"{writer}-{done}": True}
            try:
                stores[writer].update_endpoint(endpoint.id, {"options": changed}, expected=current.version)
                done += 1
            except Conflict as conflict:
                conflicts.append((current.version, conflict.current.version))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    final = stores[0].get_endpoint(endpoint.id)
    assert len(final.options) == 32
    assert final.version == 33
    assert all(seen < found for seen, found in conflicts)


def test_updates_without_a_version_all_arrive(shared_store: StoreProcess) -> None:
    stores = [shared_store.config_store() for _ in range(3)]
    endpoint = stores[0].create_endpoint(an_endpoint(name="shared"))
    fields = [{"priority": 5}, {"enabled": False}, {"url": "http://127.0.0.1:1"}]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda n: stores[n].update_endpoint(endpoint.id, fields[n]), range(3)))
    final = stores[0].get_endpoint(endpoint.id)
    assert (final.priority, final.enabled, final.url, final.version) == (5, False, "http://127.0.0.1:1", 4)


def test_a_name_is_given_to_one_of_many(shared_store: StoreProcess) -> None:
    def create(store: ConfigStore) -> bool:
        try:
            store.create_endpoint(an_endpoint(name="wanted"))
        except DuplicateName:
            return False
        return True

    stores = [shared_store.config_store() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(create, stores)) == [False, False, False, True]


def test_an_endpoint_is_not_deleted_under_a_new_virtual_model(shared_store: StoreProcess) -> None:
    first, second = shared_store.config_store(), shared_store.config_store()
    for turn in range(6):
        endpoint = first.create_endpoint(an_endpoint(name=f"raced-{turn}"))
        model = a_virtual_model(endpoint.id, name=f"racer-{turn}")
        with ThreadPoolExecutor(2) as pool:
            outcomes = [
                pool.submit(first.delete_endpoint, endpoint.id, cascade=True),
                pool.submit(second.create_virtual_model, model),
            ]
            errors = [outcome.exception() for outcome in outcomes]
        assert errors[0] is None
        catalog = first.load_catalog()
        targets = {target.endpoint_id for each in catalog.virtual_models.values() for target in each.targets}
        assert targets <= catalog.endpoints.keys(), errors


def test_seeds_are_planted_by_one_of_many(shared_store: StoreProcess) -> None:
    stores = [shared_store.config_store() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda store: store.plant_seeds(), stores)) == 1
    assert [each.name for each in stores[0].list_virtual_models()].count("demo") == 1


# -- restarts ----------------------------------------------------------------------------------------------------------


def test_configuration_survives_a_kill_and_a_stop(own_store: StoreProcess) -> None:
    store = own_store.start().config_store()
    endpoint = store.create_endpoint(an_endpoint(sealed_key=bytes(range(256)), options={"a": [1, 2.5, None]}))
    model = store.create_virtual_model(a_virtual_model(endpoint.id, temperature=0))
    gone = store.create_endpoint(an_endpoint(name="gone"))
    store.delete_endpoint(gone.id)
    for end in (own_store.kill, own_store.terminate):
        end()
        store = own_store.start().config_store()
        assert store.list_endpoints() == [endpoint]
        assert store.list_virtual_models() == [model]
        assert store.read_version() == 4
    with pytest.raises(DuplicateName):
        store.create_endpoint(an_endpoint())
    assert store.create_endpoint(an_endpoint(name="new")).id > gone.id


@pytest.mark.slow
def test_what_was_acknowledged_before_a_kill_is_there_and_whole(own_store: StoreProcess) -> None:
    chance = random.Random(7)
    acknowledged: dict[int, int] = {}
    sent: dict[int, int] = {}
    for turn in range(3):
        store = own_store.start().config_store()
        for endpoint_id, version in acknowledged.items():
            record = store.get_endpoint(endpoint_id)
            assert version <= record.version <= sent[endpoint_id]
            assert record.options == {"n": record.version, "pad": "x" * 2_000}
        names = {item.key for item in store._tables.config.query("name")}
        assert names == {f"endpoint#{each.name}" for each in store.list_endpoints()}
        assert store.read_version() >= sum(acknowledged.values())
        kill_at = sum(acknowledged.values()) + chance.randint(4, 12)
        killer = threading.Timer(chance.uniform(0, 0.04), own_store.kill)
        try:
            while True:
                if sum(acknowledged.values()) == kill_at:
                    killer.start()
                if len(acknowledged) < 3 * (turn + 1):
                    options = {"n": 1, "pad": "x" * 2_000}
                    created = store.create_endpoint(an_endpoint(name=f"e{turn}-{len(acknowledged)}", options=options))
                    acknowledged[created.id] = sent[created.id] = 1
                else:
                    endpoint_id = chance.choice(list(acknowledged))
                    version = store.get_endpoint(endpoint_id).version
                    sent[endpoint_id] = version + 1
                    options = {"n": version + 1, "pad": "x" * 2_000}
                    changed = store.update_endpoint(endpoint_id, {"options": options}, expected=version)
                    acknowledged[endpoint_id] = changed.version
        except StoreUnavailable:
            pass
        killer.join()
    assert sum(acknowledged.values()) >= 12


@pytest.mark.slow
def test_a_second_process_on_the_same_folder_is_refused_with_one_line(own_store: StoreProcess) -> None:
    own_store.start()
    second = own_store.spawn()
    out, err = second.communicate(timeout=20)
    assert second.returncode == 2
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith(f"DATA_DIR: {own_store.data_dir} is in use by process ")
    assert own_store.config_store().read_version() == 0


def test_a_stop_is_clean(own_store: StoreProcess) -> None:
    own_store.start()
    assert own_store.terminate() == 0


def test_a_bad_setting_stops_the_start_with_one_line(tmp_path: Path) -> None:
    process = StoreProcess(tmp_path, LEDGER_LOCAL_RECORDS="many").spawn()
    _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert err.startswith("LEDGER_LOCAL_RECORDS must be")
    assert len(err.splitlines()) == 1


def test_on_a_leash_it_follows_its_parent(own_store: StoreProcess) -> None:
    process = own_store.spawn("--leash")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("store ready")
    process.communicate(timeout=20)  # closes its standard input
    assert process.returncode == 0


@pytest.mark.slow
def test_a_torn_last_line_was_never_acknowledged_and_is_cut_off(own_store: StoreProcess) -> None:
    endpoint = own_store.start().config_store().create_endpoint(an_endpoint())
    own_store.kill()
    (file,) = (own_store.data_dir / "tables").glob("*.jsonl")
    with open(file, "ab") as end:
        end.write(b'[["put","serverless-proxy-config",{"scope"')
    store = own_store.start().config_store()
    assert store.list_endpoints() == [endpoint]
    changed = store.update_endpoint(endpoint.id, {"priority": 4})
    own_store.kill()
    assert own_store.start().config_store().list_endpoints() == [changed]


@pytest.mark.slow
def test_a_damaged_file_is_told_and_left_alone(own_store: StoreProcess) -> None:
    own_store.start().config_store().create_endpoint(an_endpoint())
    own_store.kill()
    (file,) = (own_store.data_dir / "tables").glob("*.jsonl")
    damaged = file.read_bytes().replace(b'"put"', b'"pu', 1)
    file.write_bytes(damaged)
    process = own_store.spawn()
    _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "cannot be read" in err
    assert file.read_bytes() == damaged


# -- the ledger --------------------------------------------------------------------------------------------------------


def test_the_journal_of_another_process_shows_up(own_store: StoreProcess) -> None:
    writer = JournalWriter(own_store.data_dir / "ledger")
    now = int(time.time() * 1000)
    before = [a_record(request_id=f"before-{n:03d}", time_ms=now - 100 + n) for n in range(20)]
    for record in before:
        writer.append(record)
    ledger = Ledger(own_store.start().tables(), keep_days=90)
    eventually(lambda: len(ledger.newest(50).records) == 20)
    writer.append(a_record(request_id="live", time_ms=now + 1, status=429))
    eventually(lambda: ledger.newest(1).records[0].request_id == "live")
    assert [record.request_id for record in ledger.newest(5, only=Filter(status=429)).records] == ["live"]
    assert ledger.newest(50).records[1:] == before[::-1]
    own_store.kill()
    ledger = Ledger(own_store.start().tables(), keep_days=90)
    eventually(lambda: len(ledger.newest(50).records) == 21)


@pytest.mark.slow
def test_memory_holds_the_newest_records_only(own_store: StoreProcess) -> None:
    writer = JournalWriter(own_store.data_dir / "ledger", segment_bytes=40_000)
    now = int(time.time() * 1000)
    for number in range(1_000):
        writer.append(a_record(request_id=f"r{number:04d}", time_ms=now - 10_000 + number))
    ledger = Ledger(own_store.start().tables(), keep_days=90)

    def held() -> list[str]:
        return [record.request_id for record in ledger.newest(2_000).records]

    eventually(lambda: len(held()) == 300)
    assert held() == [f"r{number:04d}" for number in range(999, 699, -1)]
    for number in range(1_000, 1_050):
        writer.append(a_record(request_id=f"r{number:04d}", time_ms=now - 10_000 + number))
    eventually(lambda: held()[0] == "r1049")
    assert held() == [f"r{number:04d}" for number in range(1_049, 749, -1)]


@pytest.mark.slow
def test_segments_past_their_time_are_removed_and_others_kept(own_store: StoreProcess) -> None:
    folder = own_store.data_dir / "ledger"
    JournalWriter(folder, now=lambda: time.time() - 200 * 86_400).append(a_record())
    JournalWriter(folder, now=lambda: time.time() - 80 * 86_400).append(a_record())
    own_store.start()
    eventually(lambda: len(list(folder.iterdir())) == 1)


# -- the door ----------------------------------------------------------------------------------------------------------


def ask(store: StoreProcess, method: str, path: str, **headers: str) -> int:
    connection = http.client.HTTPConnection(store.url.removeprefix("http://"), timeout=5)
    try:
        connection.request(method, path, body=b"{}" if method == "POST" else None, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_only_dynamodb_clients_of_this_machine_are_served(shared_store: StoreProcess) -> None:
    target = {"X-Amz-Target": "DynamoDB_20120810.ListTables"}
    assert ask(shared_store, "GET", "/ready") == 200
    assert ask(shared_store, "POST", "/", **target) == 200
    assert ask(shared_store, "POST", "/") == 400
    assert ask(shared_store, "POST", "/", **target, Host="evil.example:80") == 403
    assert ask(shared_store, "POST", "/", **{"X-Amz-Target": "DynamoDB_20120810.Nonsense"}) in (400, 500)


def test_files_are_private(own_store: StoreProcess) -> None:
    own_store.start().config_store().create_endpoint(an_endpoint())
    (file,) = (own_store.data_dir / "tables").glob("*.jsonl")
    assert file.stat().st_mode & 0o077 == 0
