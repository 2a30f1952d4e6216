"""Read your own writes on the laptop: a change in the admin process is seen by the very next request."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from shared.web.asgi import App, Receive, Scope, Send


class FreshConfiguration:
    """Looks at the tables' files before each request (two system calls) and drops the snapshot when they changed.

    The store's process has a change on disk before it is acknowledged, so none is missed. In the cloud the snapshot is
    at most five seconds old instead.
    """

    def __init__(self, app: App, folder: Path, invalidate: Callable[[], None]) -> None:
        self._app = app
        self._folder = folder
        self._invalidate = invalidate
        self._seen = self._state()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = self._state()
        if state != self._seen:
            self._seen = state
            self._invalidate()
        await self._app(scope, receive, send)

    def _state(self) -> frozenset[tuple[str, int]]:
        found: set[tuple[str, int]] = set()
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # replaced by its shorter telling in this very moment
                    found.add((entry.name, entry.stat().st_size))
        return frozenset(found)
