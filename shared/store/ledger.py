"""The ledger table: records put once by key, and read newest first without ever scanning."""

from __future__ import annotations

import base64
import heapq
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import NamedTuple

from shared import wire
from shared.errors import InvalidRequest
from shared.gateway.records import Outcome, Record
from shared.store.tables import LedgerItem, Tables, reaching

SHARDS = 4  # a partition takes 1,000 writes a second: four are 345 million records a day
DAYS_BUCKET = "days"  # one item per day that has records: an empty day costs a reader nothing
BATCH = 25  # DynamoDB's limit for one BatchWriteItem

_DAY_SECONDS = 86_400
_MOST_DAYS = 8
_MOST_EXAMINED = 5_000
_CURSOR = re.compile(r"[0-9]{13}(#.*)?", re.S)
_FIELDS = frozenset(field.name for field in fields(Record))


class Filter(NamedTuple):
    """Which records; None is any. `statuses` is a range of them, `endpoint` an id or a name as text; `path` and
    `client_address` need only be a part; `least_cost` is in picodollars. Times are ms since 1970, `since_ms` included
    and `until_ms` not."""

    status: int | None = None
    virtual_model: str | None = None
    endpoint_id: int | None = None
    outcome: Outcome | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    statuses: range | None = None
    endpoint: str | None = None
    key_id: str | None = None
    path: str | None = None
    client_address: str | None = None
    least_cost: int | None = None
    request_id: str | None = None

    def takes(self, record: Record) -> bool:
        return (
            self.status in (None, record.status)
            and self.virtual_model in (None, record.virtual_model)
            and self.endpoint_id in (None, record.endpoint_id)
            and self.outcome in (None, record.outcome)
            and (self.statuses is None or record.status in self.statuses)
            and self.endpoint in (None, record.endpoint_name, str(record.endpoint_id))
            and self.key_id in (None, record.key_id)
            and (self.path is None or self.path in record.path)
            and (self.client_address is None or self.client_address in record.client_address)
            and (self.least_cost is None or record.cost >= self.least_cost)
            and self.request_id in (None, record.request_id)
        )


