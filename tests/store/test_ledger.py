from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from shared.errors import InvalidRequest
from shared.gateway.records import Record
from shared.store import ledger as ledger_table
from shared.store.ledger import ANY, Filter, Ledger, Page, place_of
from shared.store.tables import Patience, Tables

NOON = 1_763_812_800_000  # 2025-11-22T12:00:00Z
DAY = 86_400_000


def a_record(**overrides: object) -> Record:
    record = Record(
        time_ms=NOON,
        request_id="r1",
        attempt=1,
        virtual_model="fast",
        actual_model="qwen3",
        endpoint_id=7,
        endpoint_name="ollama",
        endpoint_type="ollama",
        protocol="openai_chat",
        request_type="chat",
        stream=True,
        status=200,
        outcome="success",
        user_agent="OpenAI/Python",
    )
    return replace(record, **overrides)


@pytest.fixture
def ledger(tables: Tables) -> Ledger:
    return Ledger(tables, keep_days=90, now=lambda: NOON / 1000 + 60)


def walk(ledger: Ledger, limit: int, only: Filter = ANY) -> list[Record]:
    records, cursor, calls = [], None, 0
    while True:
        page = ledger.newest(limit, cursor, only)
        assert len(page.records) <= limit
        records += page.records
        calls += 1
        if page.next_cursor is None:
            return records
        cursor = page.next_cursor
        assert calls < 500, "the cursor does not advance"


def test_a_record_reads_back_as_it_was_put(ledger: Ledger) -> None:
    record = a_record(error_code=None, time_to_first_token_ms=12, input_tokens=3, usage_source="estimated")
    ledger.put(record)
    assert ledger.newest().records == [record]
    assert ledger.newest().next_cursor is None


def test_putting_twice_is_putting_once(ledger: Ledger) -> None:
    record = a_record()
    ledger.put(record)
    ledger.put_batch([record, record])
    assert ledger.newest().records == [record]


def test_an_empty_ledger_has_one_empty_page(ledger: Ledger) -> None:
    assert ledger.newest() == ledger.newest(cursor=None)
    assert (ledger.newest().records, ledger.newest().next_cursor) == ([], None)


def test_pages_follow_each_other_over_days_and_identical_times(ledger: Ledger) -> None:
    records = [
        a_record(time_ms=NOON - day * DAY, request_id=f"r{number:03d}", attempt=attempt)
        for day in (0, 1, 30)
        for number in range(8)
        for attempt in (1, 2)
    ]
    ledger.put_batch(records)
    expected = sorted(records, key=lambda each: place_of(each)[1], reverse=True)
    for limit in (4, 50):
        assert walk(ledger, limit) == expected


def test_records_are_spread_over_four_shards(ledger: Ledger) -> None:
    places = {place_of(a_record(request_id=f"r{number}"))[0] for number in range(100)}
    assert places == {f"2025-11-22#{shard}" for shard in range(4)}


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (Filter(status=429), {"b"}),
        (Filter(virtual_model="slow"), {"c"}),
        (Filter(endpoint_id=9), {"d"}),
        (Filter(outcome="aborted"), {"e"}),
        (Filter(since_ms=NOON), {"a", "b", "c", "d"}),
        (Filter(until_ms=NOON), {"e", "f"}),
        (Filter(since_ms=NOON - 5, until_ms=NOON), {"e"}),
        (Filter(since_ms=NOON + 1), set()),
        (Filter(status=200, virtual_model="slow", endpoint_id=9), set()),
    ],
)
def test_filters(ledger: Ledger, only: Filter, expected: set[str]) -> None:
    ledger.put_batch(
        [
            a_record(request_id="a"),
            a_record(request_id="b", status=429),
            a_record(request_id="c", virtual_model="slow"),
            a_record(request_id="d", endpoint_id=9),
            a_record(request_id="e", time_ms=NOON - 5, outcome="aborted"),
            a_record(request_id="f", time_ms=NOON - 2 * DAY),
        ]
    )
    assert {record.request_id for record in walk(ledger, 2, only)} == expected


def test_one_call_visits_few_days_and_the_cursor_goes_on(ledger: Ledger) -> None:
    ledger.put_batch(a_record(time_ms=NOON - day * DAY, status=500 if day == 20 else 200) for day in range(21))
    first = ledger.newest(10, only=Filter(status=500))
    assert first.records == []
    assert first.next_cursor is not None
    assert [record.status for record in walk(ledger, 10, Filter(status=500))] == [500]


