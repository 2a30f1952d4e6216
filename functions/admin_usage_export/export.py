"""The ledger as a table for spreadsheets: one line per attempt at a backend, however many there are."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from shared.gateway.records import Record, RequestType
from shared.store.ledger import Filter, Ledger
from shared.web.admin_access import Access
from shared.web.admin_app import admin_app, serve
from shared.web.usage_range import UsageRange, usage_range

PATH = "/api/admin/usage/export"
_PAGE = 1_000
_WORD_CHARS = 300

# A cell that begins so is a formula to a spreadsheet (OWASP, CSV Injection); full-width forms are read as the others.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")

Cell = Callable[[Record, ZoneInfo], str | int]

COLUMNS: tuple[tuple[str, Cell], ...] = (
    # the original's
    (
        "Date",
        lambda record, zone: datetime.fromtimestamp(record.time_ms / 1000, zone).isoformat(timespec="milliseconds"),
    ),
    ("Virtual Model", lambda record, zone: record.virtual_model),
    ("Endpoint", lambda record, zone: record.endpoint_name),
    ("Request Type", lambda record, zone: record.request_type),
    ("Prompt Tokens", lambda record, zone: _prompt_tokens(record)),
    ("Completion Tokens", lambda record, zone: record.output_tokens),
    ("Total Tokens", lambda record, zone: _prompt_tokens(record) + record.output_tokens),
    ("Cost ($)", lambda record, zone: _dollars(record.cost)),
    ("Response Time (ms)", lambda record, zone: record.total_ms),
    # and what else an invoice may have to show
    ("Time to First Token (ms)", lambda record, zone: _known(record.time_to_first_token_ms)),
    ("Actual Model", lambda record, zone: record.actual_model),
    ("Client Key", lambda record, zone: record.key_id),
    ("Outcome", lambda record, zone: record.outcome),
    ("Status", lambda record, zone: record.status),
    ("Input Tokens", lambda record, zone: record.input_tokens),
    ("Cache Read Tokens", lambda record, zone: record.cache_read_tokens),
    ("Cache Write Tokens (5 min)", lambda record, zone: record.cache_write_5m_tokens),
    ("Cache Write Tokens (1 h)", lambda record, zone: record.cache_write_1h_tokens),
    ("Reasoning Tokens", lambda record, zone: record.reasoning_tokens),
    ("Tokens From", lambda record, zone: record.usage_source),
    ("Input Cost ($)", lambda record, zone: _dollars(record.input_cost)),
    ("Cache Read Cost ($)", lambda record, zone: _dollars(record.cache_read_cost)),
    ("Cache Write Cost ($)", lambda record, zone: _dollars(record.cache_write_cost)),
    ("Output Cost ($)", lambda record, zone: _dollars(record.output_cost)),
    ("Price Version", lambda record, zone: record.price_version),
    ("Request Id", lambda record, zone: record.request_id),
    ("Attempt", lambda record, zone: record.attempt),
)

Word = Annotated[str | None, Field(max_length=_WORD_CHARS)]


class Export(BaseModel):
    """Times are seconds since 1970, taken outwards to the half-hour; the last 24 hours unless told otherwise."""

    model_config = ConfigDict(extra="forbid")

    start_date: float | None = None
    end_date: float | None = None
    timezone: Annotated[str | None, Field(max_length=64, description="of the dates; UTC unless told")] = None
    virtual_model: Word = None
    key_id: Word = None
    inbound_api_key_id: Word = None
    request_type: RequestType | None = None

    def takes(self, record: Record) -> bool:
        key = self.key_id or self.inbound_api_key_id
        return (not key or record.key_id == key) and self.request_type in (None, record.request_type)


def admin_usage_export_app(ledger: Ledger, access: Access, *, now: Callable[[], float] = time.time) -> FastAPI:
    app = admin_app("Usage export", access)

    def export(wanted: Export | None = None) -> StreamingResponse:
        """Newest first, as long as the ledger goes back."""
        wanted = wanted or Export()
        span = usage_range(wanted.start_date, wanted.end_date, wanted.timezone, now=now)
        lines = _lines(_pages(ledger, span, wanted), span.zone)
        begun = chain([next(lines)], lines)  # what cannot be read at all is still an error and no torn file
        name = f"usage_report_{int(now())}.csv"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(begun, media_type="text/csv; charset=utf-8", headers=headers)

    serve(app, "POST", (PATH,), export, response_class=StreamingResponse)
    return app


def _pages(ledger: Ledger, span: UsageRange, wanted: Export) -> Iterator[list[Record]]:
    only = Filter(since_ms=span.since * 1000, until_ms=span.until * 1000, virtual_model=wanted.virtual_model or None)
    cursor: str | None = None
    while True:
        page = ledger.newest(_PAGE, cursor, only)
        yield [record for record in page.records if wanted.takes(record)]
        cursor = page.next_cursor
        if cursor is None:
            return


def _lines(pages: Iterable[list[Record]], zone: ZoneInfo) -> Iterator[bytes]:
    """The head with the first page, then page by page. A mark says that it is UTF-8, which Excel does not guess."""
    yield b"\xef\xbb\xbf" + _written([[name for name, _ in COLUMNS]]) + _page(next(iter(pages), []), zone)
    for records in pages:
        if records:
            yield _page(records, zone)


def _page(records: Iterable[Record], zone: ZoneInfo) -> bytes:
    return _written([_harmless(cell(record, zone)) for _, cell in COLUMNS] for record in records)


def _written(rows: Iterable[list[str | int]] | list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def _harmless(cell: str | int) -> str | int:
    """Text that a spreadsheet would calculate is led by an apostrophe, which it takes for text."""
    if isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA):
        return f"'{cell}"
    return cell


def _prompt_tokens(record: Record) -> int:
    return record.input_tokens + record.cache_read_tokens + record.cache_write_5m_tokens + record.cache_write_1h_tokens


def _dollars(picodollars: int) -> str:
    """All digits and no exponent."""
    return f"{Decimal(picodollars).scaleb(-12):f}"


def _known(number: int | None) -> str | int:
    return "" if number is None else number
