"""The export: every attempt on a line of its own, harmless to a spreadsheet, and streamed."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from decimal import Decimal

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from functions.admin_usage_export.attempts import COLUMNS
from functions.admin_usage_export.export import PATH, admin_usage_export_app
from shared.gateway.records import Record
from shared.store.key_labels import KeyLabels
from shared.store.ledger import Ledger
from shared.store.rollup_reader import RollupReader
from shared.store.tables import Tables
from shared.web.admin_access import OpenAccess
from tests.functions.admin_calls import client, wrong_fields
from tests.local.store import StoreProcess
from tests.store.test_ledger import NOON, a_record

NOW = NOON // 1000 + 3_600
ORIGINAL = (
    "Date,Virtual Model,Endpoint,Request Type,Prompt Tokens,Completion Tokens,Total Tokens,Cost ($),Response Time (ms)"
)
WEIRD = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '"quoted", with comma', "line\nbreak", " =1", "＝1", "näme", ""]


def some() -> list[Record]:
    return [
        a_record(
            request_id=f"r{number:05d}",
            time_ms=NOON - number * 1_000,
            virtual_model=WEIRD[number % len(WEIRD)],
            key_id=f"k{number % 2}",
            request_type=("chat", "embedding")[number % 3 == 0],
            input_tokens=number,
            cache_read_tokens=5,
            cache_write_1h_tokens=2,
            output_tokens=3,
            input_cost=number * 10**6 + 1,
            output_cost=10,
            total_ms=number,
        )
        for number in range(2_500)
    ]


@pytest.fixture(scope="module")
def shared_tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    """The laptop's tables: moto alone reads the whole table for each Query."""
    store = StoreProcess(tmp_path_factory.mktemp("store")).start()
    yield store.tables()
    store.kill()


@pytest.fixture(scope="module")
def history(shared_tables: Tables) -> list[Record]:
    records = some()
    Ledger(shared_tables, keep_days=90).put_batch(records)
    return records


@pytest.fixture(scope="module")
def app(shared_tables: Tables, history: list[Record]) -> FastAPI:
    return an_app(Ledger(shared_tables, keep_days=90, now=lambda: NOW), shared_tables)


def an_app(ledger: Ledger, tables: Tables) -> FastAPI:
    return admin_usage_export_app(ledger, RollupReader(tables), KeyLabels(tables), OpenAccess(), now=lambda: NOW)


@pytest.fixture
async def admin(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app) as calls:
        yield calls


def read(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


async def test_every_attempt_is_a_line(admin: httpx.AsyncClient, history: list[Record]) -> None:
    answer = await admin.post(PATH, json={"timezone": "Europe/Berlin"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="usage_report_{NOW}.csv"'
    rows = read(answer)
    assert list(rows[0]) == [name for name, _ in COLUMNS]
    assert ",".join(list(rows[0])[:9]) == ORIGINAL
    assert [row["Request Id"] for row in rows] == [each.request_id for each in history]
    assert [datetime.fromisoformat(row["Date"]).timestamp() * 1000 for row in rows] == [r.time_ms for r in history]
    assert rows[0]["Date"] == "2025-11-22T13:00:00.000+01:00"
    assert [Decimal(row["Cost ($)"]) * 10**12 for row in rows] == [each.cost for each in history]
    assert rows[7]["Cost ($)"] == "0.000007000011"
    assert (rows[7]["Prompt Tokens"], rows[7]["Total Tokens"], rows[7]["Input Tokens"]) == ("14", "17", "7")


async def test_no_cell_is_a_formula_and_every_cell_is_quoted(admin: httpx.AsyncClient, history: list[Record]) -> None:
    answer = await admin.post(PATH, json={})
    rows = read(answer)
    models = {row["Virtual Model"] for row in rows}
    assert models == {f"'{each}" if each.strip(" ")[:1] in tuple("=+-@\t＝") and each else each for each in WEIRD}
    assert not [cell for row in rows for cell in row.values() if cell.lstrip(" ").startswith(tuple("=+-@\t\r"))]
    lines = answer.content.decode("utf-8-sig").split("\r\n")
    assert lines[-1] == ""
    assert all(line.startswith('"') and line.endswith('"') for line in lines[:-1])


async def test_filters(admin: httpx.AsyncClient, history: list[Record]) -> None:
    for body, taken in (
        ({"virtual_model": "näme"}, lambda r: r.virtual_model == "näme"),
        ({"key_id": "k1"}, lambda r: r.key_id == "k1"),
        (
            {"inbound_api_key_id": "k0", "request_type": "embedding"},
            lambda r: (r.key_id, r.request_type) == ("k0", "embedding"),
        ),
        (
            {"start_date": NOON // 1000 - 1_700, "end_date": NOON // 1000 - 1_000},
            lambda r: NOON - 1_800_000 <= r.time_ms < NOON,
        ),
        ({"start_date": 0, "end_date": 5}, lambda r: False),
    ):
        expected = [each.request_id for each in history if taken(each)]
        assert [row["Request Id"] for row in read(await admin.post(PATH, json=body))] == expected


async def test_refuses_what_it_does_not_know(admin: httpx.AsyncClient) -> None:
    for body, field in (
        ({"start_date": "x"}, "start_date"),
        ({"timezone": "Nowhere/Land"}, "timezone"),
        ({"request_type": "poem"}, "request_type"),
        ({"format": "xml"}, "format"),
        ({"start_date": 9, "end_date": 8}, "start_date"),
    ):
        assert wrong_fields(await admin.post(PATH, json=body)) == [field]


def test_it_leaves_page_by_page(app: FastAPI, history: list[Record]) -> None:
    calls = TestClient(app, base_url="http://127.0.0.1:5001")
    with calls.stream("POST", PATH, json={}) as answer:
        assert answer.status_code == 200
        assert "content-length" not in answer.headers
        assert len(list(answer.iter_raw())) >= 1


async def test_pages_are_read_only_as_they_leave(shared_tables: Tables, history: list[Record]) -> None:
    class Counting(Ledger):
        pages = 0

        def newest(self, *arguments: object, **named: object):  # type: ignore[no-untyped-def, override]
            Counting.pages += 1
            return super().newest(*arguments, **named)  # type: ignore[arg-type]

    app = an_app(Counting(shared_tables, keep_days=90, now=lambda: NOW), shared_tables)
    scope = {"type": "http", "method": "POST", "path": PATH, "raw_path": PATH.encode(), "query_string": b"",
             "headers": [(b"host", b"127.0.0.1:5001")], "http_version": "1.1", "scheme": "http",
             "server": ("127.0.0.1", 5001), "client": ("127.0.0.1", 1), "root_path": "",
             "asgi": {"version": "3.0", "spec_version": "2.4"}}  # fmt: skip
    read_before: list[int] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        if message.get("body"):
            read_before.append(Counting.pages)

    await app(scope, receive, send)
    assert read_before == [1, 2, 3]
