"""Client keys in memory: a warm request reads no table, and an outage of the table does not lock known clients out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, Protocol

from shared.errors import StoreUnavailable
from shared.store.client_key import ClientKey, Shown

log = logging.getLogger(__name__)

_NOTE_USE_SECONDS = 600
_UNREADABLE = "the client keys cannot be read; try again"


class KeySource(Protocol):
    """Where keys come from; blocking, called from a thread. Failures are raised as StoreUnavailable."""

    def connect(self) -> None: ...
    def find(self, key_id: str) -> ClientKey | None: ...
    def note_use(self, key_id: str, at: int) -> None: ...


class _Known(NamedTuple):
    key: ClientKey
    checked_at: float


class KeyCache:
    """Keys as they were last read: younger than `revalidate_seconds` as they are, then checked behind the request.

    Older than `trusted_seconds`, a key is read before the request goes on, for at most `deadline_seconds`; when that
    fails, it still opens for `outage_seconds`. What does not open is remembered for `revalidate_seconds` only, apart
    from the others, so that a flood of invented keys pushes no true one out. Whoever wants the same key at the same
    time shares one read. `clock` is the wall clock, as in CatalogCache.
    """

    def __init__(
        self,
        source: KeySource,
        *,
        clock: Callable[[], float] = time.time,
        revalidate_seconds: float = 5.0,
        trusted_seconds: float = 60.0,
        outage_seconds: float = 900.0,
        deadline_seconds: float = 0.25,
        first_deadline_seconds: float = 1.0,
        limit: int = 1_000,
    ) -> None:
        self._source = source
        self._clock = clock
        self._revalidate_seconds = revalidate_seconds
        self._trusted_seconds = trusted_seconds
        self._outage_seconds = outage_seconds
        self._deadline_seconds = deadline_seconds
        self._first_deadline_seconds = first_deadline_seconds
        self._limit = limit
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._refused: OrderedDict[str, float] = OrderedDict()  # until when
        self._flights: dict[str, asyncio.Task[_Known | StoreUnavailable | None]] = {}
        self._failed_at: dict[str, float] = {}
        self._noted_at: dict[str, float] = {}
        self._notes: set[asyncio.Task[None]] = set()
        self._answered = False
        self._generation = 0

    async def verify(self, shown: Shown) -> ClientKey | None:
        """The key, if it opens. Raises StoreUnavailable when that cannot be found out."""
        known = self._known.get(shown.key_id)
        if known is None or not self._young(known.checked_at, self._revalidate_seconds):
            known = await self._checked(shown.key_id, known)
        if known is None or not known.key.opens(shown, self._clock()):
            return None
        self._note_use(known.key)
        return known.key

    def invalidate(self) -> None:
        """Keys were changed a moment ago: nothing that was read before counts."""
        self._generation += 1
        for memory in (self._known, self._refused, self._failed_at):
            memory.clear()

    async def settle(self) -> None:
        """Wait for what is written behind the requests."""
        if self._notes:
            await asyncio.wait(self._notes)

    async def _checked(self, key_id: str, known: _Known | None) -> _Known | None:
        now = self._clock()
        if known is None:
            if 0 <= self._refused.get(key_id, 0.0) - now <= self._revalidate_seconds:
                return None
        elif self._young(known.checked_at, self._trusted_seconds):
            if not self._young(self._failed_at.get(key_id, 0.0), self._revalidate_seconds):
                self._take_off(key_id)
            return known
        elif self._young(self._failed_at.get(key_id, 0.0), self._revalidate_seconds):
            return self._in_an_outage(known)
        generation = self._generation
        found = await asyncio.shield(self._take_off(key_id))
        if generation != self._generation:  # it may have read before the change
            found = await asyncio.shield(self._take_off(key_id))
        if not isinstance(found, StoreUnavailable):
            return found
        if known is None or generation != self._generation:
            raise found
        return self._in_an_outage(known)

    def _in_an_outage(self, known: _Known) -> _Known:
        if not self._young(known.checked_at, self._outage_seconds):
            raise StoreUnavailable(_UNREADABLE)
        return known

    def _young(self, since: float, seconds: float) -> bool:
        return 0 <= self._clock() - since < seconds

    def _take_off(self, key_id: str) -> asyncio.Task[_Known | StoreUnavailable | None]:
        flight = self._flights.get(key_id)
        if flight is None:
            flight = self._flights[key_id] = asyncio.create_task(self._read(key_id))
            flight.add_done_callback(lambda _: self._flights.pop(key_id, None))
        return flight

    async def _read(self, key_id: str) -> _Known | StoreUnavailable | None:
        deadline = self._deadline_seconds if self._answered else self._first_deadline_seconds
        generation = self._generation
        try:
            if not self._answered:
                await asyncio.to_thread(self._source.connect)
            # The thread is left to its own, shorter socket timeouts; only the waiting ends here.
            async with asyncio.timeout(deadline):
                key = await asyncio.to_thread(self._source.find, key_id)
        except (StoreUnavailable, TimeoutError) as failure:
            reason = failure.message if isinstance(failure, StoreUnavailable) else f"no answer in {deadline:g} s"
            log.warning("a client key could not be read: %s", reason)
            if key_id in self._known:
                self._failed_at[key_id] = self._clock()
            return StoreUnavailable(_UNREADABLE)
        self._answered = True
        known = None if key is None else _Known(key, self._clock())
        if generation == self._generation:
            self._remember(key_id, known)
        return known

    def _remember(self, key_id: str, known: _Known | None) -> None:
        self._failed_at.pop(key_id, None)
        if known is None or not known.key.lives(self._clock()):
            self._known.pop(key_id, None)
            self._noted_at.pop(key_id, None)
            self._refused[key_id] = self._clock() + self._revalidate_seconds
            if len(self._refused) > self._limit:
                self._refused.popitem(last=False)
            return
        self._refused.pop(key_id, None)
        self._known[key_id] = known
        self._known.move_to_end(key_id)
        if len(self._known) > self._limit:
            gone, _ = self._known.popitem(last=False)
            self._noted_at.pop(gone, None)

    def _note_use(self, key: ClientKey) -> None:
        """At most every ten minutes, behind the request."""
        now = self._clock()
        noted = self._noted_at.get(key.key_id, float(key.last_used_at or 0))
        if self._young(noted, _NOTE_USE_SECONDS):
            return
        self._noted_at[key.key_id] = now
        note = asyncio.create_task(self._write_use(key.key_id, int(now)))
        self._notes.add(note)
        note.add_done_callback(self._notes.discard)

    async def _write_use(self, key_id: str, at: int) -> None:
        try:
            await asyncio.to_thread(self._source.note_use, key_id, at)
        except StoreUnavailable as failure:
            log.warning("the use of a client key was not noted: %s", failure.message)
