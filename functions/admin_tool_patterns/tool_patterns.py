"""Tool patterns and built-in formats in one list: shown, created, changed, switched, deleted and tried."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Body, FastAPI, Path
from pydantic import BaseModel, ValidationError

from functions.admin_tool_patterns.builtins import PREFIX, format_of, format_row, format_rows, wished
from functions.admin_tool_patterns.trial import Outcome, Sample, outcome, outcome_of_format
from shared.errors import MethodNotAllowed
from shared.store.config_records import ToolPatternRecord
from shared.store.config_store import ConfigStore
from shared.store.refusals import Conflict, DuplicateName
from shared.tool_calls.patterns import Pattern, PatternError
from shared.web.admin_access import Access
from shared.web.admin_app import admin_app, serve
from shared.web.admin_errors import AdminRefusal, FieldError, InvalidFields, field_errors, invalid_field
from shared.web.edits import edit
from shared.web.tool_pattern_schemas import (
    NewToolPattern,
    SavedToolPattern,
    ToolPatternChange,
    ToolPatternRow,
    tool_pattern_row,
)

ALL = ("/api/admin/tool-patterns", "/tool-patterns", "/endpoints/patterns")
ONE = tuple(f"{path}/{{id}}" for path in ALL)
TEST = tuple(f"{path}/test" for path in ALL)

PatternId = Annotated[str, Path(description="a number, or `builtin:hermes`", max_length=100)]
_CHANGE = {"requestBody": {"content": {"application/json": {"schema": ToolPatternChange.model_json_schema()}}}}


class Deleted(BaseModel):
    status: Literal["ok"] = "ok"


def admin_tool_patterns_app(store: ConfigStore, access: Access) -> FastAPI:
    app = admin_app("Tool patterns", access)
    tool_patterns = _ToolPatterns(store)
    serve(app, "GET", ALL, tool_patterns.all)
    serve(app, "POST", ALL, tool_patterns.create, status_code=201)
    serve(app, "POST", TEST, tool_patterns.test)
    serve(app, "GET", ONE, tool_patterns.one)
    serve(app, "PUT", ONE, tool_patterns.change, openapi_extra=_CHANGE)
    serve(app, "DELETE", ONE, tool_patterns.delete)
    return app


class _ToolPatterns:
    """The handlers; blocking, FastAPI runs them in threads."""

    def __init__(self, store: ConfigStore) -> None:
        self._store = store

    def all(self) -> list[ToolPatternRow]:
        """By priority, the highest first: the built-in formats, then the administrators' patterns."""
        records, switches = self._store.list_tool_patterns()
        rows = [*format_rows(switches), *map(tool_pattern_row, records)]
        return [ToolPatternRow(**row) for row in rows]

    def one(self, id: PatternId) -> ToolPatternRow:
        if id.startswith(PREFIX):
            return ToolPatternRow(**format_row(format_of(id), self._store.get_formats()))
        return ToolPatternRow(**tool_pattern_row(self._store.get_tool_pattern(_number(id))))

    def create(self, new: NewToolPattern) -> SavedToolPattern:
        record = new.record()
        try:
            return SavedToolPattern(**tool_pattern_row(self._store.create_tool_pattern(record)))
        except DuplicateName as duplicate:
            raise _named(duplicate) from duplicate

    def change(self, id: PatternId, body: Annotated[dict[str, Any], Body()]) -> SavedToolPattern:
        """What is sent changes, the rest stays; of a built-in format only `enabled`. With `version`, 409 and the
        `current` row when it is not the last."""
        try:
            return SavedToolPattern(**(self._switch(id, body) if id.startswith(PREFIX) else self._change(id, body)))
        except ValidationError as error:
            raise InvalidFields(field_errors(dict(each) for each in error.errors())) from None

    def delete(self, id: PatternId) -> Deleted:
        if id.startswith(PREFIX):
            row = format_of(id)
            raise MethodNotAllowed(
                f'a built-in format cannot be deleted: switch it off with PUT {ALL[0]}/{PREFIX}{row.id} {{"enabled": '
                "false}",
                ("GET", "PUT"),
            )
        self._store.delete_tool_pattern(_number(id))
        return Deleted()

    def test(self, sample: Sample) -> Outcome:
        """Try a draft or a pattern of the list, enabled or not, on a sample, or all that is in force with
        `with_patterns`. Nothing is saved.

        `false_positives` are harmless texts, built in, that it would spoil where the sample's tools are declared.
        """
        drafted = (sample.pattern is not None) + (sample.pattern_id is not None)
        if drafted > 1 or not (drafted or sample.with_patterns):
            raise invalid_field("pattern", "send a draft here, or the pattern_id of one in the list, or with_patterns")
        if isinstance(sample.pattern_id, str) and sample.pattern_id.startswith(PREFIX):
            return outcome_of_format(sample, format_of(sample.pattern_id))
        records, switches = self._store.list_tool_patterns()
        try:
            return outcome(
                sample, self._pattern(sample) if drafted else None, (record.pattern() for record in records), switches
            )
        except PatternError as error:
            raise invalid_field(error.field, str(error)) from None

    def _pattern(self, sample: Sample) -> Pattern:
        if sample.pattern is None:
            return self._store.get_tool_pattern(_number(str(sample.pattern_id))).pattern()
        try:
            return sample.pattern.record().pattern()
        except InvalidFields as invalid:
            raise InvalidFields(FieldError(f"pattern.{each.field}", each.message) for each in invalid.fields) from None

    def _switch(self, row_id: str, body: dict[str, Any]) -> dict[str, Any]:
        row, switches = format_of(row_id), self._store.get_formats()
        shown = format_row(row, switches)
        enabled = wished(body, shown)
        if enabled == shown["enabled"]:
            return shown
        return format_row(row, self._store.switch_format(row.id, enabled))

    def _change(self, row_id: str, body: dict[str, Any]) -> dict[str, Any]:
        change = ToolPatternChange.model_validate(body)
        try:
            record: ToolPatternRecord = edit(
                self._store.get_tool_pattern,
                self._store.update_tool_pattern,
                _number(row_id),
                change.changes,
                change.version,
            )
        except DuplicateName as duplicate:
            raise _named(duplicate) from duplicate
        except Conflict as conflict:
            details = {"current": tool_pattern_row(conflict.current)}
            raise AdminRefusal(409, conflict.message, details) from conflict
        return tool_pattern_row(record)


def _number(row_id: str) -> int:
    if not (row_id.isascii() and row_id.isdigit() and len(row_id) <= 10 and int(row_id)):
        raise AdminRefusal(404, "an id is a whole number above 0, or builtin:name; GET the list to see them")
    return int(row_id)


def _named(duplicate: DuplicateName) -> AdminRefusal:
    """The original's field for the name."""
    fields = [FieldError("pattern_name", duplicate.message)._asdict()]
    return AdminRefusal(409, duplicate.message, {"fields": fields})
