"""Tables that take a write and do not answer are unavailable, whatever was to be written."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from shared.errors import StoreUnavailable
from shared.store.client_keys import ClientKeys
from shared.store.config_store import ConfigStore
from shared.store.rollup_table import RollupTable
from shared.store.rollups import Place, Put
from shared.store.tables import Patience, Tables
from tests.store.test_config_store import an_endpoint


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    """The kernel takes the connections, and nobody reads them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield Tables("test", region="eu-central-1", endpoint=url, patience=Patience(1, 0.1, 0))


WRITES: dict[str, Callable[[Tables], object]] = {
    "configuration": lambda tables: ConfigStore(tables).create_endpoint(an_endpoint(id=7)),
    "a key": lambda tables: ClientKeys(tables).create("ci"),
    "a key's use": lambda tables: ClientKeys(tables).note_use("0" * 32, 1),
    "a roll-up": lambda tables: RollupTable(tables).write([Put(Place("day", "2026"), b"", 0)]),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_silence_is_unavailable(silent: Tables, write: Callable[[Tables], object]) -> None:
    with pytest.raises(StoreUnavailable, match="ReadTimeoutError"):
        write(silent)
