"""A store for each test: moto in this process, tables that are empty again, a key file of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from shared.store.config_store import ConfigStore
from shared.store.seal import KeyFileSealer
from shared.store.tables import Patience, Tables


@pytest.fixture(scope="module")
def shared_tables() -> Iterator[Tables]:
    """A botocore client and its tables cost half a second: too much for each of many small tests."""
    with mock_aws():
        tables = Tables("test", region="eu-central-1")
        tables.create_missing()
        yield tables


@pytest.fixture
def tables(shared_tables: Tables) -> Iterator[Tables]:
    yield shared_tables
    with shared_tables.config.batch_write() as batch:
        for item in shared_tables.config.scan():
            batch.delete(item)


@pytest.fixture(scope="module")
def shared_store(shared_tables: Tables) -> ConfigStore:
    """For the apps, of which one takes a tenth of a second to build."""
    return ConfigStore(shared_tables)


@pytest.fixture
def store(tables: Tables, shared_store: ConfigStore) -> ConfigStore:
    return shared_store


@pytest.fixture
def serial_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConfigStore]:
    """For callers at the same time: moto has no locks, so its transactions are atomic only one call after another."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        name = f"test-{tmp_path.parent.name}-{tmp_path.name}"[:200]
        tables = Tables(name, region="eu-central-1", endpoint=url, patience=Patience(30, 30, 0))
        tables.create_missing()
        yield ConfigStore(tables)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def sealer(tmp_path_factory: pytest.TempPathFactory) -> KeyFileSealer:
    return KeyFileSealer(tmp_path_factory.mktemp("keys") / "endpoint.key")
