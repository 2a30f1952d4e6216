"""Changing a record by what it is now: read, decide, write, and again when someone else was faster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from shared.store.refusals import Conflict


class Versioned(Protocol):
    @property
    def version(self) -> int: ...


_R = TypeVar("_R", bound=Versioned)
_ATTEMPTS = 10


def edit(
    read: Callable[[int], _R],
    write: Callable[[int, Mapping[str, Any], int], _R],
    record_id: int,
    changes_of: Callable[[_R], Mapping[str, Any]],
    expected: int | None,
) -> _R:
    """The record after the change; one that changes nothing is not written.

    `expected` is the version that the client read: raises Conflict when it is not the last one. Without it a race is
    decided again from the newer record. Blocking.
    """
    for _ in range(_ATTEMPTS):
        current = read(record_id)
        if expected not in (None, current.version):
            raise Conflict(current)
        changes = changes_of(current)
        if not changes:
            return current
        try:
            return write(record_id, changes, current.version)
        except Conflict as conflict:
            lost = conflict
            if expected is not None:
                break
    raise lost
