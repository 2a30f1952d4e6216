"""Limited keys at the routes: OpenAI's 403 and 429, its headers, and a budget under requests that come all at once."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import httpx
import pytest
from moto import mock_aws

from shared.gateway.catalog import Catalog
from shared.gateway.limits import Limits
from shared.protocols.openai_chat.wire import OpenAIChat
from shared.providers.base import Endpoint
from shared.store.client_key import ClientKey, Shown, new_key, read_key
from shared.store.limit_state import State
from shared.store.limits import LimitTable, TableLimiter
from shared.store.tables import Tables
from shared.web.access import KeyAccess
from shared.web.app import ClientApp
from shared.web.chat_route import ChatRoute
from shared.web.embedding_route import EmbeddingRoute
from shared.web.models_route import ModelsRoute
from tests.gateway.pieces import Kept, a_catalog, a_gateway
from tests.upstreams.script import Pause, Reply, Seen, says
from tests.upstreams.server import Upstream

PRICES = {"cost_per_1m_tokens_in": Decimal(1_000), "cost_per_1m_tokens_out": Decimal(1_000)}
DOLLAR = 10**12


class Keys:
    """A memory of one key."""

    def __init__(self, limits: Limits) -> None:
        self.text = new_key()
        shown = read_key(self.text)
        assert shown is not None
        self.key = ClientKey(*shown, prefix="spk_", label="x", limits=limits)

    async def verify(self, shown: Shown) -> ClientKey | None:
        return self.key if self.key.opens(shown, 0) else None

    async def settle(self) -> None:
        """Nothing waits."""


class Limited(NamedTuple):
    clients: dict[str, httpx.AsyncClient]
    keys: Keys
    kept: Kept
    table: LimitTable

    async def ask(self, **fields: Any) -> httpx.Response:
        body = {"model": "fast", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 10, **fields}
        return await self.clients["chat"].post("/v1/chat/completions", json=body)

    @property
    def state(self) -> State:
        return self.table.state(self.keys.key.key_id)


@pytest.fixture(scope="module")
def limit_tables() -> Iterator[Tables]:
    with mock_aws():
        tables = Tables("test", region="eu-central-1")
        tables.create_missing()
        yield tables


_MOTO = threading.Lock()


class OneByOne(LimitTable):
    """moto has no locks: one call after another, in whatever order the requests come."""

    def _read(self, key_id: str) -> Any:
        with _MOTO:
            return super()._read(key_id)

    def _write(self, key_id: str, update: Any) -> Any:
        with _MOTO:
            return super()._write(key_id, update)


@pytest.fixture
async def limited(first: Upstream, limit_tables: Tables, request: pytest.FixtureRequest) -> AsyncIterator[Limited]:
    """The routes, asked with a key that has the test's limits."""
    keys, kept, table = Keys(request.param), Kept(), OneByOne(limit_tables)
    endpoint = Endpoint(1, "backend", "openai", first.url)
    catalog = a_catalog(endpoint, **PRICES)
    other = a_catalog(endpoint, name="slow").virtual_models["slow"]
    catalog = Catalog(1, catalog.endpoints, {**catalog.virtual_models, "slow": other})
    gateway, upstream = a_gateway(catalog, kept, limiter=TableLimiter(table))
    apps = {
        "chat": ChatRoute(OpenAIChat(), lambda: gateway, max_body_bytes=1 << 20),
        "models": ModelsRoute(lambda: gateway),
        "embeddings": EmbeddingRoute(lambda: gateway, max_body_bytes=1 << 20, default_model=None),
    }
    headers = {"authorization": f"Bearer {keys.text}"}
    clients = {
        name: httpx.AsyncClient(
            transport=httpx.ASGITransport(ClientApp(app, KeyAccess(lambda: keys, required=True))),
            base_url="http://gateway",
            headers=headers,
            timeout=60,
        )
        for name, app in apps.items()
    }
    yield Limited(clients, keys, kept, table)
    for each in clients.values():
        await each.aclose()
    await upstream.aclose()


