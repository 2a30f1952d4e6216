"""The ledger's stream as Lambda delivers it: counted once, days passed over, what cannot be read set aside."""

from __future__ import annotations

from typing import Any

import pytest

from functions.usage_rollup import app
from functions.usage_rollup.stream import count_batch
from shared.errors import StoreUnavailable
from shared.gateway.records import Record
from shared.store.ledger import DAYS_BUCKET, Ledger
from shared.store.rollup_packs import unpack
from shared.store.rollups import Put, aggregate
from shared.store.tables import Tables
from tests.store.rollup_memory import MemoryStore
from tests.store.test_ledger import NOON, a_record


def change(number: int, image: dict[str, Any], event_name: str = "INSERT") -> dict[str, Any]:
    """A record of DynamoDB's stream, as Lambda's documentation shows it."""
    return {
        "eventID": f"{number:032x}",
        "eventName": event_name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "ApproximateCreationDateTime": float(NOON // 1000 + number // 3),
            "Keys": {name: image[name] for name in ("bucket", "moment")},
            "NewImage": image,
            "SequenceNumber": str(111 + number),
            "SizeBytes": 500,
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/test-ledger/stream/2025",
    }


@pytest.fixture(scope="module")
def ledger(shared_tables: Tables) -> Ledger:
    return Ledger(shared_tables, keep_days=90)


def batch(ledger: Ledger, records: list[Record], first: int = 0) -> dict[str, Any]:
    return {"Records": [change(first + number, ledger.item(each).serialize()) for number, each in enumerate(records)]}


def counted(store: MemoryStore) -> dict[Any, Any]:
    return {
        place: unpack(held.content) for place, held in store.items.items() if not place.dimension.startswith("seen")
    }


def some(count: int) -> list[Record]:
    return [a_record(request_id=f"r{number}", input_tokens=number, key_id=f"k{number % 4}") for number in range(count)]


def test_counts_a_batch_and_its_redelivery_once(ledger: Ledger) -> None:
    store, records = MemoryStore(), some(20)
    event = batch(ledger, records)
    assert count_batch(event, store) == {"batchItemFailures": []}
    halves = [{"Records": event["Records"][:7]}, {"Records": event["Records"][5:]}, event]
    for again in halves:
        assert count_batch(again, store) == {"batchItemFailures": []}
    assert counted(store) == aggregate(records)


def test_passes_over_what_is_no_record(ledger: Ledger) -> None:
    store = MemoryStore()
    event = batch(ledger, some(1))
    event["Records"].append(change(1, ledger.day_item("2025-11-22").serialize()))
    removed = change(2, ledger.item(a_record(request_id="gone")).serialize(), "REMOVE")
    del removed["dynamodb"]["NewImage"]
    event["Records"].append(removed)
    event["Records"].append(change(3, ledger.item(a_record(request_id="put again")).serialize(), "MODIFY"))
    assert event["Records"][1]["dynamodb"]["Keys"]["bucket"]["S"] == DAYS_BUCKET
    assert count_batch(event, store) == {"batchItemFailures": []}
    assert counted(store) == aggregate(some(1))


@pytest.mark.parametrize(
    "document",
    [
        None,
        {"S": "{"},
        {"S": "[]"},
        {"S": "{}"},
        {"S": '{"time_ms": 1}'},
        {"N": "5"},
    ],
)
def test_sets_aside_what_cannot_be_read_and_counts_the_rest(ledger: Ledger, document: Any) -> None:
    store, records = MemoryStore(), some(5)
    event = batch(ledger, records)
    poison = dict(event["Records"][2]["dynamodb"]["NewImage"])
    poison.pop("document")
    if document:
        poison["document"] = document
    event["Records"].insert(2, change(77, poison))
    assert count_batch(event, store) == {"batchItemFailures": [{"itemIdentifier": "188"}]}
    assert counted(store) == aggregate(records)
    alone = {"Records": event["Records"][2:3]}
    assert count_batch(alone, store) == {"batchItemFailures": [{"itemIdentifier": "188"}]}


@pytest.mark.parametrize("field", ["time_ms", "input_tokens", "request_id", "output_cost"])
def test_a_field_of_another_type_is_no_reason_to_stop_the_others(ledger: Ledger, field: str) -> None:
    store, records = MemoryStore(), some(3)
    event = batch(ledger, records)
    image = ledger.item(a_record(request_id="odd")).serialize()
    image["document"] = {"S": image["document"]["S"].replace("}", f', "{field}": [1]}}')}
    event["Records"].insert(0, change(50, image))
    assert count_batch(event, store) == {"batchItemFailures": [{"itemIdentifier": "161"}]}
    assert counted(store) == aggregate(records)


def test_a_store_that_is_away_fails_the_whole_batch(ledger: Ledger) -> None:
    class Away(MemoryStore):
        def write(self, puts: list[Put]) -> None:  # type: ignore[override]
            raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        count_batch(batch(ledger, some(2)), Away())


def test_lambdas_handler_writes_the_table(
    ledger: Ledger, shared_tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABLE_PREFIX", "test")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    app._store.cache_clear()
    try:
        assert app.handler(batch(ledger, some(3)), None) == {"batchItemFailures": []}
    finally:
        app._store.cache_clear()
    [day] = shared_tables.rollups.query("day#total#0#2025")
    assert unpack(day.content)["chat"][0] == 3