ANY = Filter()


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first. `next_cursor`: there may be more (a filtered page may be short, even empty, and have one)."""

    records: list[Record]
    next_cursor: str | None


class Ledger:
    """The `ledger` table. Synchronous; raises StoreUnavailable. `now` gives seconds since 1970."""

    def __init__(self, tables: Tables, *, keep_days: int, now: Callable[[], float] = time.time) -> None:
        self._tables = tables
        self._keep_days = keep_days
        self._now = now
        self._marked_days: set[str] = set()

    def put(self, record: Record) -> None:
        """Write one record; the same record again changes nothing."""
        self._mark([record])
        with reaching("a record of the ledger"):
            self.item(record).save()

    def put_batch(self, records: Iterable[Record]) -> None:
        """Write many; what DynamoDB leaves unprocessed is sent again, and StoreUnavailable when it stays so."""
        records = list(records)
        items = {(item.bucket, item.moment): item for item in map(self.item, records)}
        self._mark(records)
        with reaching("a batch of the ledger"), self._tables.ledger.batch_write() as batch:
            for item in items.values():
                batch.save(item)

    def newest(self, limit: int = 50, cursor: str | None = None, only: Filter = ANY) -> Page:
        """Up to `limit` records before `cursor`. One call visits at most 8 days and 5,000 records.

        Raises InvalidRequest for a cursor that no page gave.
        """
        before = _moment_of(cursor) if cursor else None
        if only.until_ms is not None:
            until = f"{only.until_ms:013d}"
            before = min(before, until) if before else until
        found: list[Record] = []
        examined = 0
        for visited, day in enumerate(self._days(before, only.since_ms)):
            if visited == _MOST_DAYS:
                return Page(found, _cursor(f"{_day_starts_ms(day) + _DAY_SECONDS * 1000:013d}"))
            page_size = max(10, limit // 2) if only == ANY else 250
            for item in self._of_day(day, before, page_size):
                if only.since_ms is not None and item.moment < f"{only.since_ms:013d}":
                    return Page(found, None)
                examined += 1
                if not self._expired(item) and only.takes(record := read_record(item.document)):
                    found.append(record)
                if len(found) == limit or examined == _MOST_EXAMINED:
                    return Page(found, _cursor(item.moment))
        return Page(found, None)

    def _days(self, before: str | None, since_ms: int | None) -> Iterator[str]:
        """The days that have records, newest first."""
        ledger = self._tables.ledger
        oldest = _day((since_ms or 0) / 1000)
        newest = _day((int(before[:13]) if before else int(self._now() * 1000) + _DAY_SECONDS * 1000) / 1000)
        if newest < oldest:  # which DynamoDB refuses, and moto does not
            return
        with reaching("the ledger's days"):
            for item in ledger.query(DAYS_BUCKET, ledger.moment.between(oldest, newest), scan_index_forward=False):
                if not self._expired(item):
                    yield item.moment

    def _of_day(self, day: str, before: str | None, page_size: int) -> Iterator[LedgerItem]:
        """One day's items, newest first: its shards, merged. Those past their time are among them."""
        ledger = self._tables.ledger
        shards = [
            ledger.query(
                f"{day}#{shard}",
                ledger.moment < before if before else None,
                scan_index_forward=False,
                page_size=page_size,
            )
            for shard in range(SHARDS)
        ]
        with reaching("the ledger"):
            yield from heapq.merge(*shards, key=lambda each: each.moment, reverse=True)

    def _mark(self, records: Iterable[Record]) -> None:
        """Make the records' days known before the records are there."""
        for day in {_day(record.time_ms / 1000) for record in records} - self._marked_days:
            with reaching("a day of the ledger"):
                self.day_item(day).save()
            self._marked_days.add(day)

    def day_item(self, day: str) -> LedgerItem:
        """What makes a day (YYYY-MM-DD) known that has records."""
        expires_at = _day_starts_ms(day) // 1000 + (self._keep_days + 1) * _DAY_SECONDS
        return self._tables.ledger(DAYS_BUCKET, day, expires_at=expires_at, document="{}")

    def item(self, record: Record) -> LedgerItem:
        """The record as the table holds it."""
        bucket, moment = place_of(record)
        return self._tables.ledger(
            bucket,
            moment,
            expires_at=record.time_ms // 1000 + self._keep_days * _DAY_SECONDS,
            document=wire.dumps(record).decode(),
        )

    def _expired(self, item: LedgerItem) -> bool:
        """DynamoDB deletes within days of the time, moto never."""
        return item.expires_at is not None and item.expires_at < self._now()


def place_of(record: Record) -> tuple[str, str]:
    """The record's keys: `day#shard` and `time#request#attempt`."""
    shard = zlib.crc32(record.request_id.encode()) % SHARDS
    return (
        f"{_day(record.time_ms / 1000)}#{shard}",
        f"{record.time_ms:013d}#{record.request_id}#{record.attempt:02d}",
    )


def read_record(document: str | bytes) -> Record:
    """Raises ValueError or TypeError; a newer version's other fields are passed over."""
    given = wire.loads(document)
    return Record(**{name: value for name, value in given.items() if name in _FIELDS})


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _day_starts_ms(day: str) -> int:
    return int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) * 1000


def _cursor(moment: str) -> str:
    return base64.urlsafe_b64encode(moment.encode()).decode().rstrip("=")


def _moment_of(cursor: str) -> str:
    try:
        moment = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:  # not base64, or not text
        moment = ""
    if not _CURSOR.fullmatch(moment):
        raise InvalidRequest("not a cursor of this list; leave it out to start with the newest", param="cursor")
    return moment
