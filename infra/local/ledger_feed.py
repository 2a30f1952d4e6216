"""Fills the embedded tables from the journal that the API's process writes: the ledger's with the newest records and no
more, the roll-ups with every one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from datetime import UTC, datetime, timedelta

from infra.local.rollup_feed import RollupFeed
from infra.local.store_tables import OrderedTable, Place
from shared import wire
from shared.gateway.records import Record
from shared.store.journal import JournalTail
from shared.store.ledger import Ledger, place_of

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_SLICE = 100  # records put between two answers to clients: about 10 ms
_COUNTED_SLICE = 500  # records counted between two answers to clients: about 20 ms, most of it for their packs
_RECORD_BYTES = 600
_PRUNE_SECONDS = 3_600.0


class LedgerFeed:
    """Reads the journal every 200 ms into the table, whose oldest records give way beyond `keep_records`.

    Nothing of it needs to be durable: the journal is, and is read again at the next start. The roll-ups are, with how
    far they were counted: the journal forgets its old days, and they do not.
    """

    def __init__(
        self,
        tail: JournalTail,
        ledger: Ledger,
        table: OrderedTable,
        rollups: RollupFeed,
        *,
        keep_records: int,
        keep_days: int,
    ) -> None:
        self._tail = tail
        self._ledger = ledger
        self._table = table
        self._rollups = rollups
        self._keep_records = keep_records
        self._keep_days = keep_days
        self._places: deque[Place] = deque()
        self._days: set[str] = set()
        self._prune_at = 0.0

    async def run(self) -> None:
        self._tail.skip_to_newest(self._keep_records)
        while True:
            if time.monotonic() >= self._prune_at and not self._rollups.is_behind:
                self._prune()
            if self._tail.unread_bytes() > 2 * self._keep_records * _RECORD_BYTES:
                self._tail.skip_to_newest(self._keep_records)  # too far behind: what it would put, it would drop
            taken = self.take(_SLICE)
            await asyncio.sleep(0)
            counted = self._count()
            await asyncio.sleep(0 if taken == _SLICE or counted == _COUNTED_SLICE else _POLL_SECONDS)

    def _count(self) -> int:
        """A full disk is no reason to end the store, and the journal keeps what is not counted yet."""
        try:
            return self._rollups.take(_COUNTED_SLICE)
        except OSError as failure:
            log.error("usage is not added up, and will be later: %s", failure)
            return 0

    def take(self, limit: int) -> int:
        """Put the journal's next records; returns how many."""
        records = self._tail.read(limit)
        for record in records:
            item = ledger_attributes(record, self._keep_days)
            self._put_day(item["bucket"]["S"][:10])
            self._places.append(self._table.load(item))
        while len(self._places) > self._keep_records:
            self._table.unload(self._places.popleft())
        return len(records)

    def _put_day(self, day: str) -> None:
        if day not in self._days:
            self._table.load(self._ledger.day_item(day).serialize())
            self._days.add(day)

    def _prune(self) -> None:
        self._prune_at = time.monotonic() + _PRUNE_SECONDS
        first_day = datetime.now(UTC) - timedelta(days=self._keep_days + 1)
        for segment in self._tail.prune(f"{first_day:%Y-%m-%d}"):
            log.info("removed %s: older than %d days", segment.name, self._keep_days)


def ledger_attributes(record: Record, keep_days: int) -> dict[str, dict[str, str]]:
    """What `Ledger.item` makes of the record, without PynamoDB, which takes longer than the rest."""
    bucket, moment = place_of(record)
    return {
        "bucket": {"S": bucket},
        "moment": {"S": moment},
        "expires_at": {"N": str(record.time_ms // 1000 + keep_days * 86_400)},
        "document": {"S": wire.dumps(record).decode()},
    }
