"""The newest records of the ledger, filtered and page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from functions.admin_activity.activity import admin_activity_app
from shared.gateway.records import Record
from shared.store.ledger import Ledger
from shared.store.tables import Tables
from shared.web.admin_access import OpenAccess
from tests.functions.admin_calls import client, wrong_fields

NOW_MS = 1_790_000_000_000
PATH = "/api/admin/activity"
COSTS = ["cost", "input_cost", "cache_read_cost", "cache_write_cost", "output_cost"]


BY_KEY = {"key_id": "key_a", "path": "/v1/chat/completions", "client_address": "203.0.113.9"}
PRICED = {"price_version": "abc", "input_cost": 10, "cache_read_cost": 1_000, "output_cost": 50_000_000_000}


def a_record(number: int, **fields: Any) -> Record:
    defaults: dict[str, Any] = {
        "time_ms": NOW_MS + number * 1_000,
        "request_id": f"req_{number}",
        "attempt": 1,
        "virtual_model": "fast",
        "actual_model": "gpt-x",
        "endpoint_id": 1,
        "endpoint_name": "backend",
        "endpoint_type": "openai",
        "protocol": "openai_chat",
        "request_type": "chat",
        "stream": True,
        "status": 200,
        "outcome": "success",
    }
    return Record(**{**defaults, **fields})


def iso(number: int) -> str:
    return datetime.fromtimestamp(NOW_MS / 1_000 + number, UTC).isoformat()


@pytest.fixture(scope="module")
def ledger(shared_tables: Tables) -> Ledger:
    """Six records that no test changes."""
    ledger = Ledger(shared_tables, keep_days=90, now=lambda: NOW_MS / 1_000 + 3_600)
    ledger.put_batch(
        [
            a_record(1, **BY_KEY, **PRICED),
            a_record(2, virtual_model="slow", endpoint_id=2, endpoint_name="other", path="/v1/embeddings"),
            a_record(3, status=404, outcome="failed", error_code="upstream_not_found"),
            a_record(4, status=429, outcome="failed"),
            a_record(5, status=499, outcome="aborted"),
            a_record(6, status=502, outcome="truncated", endpoint_id=-2, endpoint_name="runpod"),
        ]
    )
    return ledger


@pytest.fixture(scope="module")
def app(ledger: Ledger) -> FastAPI:
    return admin_activity_app(ledger, OpenAccess())


@pytest.fixture
async def admin(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app) as calls:
        yield calls


async def numbers(admin: httpx.AsyncClient, **filters: Any) -> list[int]:
    answer = await admin.get(PATH, params=filters)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["count"] == len(body["items"])
    return [int(item["request_id"].removeprefix("req_")) for item in body["items"]]


async def test_shows_the_newest_first(admin: httpx.AsyncClient) -> None:
    assert await numbers(admin) == [6, 5, 4, 3, 2, 1]
    body = (await admin.get(PATH)).json()
    assert body["next_cursor"] is None
    assert body["items"][3] == {
        "id": "req_3#1",
        "created_at": (NOW_MS + 3_000) / 1_000,
        "request_id": "req_3",
        "attempt": 1,
        "protocol": "openai_chat",
        "request_type": "chat",
        "virtual_model": "fast",
        "actual_model": "gpt-x",
        "endpoint_id": 1,
        "endpoint_name": "backend",
        "endpoint_type": "openai",
        "stream": True,
        "status_code": 404,
        "outcome": "failed",
        "error_code": "upstream_not_found",
        "input_tokens": 0,
        "output_tokens": 0,
        "cache_read_tokens": 0,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "reasoning_tokens": 0,
        "usage_source": "provider",
        "time_to_first_token_ms": None,
        "response_time_ms": 0,
        "user_agent": "",
        **dict.fromkeys(["key_id", "path", "client_address", "price_version", *COSTS]),
    }


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"status": "404"}, [3]),
        ({"status": "4xx"}, [5, 4, 3]),
        ({"status": "4XX"}, [5, 4, 3]),
        ({"status": "5xx"}, [6]),
        ({"status": "2xx"}, [2, 1]),
        ({"status": "failed"}, [4, 3]),
        ({"status": "4xx", "outcome": "aborted"}, [5]),
        ({"outcome": "truncated"}, [6]),
        ({"model": "slow"}, [2]),
        ({"model": "nobody"}, []),
        ({"endpoint": "2"}, [2]),
        ({"endpoint": "other"}, [2]),
        ({"endpoint": "-2"}, [6]),
        ({"endpoint": "runpod"}, [6]),
        ({"endpoint": "backend", "status": "2xx", "model": "fast"}, [1]),
        ({"key_id": "key_a"}, [1]),
        ({"key_id": "key"}, []),
        ({"path": "/v1/chat"}, [1]),
        ({"path": "embeddings"}, [2]),
        ({"client": "203.0.113."}, [1]),
        ({"client": "203.0.113.10"}, []),
        ({"least_cost": "0.05"}, [1]),
        ({"least_cost": "0.050000001011"}, []),
        ({"least_cost": "0"}, [6, 5, 4, 3, 2, 1]),
        ({"request_id": "req_3"}, [3]),
        ({"request_id": "req_"}, []),
        ({"since": str(NOW_MS // 1000 + 5)}, [6, 5]),
        ({"since": str(NOW_MS // 1000 + 2), "until": str(NOW_MS // 1000 + 5)}, [4, 3, 2]),
        ({"until": f"{NOW_MS // 1000 + 1}.001"}, [1]),
        ({"since": iso(4), "until": iso(5)}, [4]),
        ({"since": iso(6).replace("+00:00", "Z")}, [6]),
        ({"since": "2030-01-01"}, []),
        ({"since": iso(2), "until": iso(6), "model": "slow", "endpoint": "other", "status": "2xx"}, [2]),
        ({"status": "", "model": "", "endpoint": "", "outcome": "", "cursor": ""}, [6, 5, 4, 3, 2, 1]),
    ],
)
async def test_filters(admin: httpx.AsyncClient, filters: dict[str, str], found: list[int]) -> None:
    assert await numbers(admin, **filters) == found


async def test_cursors_walk_through_all_of_it(admin: httpx.AsyncClient) -> None:
    for filters in ({}, {"status": "4xx"}):
        everything = await numbers(admin, **filters)
        walked: list[int] = []
        cursor: str | None = None
        while True:
            page = (
                await admin.get(PATH, params={"limit": 2, **filters, **({"cursor": cursor} if cursor else {})})
            ).json()
            assert len(page["items"]) <= 2
            walked += [int(item["request_id"].removeprefix("req_")) for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert walked == everything


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"status": "teapot"}, "status"),
        ({"status": "600"}, "status"),
        ({"status": "6xx"}, "status"),
        ({"outcome": "404"}, "outcome"),
        ({"status": "failed", "outcome": "success"}, "outcome"),
        ({"cursor": "rubbish"}, "cursor"),
        ({"model": "x" * 301}, "model"),
        ({"since": "yesterday"}, "since"),
        ({"until": "-1"}, "until"),
        ({"since": "2026-13-01"}, "since"),
        ({"since": "999999999999"}, "since"),
        ({"until": "999999999999"}, "until"),
        ({"since": "9999-12-31T23:59:59-23:00"}, "since"),
        ({"since": "0001-01-01T00:00:00+23:00"}, "since"),
        ({"until": "1969-12-31T23:59:59Z"}, "until"),
        ({"least_cost": "-1"}, "least_cost"),
        ({"least_cost": "NaN"}, "least_cost"),
    ],
)
async def test_refuses_what_is_no_filter(admin: httpx.AsyncClient, filters: dict[str, str], field: str) -> None:
    assert wrong_fields(await admin.get(PATH, params=filters)) == [field]


async def test_shows_what_it_cost_and_for_whom(admin: httpx.AsyncClient) -> None:
    row = (await admin.get(PATH, params={"key_id": "key_a"})).json()["items"][0]
    shown = {"key_id", "path", "client_address", "price_version", *COSTS}
    assert {name: row[name] for name in shown} == {
        **BY_KEY,
        "price_version": "abc",
        "cost": "0.05000000101",
        "input_cost": "0.00000000001",
        "cache_read_cost": "0.000000001",
        "cache_write_cost": "0",
        "output_cost": "0.05",
    }


async def test_a_ledger_without_records_is_an_empty_list(shared_tables: Tables) -> None:
    later = Ledger(shared_tables, keep_days=90, now=lambda: NOW_MS / 1_000 + 400 * 86_400)
    async with client(admin_activity_app(later, OpenAccess())) as admin:
        assert (await admin.get(PATH)).json() == {"items": [], "next_cursor": None, "count": 0}
