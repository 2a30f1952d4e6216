"""What the gateway was used for and what it cost: the roll-ups in total, by day and hour, model, endpoint and key."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from pydantic import BaseModel, Field

from functions.admin_usage import figures as figure
from functions.admin_usage.pages import from_cursor, page_of, span_page
from shared.store.counters import PLACE, Counters, total
from shared.store.key_labels import KeyLabels
from shared.store.rollup_reader import RollupReader
from shared.store.rollups import ENDPOINT
from shared.web.admin_access import Access
from shared.web.admin_app import admin_app, serve
from shared.web.admin_errors import FieldError, InvalidFields
from shared.web.usage_cells import UsageCells, endpoint_of
from shared.web.usage_range import UsageRange, usage_range
from shared.wire import dumps

PATH = "/api/admin/usage"
NEXT_CURSOR = "x-next-cursor"
_WORD_CHARS = 300
_CURSOR_CHARS = 1_000  # base64 of the longest name, of 128 characters of four bytes each
_FILTERS = ("virtual_model", "key_id", "inbound_api_key_id")
_NOT_BY_ENDPOINT = "endpoints are added up over all models and keys; leave it out"

Seconds = Annotated[float | None, Query(description="seconds since 1970, taken outwards to the half-hour")]
Zone = Annotated[str | None, Query(max_length=64, description="an IANA name; UTC unless told")]
Word = Annotated[str | None, Query(max_length=_WORD_CHARS)]
Cursor = Annotated[str | None, Query(max_length=_CURSOR_CHARS)]
Rows = Annotated[int, Query(ge=1, le=1_000, description="the most rows of a page")]


class Usage(BaseModel):
    """All request types unless one is asked for. With a `next_cursor` there are more days."""

    summary: figure.Summary
    daily_breakdown: list[figure.Day] = Field(description="oldest first; days without requests are left out")
    estimated_models: list[str] = Field(description="those of these days with estimated tokens")
    start_date: int
    end_date: int
    timezone: str
    next_cursor: str | None


class HourlyUsage(BaseModel):
    items: list[figure.Hour] = Field(description="oldest first; hours without requests are left out")
    start_date: int
    end_date: int
    timezone: str
    next_cursor: str | None


class KeyUsage(BaseModel):
    items: list[figure.KeyFigures] = Field(description="by tokens, most first")
    next_cursor: str | None
    count: int


def admin_usage_app(
    reader: RollupReader, labels: KeyLabels, access: Access, *, now: Callable[[], float] = time.time
) -> FastAPI:
    app = admin_app("Usage", access)
    usage = _Usage(reader, labels, now)
    for path, endpoint, answer in (
        ("", usage.all, Usage),
        ("/by_model", usage.by_model, list[figure.ModelFigures]),
        ("/by_endpoint", usage.by_endpoint, list[figure.EndpointFigures]),
        ("/by_key", usage.by_key, KeyUsage),
        ("/by_hour", usage.by_hour, HourlyUsage),
        ("/embeddings", usage.embeddings, figure.Embeddings),
    ):
        serve(app, "GET", (PATH + path,), endpoint, response_model=answer)
    return app


class _Usage:
    """Answers are written here and not by the framework, whose checks of thousands of rows take longer than reading."""

    def __init__(self, reader: RollupReader, labels: KeyLabels, now: Callable[[], float]) -> None:
        self._reader = reader
        self._labels = labels
        self._now = now

    def all(
        self,
        start_date: Seconds = None,
        end_date: Seconds = None,
        timezone: Zone = None,
        virtual_model: Word = None,
        key_id: Word = None,
        inbound_api_key_id: Word = None,
        request_type: Word = None,
        cursor: Cursor = None,
        limit: Annotated[int, Query(ge=1, le=366, description="the most days of a page")] = 31,
    ) -> Response:
        wanted = self._range(start_date, end_date, timezone)
        chosen = UsageCells(virtual_model, key_id or inbound_api_key_id, request_type)
        page, following = span_page(from_cursor(cursor, wanted).days(), limit)
        models = self._reader.by_span(chosen.kind_of_models, page, **chosen.place(chosen.kind_of_models))
        told = [self._day(day.label, chosen.by_model(cells)) for day, cells in zip(page, models, strict=True) if cells]
        estimated = {
            model["virtual_model"]
            for day in told
            if day is not None
            for model in day["models"]
            if model["estimated_count"]
        }
        return _json(
            {
                "summary": figure.summary(self._sum(wanted, chosen)),
                "daily_breakdown": [day for day in told if day is not None],
                "estimated_models": sorted(estimated),
                **_told(wanted),
                "next_cursor": following,
            }
        )

    def by_model(
        self,
        start_date: Seconds = None,
        end_date: Seconds = None,
        timezone: Zone = None,
        virtual_model: Word = None,
        key_id: Word = None,
        inbound_api_key_id: Word = None,
        request_type: Word = None,
        cursor: Cursor = None,
        limit: Rows = 1_000,
    ) -> Response:
        wanted = self._range(start_date, end_date, timezone)
        chosen = UsageCells(virtual_model, key_id or inbound_api_key_id, request_type)
        kind = chosen.kind_of_models
        cells = self._reader.sums(kind, wanted.since, wanted.until, **chosen.place(kind))
        rows = chosen.by_model(cells)
        page = page_of(rows, cursor, limit)
        return _json([_model(name, row) for name, row in page.rows], page.next_cursor)

    def by_endpoint(
        self,
        request: Request,
        start_date: Seconds = None,
        end_date: Seconds = None,
        timezone: Zone = None,
        request_type: Word = None,
        cursor: Cursor = None,
        limit: Rows = 1_000,
    ) -> Response:
        refused = [FieldError(name, _NOT_BY_ENDPOINT) for name in _FILTERS if request.query_params.get(name)]
        if refused:
            raise InvalidFields(refused)
        wanted = self._range(start_date, end_date, timezone)
        chosen = UsageCells(None, None, request_type)
        cells = self._reader.sums(ENDPOINT, wanted.since, wanted.until)
        page = page_of(chosen.by_rest(cells), cursor, limit)
        return _json([_endpoint(name, row) for name, row in page.rows], page.next_cursor)

    def by_key(
        self,
        start_date: Seconds = None,
        end_date: Seconds = None,
        timezone: Zone = None,
        virtual_model: Word = None,
        key_id: Word = None,
        inbound_api_key_id: Word = None,
        request_type: Word = None,
        cursor: Cursor = None,
        limit: Rows = 100,
    ) -> Response:
        wanted = self._range(start_date, end_date, timezone)
        key = key_id or inbound_api_key_id
        chosen = UsageCells(virtual_model, key, request_type)
        kind = chosen.kind_of_keys
        cells = self._reader.sums(kind, wanted.since, wanted.until, **chosen.place(kind))
        page = page_of(chosen.by_key(cells), cursor, limit)
        labels = self._labels.of(name for name, _ in page.rows if name)
        items = [{"key_id": name, "label": labels.get(name), **figure.figures(row)} for name, row in page.rows]
        return _json({"items": items, "next_cursor": page.next_cursor, "count": len(items)})

    def by_hour(
        self,
        start_date: Seconds = None,
        end_date: Seconds = None,
        timezone: Zone = None,
        virtual_model: Word = None,
        key_id: Word = None,
        inbound_api_key_id: Word = None,
        request_type: Word = None,
        cursor: Cursor = None,
        limit: Annotated[int, Query(ge=1, le=744, description="the most hours of a page")] = 168,
    ) -> Response:
        wanted = self._range(start_date, end_date, timezone)
        chosen = UsageCells(virtual_model, key_id or inbound_api_key_id, request_type)
        page, following = span_page(from_cursor(cursor, wanted).hours(), limit)
        found = self._reader.by_span(chosen.kind, page, **chosen.place(chosen.kind))
        sums = [(hour, total(chosen.taken(cells))) for hour, cells in zip(page, found, strict=True)]
        return _json(
            {
                "items": [
                    {"hour": hour.label, "start_date": hour.since, **figure.figures(row)}
                    for hour, row in sums
                    if row[PLACE["attempts"]]
                ],
                **_told(wanted),
                "next_cursor": following,
            }
        )

    def embeddings(
        self,
        start_date: Seconds = None,
        end_date: Seconds = None,
        timezone: Zone = None,
        virtual_model: Word = None,
        key_id: Word = None,
        inbound_api_key_id: Word = None,
    ) -> Response:
        wanted = self._range(start_date, end_date, timezone)
        chosen = UsageCells(virtual_model, key_id or inbound_api_key_id, "embedding")
        return _json(figure.embeddings(self._sum(wanted, chosen)))

    def _range(self, start_date: float | None, end_date: float | None, timezone: str | None) -> UsageRange:
        return usage_range(start_date, end_date, timezone, now=self._now)

    def _sum(self, wanted: UsageRange, chosen: UsageCells) -> Counters:
        cells = self._reader.sums(chosen.kind, wanted.since, wanted.until, **chosen.place(chosen.kind))
        return total(chosen.taken(cells))

    def _day(self, label: str, models: Mapping[str, Counters]) -> dict[str, Any] | None:
        if not models:
            return None
        told = figure.figures(total(models.values()))
        rows = [{"virtual_model": name, **figure.day_figures(row)} for name, row in models.items()]
        rows.sort(key=lambda each: (-each["prompt_tokens"] - each["completion_tokens"], each["virtual_model"]))
        return {"date": label, "requests": told["request_count"], **told, "models": rows}


def _model(name: str, row: Counters) -> dict[str, Any]:
    return {"virtual_model": name, **figure.figures(row)}


def _endpoint(name: str, row: Counters) -> dict[str, Any]:
    number, title = endpoint_of(name)
    return {"endpoint_id": number, "endpoint_name": title, **figure.figures(row)}


def _told(wanted: UsageRange) -> dict[str, Any]:
    return {"start_date": wanted.since, "end_date": wanted.until, "timezone": wanted.zone.key}


def _json(body: Any, next_cursor: str | None = None) -> Response:
    """Lists, which have no room for a cursor, tell theirs in a header."""
    headers = {NEXT_CURSOR: next_cursor} if next_cursor else {}
    return Response(dumps(body), headers=headers, media_type="application/json")
