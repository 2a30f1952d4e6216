"""One served gateway and two scripted backends for the whole session; the official SDK as the client."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.contract.served import Served, closed_port, serve
from tests.upstreams.openai import answer
from tests.upstreams.server import Upstream

# a gateway that lets nobody in without a key is told one of its own
CLIENT_KEY = os.environ.get("GATEWAY_KEY", "sk-client-7d1f40aa")


@pytest.fixture(scope="session")
def upstream_session() -> Iterator[Upstream]:
    with Upstream(answer) as server:
        yield server


@pytest.fixture(scope="session")
def backup_session() -> Iterator[Upstream]:
    with Upstream(answer) as server:
        yield server


@pytest.fixture(scope="session")
def served(
    tmp_path_factory: pytest.TempPathFactory, upstream_session: Upstream, backup_session: Upstream
) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("gateway")) as found:
        found.define(upstream=upstream_session.url, backup=backup_session.url, closed_port=closed_port())
        yield found


@pytest.fixture
def upstream(upstream_session: Upstream) -> Upstream:
    upstream_session.reset()
    return upstream_session


@pytest.fixture
def backup(backup_session: Upstream) -> Upstream:
    backup_session.reset()
    return backup_session


@pytest.fixture(scope="session")
def client(served: Served) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{served.api}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=20) as found:
        yield found


@pytest.fixture
async def async_client(served: Served) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{served.api}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=20) as found:
        yield found


@pytest.fixture(scope="session")
def http(served: Served) -> Iterator[httpx.Client]:
    with served.client() as found:
        yield found
