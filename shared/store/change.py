"""One change of the configuration: all its items and the `version` item in one transaction, or nothing."""

from __future__ import annotations

from typing import Any

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.transactions import TransactWrite

from shared.store.audit import Entry, audit_item
from shared.store.tables import ConfigItem, Tables, code_of, reaching

CONFIG_SCOPE = "config"
VERSION_KEY = "#version"  # sorts before every record, so that a long Query reads it first (docs/adr/0002)
MAX_ITEMS = 100  # DynamoDB's limit for one transaction

# The transaction met another one, or was throttled: nothing was written, and it may be tried again.
_CONTENDED = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_CONTENDED_CALLS = frozenset({"TransactionInProgressException", "TransactionConflictException"})


class Contended(Exception):
    """Another writer was faster or AWS was busy; nothing was written: read again and repeat."""


class ConditionRefused(Exception):
    """A condition did not hold; `refusals` are the exceptions given with the conditions that failed."""

    def __init__(self, refusals: list[Exception]) -> None:
        super().__init__(", ".join(type(each).__name__ for each in refusals))
        self.refusals = refusals


class Change:
    """Collects what a change writes; each condition comes with the exception that says what its failure means."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._checks: list[tuple[ConfigItem, Condition, Exception]] = []
        self._deletes: list[tuple[ConfigItem, Condition | None, Exception]] = []
        self._puts: list[tuple[ConfigItem, Condition | None, Exception]] = []
        self._notes: list[Entry] = []
        self._noted_at = 0.0
        self._seen_version: int | None = None

    def __len__(self) -> int:
        return len(self._checks) + len(self._deletes) + len(self._puts) + bool(self._notes) + 1

    def check(self, item: ConfigItem, condition: Condition, refusal: Exception) -> None:
        self._checks.append((item, condition, refusal))

    def put(self, item: ConfigItem, condition: Condition | None, refusal: Exception) -> None:
        self._puts.append((item, condition, refusal))

    def delete(self, item: ConfigItem, condition: Condition | None, refusal: Exception) -> None:
        self._deletes.append((item, condition, refusal))

    def note(self, entry: Entry, now: float) -> None:
        """What the audit log says of it; all that belongs to one change is one item there, and what was written as it
        was before is no change."""
        if entry.changes:
            self._notes.append(entry)
        self._noted_at = now

    def only_if_nothing_changed_since(self, version: int) -> None:
        """Hold the whole configuration still: fail as Contended when any other change came between."""
        self._seen_version = version

    def commit(self) -> None:
        """Write. Raises ConditionRefused, Contended or StoreUnavailable; then nothing was written, except that
        StoreUnavailable after a lost answer leaves open whether it was."""
        # PynamoDB sends checks, deletes, puts and updates in this order, and the reasons come back in the same.
        refusals: list[Exception] = [each[2] for each in (*self._checks, *self._deletes, *self._puts)]
        if self._notes:
            refusals.append(Contended("the audit log"))
        refusals.append(Contended("the configuration changed"))
        with reaching("a change of the configuration"):
            try:
                with TransactWrite(connection=self._tables.connection) as transaction:
                    self._fill(transaction)
            except TransactWriteError as failure:
                raise self._meaning(failure, refusals) from failure

    def _fill(self, transaction: TransactWrite) -> None:
        config = self._tables.config
        for item, check, _ in self._checks:
            transaction.condition_check(config, item.scope, item.key, condition=check)
        for item, condition, _ in self._deletes:
            transaction.delete(item, condition=condition)
        for item, condition, _ in self._puts:
            transaction.save(item, condition=condition)
        if self._notes:
            transaction.save(audit_item(self._tables, self._notes, self._noted_at))
        version = config(CONFIG_SCOPE, VERSION_KEY)
        unchanged: Any = None
        if self._seen_version == 0:
            unchanged = config.version.does_not_exist()
        elif self._seen_version is not None:
            unchanged = config.version == self._seen_version
        transaction.update(version, actions=[config.version.add(1)], condition=unchanged)

    @staticmethod
    def _meaning(failure: TransactWriteError, refusals: list[Exception]) -> Exception:
        if (called := code_of(failure)) in _CONTENDED_CALLS:
            return Contended(called)
        codes = [reason.code if reason else None for reason in failure.cancellation_reasons]
        failed = [refusal for refusal, code in zip(refusals, codes, strict=False) if code == "ConditionalCheckFailed"]
        for refusal in failed:
            if isinstance(refusal, Contended):
                return refusal
        if failed:
            return ConditionRefused(failed)
        if any(code in _CONTENDED for code in codes):
            return Contended("another transaction holds the same items")
        return failure
