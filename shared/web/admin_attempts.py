"""How often somebody may show wrong credentials: after so many failures an address waits, whatever it shows then."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from shared.errors import RateLimited

_MOST_FAILURES = 20
_WINDOW_SECONDS = 60.0
_MOST_ADDRESSES = 10_000


class _Failures(NamedTuple):
    since: float
    failures: int


class Attempts:
    """Failures by address, of this process. `clock` gives seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def check(self, address: str) -> None:
        """Raises RateLimited; nobody is asked about what is shown then, so that nothing can be guessed."""
        found = self._failures.get(address)
        if found is None or found.failures < _MOST_FAILURES:
            return
        wait = found.since + _WINDOW_SECONDS - self._clock()
        if wait > 0:
            raise RateLimited("too many wrong credentials from this address; wait a minute", retry_after_seconds=wait)
        del self._failures[address]

    def note_failure(self, address: str) -> None:
        now = self._clock()
        found = self._failures.pop(address, None)
        if found is None or now - found.since >= _WINDOW_SECONDS:
            found = _Failures(now, 0)
        self._failures[address] = _Failures(found.since, found.failures + 1)
        if len(self._failures) > _MOST_ADDRESSES:
            self._failures.popitem(last=False)
