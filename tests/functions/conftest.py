"""A store for each test: moto in this process, empty tables, a key file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from shared.store.config_store import ConfigStore
from shared.store.seal import KeyFileSealer
from shared.store.tables import Tables


@pytest.fixture
def tables() -> Iterator[Tables]:
    with mock_aws():
        tables = Tables("test", region="eu-central-1")
        tables.create_missing()
        yield tables


@pytest.fixture
def store(tables: Tables) -> ConfigStore:
    return ConfigStore(tables)


@pytest.fixture
def sealer(tmp_path: Path) -> KeyFileSealer:
    return KeyFileSealer(tmp_path / "endpoint.key")
