"""Usage for spreadsheets: the ledger attempt by attempt, or the roll-ups day by day, however many there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Annotated, Literal

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from functions.admin_usage_export.attempts import attempts
from functions.admin_usage_export.days import days
from functions.admin_usage_export.sheet import UTF8_MARK
from shared.gateway.records import Record, RequestType
from shared.store.key_labels import KeyLabels
from shared.store.ledger import Ledger
from shared.store.rollup_reader import RollupReader
from shared.web.admin_access import Access
from shared.web.admin_app import admin_app, serve
from shared.web.admin_errors import FieldError, InvalidFields
from shared.web.usage_cells import UsageCells
from shared.web.usage_range import usage_range

PATH = "/api/admin/usage/export"
_WORD_CHARS = 300
_NOT_BY_ENDPOINT = "endpoints are added up over all models and keys; leave it out"

Word = Annotated[str | None, Field(max_length=_WORD_CHARS)]


class Export(BaseModel):
    """Times are seconds since 1970, taken outwards to the half-hour; the last 24 hours unless told otherwise."""

    model_config = ConfigDict(extra="forbid")

    by: Annotated[
        Literal["attempt", "day", "model", "endpoint", "key"],
        Field(description="what a line is of: an attempt, a day, or a model, endpoint or key within a day"),
    ] = "attempt"
    start_date: float | None = None
    end_date: float | None = None
    timezone: Annotated[str | None, Field(max_length=64, description="of the dates; UTC unless told")] = None
    virtual_model: Word = None
    key_id: Word = None
    inbound_api_key_id: Word = None
    request_type: RequestType | None = None

    @property
    def key(self) -> str | None:
        return self.key_id or self.inbound_api_key_id or None

    def takes(self, record: Record) -> bool:
        return self.key in (None, record.key_id) and self.request_type in (None, record.request_type)

    def cells(self) -> UsageCells:
        """Raises InvalidFields."""
        given = ("virtual_model", "key_id", "inbound_api_key_id")
        wrong = [FieldError(name, _NOT_BY_ENDPOINT) for name in given if getattr(self, name)]
        if wrong and self.by == "endpoint":
            raise InvalidFields(wrong)
        return UsageCells(self.virtual_model, self.key, self.request_type)


def admin_usage_export_app(
    ledger: Ledger,
    reader: RollupReader,
    labels: KeyLabels,
    access: Access,
    *,
    now: Callable[[], float] = time.time,
) -> FastAPI:
    app = admin_app("Usage export", access, only_reads=True)

    def export(wanted: Export | None = None) -> StreamingResponse:
        """By attempt newest first, as long as the ledger goes back; by day oldest first, as long as you like."""
        wanted = wanted or Export()
        span = usage_range(wanted.start_date, wanted.end_date, wanted.timezone, now=now)
        lines: Iterator[bytes]
        if wanted.by == "attempt":
            name, lines = "report", attempts(ledger, span, wanted.virtual_model or None, wanted.takes)
        else:
            name, lines = f"by_{wanted.by}", days(reader, labels, span, wanted.by, wanted.cells())
        begun = chain([UTF8_MARK + next(lines)], lines)  # what cannot be read at all is still an error and no torn file
        headers = {"content-disposition": f'attachment; filename="usage_{name}_{int(now())}.csv"'}
        return StreamingResponse(begun, media_type="text/csv; charset=utf-8", headers=headers)

    serve(app, "POST", (PATH,), export, response_class=StreamingResponse)
    return app
