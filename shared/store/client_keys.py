"""The `api_keys` table: client keys made, listed, changed, revoked and found.

Synchronous: call it from a thread. Every method raises StoreUnavailable when AWS does not answer. A second item,
`label#…`, holds a key's label, so that no two living keys have the same; revoking gives it free. The secret of a key
that was rotated has an item that says whose it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, TypedDict, TypeVar, Unpack

from pynamodb.exceptions import DoesNotExist, TransactWriteError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.transactions import TransactWrite

from shared import wire
from shared.errors import StoreUnavailable
from shared.gateway.limits import Limits
from shared.store.audit import Entry, audit_item
from shared.store.audit_entry import key_entry
from shared.store.client_key import ClientKey, id_of, new_key, prefix_of, read_key
from shared.store.refusals import DuplicateName, NotFound, Refusal
from shared.store.tables import ApiKeyItem, AuditItem, Tables, code_of, reaching

_T = TypeVar("_T")

_LABEL = "label#"
_ATTEMPTS = 8
_FIRST_WAIT_SECONDS = 0.01


class KeyLimits(TypedDict, total=False):
    """What of a key may be set when it is made, beside its names."""

    expires_at: int | None
    limits: Limits


class KeyChanges(KeyLimits, total=False):
    """What of a key may be set at any time."""

    label: str
    notes: str
    enabled: bool


class NewKey(NamedTuple):
    """`key` is told once and then forgotten."""

    key: str
    record: ClientKey


class Revoked(Refusal):
    """A revoked key is not changed any more."""

    code = "key_revoked"

    def __init__(self) -> None:
        super().__init__("the key is revoked and stays so; create another one")


class _Outrun(Exception):
    """Another writer was faster; nothing was written."""


class ClientKeys:
    """`now` gives seconds since 1970."""

    def __init__(self, tables: Tables, *, now: Callable[[], float] = time.time) -> None:
        self._tables = tables
        self._now = now

    def connect(self) -> None:
        """Make the AWS client, so that no deadline has to cover it. No I/O."""
        self._tables.connect()

    def find(self, key_id: str) -> ClientKey | None:
        """The key that a secret belongs to, on the request path: at most a moment old. One GetItem, or two for a key
        that was rotated."""
        item = self._item_of(key_id, consistent=False)
        if item is not None and not item.secret_hash and item.owner and not key_id.startswith(_LABEL):
            item = self._item_of(item.owner, consistent=False)
        return _key(item) if item is not None and item.secret_hash else None

    def get(self, key_id: str) -> ClientKey:
        """Raises NotFound."""
        item = self._item_of(key_id, consistent=True)
        if item is None or not item.secret_hash:
            raise NotFound("client key", key_id)
        return _key(item)

    def list(self) -> list[ClientKey]:
        """All of them, revoked ones too, by label and age. A Scan: there are as many as a team has programs."""
        with reaching("the client keys"):
            items = [item for item in self._tables.api_keys.scan(consistent_read=True) if item.secret_hash]
        return sorted(map(_key, items), key=lambda each: (each.label, each.created_at, each.key_id))

    def create(self, label: str, notes: str = "", **given: Unpack[KeyLimits]) -> NewKey:
        """Raises DuplicateName."""
        key = new_key()
        shown = read_key(key)
        assert shown is not None  # noqa: S101 - it was made a line above
        now = int(self._now())
        record = ClientKey(*shown, prefix_of(key), label, notes, created_at=now, updated_at=now, **given)

        def attempt() -> NewKey:
            change = _Change(self._tables)
            change.take_label(record)
            change.put(record, self._tables.api_keys.key_id.does_not_exist())
            change.note(key_entry(None, record), self._now())
            change.commit()
            return NewKey(key, record)

        return _until_settled(attempt)

    def change(self, key_id: str, **given: Unpack[KeyChanges]) -> ClientKey:
        """Set what is given. Raises NotFound, DuplicateName or Revoked."""

        def attempt() -> ClientKey:
            current = self.get(key_id)
            changes = {name: value for name, value in given.items() if value != getattr(current, name)}
            if not changes:
                return current
            if current.revoked_at is not None:
                raise Revoked
            return self._write(current, changes)

        return _until_settled(attempt)

    def rotate(self, key_id: str, overlap_seconds: int) -> NewKey:
        """Another secret for the same key; the one before opens for so many seconds more, and the one before that no
        longer. Raises NotFound or Revoked."""
        key = new_key()
        shown = read_key(key)
        assert shown is not None  # noqa: S101 - it was made a line above

        def attempt() -> NewKey:
            current = self.get(key_id)
            if current.revoked_at is not None:
                raise Revoked
            changes = {
                "secret_hash": shown.secret_hash,
                "prefix": prefix_of(key),
                "previous_hash": current.secret_hash if overlap_seconds else None,
                "previous_until": int(self._now()) + overlap_seconds if overlap_seconds else None,
            }
            return NewKey(key, self._write(current, changes))

        return _until_settled(attempt)

    def revoke(self, key_id: str) -> ClientKey:
        """For ever; once more changes nothing. Raises NotFound."""

        def attempt() -> ClientKey:
            current = self.get(key_id)
            if current.revoked_at is not None:
                return current
            return self._write(current, {"enabled": False, "revoked_at": int(self._now())})

        return _until_settled(attempt)

    def note_use(self, key_id: str, at: int) -> None:
        """Remember when a key was last used; nothing else of it changes, and no key comes back by it."""
        api_keys = self._tables.api_keys
        with reaching("the use of a client key"):
            try:
                api_keys(key_id).update(
                    actions=[api_keys.last_used_at.set(at)], condition=api_keys.secret_hash.exists()
                )
            except UpdateError as failure:
                if code_of(failure) != "ConditionalCheckFailedException":
                    raise

    def _item_of(self, key_id: str, *, consistent: bool) -> ApiKeyItem | None:
        with reaching("a client key"):
            try:
                return self._tables.api_keys.get(key_id, consistent_read=consistent)
            except DoesNotExist:
                return None

    def _write(self, current: ClientKey, changes: dict[str, Any]) -> ClientKey:
        changed = replace(current, **changes, version=current.version + 1, updated_at=int(self._now()))
        change = _Change(self._tables)
        if changed.revoked_at is not None:
            change.free_label(current)
        elif changed.label != current.label:
            change.free_label(current)
            change.take_label(changed)
        for secret_hash in _secrets(changed) - _secrets(current):
            change.take_secret(changed, secret_hash)
        for secret_hash in _secrets(current) - _secrets(changed):
            change.free_secret(changed, secret_hash)
        change.update(changed, self._tables.api_keys.version == current.version)
        change.note(key_entry(current, changed), self._now())
        change.commit()
        return changed


class _Change:
    """What is written together, or not at all; each part with what its failure means."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._puts: list[tuple[ApiKeyItem | AuditItem, Condition | None, Exception]] = []
        self._deletes: list[tuple[ApiKeyItem, Condition, Exception]] = []
        self._updates: list[tuple[ApiKeyItem, Condition, list[Any], Exception]] = []

    def take_label(self, record: ClientKey) -> None:
        item = self._tables.api_keys(f"{_LABEL}{record.label}", owner=record.key_id)
        taken = DuplicateName("client key", record.label)
        self._puts.append((item, self._tables.api_keys.key_id.does_not_exist(), taken))

    def free_label(self, record: ClientKey) -> None:
        item = self._tables.api_keys(f"{_LABEL}{record.label}")
        self._deletes.append((item, self._tables.api_keys.owner == record.key_id, _Outrun()))

    def take_secret(self, record: ClientKey, secret_hash: str) -> None:
        item = self._tables.api_keys(id_of(secret_hash), owner=record.key_id)
        self._puts.append((item, self._tables.api_keys.key_id.does_not_exist(), _Outrun()))

    def free_secret(self, record: ClientKey, secret_hash: str) -> None:
        """But for the first one, whose place is the key's own."""
        if id_of(secret_hash) != record.key_id:
            item = self._tables.api_keys(id_of(secret_hash))
            self._deletes.append((item, self._tables.api_keys.owner == record.key_id, _Outrun()))

    def put(self, record: ClientKey, condition: Condition) -> None:
        self._puts.append((self._item(record), condition, _Outrun()))

    def note(self, entry: Entry, now: float) -> None:
        """What the audit log says of it."""
        self._puts.append((audit_item(self._tables, [entry], now), None, _Outrun()))

    def update(self, record: ClientKey, condition: Condition) -> None:
        """All but when it was last used, which is noted at any time."""
        api_keys = self._tables.api_keys
        actions = [
            api_keys.label.set(record.label),
            api_keys.notes.set(record.notes),
            api_keys.enabled.set(record.enabled),
            api_keys.version.set(record.version),
            api_keys.updated_at.set(record.updated_at),
        ]
        actions += [
            api_keys.secret_hash.set(record.secret_hash),
            api_keys.prefix.set(record.prefix),
            api_keys.limits.set(_limits_document(record.limits)),
        ]
        for name in ("revoked_at", "expires_at", "previous_hash", "previous_until"):
            value, attribute = getattr(record, name), getattr(api_keys, name)
            actions.append(attribute.remove() if value is None else attribute.set(value))
        self._updates.append((api_keys(record.key_id), condition, actions, _Outrun()))

    def commit(self) -> None:
        """Raises what was given with the part that failed."""
        # PynamoDB sends deletes, puts and updates in this order, and the reasons come back in the same.
        meanings = [each[2] for each in (*self._deletes, *self._puts)] + [each[3] for each in self._updates]
        with reaching("a change of the client keys"):
            try:
                with TransactWrite(connection=self._tables.connection) as transaction:
                    for item, condition, _ in self._deletes:
                        transaction.delete(item, condition=condition)
                    for new, wanted, _ in self._puts:
                        transaction.save(new, condition=wanted)
                    for item, condition, actions, _ in self._updates:
                        transaction.update(item, actions=actions, condition=condition)
            except TransactWriteError as failure:
                raise _meaning(failure, meanings) from failure

    def _item(self, record: ClientKey) -> ApiKeyItem:
        return self._tables.api_keys(
            record.key_id,
            secret_hash=record.secret_hash,
            prefix=record.prefix,
            label=record.label,
            notes=record.notes,
            enabled=record.enabled,
            version=record.version,
            created_at=record.created_at,
            updated_at=record.updated_at,
            expires_at=record.expires_at,
            limits=_limits_document(record.limits),
        )


