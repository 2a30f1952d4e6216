"""A store for each test: moto in this process, empty tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends

from shared.store.config_store import ConfigStore
from shared.store.tables import Tables


@pytest.fixture(scope="module")
def connected_tables() -> Iterator[Tables]:
    """One client for a module's tests: making it takes longer than most of them."""
    with mock_aws():
        yield Tables("test", region="eu-central-1")


@pytest.fixture
def tables(connected_tables: Tables) -> Tables:
    for regions in dynamodb_backends.values():
        regions.reset()
    connected_tables.create_missing()
    return connected_tables


@pytest.fixture
def store(tables: Tables) -> ConfigStore:
    return ConfigStore(tables, now=lambda: 1_700_000_000.0)
