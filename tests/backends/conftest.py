"""One served gateway for all backends, with the patience that a loaded machine needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from tests.backends.build import NotBuilt, interpreter
from tests.contract.served import Served, serve

CLIENT_KEY = "sk-client-51c09be2"


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("gateway"), TIMEOUT="60") as found:
        yield found


@pytest.fixture(scope="session")
def client(gateway: Served) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.api}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=90) as found:
        yield found


@pytest.fixture(scope="session")
def http(gateway: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.api, timeout=90) as found:
        yield found


@pytest.fixture(scope="session")
def python_of() -> Callable[[str], Path]:
    """The Python of a backend's own environment; the tests of a backend that is not built are skipped."""

    def find(name: str) -> Path:
        try:
            return interpreter(name)
        except NotBuilt as missing:
            pytest.skip(str(missing))

    return find