def _secrets(record: ClientKey) -> set[str]:
    return {each for each in (record.secret_hash, record.previous_hash) if each}


def _limits_document(limits: Limits) -> str:
    """What is no limit is left out."""
    return wire.dumps({name: value for name, value in limits._asdict().items() if value not in (None, ())}).decode()


def _read_limits(document: str | None) -> Limits:
    given = wire.loads(document) if document else {}
    known = {name: given[name] for name in Limits._fields if name in given}
    return Limits(**{**known, "models": tuple(known.get("models", ()))})


def _meaning(failure: TransactWriteError, meanings: list[Exception]) -> Exception:
    if code_of(failure) in ("TransactionInProgressException", "TransactionConflictException"):
        return _Outrun()
    codes = [reason.code if reason else None for reason in failure.cancellation_reasons]
    failed = [each for each, code in zip(meanings, codes, strict=False) if code == "ConditionalCheckFailed"]
    if failed:
        return next((each for each in failed if isinstance(each, _Outrun)), failed[0])
    return _Outrun() if "TransactionConflict" in codes else failure


def _until_settled(attempt: Callable[[], _T]) -> _T:
    for number in range(_ATTEMPTS):
        try:
            return attempt()
        except _Outrun:
            time.sleep(_FIRST_WAIT_SECONDS * 2**number)
    raise StoreUnavailable("the client keys are being changed by others; try again", retry_after_seconds=1)


def _key(item: ApiKeyItem) -> ClientKey:
    return ClientKey(
        key_id=item.key_id,
        secret_hash=item.secret_hash or "",
        prefix=item.prefix or "",
        label=item.label or "",
        notes=item.notes or "",
        enabled=bool(item.enabled),
        created_at=int(item.created_at or 0),
        updated_at=int(item.updated_at or 0),
        revoked_at=None if item.revoked_at is None else int(item.revoked_at),
        last_used_at=None if item.last_used_at is None else int(item.last_used_at),
        version=int(item.version or 0),
        expires_at=None if item.expires_at is None else int(item.expires_at),
        previous_hash=item.previous_hash,
        previous_until=None if item.previous_until is None else int(item.previous_until),
        limits=_read_limits(item.limits),
    )
