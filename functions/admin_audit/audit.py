"""Who changed what: the audit log's newest entries, filtered, page by page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Query
from pydantic import BaseModel, Field

from shared.store.audit import Action, Audited, AuditLog, Subject, Wanted
from shared.web.admin_access import Access
from shared.web.admin_app import admin_app, serve
from shared.web.admin_errors import invalid_field

_WORD_CHARS = 300
_LAST_SECOND = 4_102_444_800  # 2100
_MOMENT = "seconds since 1970, or a date or time like 2026-08-01T12:00:00Z"


class ChangedField(BaseModel):
    """null: the field was not there. Secrets are masked, long values cut."""

    field: str
    before: Any
    after: Any


class AuditEntry(BaseModel):
    """One record's change. What was changed together, as an endpoint with its virtual models, has one `request_id`."""

    id: str
    at: float = Field(description="seconds since 1970")
    user: str = Field(description="empty: the gateway itself, or somebody with the deployment's credentials")
    address: str = Field(description="where the change came from")
    request_id: str = Field(description="of the answer's x-request-id")
    action: Action
    kind: Subject
    subject_id: str
    subject_name: str
    changes: list[ChangedField]


class AuditPage(BaseModel):
    """Newest first. With a `next_cursor` there may be more, even behind a page that the filters left short."""

    items: list[AuditEntry]
    next_cursor: str | None


Word = Annotated[str | None, Query(max_length=_WORD_CHARS)]
When = Annotated[str | None, Query(max_length=40, description=_MOMENT)]


def admin_audit_app(audit: AuditLog, access: Access) -> FastAPI:
    app = admin_app("Audit log", access)
    serve(app, "GET", ("/api/admin/audit",), _Audit(audit).newest)
    return app


class _Audit:
    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit

    def newest(
        self,
        user: Word = None,
        kind: Subject | None = None,
        action: Action | None = None,
        subject: Annotated[str | None, Query(max_length=_WORD_CHARS, description="an id, or a part of a name")] = None,
        since: When = None,
        until: When = None,
        cursor: Word = None,
        limit: Annotated[int, Query(ge=1, le=500, description="a change is told whole, even beyond it")] = 100,
    ) -> AuditPage:
        """Every change of endpoints, virtual models, tool patterns, formats, client keys and settings."""
        wanted = Wanted(
            user or None,
            kind,
            action,
            subject or None,
            _moment_ms(since, "since") if since else None,
            _moment_ms(until, "until") if until else None,
        )
        page = self._audit.newest(limit, cursor or None, wanted)
        return AuditPage(items=[_row(each) for each in page.entries], next_cursor=page.next_cursor)


def _row(audited: Audited) -> AuditEntry:
    entry = audited.entry
    return AuditEntry(
        id=f"{audited.moment}#{audited.number}",
        at=audited.at_ms / 1_000,
        user=audited.user,
        address=audited.address,
        request_id=audited.request_id,
        action=entry.action,
        kind=entry.kind,
        subject_id=entry.id,
        subject_name=entry.name,
        changes=[ChangedField(**each) for each in entry.changes],
    )


def _moment_ms(text: str, field: str) -> int:
    try:
        seconds = float(text) if text[:1].isdigit() and "-" not in text else _of_iso(text)
    except ValueError:
        raise invalid_field(field, f"must be {_MOMENT}") from None
    if not 0 <= seconds <= _LAST_SECOND:
        raise invalid_field(field, f"must be {_MOMENT}")
    return int(seconds * 1_000)


def _of_iso(text: str) -> float:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
