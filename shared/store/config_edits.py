"""One change of the configuration: its parts, and how often it is tried against other writers."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
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
        config = self._tables.config
        change.put(self._items.of_record(created), config.key.does_not_exist(), Conflict(created))
        self._take_names(change, created, names_of(created))
        if isinstance(created, VirtualModelRecord):
            note_prices(change, self._tables, None, created)
        change.note(record_entry(None, created), self._now())
        return created

    def _replace(self, change: Change, current: _R, changed: _R) -> None:
        config = self._tables.config
        change.put(self._items.of_record(changed), config.version == current.version, Conflict(current))
        before, after = names_of(current), names_of(changed)
        self._take_names(change, changed, [name for name in after if name not in before])
        self._free_names(change, current, [name for name in before if name not in after])
        if isinstance(changed, VirtualModelRecord) and isinstance(current, VirtualModelRecord):
            note_prices(change, self._tables, current, changed)
        change.note(record_entry(current, changed), self._now())

    def _delete(self, change: Change, current: StoredRecord) -> None:
        unchanged = self._tables.config.version == current.version
        change.delete(self._items.of_record(current), unchanged, Conflict(current))
        self._free_names(change, current, names_of(current))
        change.note(record_entry(current, None), self._now())

    def _take_names(self, change: Change, record: StoredRecord, names: Iterable[str]) -> None:
        """An item per name, so that of two writers who want it the transaction lets one."""
        kind = kind_of(record)
        for name in names:
            duplicate = DuplicateName(WORDS[kind], name, "name" if name == record.name else "aliases")
            change.put(self._items.of_name(kind, name, record.id), self._tables.config.key.does_not_exist(), duplicate)

    def _free_names(self, change: Change, record: StoredRecord, names: Iterable[str]) -> None:
        for name in names:
            change.delete(self._items.of_name(kind_of(record), name, record.id), None, Conflict(record))

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


def names_of(record: StoredRecord) -> tuple[str, ...]:
    """Those that no other record of its kind may have."""
    return record.names if isinstance(record, VirtualModelRecord) else (record.name,)


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
