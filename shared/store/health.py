"""How each endpoint was last seen: noted behind requests, seldom, and read by `/health`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from shared import wire
from shared.errors import StoreUnavailable
from shared.store.tables import Tables, reaching

log = logging.getLogger(__name__)

HEALTH_SCOPE = "health"
_REPEAT_SECONDS = 60.0  # the same news again
_FLAP_SECONDS = 1.0  # news, from an endpoint that keeps changing


@dataclass(frozen=True, slots=True)
class Health:
    """`at` is when (seconds since 1970), `status` and `error_code` what the last attempt ended with."""

    ok: bool
    at: int
    status: int | None = None
    error_code: str | None = None

    def is_news_after(self, other: Health | None) -> bool:
        if other is None:
            return True
        changed = (self.ok, self.error_code) != (other.ok, other.error_code)
        return self.at - other.at >= (_FLAP_SECONDS if changed else _REPEAT_SECONDS)


class HealthBoard:
    """The `health` scope of the config table. `now` gives seconds since 1970."""

    def __init__(self, tables: Tables, *, now: Callable[[], float] = time.time) -> None:
        self._tables = tables
        self._now = now
        self._noted: dict[int, Health] = {}
        self._waiting: dict[int, Health] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(self, endpoint_id: int, ok: bool, error_code: str | None = None, status: int | None = None) -> None:
        """Remember how an attempt ended; writes in the background, and only news. Call it from the event loop."""
        health = Health(ok=ok, at=int(self._now()), status=status, error_code=error_code)
        if not health.is_news_after(self._noted.get(endpoint_id)):
            return
        self._noted[endpoint_id] = self._waiting[endpoint_id] = health
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_waiting())

    async def flush(self) -> None:
        """Wait until what was noted is written: before Lambda freezes the environment, and at shutdown."""
        if self._writing is not None:
            await asyncio.shield(self._writing)

    def read_all(self) -> dict[int, Health]:
        """By endpoint id. Blocking; raises StoreUnavailable."""
        with reaching("the endpoints' health"):
            return {
                int(item.key): Health(**wire.loads(item.document or "{}"))
                for item in self._tables.config.query(HEALTH_SCOPE)
            }

    async def _write_waiting(self) -> None:
        try:
            while self._waiting:
                endpoint_id, health = self._waiting.popitem()
                try:
                    await asyncio.to_thread(self._write, endpoint_id, health)
                except StoreUnavailable as failure:
                    log.warning("the health of endpoint %d was not noted: %s", endpoint_id, failure.message)
        finally:
            self._writing = None

    def _write(self, endpoint_id: int, health: Health) -> None:
        with reaching("an endpoint's health"):
            self._tables.config(HEALTH_SCOPE, str(endpoint_id), document=wire.dumps(health).decode()).save()
