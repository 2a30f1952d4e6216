"""The newest records of the ledger, filtered and page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
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


@pytest.fixture(scope="module")
def ledger(shared_tables: Tables) -> Ledger:
    """Six records that no test changes."""
    ledger = Ledger(shared_tables, keep_days=90, now=lambda: NOW_MS / 1_000 + 3_600)
    ledger.put_batch(
        [
            a_record(1),
            a_record(2, virtual_model="slow", endpoint_id=2, endpoint_name="other"),
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
    ],
)
async def test_refuses_what_is_no_filter(admin: httpx.AsyncClient, filters: dict[str, str], field: str) -> None:
    assert wrong_fields(await admin.get(PATH, params=filters)) == [field]


async def test_a_ledger_without_records_is_an_empty_list(shared_tables: Tables) -> None:
    later = Ledger(shared_tables, keep_days=90, now=lambda: NOW_MS / 1_000 + 400 * 86_400)
    async with client(admin_activity_app(later, OpenAccess())) as admin:
        assert (await admin.get(PATH)).json() == {"items": [], "next_cursor": None, "count": 0}