def limits(**fields: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("limited", [Limits(**fields)], indirect=True)


def uses(prompt_tokens: int, completion_tokens: int) -> Reply:
    choice = {"index": 0, "message": {"role": "assistant", "content": "well"}, "finish_reason": "stop"}
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
    return says(
        {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    )


@limits()
async def test_a_key_without_limits_touches_no_table(limited: Limited) -> None:
    assert (await limited.ask()).status_code == 200
    assert limited.table._seen == {}


@limits(models=("fast", "gone"))
async def test_a_key_for_some_models_sees_and_may_use_only_those(limited: Limited, first: Upstream) -> None:
    assert (await limited.ask()).status_code == 200
    for name in ("slow", "nowhere"):  # whether there is such a model is not told
        answer = await limited.ask(model=name)
        assert (answer.status_code, answer.headers["x-should-retry"]) == (403, "false")
        assert answer.json()["error"]["code"] == "model_not_allowed"
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    vectors = await limited.clients["embeddings"].post("/v1/embeddings", json={"model": "slow", "input": "x"})
    assert vectors.status_code == 403
    models = limited.clients["models"]
    assert [row["id"] for row in (await models.get("/v1/models")).json()["data"]] == ["fast"]
    listed = await models.get("/v1/models", headers={"anthropic-version": "2023-06-01"})
    assert [row["id"] for row in listed.json()["data"]] == ["fast"]
    assert (await models.get("/v1/models/slow")).status_code == 404
    assert len(first.seen) == 1


@limits(requests_per_minute=2, tokens_per_minute=1_000)
async def test_what_is_left_is_told_in_openais_headers(limited: Limited) -> None:
    for stream, left in ((False, "1"), (True, "0")):
        answer = await limited.ask(stream=stream)
        assert answer.status_code == 200
        told = {name: value for name, value in answer.headers.items() if name.startswith("x-ratelimit-")}
        assert set(told) == {
            f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")
        }
        assert (told["x-ratelimit-limit-requests"], told["x-ratelimit-remaining-requests"]) == ("2", left)
        assert int(told["x-ratelimit-remaining-tokens"]) < 1_000
    answer = await limited.ask()
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 120
    assert "x-should-retry" not in answer.headers
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"


@limits(daily_budget=DOLLAR // 100)
async def test_a_spent_budget_is_openais_insufficient_quota(limited: Limited, first: Upstream) -> None:
    first.on("actual", uses(5, 4))  # of a tenth of a cent each
    answer = await limited.ask(max_tokens=1_000)
    assert answer.status_code == 429  # it might cost a dollar
    assert (answer.json()["error"]["code"], answer.headers["x-should-retry"]) == ("insufficient_quota", "false")
    assert first.seen == []
    tiny = {"max_tokens": 1, "messages": []}
    assert (await limited.ask(**tiny)).status_code in (400, 429)
    assert limited.kept.records == []


@limits(monthly_budget=100 * DOLLAR)
async def test_an_answer_without_an_end_gets_one_where_a_budget_is_kept(limited: Limited, first: Upstream) -> None:
    first.on("actual", uses(5, 4))
    assert (await limited.ask(max_tokens=None)).status_code == 200
    assert first.last.body["max_tokens"] == 8_192
    assert (await limited.ask(model="slow", max_tokens=None)).status_code == 200  # free
    assert "max_tokens" not in first.last.body
    assert limited.state.month_cost == 9 * DOLLAR // 1_000


@limits(parallel_requests=1)
async def test_one_after_the_other_is_never_refused(limited: Limited) -> None:
    for _ in range(8):
        assert (await limited.ask()).status_code == 200


@limits(parallel_requests=2)
async def test_more_at_once_than_allowed_are_refused(limited: Limited, first: Upstream) -> None:
    slow = Reply(uses(1, 1).steps, content_type="application/json", before=(Pause(1.5),))
    first.on("actual", slow)
    answers = await asyncio.gather(*(limited.ask() for _ in range(5)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200, 200, 429, 429, 429]
    assert limited.state.held == {}


@limits(daily_budget=DOLLAR, requests_per_minute=10_000)
async def test_no_number_of_requests_at_once_overspends(limited: Limited, first: Upstream) -> None:
    """Each may cost up to its 300 tokens and its prompt, and costs some of it: together at most the dollar."""
    chance = random.Random(5)

    def spend(seen: Seen) -> Reply:
        return uses(chance.randrange(1, 6), chance.randrange(0, seen.body["max_tokens"] + 1))

    first.on("actual", spend)
    answered = refused = 0
    for _ in range(4):
        answers = await asyncio.gather(
            *(limited.ask(max_tokens=chance.choice((1, 40, 300)), stream=False) for _ in range(40))
        )
        answered += sum(answer.status_code == 200 for answer in answers)
        refused += sum(answer.status_code == 429 for answer in answers)
        assert {answer.status_code for answer in answers} <= {200, 429}
        spent = sum(record.cost for record in limited.kept.records)
        assert spent <= DOLLAR
        assert limited.state.day_cost == spent  # and nothing is held any more
    assert answered > 3
    assert refused > 3
    assert spent > DOLLAR // 2
