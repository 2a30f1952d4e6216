"""The export by day against the ledger that was counted: to the unit, in every zone, and harmless to a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI

from functions.admin_usage_export.days import COLUMNS, days
from functions.admin_usage_export.export import PATH, admin_usage_export_app
from shared.gateway.records import Record
from shared.store.client_keys import ClientKeys
from shared.store.key_labels import KeyLabels
from shared.store.ledger import Ledger
from shared.store.rollup_reader import RollupReader
from shared.store.rollup_table import RollupTable
from shared.store.rollups import Delivery, count_once
from shared.store.tables import Tables
from shared.web.admin_access import OpenAccess
from shared.web.usage_cells import UsageCells
from shared.web.usage_range import usage_range
from tests.functions.admin_calls import client, wrong_fields
from tests.functions.test_admin_usage import FIRST, NOW, a_history
from tests.local.store import StoreProcess

SPAN = {"start_date": FIRST, "end_date": NOW}
HEAD = [name for name, _ in COLUMNS]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    store = StoreProcess(tmp_path_factory.mktemp("store")).start()
    yield store.tables()
    store.kill()


@pytest.fixture(scope="module")
def keys(tables: Tables) -> list[str]:
    """Without a key, of a key that is no more, and of two that are."""
    made = [ClientKeys(tables).create(label).record.key_id for label in ("=1+1", "web")]
    return ["", "f" * 32, *made]


@pytest.fixture(scope="module")
def history(tables: Tables, keys: list[str]) -> list[Record]:
    records = a_history(keys)
    for start in range(0, len(records), 100):
        count_once(RollupTable(tables), [Delivery(each, each.time_ms // 1000) for each in records[start : start + 100]])
    return records


@pytest.fixture(scope="module")
def reader(tables: Tables) -> RollupReader:
    return RollupReader(tables, now=lambda: NOW)


@pytest.fixture
async def admin(tables: Tables, reader: RollupReader, history: list[Record]) -> AsyncIterator[httpx.AsyncClient]:
    app: FastAPI = admin_usage_export_app(
        Ledger(tables, keep_days=90), reader, KeyLabels(tables), OpenAccess(), now=lambda: NOW
    )
    async with client(app) as calls:
        yield calls


def read(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def prompt(each: Record) -> int:
    return each.input_tokens + each.cache_read_tokens + each.cache_write_5m_tokens + each.cache_write_1h_tokens


def expected(records: list[Record], zone: str, name: Callable[[Record], tuple[str, ...]]) -> dict[Any, Any]:
    found: dict[tuple[str, ...], list[Record]] = {}
    for each in records:
        date = datetime.fromtimestamp(each.time_ms // 1000, ZoneInfo(zone)).date().isoformat()
        found.setdefault((date, *name(each)), []).append(each)
    return {
        names: (
            sum(map(prompt, some)),
            sum(each.output_tokens for each in some),
            sum(each.cost for each in some),
            len(some),
            sum(each.outcome == "failed" for each in some),
            sum(each.cache_write_1h_tokens for each in some),
        )
        for names, some in found.items()
    }


def told(rows: list[dict[str, str]], *names: str) -> dict[Any, Any]:
    found = {
        (row["Date"], *(row[name] for name in names)): (
            int(row["Prompt Tokens"]),
            int(row["Completion Tokens"]),
            Decimal(row["Cost ($)"]) * 10**12,
            int(row["Attempts"]),
            int(row["Failed"]),
            int(row["Cache Write Tokens (1 h)"]),
        )
        for row in rows
    }
    assert len(found) == len(rows)
    return found


def harmless(text: str) -> str:
    return f"'{text}" if text.startswith("=") else text


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"])
async def test_every_listing_agrees_with_the_ledger(
    admin: httpx.AsyncClient, history: list[Record], keys: list[str], zone: str
) -> None:
    labels = {keys[2]: "'=1+1", keys[3]: "web"}
    for by, columns, name in (
        ("day", [], lambda each: ()),
        ("model", ["Virtual Model"], lambda each: (harmless(each.virtual_model),)),
        ("endpoint", ["Endpoint Id", "Endpoint"], lambda each: (str(each.endpoint_id), each.endpoint_name)),
        ("key", ["Client Key", "Key Label"], lambda each: (each.key_id, labels.get(each.key_id, ""))),
    ):
        answer = await admin.post(PATH, json=SPAN | {"by": by, "timezone": zone})
        assert answer.headers["content-disposition"] == f'attachment; filename="usage_by_{by}_{NOW}.csv"'
        rows = read(answer)
        assert list(rows[0]) == ["Date", *columns, *HEAD]
        assert told(rows, *columns) == expected(history, zone, name)
        assert [row["Date"] for row in rows] == sorted(row["Date"] for row in rows)
        within = [(row["Date"], -int(row["Total Tokens"])) for row in rows]
        assert within == sorted(within)


async def test_filters(admin: httpx.AsyncClient, history: list[Record], keys: list[str]) -> None:
    for by, column, body, taken in (
        ("day", None, {"virtual_model": "fast"}, lambda r: r.virtual_model == "fast"),
        ("day", None, {"key_id": keys[2]}, lambda r: r.key_id == keys[2]),
        ("model", "Virtual Model", {"inbound_api_key_id": keys[1]}, lambda r: r.key_id == keys[1]),
        ("key", "Client Key", {"virtual_model": "slow"}, lambda r: r.virtual_model == "slow"),
        (
            "model",
            "Virtual Model",
            {"request_type": "embedding", "key_id": keys[3], "virtual_model": "fast"},
            lambda r: (r.request_type, r.key_id, r.virtual_model) == ("embedding", keys[3], "fast"),
        ),
        ("endpoint", "Endpoint Id", {"request_type": "chat"}, lambda r: r.request_type == "chat"),
        ("day", None, {"virtual_model": "nobody"}, lambda r: False),
    ):
        rows = read(await admin.post(PATH, json=SPAN | {"by": by} | body))
        wanted = [each for each in history if taken(each)]
        assert sum(int(row["Attempts"]) for row in rows) == len(wanted)
        assert sum(Decimal(row["Cost ($)"]) for row in rows) * 10**12 == sum(each.cost for each in wanted)
        names = {"Virtual Model": "virtual_model", "Client Key": "key_id", "Endpoint Id": "endpoint_id"}
        if column:
            found = {(row["Date"], row[column]) for row in rows}
            assert {name for _, name in found} == {harmless(str(getattr(each, names[column]))) for each in wanted}


async def test_nothing_used_is_a_head_alone(admin: httpx.AsyncClient) -> None:
    for body in ({"start_date": 0, "end_date": 86_400 * 400}, {"start_date": NOW + 86_400, "end_date": NOW + 172_800}):
        answer = await admin.post(PATH, json=body | {"by": "model"})
        assert read(answer) == []
        assert answer.content.decode("utf-8-sig").count("\r\n") == 1


async def test_every_cell_is_quoted_and_none_is_a_formula(admin: httpx.AsyncClient) -> None:
    answer = await admin.post(PATH, json=SPAN | {"by": "model"})
    lines = answer.content.decode("utf-8-sig").split("\r\n")[:-1]
    assert all(line.startswith('"') and line.endswith('"') and line.count('","') == len(HEAD) + 1 for line in lines)
    assert any('"\'=cmd|x"' in line for line in lines)


async def test_refuses_what_it_cannot_answer(admin: httpx.AsyncClient) -> None:
    for body, field in (
        ({"by": "colour"}, "by"),
        ({"by": "endpoint", "virtual_model": "fast"}, "virtual_model"),
        ({"by": "endpoint", "key_id": "a"}, "key_id"),
        ({"by": "day", "timezone": "Asia/Kathmandu"}, "timezone"),
        ({"by": "day", "start_date": 9, "end_date": 8}, "start_date"),
    ):
        assert wrong_fields(await admin.post(PATH, json=body)) == [field]


def test_days_are_read_only_as_they_leave(tables: Tables, reader: RollupReader, history: list[Record]) -> None:
    span = usage_range(FIRST, NOW, "UTC")
    before = reader.reads
    pieces = days(reader, KeyLabels(tables), span, "model", UsageCells(None, None, None))
    next(pieces)
    assert reader.reads - before == 1
    rest = list(pieces)
    assert reader.reads - before < 12
    assert len(rest) > 3
