"""The `audit` table: every change of the configuration and the keys, written in the change's own transaction."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple, TypeAlias

from shared import wire
from shared.errors import InvalidRequest
from shared.store.actor import ACTOR
from shared.store.tables import AuditItem, Tables, reaching
from shared.wire import JsonObject

_DAY = 86_400
_MOST_EXAMINED = 2_000
_MOST_BYTES = 250_000  # of an item, which may have 400 KB
_MOMENT = re.compile(r"[0-9]{13}#[0-9a-f]{8}")


Action: TypeAlias = Literal["create", "update", "delete", "rotate", "revoke"]
Subject: TypeAlias = Literal["endpoint", "virtual_model", "tool_pattern", "formats", "api_key", "settings"]


class Entry(NamedTuple):
    """One record's change. `changes` has a row per field that differs; a value that is absent is None."""

    action: Action
    kind: Subject
    id: str
    name: str
    changes: list[JsonObject]


class Audited(NamedTuple):
    """One entry as it was written: `at_ms` since 1970."""

    moment: str
    number: int
    at_ms: int
    user: str
    address: str
    request_id: str
    entry: Entry


class Page(NamedTuple):
    """Newest first. `next_cursor`: there may be more, even behind a page that filters left short."""

    entries: list[Audited]
    next_cursor: str | None


class Wanted(NamedTuple):
    """Which entries; None is any. `subject` is an id or a part of a name."""

    user: str | None = None
    kind: str | None = None
    action: str | None = None
    subject: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def takes(self, audited: Audited) -> bool:
        entry = audited.entry
        return (
            self.user in (None, audited.user)
            and self.kind in (None, entry.kind)
            and self.action in (None, entry.action)
            and (self.subject is None or self.subject == entry.id or self.subject.lower() in entry.name.lower())
        )


ANY = Wanted()


def audit_item(tables: Tables, entries: Sequence[Entry], now: float) -> AuditItem:
    """What is to be written beside a change, by whoever the door let in."""
    who = ACTOR.get()
    at_ms = int(now * 1_000)
    document = {"user": who.user, "address": who.address, "request_id": who.request_id}
    told = wire.dumps({**document, "entries": [each._asdict() for each in entries]})
    if len(told) > _MOST_BYTES:  # a cascade over many large records: what was changed, but not from what
        told = wire.dumps({**document, "entries": [each._replace(changes=[])._asdict() for each in entries]})
    return tables.audit(
        _month(at_ms),
        f"{at_ms:013d}#{secrets.token_hex(4)}",
        expires_at=int(now) + tables.audit_days * _DAY,
        document=told.decode(),
    )


class AuditLog:
    """Reading the table. Synchronous; raises StoreUnavailable. `now` gives seconds since 1970."""

    def __init__(self, tables: Tables, *, now: Callable[[], float] = time.time) -> None:
        self._tables = tables
        self._now = now

    def newest(self, limit: int = 50, cursor: str | None = None, wanted: Wanted = ANY) -> Page:
        """Entries before `cursor`, a whole change at a time and so perhaps a few more than `limit`.

        Raises InvalidRequest for a cursor that no page gave.
        """
        if cursor is not None and not _MOMENT.fullmatch(cursor):
            raise InvalidRequest("the cursor is not one that a page gave", param="cursor")
        before = cursor
        if wanted.until_ms is not None:
            until = f"{wanted.until_ms:013d}"
            before = min(before, until) if before else until
        found: list[Audited] = []
        for examined, (moment, entries) in enumerate(self._changes(before, wanted.since_ms), 1):
            found += [each for each in entries if wanted.takes(each)]
            if len(found) >= limit or examined == _MOST_EXAMINED:
                return Page(found, moment)
        return Page(found, None)

    def _changes(self, before: str | None, since_ms: int | None) -> Iterator[tuple[str, list[Audited]]]:
        audit, now = self._tables.audit, self._now()
        oldest = max(since_ms or 0, int((now - (self._tables.audit_days + 1) * _DAY) * 1_000))
        newest = min(int(before[:13]) if before else 1 << 62, int((now + _DAY) * 1_000))
        with reaching("the audit log"):
            for month in _months_back(newest, oldest):
                condition = audit.moment < before if before else None
                for item in audit.query(month, condition, scan_index_forward=False, page_size=100):
                    if int(item.moment[:13]) < oldest:
                        return
                    if item.expires_at is None or item.expires_at >= now:
                        yield item.moment, _read(item.moment, wire.loads(item.document))


def _read(moment: str, document: JsonObject) -> list[Audited]:
    return [
        Audited(
            moment,
            number,
            int(moment[:13]),
            document["user"],
            document["address"],
            document["request_id"],
            Entry(*(each[name] for name in Entry._fields)),
        )
        for number, each in enumerate(document["entries"])
    ]


def _months_back(newest_ms: int, oldest_ms: int) -> Iterator[str]:
    last = datetime.fromtimestamp(newest_ms / 1_000, UTC)
    number, first = last.year * 12 + last.month - 1, _month(oldest_ms)
    while (month := f"{number // 12:04d}-{number % 12 + 1:02d}") >= first:
        yield month
        number -= 1


def _month(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%Y-%m")
