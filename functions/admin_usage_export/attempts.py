"""The ledger line by line: every attempt at a backend, newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from functions.admin_usage_export.sheet import dollars, written
from shared.gateway.records import Record
from shared.store.ledger import Filter, Ledger
from shared.web.usage_range import UsageRange

_PAGE = 1_000

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
    ("Cost ($)", lambda record, zone: dollars(record.cost)),
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
    ("Input Cost ($)", lambda record, zone: dollars(record.input_cost)),
    ("Cache Read Cost ($)", lambda record, zone: dollars(record.cache_read_cost)),
    ("Cache Write Cost ($)", lambda record, zone: dollars(record.cache_write_cost)),
    ("Output Cost ($)", lambda record, zone: dollars(record.output_cost)),
    ("Price Version", lambda record, zone: record.price_version),
    ("Request Id", lambda record, zone: record.request_id),
    ("Attempt", lambda record, zone: record.attempt),
)


def attempts(
    ledger: Ledger, span: UsageRange, virtual_model: str | None, takes: Callable[[Record], bool]
) -> Iterator[bytes]:
    """The head with the first page, then page by page."""
    pages = _pages(ledger, span, virtual_model, takes)
    yield written([[name for name, _ in COLUMNS]]) + _lines(next(pages), span.zone)
    for records in pages:
        if records:
            yield _lines(records, span.zone)


def _pages(
    ledger: Ledger, span: UsageRange, virtual_model: str | None, takes: Callable[[Record], bool]
) -> Iterator[list[Record]]:
    only = Filter(since_ms=span.since * 1000, until_ms=span.until * 1000, virtual_model=virtual_model)
    cursor: str | None = None
    while True:
        page = ledger.newest(_PAGE, cursor, only)
        yield [record for record in page.records if takes(record)]
        cursor = page.next_cursor
        if cursor is None:
            return


def _lines(records: Iterable[Record], zone: ZoneInfo) -> bytes:
    return written([cell(record, zone) for _, cell in COLUMNS] for record in records)


def _prompt_tokens(record: Record) -> int:
    return record.input_tokens + record.cache_read_tokens + record.cache_write_5m_tokens + record.cache_write_1h_tokens


def _known(number: int | None) -> str | int:
    return "" if number is None else number
