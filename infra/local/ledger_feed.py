"""Fills the embedded ledger table from the journal that the API's process writes: the newest records, and no more."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from datetime import UTC, datetime, timedelta

from infra.local.store_tables import OrderedTable, Place
from shared.store.journal import JournalTail
from shared.store.ledger import DAYS_BUCKET, Ledger
from shared.store.tables import LedgerItem

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_SLICE = 100  # records put between two answers to clients: about 10 ms
_RECORD_BYTES = 600
_PRUNE_SECONDS = 3_600.0


class LedgerFeed:
    """Reads the journal every 200 ms into the table, whose oldest records give way beyond `keep_records`.

    Nothing of it needs to be durable: the journal is, and is read again at the next start.
    """

    def __init__(
        self, tail: JournalTail, ledger: Ledger, table: OrderedTable, *, keep_records: int, keep_days: int
    ) -> None:
        self._tail = tail
        self._ledger = ledger
        self._table = table
        self._keep_records = keep_records
        self._keep_days = keep_days
        self._places: deque[Place] = deque()
        self._prune_at = 0.0

    async def run(self) -> None:
        self._tail.skip_to_newest(self._keep_records)
        while True:
            if time.monotonic() >= self._prune_at:
                self._prune()
            if self._tail.unread_bytes() > 2 * self._keep_records * _RECORD_BYTES:
                self._tail.skip_to_newest(self._keep_records)  # too far behind: what it would put, it would drop
            taken = self.take(_SLICE)
            await asyncio.sleep(0 if taken == _SLICE else _POLL_SECONDS)

    def take(self, limit: int) -> int:
        """Put the journal's next records; returns how many."""
        records = self._tail.read(limit)
        for record in records:
            item = self._ledger.item(record)
            self._put_day(item.bucket[:10])
            self._places.append(self._put(item))
        while len(self._places) > self._keep_records:
            self._table.unload(self._places.popleft())
        return len(records)

    def _put_day(self, day: str) -> None:
        if self._table.peek(Place(self._table.name, DAYS_BUCKET, day)) is None:
            self._put(self._ledger.day_item(day))

    def _put(self, item: LedgerItem) -> Place:
        return self._table.load(item.serialize())

    def _prune(self) -> None:
        self._prune_at = time.monotonic() + _PRUNE_SECONDS
        first_day = datetime.now(UTC) - timedelta(days=self._keep_days + 1)
        for segment in self._tail.prune(f"{first_day:%Y-%m-%d}"):
            log.info("removed %s: older than %d days", segment.name, self._keep_days)
