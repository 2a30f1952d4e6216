"""The ledger's one writer with its two timings: into the table after the answer, or into a journal at once."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from shared.errors import StoreUnavailable
from shared.gateway.records import Record
from shared.store.journal import JournalWriter
from shared.store.ledger import Ledger

log = logging.getLogger(__name__)

MOST_WAITING = 1_000


class TableRecorder:
    """On Lambda: `flush`, after the client's last byte, puts what `record` took.

    What the table does not take stays for the next flush; beyond `MOST_WAITING` the oldest is lost, with a log line.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: deque[Record] = deque()

    def record(self, record: Record) -> None:
        if len(self._waiting) == MOST_WAITING:
            lost = self._waiting.popleft()
            log.error("a ledger record is lost, the table takes none: request %s", lost.request_id)
        self._waiting.append(record)

    async def flush(self) -> None:
        """A caller that is cancelled does not stop it."""
        if self._waiting:
            await asyncio.shield(self._put_waiting())

    async def _put_waiting(self) -> None:
        taken = list(self._waiting)
        self._waiting.clear()
        try:
            if len(taken) == 1:
                await asyncio.to_thread(self._ledger.put, taken[0])
            else:
                await asyncio.to_thread(self._ledger.put_batch, taken)
        except StoreUnavailable as failure:
            log.warning("%d ledger records wait for the next flush: %s", len(taken), failure.message)
            self._waiting.extendleft(reversed(taken))


class JournalRecorder:
    """In a long-lived process: the record is on disk when `record` returns, and the table is filled from there."""

    def __init__(self, journal: JournalWriter) -> None:
        self._journal = journal

    def record(self, record: Record) -> None:
        try:
            self._journal.append(record)
        except OSError as failure:
            log.error("a ledger record is lost, the journal takes none: request %s (%s)", record.request_id, failure)

    async def flush(self) -> None:
        """Nothing waits."""
