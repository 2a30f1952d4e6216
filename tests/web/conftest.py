"""Two scripted backends for the whole session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.upstreams.openai import answer
from tests.upstreams.server import Upstream


@pytest.fixture(scope="session")
def first_session() -> Iterator[Upstream]:
    with Upstream(answer) as server:
        yield server


@pytest.fixture(scope="session")
def second_session() -> Iterator[Upstream]:
    with Upstream(answer) as server:
        yield server


@pytest.fixture
def first(first_session: Upstream) -> Upstream:
    first_session.reset()
    return first_session


@pytest.fixture
def second(second_session: Upstream) -> Upstream:
    second_session.reset()
    return second_session
