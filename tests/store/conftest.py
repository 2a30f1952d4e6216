"""A store for each test: moto in this process, empty tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from shared.store.config_store import ConfigStore
from shared.store.tables import Tables


@pytest.fixture
def tables() -> Iterator[Tables]:
    with mock_aws():
        tables = Tables("test", region="eu-central-1")
        tables.create_missing()
        yield tables


@pytest.fixture
def store(tables: Tables) -> ConfigStore:
    return ConfigStore(tables, now=lambda: 1_700_000_000.0)
