"""The usage API against the ledger that it tells about: every figure to the unit, and every read counted."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from functions.admin_usage import figures, usage
from functions.admin_usage.usage import admin_usage_app
from shared.gateway.records import Record
from shared.store.client_keys import ClientKeys
from shared.store.key_labels import KeyLabels
from shared.store.rollup_reader import RollupReader
from shared.store.rollup_table import RollupTable
from shared.store.rollups import Delivery, count_once
from shared.store.tables import Tables
from shared.web.admin_access import OpenAccess
from tests.functions.admin_calls import client, wrong_fields
from tests.local.store import StoreProcess
from tests.store.test_ledger import a_record

PATH = "/api/admin/usage"
FIRST = int(datetime(2025, 10, 20, tzinfo=UTC).timestamp())  # clocks change in Berlin on the 26th
LAST = int(datetime(2026, 1, 3, tzinfo=UTC).timestamp())
NOW = LAST - 5_000
SLOT = 1_800
MODELS = ["fast", "slow", "=cmd|x", "模" * 127 + "🜂"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Asia/Tokyo"]


def a_history(keys: list[str]) -> list[Record]:
    chance = random.Random(11)

    def a_usage(number: int) -> Record:
        priced = chance.random() < 0.8
        return a_record(
            request_id=f"r{number}",
            time_ms=chance.choice(
                (chance.randrange(FIRST, NOW), chance.randrange(FIRST, FIRST + 7 * 86_400), NOW - 1_800)
            )
            * 1000,
            attempt=chance.choice((1, 1, 1, 2)),
            virtual_model=chance.choice(MODELS),
            endpoint_id=chance.choice((1, 2)),
            endpoint_name=chance.choice(("ollama", "a|b")),
            key_id=chance.choice(keys),
            request_type=chance.choice(("chat", "chat", "completion", "embedding")),
            outcome=chance.choice(("success", "success", "failed", "truncated", "aborted")),
            usage_source=chance.choice(("provider", "estimated", "partial")),
            input_tokens=chance.randrange(10_000),
            output_tokens=chance.randrange(1_000),
            cache_read_tokens=chance.randrange(1_000),
            cache_write_5m_tokens=chance.randrange(100),
            cache_write_1h_tokens=chance.randrange(100),
            reasoning_tokens=chance.randrange(100),
            price_version="3" if priced else "",
            input_cost=chance.randrange(10**12) if priced else 0,
            cache_read_cost=chance.randrange(10**11) if priced else 0,
            cache_write_cost=chance.randrange(10**11) if priced else 0,
            output_cost=chance.randrange(10**13) if priced else 0,
            total_ms=chance.randrange(60_000),
            time_to_first_token_ms=chance.choice((None, chance.randrange(5_000))),
        )

    return [a_usage(number) for number in range(200)]


@pytest.fixture(scope="module")
def shared_tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    """The laptop's tables: moto alone reads the whole table for each Query."""
    store = StoreProcess(tmp_path_factory.mktemp("store")).start()
    yield store.tables()
    store.kill()


@pytest.fixture(scope="module")
def keys(shared_tables: Tables) -> list[str]:
    """Without a key, of a key that is no more, and of two that are."""
    made = [ClientKeys(shared_tables).create(label).record.key_id for label in ("ci", "web")]
    return ["", "f" * 32, *made]


