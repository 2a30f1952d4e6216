"""The configuration in memory: a warm request reads no table, and an outage of the table is not one of the gateway."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from shared.errors import StoreUnavailable
from shared.gateway.catalog import Catalog

log = logging.getLogger(__name__)

_REFRESH_SECONDS = 1.0


class CatalogSource(Protocol):
    """Where the catalog comes from; blocking, called from a thread. Failures are raised as StoreUnavailable."""

    def connect(self) -> None:
        """Make the client: CPU, no I/O."""
        ...

    def read_version(self) -> int: ...

    def load_catalog(self) -> Catalog: ...


class CatalogCache:
    """The last good catalog, younger than `revalidate_seconds` as it is, then checked behind the request's back.

    Older than `trusted_seconds` (an environment that was frozen) it is checked before the request goes on, for at
    most `deadline_seconds`; when that fails, the last good catalog serves. The very first load may take
    `first_deadline_seconds`: there is nothing to fall back on, and it pays for the TLS handshake and credentials.
    `clock` is the wall clock, because a monotonic one may stand still in a frozen environment.
    """

    def __init__(
        self,
        source: CatalogSource,
        *,
        clock: Callable[[], float] = time.time,
        revalidate_seconds: float = 5.0,
        trusted_seconds: float = 60.0,
        deadline_seconds: float = 0.25,
        first_deadline_seconds: float = 1.0,
    ) -> None:
        self._source = source
        self._clock = clock
        self._revalidate_seconds = revalidate_seconds
        self._trusted_seconds = trusted_seconds
        self._deadline_seconds = deadline_seconds
        self._first_deadline_seconds = first_deadline_seconds
        self._catalog: Catalog | None = None
        self._checked_at = 0.0
        self._tried_at: float | None = None  # when the last check failed; None after a success
        self._valid = True
        self._flight: asyncio.Task[StoreUnavailable | None] | None = None
        self._flight_began = 0.0

    async def get(self) -> Catalog:
        """Raises StoreUnavailable only when no catalog was ever read."""
        catalog = self._catalog
        if catalog is not None and self._valid and 0 <= self._clock() - self._checked_at < self._revalidate_seconds:
            return catalog
        return await self._checked(catalog)

    async def refreshed(self) -> Catalog:
        """The catalog checked now, for who misses something in it; at most one check a second."""
        if self._catalog is not None and 0 <= self._clock() - self._checked_at < _REFRESH_SECONDS:
            return self._catalog
        await self._fly()
        return await self.get()

    async def settle(self) -> None:
        """Wait for a check that is on its way, and for no longer than it may take."""
        if self._flight is not None:
            await asyncio.shield(self._flight)

    def invalidate(self) -> None:
        """The configuration was changed by this process: the next `get` reads it anew."""
        self._valid = False

    async def _checked(self, catalog: Catalog | None) -> Catalog:
        now = self._clock()
        if catalog is None:
            failure = await self._fly()
        elif not self._valid:
            if self._flight is not None:  # it may have read before the change
                await self._fly()
            failure = await self._fly()
        elif self._tried_at is not None and 0 <= now - self._tried_at < self._revalidate_seconds:
            return catalog
        elif 0 <= now - self._checked_at < self._trusted_seconds:
            self._take_off()
            return catalog
        else:
            frozen = self._flight is not None and not 0 <= now - self._flight_began <= self._deadline_seconds
            failure = await self._fly()
            if failure is not None and frozen:  # its connection died with the freeze, that says nothing of today
                failure = await self._fly()
        if self._catalog is None:
            raise failure or StoreUnavailable("the configuration could not be read; try again")
        return self._catalog

    async def _fly(self) -> StoreUnavailable | None:
        """One check, shared by everyone who needs it now; a caller that leaves does not cancel it."""
        return await asyncio.shield(self._take_off())

    def _take_off(self) -> asyncio.Task[StoreUnavailable | None]:
        if self._flight is None:
            self._flight_began = self._clock()
            self._flight = asyncio.create_task(self._check())
            self._flight.add_done_callback(self._land)
        return self._flight

    def _land(self, flight: asyncio.Task[StoreUnavailable | None]) -> None:
        self._flight = None

    async def _check(self) -> StoreUnavailable | None:
        known, valid = self._catalog, self._valid
        self._valid = True
        try:
            if known is None:
                await asyncio.to_thread(self._source.connect)
            deadline = self._first_deadline_seconds if known is None else self._deadline_seconds
            # The thread is left to its own, shorter socket timeouts; only the waiting ends here.
            async with asyncio.timeout(deadline):
                self._catalog = await asyncio.to_thread(self._read, known if valid else None)
        except (StoreUnavailable, TimeoutError) as failure:
            self._valid = valid
            self._tried_at = self._clock()
            reason = failure.message if isinstance(failure, StoreUnavailable) else f"no answer in {deadline:g} s"
            if known is None:
                log.warning("the configuration cannot be read: %s", reason)
            else:
                log.warning("the configuration was not revalidated, version %d serves: %s", known.version, reason)
            return StoreUnavailable(f"the configuration cannot be read ({reason})")
        self._checked_at, self._tried_at = self._clock(), None
        return None

    def _read(self, known: Catalog | None) -> Catalog:
        if known is not None and self._source.read_version() == known.version:
            return known
        return self._source.load_catalog()
