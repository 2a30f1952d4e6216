"""Days and hours in which clocks change, forward, back, by half an hour and at midnight: nothing is lost or doubled."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from fastapi.testclient import TestClient

from functions.admin_usage.usage import admin_usage_app
from functions.admin_usage_export.export import admin_usage_export_app
from shared.store.key_labels import KeyLabels
from shared.store.ledger import Ledger
from shared.store.rollup_reader import RollupReader
from shared.store.rollup_table import RollupTable
from shared.store.rollups import SLOT_SECONDS, Delivery, count_once
from shared.web.admin_access import OpenAccess
from tests.local.store import StoreProcess
from tests.store.test_ledger import a_record

NOW = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
PATH = "/api/admin/usage"


class Change(NamedTuple):
    """The day's ends in UTC, how many half-hours it has, and the hours about the change with theirs."""

    zone: str
    begin: str
    end: str
    slots: int
    hours: dict[str, int]

    @property
    def date(self) -> str:
        return next(iter(self.hours))[:10]

    @property
    def since(self) -> int:
        return int(datetime.fromisoformat(f"{self.begin}Z").timestamp())

    @property
    def until(self) -> int:
        return int(datetime.fromisoformat(f"{self.end}Z").timestamp())


CHANGES = [
    Change(
        "Europe/Berlin",
        "2026-03-28T23:00",
        "2026-03-29T22:00",
        46,
        {"2026-03-29T01:00+01:00": 2, "2026-03-29T03:00+02:00": 2, "2026-03-29T04:00+02:00": 2},
    ),
    Change(
        "America/New_York",
        "2026-03-08T05:00",
        "2026-03-09T04:00",
        46,
        {"2026-03-08T01:00-05:00": 2, "2026-03-08T03:00-04:00": 2},
    ),
    Change(
        "Europe/Berlin",
        "2026-10-24T22:00",
        "2026-10-25T23:00",
        50,
        {"2026-10-25T01:00+02:00": 2, "2026-10-25T02:00+02:00": 2, "2026-10-25T02:00+01:00": 2},
    ),
    Change(
        "Australia/Lord_Howe",
        "2026-10-03T13:30",
        "2026-10-04T13:00",
        47,
        {"2026-10-04T01:00+10:30": 2, "2026-10-04T02:30+11:00": 1, "2026-10-04T03:00+11:00": 2},
    ),
    Change(  # there is no midnight
        "Africa/Cairo",
        "2026-04-23T22:00",
        "2026-04-24T21:00",
        46,
        {"2026-04-24T01:00+03:00": 2, "2026-04-24T02:00+03:00": 2},
    ),
]
NAMES = [f"{each.zone} {each.date}" for each in CHANGES]


def around(change: Change) -> dict[int, int]:
    """A number of tokens for each half-hour of the day and of two hours before and after it, none of them alike."""
    slots = range(change.since - 7_200, change.until + 7_200, SLOT_SECONDS)
    return {slot: 1 + (slot // SLOT_SECONDS) % 1_009 for slot in slots}


def date_of(change: Change, slot: int) -> str:
    day = datetime.fromisoformat(change.date)
    return (day + timedelta(days=-1 if slot < change.since else slot >= change.until)).date().isoformat()


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    store = StoreProcess(tmp_path_factory.mktemp("store")).start()
    try:
        tables = store.tables()
        for change in CHANGES:
            records = [
                a_record(request_id=f"r{slot}", time_ms=slot * 1000 + 1_799_999, input_tokens=tokens)
                for slot, tokens in around(change).items()
            ]
            assert count_once(RollupTable(tables), [Delivery(each, 0) for each in records]) == change.slots + 8
        reader, labels = RollupReader(tables, now=lambda: NOW), KeyLabels(tables)
        app = admin_usage_app(reader, labels, OpenAccess(), now=lambda: NOW)
        exports = admin_usage_export_app(Ledger(tables, keep_days=900), reader, labels, OpenAccess(), now=lambda: NOW)
        app.router.routes.extend(exports.router.routes)
        yield TestClient(app, base_url="http://127.0.0.1:5001")
    finally:
        store.kill()


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_the_day_has_its_half_hours_and_its_neighbours_have_theirs(admin: TestClient, change: Change) -> None:
    expected: dict[str, list[int]] = {}
    for slot, tokens in around(change).items():
        expected.setdefault(date_of(change, slot), []).append(tokens)
    assert [len(each) for each in expected.values()] == [4, change.slots, 4]
    span: dict[str, Any] = {
        "start_date": change.since - 7_200,
        "end_date": change.until + 7_200,
        "timezone": change.zone,
    }
    days = admin.get(PATH, params=span).json()["daily_breakdown"]
    assert {day["date"]: (day["requests"], day["input_tokens"]) for day in days} == {
        date: (len(tokens), sum(tokens)) for date, tokens in expected.items()
    }
    text = admin.post(f"{PATH}/export", json={**span, "by": "day"}).content.decode("utf-8-sig")
    assert [
        (row["Date"], int(row["Attempts"]), int(row["Input Tokens"])) for row in csv.DictReader(io.StringIO(text))
    ] == [(date, len(tokens), sum(tokens)) for date, tokens in expected.items()]
    alone = admin.get(PATH, params={**span, "start_date": change.since, "end_date": change.until}).json()
    assert [day["date"] for day in alone["daily_breakdown"]] == [change.date]
    assert alone["summary"]["request_count"] == change.slots


@pytest.mark.parametrize("limit", [1, 3, 168])
@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_its_hours_follow_each_other_by_the_zones_clock(admin: TestClient, change: Change, limit: int) -> None:
    span = {"start_date": change.since, "end_date": change.until, "timezone": change.zone, "limit": limit}
    hours: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = admin.get(f"{PATH}/by_hour", params={**span, **cursor}).json()
        hours += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    about = list(change.hours)
    labels = [hour["hour"] for hour in hours]
    first = labels.index(about[0])
    assert labels[first : first + len(about)] == about
    assert {hour["hour"]: hour["request_count"] for hour in hours if hour["hour"] in about} == change.hours
    tokens = around(change)
    ends = [*(hour["start_date"] for hour in hours[1:]), change.until]
    assert [hour["input_tokens"] for hour in hours] == [
        sum(tokens[slot] for slot in range(hour["start_date"], end, SLOT_SECONDS))
        for hour, end in zip(hours, ends, strict=True)
    ]
    assert len(set(labels)) == len(labels)
    assert sum(hour["request_count"] for hour in hours) == change.slots


def test_a_month_with_a_change_is_its_days(admin: TestClient) -> None:
    """Whole months are read by their own roll-ups, and days by theirs."""
    berlin = CHANGES[0]
    begin = int(datetime(2026, 2, 28, 23, tzinfo=UTC).timestamp())
    end = int(datetime(2026, 3, 31, 22, tzinfo=UTC).timestamp())
    span = {"start_date": begin, "end_date": end, "timezone": "Europe/Berlin"}
    found = admin.get(PATH, params=span).json()
    expected = {slot: tokens for each in CHANGES[:2] for slot, tokens in around(each).items()}
    assert found["summary"]["total_tokens"] == sum(expected.values())
    assert sum(day["total_tokens"] for day in found["daily_breakdown"]) == sum(expected.values())
    [row] = [day for day in found["daily_breakdown"] if day["date"] == berlin.date]
    assert row["requests"] == 46
