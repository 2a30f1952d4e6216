"""Pages of lists that are ordered by tokens, and of days and hours in their order."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from functions.admin_usage.figures import tokens_of
from shared.errors import InvalidRequest
from shared.store.counters import Counters
from shared.store.rollups import SLOT_SECONDS
from shared.web.usage_range import Span, UsageRange


class RankedPage(NamedTuple):
    rows: list[tuple[str, Counters]]
    next_cursor: str | None


class SpanPage(NamedTuple):
    spans: list[Span]
    next_cursor: str | None


def page_of(rows: Mapping[str, Counters], cursor: str | None, limit: int) -> RankedPage:
    """The next rows by tokens, most first, and by name. A cursor is the place of the last row of the page before, so
    that equal ranks neither repeat nor hide a row. Raises InvalidRequest."""
    ranked = sorted((-tokens_of(row), name) for name, row in rows.items())
    if cursor:
        after = _rank_of(cursor)
        ranked = [rank for rank in ranked if rank > after]
    page = ranked[:limit]
    more = _cursor(page[-1]) if len(ranked) > limit else None
    return RankedPage([(name, rows[name]) for _, name in page], more)


def from_cursor(cursor: str | None, wanted: UsageRange) -> UsageRange:
    """What is left of the range where a page of days or hours begins. Raises InvalidRequest."""
    if not cursor:
        return wanted
    begin = int(cursor) if cursor.isascii() and cursor.isdigit() else 0
    if not wanted.since <= begin < wanted.until or begin % SLOT_SECONDS:
        raise _no_cursor()
    return wanted._replace(since=begin)


def span_page(spans: Iterator[Span], limit: int) -> SpanPage:
    page = list(islice(spans, limit))
    following = next(spans, None)
    return SpanPage(page, str(following.since) if following else None)


def _cursor(rank: tuple[int, str]) -> str:
    return base64.urlsafe_b64encode(f"{-rank[0]}|{rank[1]}".encode()).decode().rstrip("=")


def _rank_of(cursor: str) -> tuple[int, str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        tokens, bar, name = text.partition("|")
        if not bar:
            raise ValueError
        return -int(tokens), name
    except ValueError:  # not base64, no text, or no number
        raise _no_cursor() from None


def _no_cursor() -> InvalidRequest:
    return InvalidRequest("not a cursor of this list; leave it out to begin at its start", param="cursor")