@pytest.fixture(scope="module")
def history(shared_tables: Tables, keys: list[str]) -> list[Record]:
    records = a_history(keys)
    store = RollupTable(shared_tables)
    for start in range(0, len(records), 150):
        count_once(store, [Delivery(each, each.time_ms // 1000) for each in records[start : start + 150]])
    return records


@pytest.fixture(scope="module")
def reader(shared_tables: Tables) -> RollupReader:
    return RollupReader(shared_tables, now=lambda: NOW)


@pytest.fixture(scope="module")
def app(shared_tables: Tables, reader: RollupReader, history: list[Record]) -> FastAPI:
    return admin_usage_app(reader, KeyLabels(shared_tables), OpenAccess(), now=lambda: NOW)


@pytest.fixture(scope="module")
def ask(app: FastAPI) -> Callable[..., httpx.Response]:
    calls = TestClient(app, base_url="http://127.0.0.1:5001")

    def get(path: str = "", **parameters: Any) -> httpx.Response:
        answer = calls.get(PATH + path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer

    return get


@pytest.fixture
async def admin(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app) as calls:
        yield calls


# -- the ledger, added up by hand --------------------------------------------------------------------------------------


def money(records: Iterable[Record], *names: str) -> float:
    """Added up as whole numbers and rounded once."""
    picodollars = sum(getattr(each, name) for each in records for name in names)
    return float(round(Decimal(picodollars).scaleb(-12), 8))


def expected_figures(records: list[Record]) -> dict[str, Any]:
    def count(name: str) -> int:
        return sum(getattr(each, name) for each in records)

    created = count("cache_write_5m_tokens") + count("cache_write_1h_tokens")
    prompt = count("input_tokens") + count("cache_read_tokens") + created
    times = [each.time_to_first_token_ms for each in records if each.time_to_first_token_ms is not None]
    outcomes = [each.outcome for each in records]
    return {
        "request_count": len(records),
        "client_request_count": sum(each.attempt == 1 for each in records),
        **{f"{name}_count": outcomes.count(name) for name in ("success", "failed", "truncated", "aborted")},
        "error_rate": round((outcomes.count("failed") + outcomes.count("truncated")) / len(records), 6),
        "estimated_count": sum(each.usage_source == "estimated" for each in records),
        "partial_count": sum(each.usage_source == "partial" for each in records),
        "unpriced_count": sum(not each.price_version for each in records),
        "avg_response_time_ms": round(count("total_ms") / len(records), 1),
        "avg_ttft_ms": round(sum(times) / len(times), 1) if times else None,
        **{
            name: count(name)
            for name in (
                "input_tokens",
                "cache_read_tokens",
                "cache_write_5m_tokens",
                "cache_write_1h_tokens",
                "output_tokens",
                "reasoning_tokens",
            )
        },
        **{name: money(records, name) for name in ("input_cost", "cache_read_cost", "cache_write_cost", "output_cost")},
        "prompt_tokens": prompt,
        "completion_tokens": count("output_tokens"),
        "total_tokens": prompt + count("output_tokens"),
        "cached_input_tokens": count("cache_read_tokens"),
        "cache_creation_tokens": created,
        "cost_estimate": money(records, "input_cost", "cache_read_cost", "cache_write_cost", "output_cost"),
        "cached_cost_estimate": money(records, "cache_read_cost", "cache_write_cost"),
    }


SUMMARY_NAMES = {
    "total_prompt_tokens": "prompt_tokens",
    "total_completion_tokens": "completion_tokens",
    "total_tokens": "total_tokens",
    "total_cost": "cost_estimate",
    "total_cached_input_tokens": "cached_input_tokens",
    "total_cache_creation_tokens": "cache_creation_tokens",
    "total_cached_cost": "cached_cost_estimate",
    "request_count": "request_count",
    "avg_response_time_ms": "avg_response_time_ms",
}


DAILY = (
    "prompt_tokens",
    "completion_tokens",
    "cached_input_tokens",
    "cache_creation_tokens",
    "cost_estimate",
    "cached_cost_estimate",
    "estimated_count",
)


def without_percentiles(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.startswith("ttft_p")}


def grouped(records: Iterable[Record], name: Callable[[Record], Any]) -> dict[Any, dict[str, Any]]:
    found: dict[Any, list[Record]] = {}
    for each in records:
        found.setdefault(name(each), []).append(each)
    return {key: expected_figures(some) for key, some in found.items()}


def told(rows: list[dict[str, Any]], *names: str) -> dict[Any, dict[str, Any]]:
    """The rows without percentiles by what they are named after."""
    found = {}
    for row in rows:
        rest = {name: value for name, value in without_percentiles(row).items() if name not in names}
        found[tuple(row[name] for name in names)] = rest
    assert len(found) == len(rows)
    return found


QUERIES = st.fixed_dictionaries(
    {
        "start_date": st.one_of(
            st.integers(FIRST, NOW - 1),
            st.integers(FIRST // 86_400, NOW // 86_400 - 1).map(lambda day: day * 86_400),
        ),
        "length": st.one_of(st.integers(1, 90 * 86_400), st.integers(1, 40).map(lambda days: days * 86_400)),
        "timezone": st.sampled_from(ZONES),
    },
    optional={
        "virtual_model": st.sampled_from(MODELS),
        "key": st.integers(1, 3),
        "request_type": st.sampled_from(["chat", "completion", "embedding"]),
    },
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=QUERIES)
def test_every_route_agrees_with_the_ledger_to_the_unit(
    ask: Callable[..., httpx.Response], history: list[Record], keys: list[str], query: dict[str, Any]
) -> None:
    query = dict(query)
    start = query["start_date"]
    query["end_date"] = end = start + query.pop("length")
    if "key" in query:
        query["key_id"] = keys[query.pop("key")]
    since, until = start // SLOT * SLOT, -(-end // SLOT) * SLOT
    zone = ZoneInfo(query["timezone"])
    of_types = [
        each
        for each in history
        if since <= each.time_ms // 1000 < until and query.get("request_type") in (None, each.request_type)
    ]
    records = [
        each
        for each in of_types
        if query.get("virtual_model") in (None, each.virtual_model) and query.get("key_id") in (None, each.key_id)
    ]

    def local(each: Record, form: str) -> str:
        return datetime.fromtimestamp(each.time_ms // 1000, zone).strftime(form)

    body = ask(limit=366, **query).json()
    assert (body["start_date"], body["end_date"], body["next_cursor"]) == (since, until, None)
    if records:
        expected = expected_figures(records)
        assert {name: body["summary"][name] for name in SUMMARY_NAMES} == {
            name: expected[other] for name, other in SUMMARY_NAMES.items()
        }
    assert body["summary"]["request_count"] == len(records)
    models = {
        (day["date"], *name): row
        for day in body["daily_breakdown"]
        for name, row in told(day["models"], "virtual_model").items()
    }
    expected_models = grouped(records, lambda each: (local(each, "%Y-%m-%d"), each.virtual_model))
    assert models == {
        name: {"requests": row["request_count"], **{each: row[each] for each in DAILY}}
        for name, row in expected_models.items()
    }
    days = {day.pop("date"): day for day in body["daily_breakdown"] if day.pop("models")}
    assert all(day.pop("requests") == day["request_count"] for day in days.values())
    assert {name: without_percentiles(day) for name, day in days.items()} == grouped(
        records, lambda each: local(each, "%Y-%m-%d")
    )
    assert body["estimated_models"] == sorted({r.virtual_model for r in records if r.usage_source == "estimated"})

    rows = ask("/by_model", **query).json()
    assert told(rows, "virtual_model") == grouped(records, lambda each: (each.virtual_model,))
    rows = ask("/by_key", **query).json()["items"]
    labels = {keys[2]: "ci", keys[3]: "web"}
    assert told(rows, "key_id", "label") == grouped(records, lambda each: (each.key_id, labels.get(each.key_id)))
    only = {name: value for name, value in query.items() if name not in ("virtual_model", "key_id")}
    rows = ask("/by_endpoint", **only).json()
    assert told(rows, "endpoint_id", "endpoint_name") == grouped(
        of_types, lambda each: (each.endpoint_id, each.endpoint_name)
    )

    hours: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = ask("/by_hour", limit=744, **query, **cursor).json()
        hours += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert sum(hour["total_tokens"] for hour in hours) == body["summary"]["total_tokens"]
    assert len({hour["start_date"] for hour in hours}) == len(hours)
    by_hour = grouped(records, lambda each: local(each, "%Y-%m-%dT%H"))
    found = [hour["hour"][:13] for hour in hours]
    if len(set(found)) == len(found):  # where clocks go back an hour is there twice
        assert {
            name: {key: value for key, value in without_percentiles(hour).items() if key not in ("hour", "start_date")}
            for name, hour in zip(found, hours, strict=True)
        } == by_hour

    of_embeddings = {name: value for name, value in query.items() if name != "request_type"}
    told_embeddings = ask("/embeddings", **of_embeddings).json()
    embeddings = [
        each
        for each in history
        if since <= each.time_ms // 1000 < until
        and each.request_type == "embedding"
        and query.get("virtual_model") in (None, each.virtual_model)
        and query.get("key_id") in (None, each.key_id)
    ]
    if embeddings:
        sums = expected_figures(embeddings)
        assert told_embeddings == {
            "total_input_tokens": sums["prompt_tokens"],
            "total_output_tokens": sums["completion_tokens"],
            "total_tokens": sums["total_tokens"],
            "total_cost": sums["cost_estimate"],
            "request_count": len(embeddings),
        }
    assert told_embeddings["request_count"] == len(embeddings)


def test_answers_have_the_shape_that_the_reference_tells(ask: Callable[..., httpx.Response]) -> None:
    span = {"start_date": FIRST, "end_date": NOW}
    for path, shape in (
        ("", usage.Usage),
        ("/by_model", list[figures.ModelFigures]),
        ("/by_endpoint", list[figures.EndpointFigures]),
        ("/by_key", usage.KeyUsage),
        ("/by_hour", usage.HourlyUsage),
        ("/embeddings", figures.Embeddings),
    ):
        body = ask(path, **span).json()
        assert TypeAdapter(shape).validate_python(body, strict=False, extra="forbid") is not None
        assert TypeAdapter(shape).dump_python(TypeAdapter(shape).validate_python(body), mode="json") == body


def test_the_originals_summary_is_all_there(ask: Callable[..., httpx.Response]) -> None:
    body = ask(start_date=FIRST, end_date=NOW).json()
    assert SUMMARY_NAMES.keys() <= body["summary"].keys()
    assert {
        "date",
        "prompt_tokens",
        "completion_tokens",
        "cached_input_tokens",
        "cache_creation_tokens",
        "cached_cost_estimate",
        "cost_estimate",
        "requests",
        "models",
    } <= body["daily_breakdown"][0].keys()


def test_without_times_it_is_the_last_day(ask: Callable[..., httpx.Response], history: list[Record]) -> None:
    body = ask().json()
    since = (NOW - 86_400) // SLOT * SLOT
    assert (body["start_date"], body["end_date"]) == (since, -(-NOW // SLOT) * SLOT)
    assert body["summary"]["request_count"] == sum(each.time_ms // 1000 >= since for each in history)


def test_nothing_used_is_zero_and_not_an_error(ask: Callable[..., httpx.Response]) -> None:
    body = ask(start_date=0, end_date=86_400).json()
    assert (body["summary"]["request_count"], body["summary"]["total_cost"], body["daily_breakdown"]) == (0, 0, [])
    assert body["summary"]["avg_response_time_ms"] is None
    assert ask("/by_model", virtual_model="nobody").json() == []


def test_money_is_decimal_to_a_millionth_of_a_cent() -> None:
    assert figures.dollars(10**4) == 1e-8
    assert json.dumps(figures.dollars(123_456_789_012_345_678)) == "123456.78901235"
    assert figures.dollars(sum([100_000_000_000] * 3)) == 0.3
    for picodollars in (0, 4_999, 5_000, 5_001, 15_000, 25_000, 10**20 + 12_345, 7 * 10**15 + 1):
        assert figures.dollars(picodollars) == float(round(Decimal(picodollars).scaleb(-12), 8))
    assert figures.dollars(9_999_999_99999999_0000) == 9_999_999.99999999


def test_cursors_walk_through_days_and_ranks(ask: Callable[..., httpx.Response]) -> None:
    span = {"start_date": FIRST, "end_date": NOW, "timezone": "Europe/Berlin"}
    everything = ask(limit=366, **span).json()["daily_breakdown"]
    walked: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = ask(limit=7, **span, **cursor).json()
        walked += page["daily_breakdown"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert walked == everything
    rows = ask("/by_model", **span).json()
    assert [row["total_tokens"] for row in rows] == sorted((row["total_tokens"] for row in rows), reverse=True)
    walked, cursor = [], {}
    while True:
        answer = ask("/by_model", limit=1, **span, **cursor)
        walked += answer.json()
        if usage.NEXT_CURSOR not in answer.headers:
            break
        cursor = {"cursor": answer.headers[usage.NEXT_CURSOR]}
    assert walked == rows


@pytest.mark.parametrize(
    ("path", "parameters", "field"),
    [
        ("", {"start_date": "yesterday"}, "start_date"),
        ("", {"start_date": "-1"}, "start_date"),
        ("", {"start_date": "nan"}, "start_date"),
        ("", {"end_date": "inf"}, "end_date"),
        ("", {"end_date": "1790000000000"}, "end_date"),
        ("", {"start_date": "5", "end_date": "5"}, "start_date"),
        ("", {"start_date": "0", "end_date": "1700000000"}, "start_date"),
        ("", {"timezone": "Mars/Olympus"}, "timezone"),
        ("", {"timezone": "../etc/passwd"}, "timezone"),
        ("", {"timezone": "Europe"}, "timezone"),
        ("", {"timezone": "Asia/Kathmandu"}, "timezone"),
        ("", {"limit": "0"}, "limit"),
        ("", {"limit": "367"}, "limit"),
        ("", {"cursor": "x"}, "cursor"),
        ("", {"cursor": "5"}, "cursor"),
        ("", {"request_type": "poem"}, "request_type"),
        ("", {"virtual_model": "x" * 301}, "virtual_model"),
        ("/by_model", {"cursor": "%%%"}, "cursor"),
        ("/by_model", {"cursor": "YQ"}, "cursor"),
        ("/by_model", {"limit": "1001"}, "limit"),
        ("/by_hour", {"limit": "745"}, "limit"),
        ("/by_endpoint", {"virtual_model": "fast"}, "virtual_model"),
        ("/by_endpoint", {"key_id": "a" * 32}, "key_id"),
        ("/by_endpoint", {"inbound_api_key_id": "a" * 32}, "inbound_api_key_id"),
    ],
)
async def test_refuses_what_it_cannot_answer(
    admin: httpx.AsyncClient, path: str, parameters: dict[str, str], field: str
) -> None:
    assert wrong_fields(await admin.get(PATH + path, params=parameters)) == [field]


# -- reads -------------------------------------------------------------------------------------------------------------

DAY = 86_400
YEAR = {"start_date": NOW - 365 * DAY, "end_date": NOW}
MONTH = {"start_date": NOW - 30 * DAY, "end_date": NOW}


@pytest.mark.parametrize(
    ("path", "parameters", "reads", "places"),
    [
        # A read asks for up to a hundred items by key. Of a period that is more than half within the range all is read
        # and the rest taken out again, and to "now" all of the last one: a year from half past ten on the 2nd is 13
        # months less 2 days less 3 half-hours, and 30 days are two months and as much. By day it is an item each, and
        # in other zones than UTC two for every hour between the midnights. Each from the shards of its kind.
        ("", YEAR | {"limit": 31}, 1 + 1, 18 + 33),
        ("", MONTH, 1 + 1, 8 + 33),
        ("", {}, 1 + 1, 5 + 4),
        ("", MONTH | {"timezone": "Europe/Berlin"}, 1 + 1, 8 + 91),
        ("", MONTH | {"timezone": "America/New_York"}, 1 + 4, 8 + 333),
        ("", MONTH | {"virtual_model": "fast"}, 1 + 1, 8 + 33),
        ("", MONTH | {"key_id": "a" * 32}, 1 + 3, 8 + 8 * 33),
        ("/by_model", YEAR, 1, 18),
        ("/by_model", MONTH, 1, 8),
        ("/by_endpoint", YEAR, 1, 18),
        ("/by_key", YEAR, 1, 4 * 18),
        # pairs are spread over a grid of eight by eight: a row of it, a column, and one place
        ("/by_key", YEAR | {"virtual_model": "fast"}, 2, 8 * 18),
        ("/by_model", YEAR | {"key_id": "a" * 32}, 2, 8 * 18),
        ("/by_key", YEAR | {"key_id": "a" * 32, "virtual_model": "fast"}, 1, 18),
        ("/by_hour", {}, 1, 51),
        ("/by_hour", MONTH | {"limit": 744}, 2, 1_443),  # neighbours are one Query, here in December and January
        ("/embeddings", YEAR, 1, 18),
    ],
)
def test_each_question_takes_few_reads(
    ask: Callable[..., httpx.Response],
    reader: RollupReader,
    path: str,
    parameters: dict[str, Any],
    reads: int,
    places: int,
) -> None:
    before = reader.reads, reader.places
    ask(path, **parameters)
    assert (reader.reads - before[0], reader.places - before[1]) == (reads, places)
