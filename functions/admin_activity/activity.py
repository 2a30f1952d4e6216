"""What the gateway did: the ledger's newest records, filtered, page by page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, get_args

from fastapi import FastAPI, Query
from pydantic import BaseModel

from shared.gateway.pricing import PICODOLLARS, dollars
from shared.gateway.records import Outcome, Record
from shared.store.ledger import Filter, Ledger
from shared.web.admin_access import Access
from shared.web.admin_app import admin_app, serve
from shared.web.admin_errors import invalid_field

_OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
_CLASS = re.compile(r"([1-5])xx", re.IGNORECASE)
_STATUS = re.compile(r"[1-5][0-9][0-9]")
_WORD_CHARS = 300
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_DOLLARS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?")
_LATEST_MS = 4_102_444_800_000  # 2100-01-01; a time beyond is a mistake in units
_MOMENT = "seconds since 1970, or a date or time like 2026-08-01T12:00:00Z"
_COSTS = ("cost", "input_cost", "cache_read_cost", "cache_write_cost", "output_cost")


class Activity(BaseModel):
    """One attempt at a backend. `created_at` is seconds since 1970, `status_code` what the client was, or would have
    been, told; tokens are disjoint but for reasoning, which is part of output. Costs are dollars as exact decimals,
    null without prices; `price_version` names the prices they come from (docs/prices.md)."""

    id: str
    created_at: float
    request_id: str
    attempt: int
    protocol: str
    request_type: str
    virtual_model: str
    actual_model: str
    endpoint_id: int
    endpoint_name: str
    endpoint_type: str
    stream: bool
    status_code: int
    outcome: str
    error_code: str | None
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    usage_source: str
    time_to_first_token_ms: int | None
    response_time_ms: int
    user_agent: str
    key_id: str | None
    path: str | None
    client_address: str | None
    price_version: str | None
    cost: str | None
    input_cost: str | None
    cache_read_cost: str | None
    cache_write_cost: str | None
    output_cost: str | None


class ActivityPage(BaseModel):
    """Newest first. With a `next_cursor` there may be more, even behind a page that the filters left short."""

    items: list[Activity]
    next_cursor: str | None
    count: int


Word = Annotated[str | None, Query(max_length=_WORD_CHARS)]


def admin_activity_app(ledger: Ledger, access: Access) -> FastAPI:
    app = admin_app("Activity", access)
    serve(app, "GET", ("/api/admin/activity",), _Activities(ledger).newest)
    return app


class _Activities:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def newest(
        self,
        status: Annotated[
            str | None, Query(max_length=_WORD_CHARS, description="404, 4xx or one of the outcomes")
        ] = None,
        model: Annotated[str | None, Query(max_length=_WORD_CHARS, description="a virtual model")] = None,
        endpoint: Annotated[str | None, Query(max_length=_WORD_CHARS, description="an endpoint's id or name")] = None,
        outcome: Word = None,
        key_id: Annotated[str | None, Query(max_length=_WORD_CHARS, description="a client key's id")] = None,
        path: Annotated[str | None, Query(max_length=_WORD_CHARS, description="a part of the route's path")] = None,
        client: Annotated[str | None, Query(max_length=_WORD_CHARS, description="a part of the address")] = None,
        least_cost: Annotated[str | None, Query(max_length=40, description="in dollars")] = None,
        request_id: Annotated[
            str | None, Query(max_length=_WORD_CHARS, description="all attempts of a request; name its time, too")
        ] = None,
        since: Annotated[str | None, Query(max_length=40, description=_MOMENT)] = None,
        until: Annotated[str | None, Query(max_length=40, description=f"{_MOMENT}; itself not included")] = None,
        cursor: Word = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> ActivityPage:
        wanted = Filter(
            virtual_model=model or None,
            endpoint=endpoint or None,
            key_id=key_id or None,
            path=path or None,
            client_address=client or None,
            least_cost=_picodollars(least_cost, "least_cost") if least_cost else None,
            request_id=request_id or None,
            since_ms=_moment_ms(since, "since") if since else None,
            until_ms=_moment_ms(until, "until") if until else None,
        )
        wanted = _with_status(wanted, status) if status else wanted
        if outcome:
            wanted = _with_outcome(wanted, outcome, "outcome")
        page = self._ledger.newest(limit, cursor or None, wanted)
        items = [_activity(record) for record in page.records]
        return ActivityPage(items=items, next_cursor=page.next_cursor, count=len(items))


def _with_status(wanted: Filter, text: str) -> Filter:
    if _STATUS.fullmatch(text):
        return wanted._replace(status=int(text))
    family = _CLASS.fullmatch(text)
    if family:
        first = int(family[1]) * 100
        return wanted._replace(statuses=range(first, first + 100))
    return _with_outcome(wanted, text, "status")


def _with_outcome(wanted: Filter, text: str, field: str) -> Filter:
    outcome = next((each for each in _OUTCOMES if each == text), None)
    if outcome is None:
        words = ", ".join(_OUTCOMES)
        raise invalid_field(field, f"must be {'a status like 404, a class like 4xx, or ' * (field == 'status')}{words}")
    if wanted.outcome not in (None, outcome):
        raise invalid_field(field, f"is {outcome} where status says {wanted.outcome}; send one of them")
    return wanted._replace(outcome=outcome)


def _moment_ms(text: str, field: str) -> int:
    """Milliseconds since 1970."""
    try:
        seconds = Decimal(text) if _SECONDS.fullmatch(text) else _of_date(text)
    except ValueError:
        raise invalid_field(field, f"must be {_MOMENT}") from None
    if not 0 <= seconds * 1000 <= _LATEST_MS:
        raise invalid_field(field, "must lie between 1970 and 2100")
    return int(seconds * 1000)


def _of_date(text: str) -> Decimal:
    """Raises ValueError. A plus sign that was not encoded arrives as a space."""
    moment = datetime.fromisoformat(text.replace(" ", "+"))
    return Decimal(repr((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()))


def _picodollars(text: str, field: str) -> int:
    if not _DOLLARS.fullmatch(text):
        raise invalid_field(field, "must be dollars, like 0.05")
    return int(Decimal(text) * PICODOLLARS)


def _activity(record: Record) -> Activity:
    return Activity(
        id=f"{record.request_id}#{record.attempt}",
        created_at=record.time_ms / 1000,
        request_id=record.request_id,
        attempt=record.attempt,
        protocol=record.protocol,
        request_type=record.request_type,
        virtual_model=record.virtual_model,
        actual_model=record.actual_model,
        endpoint_id=record.endpoint_id,
        endpoint_name=record.endpoint_name,
        endpoint_type=record.endpoint_type,
        stream=record.stream,
        status_code=record.status,
        outcome=record.outcome,
        error_code=record.error_code,
        input_tokens=record.input_tokens,
        output_tokens=record.output_tokens,
        cache_read_tokens=record.cache_read_tokens,
        cache_write_5m_tokens=record.cache_write_5m_tokens,
        cache_write_1h_tokens=record.cache_write_1h_tokens,
        reasoning_tokens=record.reasoning_tokens,
        usage_source=record.usage_source,
        time_to_first_token_ms=record.time_to_first_token_ms,
        response_time_ms=record.total_ms,
        user_agent=record.user_agent,
        key_id=record.key_id or None,
        path=record.path or None,
        client_address=record.client_address or None,
        price_version=record.price_version or None,
        **{name: dollars(getattr(record, name)) if record.price_version else None for name in _COSTS},
    )
