"""One change of the configuration: its parts, and how often it is tried against other writers."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from shared.errors import InvalidRequest, StoreUnavailable
from shared.gateway.catalog import TargetSpec
from shared.store.audit_entry import record_entry
from shared.store.change import CONFIG_SCOPE, Change, ConditionRefused, Contended
from shared.store.config_items import COUNTER_SCOPE, WORDS, ConfigItems, Kind, StoredRecord, kind_of, record_key
from shared.store.config_records import EndpointRecord, ToolPatternRecord, VirtualModelRecord
from shared.store.price_history import note_prices
from shared.store.refusals import Conflict, DuplicateName
from shared.store.tables import Tables, reaching

_R = TypeVar("_R", EndpointRecord, VirtualModelRecord, ToolPatternRecord)
_T = TypeVar("_T")

# A change that lost a race is read and tried again: waits double from 5 ms with jitter, 2 s together.
_ATTEMPTS = 12
_FIRST_WAIT_SECONDS = 0.005
_LONGEST_WAIT_SECONDS = 0.4


class Edits:
    """What every kind of record is changed with. `now` gives seconds since 1970."""

    def __init__(self, tables: Tables, *, now: Callable[[], float] = time.time) -> None:
        self._tables = tables
        self._items = ConfigItems(tables)
        self._now = now

    def allocate_id(self, kind: Kind, count: int = 1) -> int:
        """A number that no other record of the kind ever had: a key is sealed for an id before its endpoint exists.

        With `count`, the last of so many in a row.
        """
        counter = self._tables.config(COUNTER_SCOPE, kind)
        with reaching("a new id"):
            counter.update(actions=[self._tables.config.version.add(count)])
        return int(counter.version or 0)

    def _create(self, change: Change, record: _R) -> _R:
        now = self._seconds()
        created = _stamped(record, version=1, created_at=now, updated_at=now)
        kind = kind_of(record)
        duplicate = DuplicateName(WORDS[kind], record.name)
        config = self._tables.config
        change.put(self._items.of_record(created), config.key.does_not_exist(), Conflict(created))
        change.put(self._items.of_name(kind, record.name, record.id), config.key.does_not_exist(), duplicate)
        if isinstance(created, VirtualModelRecord):
            note_prices(change, self._tables, None, created)
        change.note(record_entry(None, created), self._now())
        return created

    def _replace(self, change: Change, current: _R, changed: _R) -> None:
        config = self._tables.config
        change.put(self._items.of_record(changed), config.version == current.version, Conflict(current))
        if changed.name != current.name:
            kind = kind_of(changed)
            duplicate = DuplicateName(WORDS[kind], changed.name)
            change.put(self._items.of_name(kind, changed.name, changed.id), config.key.does_not_exist(), duplicate)
            change.delete(self._items.of_name(kind, current.name, current.id), None, Conflict(current))
        if isinstance(changed, VirtualModelRecord) and isinstance(current, VirtualModelRecord):
            note_prices(change, self._tables, current, changed)
        change.note(record_entry(current, changed), self._now())

    def _delete(self, change: Change, current: StoredRecord) -> None:
        unchanged = self._tables.config.version == current.version
        change.delete(self._items.of_record(current), unchanged, Conflict(current))
        change.delete(self._items.of_name(kind_of(current), current.name, current.id), None, Conflict(current))
        change.note(record_entry(current, None), self._now())

    def _successor(self, current: _R, changed: _R, expected: int | None) -> _R:
        if expected not in (None, current.version):
            raise Conflict(current)
        if changed.id != current.id:
            raise ValueError("a record keeps its id")
        return _stamped(changed, version=current.version + 1, created_at=current.created_at, updated_at=self._seconds())

    def _check_targets(self, change: Change, targets: tuple[TargetSpec, ...]) -> None:
        for endpoint_id in sorted({target.endpoint_id for target in targets}):
            missing = InvalidRequest(f"no endpoint with id {endpoint_id}; create it first", param="targets")
            item = self._tables.config(CONFIG_SCOPE, record_key("endpoint", endpoint_id))
            change.check(item, self._tables.config.key.exists(), missing)

    def _seconds(self) -> int:
        return int(self._now())


def _stamped(record: _R, *, version: int, created_at: int, updated_at: int) -> _R:
    if isinstance(record, VirtualModelRecord):
        record = replace(record, value=replace(record.value, created_at=created_at))
    return replace(record, version=version, created_at=created_at, updated_at=updated_at)


def unless_outrun(attempt: Callable[[], _T]) -> _T:
    """A record that changed under the attempt is read again: that finds the Conflict, or the way around it."""
    try:
        return attempt()
    except ConditionRefused as refused:
        for refusal in refused.refusals:
            if not isinstance(refusal, Conflict):
                raise refusal from None
        raise Contended("the record changed") from refused


def until_settled(attempt: Callable[[], _T]) -> _T:
    """Repeat while other writers are faster. Raises the refusal, or StoreUnavailable when it never settles."""
    wait = _FIRST_WAIT_SECONDS
    for _ in range(_ATTEMPTS):
        try:
            return attempt()
        except Contended:
            time.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
        except ConditionRefused as refused:
            raise refused.refusals[0] from None
    raise StoreUnavailable("the configuration is being changed by too many at once; try again")