def test_a_record_past_its_time_is_not_shown(ledger: Ledger) -> None:
    ledger.put(a_record(time_ms=NOON - 91 * DAY))
    assert ledger.newest().records == []


@pytest.mark.parametrize("past", [0, 91], ids=["of no interest", "past their time and not deleted yet"])
def test_what_is_passed_over_is_bounded_in_one_call(
    ledger: Ledger, tables: Tables, monkeypatch: pytest.MonkeyPatch, past: int
) -> None:
    """DynamoDB deletes what has expired days later."""
    monkeypatch.setattr(ledger_table, "_MOST_EXAMINED", 20)
    for number in range(150):
        ledger.item(a_record(request_id=f"r{number:03d}", time_ms=NOON - past * DAY - number)).save()
    last = a_record(request_id="last", time_ms=NOON - past * DAY - 500, status=500)
    # as if it were to be kept for longer: behind the others there may be more
    item = ledger.item(last)
    item.expires_at = NOON // 1000 + DAY
    item.save()
    day = ledger.day_item(place_of(last)[0][:10])
    day.expires_at = NOON // 1000 + DAY
    day.save()
    first = ledger.newest(10, only=Filter(status=500))
    assert first.records == []
    assert first.next_cursor is not None
    calls, cursor = 1, first.next_cursor
    while not (page := ledger.newest(10, cursor, Filter(status=500))).records:
        calls += 1
        cursor = page.next_cursor
        assert calls <= 8
    assert page.records == [last]
    assert calls == 7


@pytest.mark.parametrize(
    "only",
    [
        Filter(since_ms=NOON, until_ms=NOON - 3 * DAY),
        Filter(since_ms=NOON + 9 * DAY),
        Filter(since_ms=NOON - DAY, until_ms=0),
    ],
)
def test_a_time_that_ends_before_it_begins_asks_for_nothing(only: Filter) -> None:
    """DynamoDB refuses a BETWEEN whose bounds are the wrong way round."""
    nobody = Tables("nobody", region="eu-central-1", endpoint="http://127.0.0.1:9", patience=Patience(0.1, 0.1, 0))
    ledger = Ledger(nobody, keep_days=90, now=lambda: NOON / 1000)
    assert ledger.newest(only=only) == Page([], None)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 8, 13, 40])
@pytest.mark.parametrize("only", [ANY, Filter(statuses=range(200, 300), virtual_model="fast")], ids=["any", "filtered"])
def test_records_that_arrive_meanwhile_neither_repeat_nor_hide_one(ledger: Ledger, limit: int, only: Filter) -> None:
    """Newer ones, of the same millisecond too, between any two pages."""
    there = [
        a_record(
            request_id=f"r{number % 7}-{number}",
            time_ms=NOON - number // 4,
            attempt=1 + number % 3,
            virtual_model=("fast", "slow")[number % 5 == 0],
        )
        for number in range(24)
    ]
    ledger.put_batch(there)
    found: list[Record] = []
    cursor: str | None = None
    for turn in count():
        page = ledger.newest(limit, cursor, only)
        found += page.records
        cursor = page.next_cursor
        if cursor is None:
            break
        ledger.put_batch(a_record(request_id=f"s{turn}-{shift}", time_ms=NOON + 40_000 * shift) for shift in (0, 1))
        assert turn < 60
    expected = sorted(filter(only.takes, there), key=lambda each: place_of(each)[1], reverse=True)
    assert [each for each in found if each.request_id.startswith("r")] == expected
    assert len({place_of(each) for each in found}) == len(found)
    assert [place_of(each)[1] for each in found] == sorted((place_of(each)[1] for each in found), reverse=True)


def test_a_clock_a_little_ahead_is_shown(ledger: Ledger) -> None:
    record = a_record(time_ms=NOON + DAY)
    ledger.put(record)
    assert ledger.newest().records == [record]


@pytest.mark.parametrize("cursor", ["!", "YWJj", "MTIz", "é", "MTIzNDU2Nzg5MDEyMzQ1"])
def test_a_made_up_cursor_is_refused(ledger: Ledger, cursor: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        ledger.newest(cursor=cursor)
    assert refused.value.param == "cursor"


def test_the_end_of_a_record_is_a_setting(tables: Tables) -> None:
    Ledger(tables, keep_days=7).put(a_record())
    bucket, moment = place_of(a_record())
    assert tables.ledger.get(bucket, moment).expires_at == NOON // 1000 + 7 * 86_400
