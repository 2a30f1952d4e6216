"""Tool patterns as administrators read and write them, with the original's field names."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from shared.store.config_records import ToolPatternRecord
from shared.tool_calls.patterns import (
    FIRST_WINDOW,
    MAX_REGEX,
    MAX_WINDOW,
    PatternError,
    PatternType,
    compiled,
)
from shared.web.admin_errors import InvalidFields, invalid_field
from shared.web.admin_fields import Blank, Flag, Form, Name, Version
from shared.wire import loads

MOST_PRIORITY = 999
_MOST_ENTRIES = 200
_WORD_CHARS = 256
_MAPPINGS = ("tool_name_mapping", "parameter_mapping")
_GLOBS = ("models", "endpoints")
_WRITTEN = tuple(
    each.name for each in fields(ToolPatternRecord) if each.name not in ("id", "version", "created_at", "updated_at")
)
_NEW = ToolPatternRecord(pattern_name="", pattern_type="fence", regex_pattern="")  # the original's defaults


def _mapping(value: Any) -> dict[str, str]:
    """An object, or the original's JSON string of one."""
    if isinstance(value, str):
        try:
            value = loads(value) if value.strip() else {}
        except (ValueError, RecursionError):
            raise ValueError("must be an object of names and texts, or JSON text of one") from None
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise ValueError("must be an object of names and texts")
    if len(value) > _MOST_ENTRIES or any(len(word) > _WORD_CHARS for pair in value.items() for word in pair):
        raise ValueError(f"may have {_MOST_ENTRIES} entries of {_WORD_CHARS} characters")
    return value


def _globs(value: Any) -> list[str]:
    """A list of names, or one name."""
    globs = [value] if isinstance(value, str) else value or []
    if not isinstance(globs, list) or not all(isinstance(each, str) for each in globs):
        raise ValueError("must be a list of names; * stands for anything")
    if len(globs) > _MOST_ENTRIES or any(len(each) > _WORD_CHARS for each in globs):
        raise ValueError(f"may have {_MOST_ENTRIES} names of {_WORD_CHARS} characters")
    return [each.strip() for each in globs if each.strip()]


def _number(value: Any) -> Any:
    """Forms of the original send an empty text for none, and digits for a number."""
    if isinstance(value, str):
        value = value.strip()
        return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else value or None
    return value


def _regex(value: str) -> str:
    if not value:
        raise ValueError("a pattern needs a regular expression")
    if len(value.encode(errors="surrogatepass")) > MAX_REGEX:
        raise ValueError(f"must be at most {MAX_REGEX} bytes long")
    return value


Mapped = Annotated[
    dict[str, str],
    BeforeValidator(_mapping),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "object", "additionalProperties": {"type": "string"}},
                {"type": "string"},
                {"type": "null"},
            ],
            "description": "an object, or JSON text of one; read as an object",
        }
    ),
]
Globs = Annotated[
    list[str],
    BeforeValidator(_globs),
    WithJsonSchema({"type": "array", "items": {"type": "string"}, "description": "globs of names; none means all"}),
]
Word = Annotated[Annotated[str, Field(max_length=_WORD_CHARS)] | None, Blank]
Group = Annotated[Annotated[int, Field(strict=True, ge=1, le=99)] | None, BeforeValidator(_number)]
Window = Annotated[Annotated[int, Field(strict=True, ge=FIRST_WINDOW, le=MAX_WINDOW)] | None, BeforeValidator(_number)]
Priority = Annotated[int, BeforeValidator(_number), Field(strict=True, ge=0, le=MOST_PRIORITY)]


class ToolPatternRow(BaseModel):
    """A pattern, or a built-in format: that has the engine `builtin`, an id like `builtin:hermes`, an `example` and no
    expression, and only `enabled` can change. `warnings` say what is risky or broken about the expression."""

    id: int | str
    pattern_name: str
    pattern_type: Literal[PatternType, "builtin"]
    regex_pattern: str | None
    tool_name: str | None
    tool_name_group: int | None
    tool_name_json_path: str | None
    tool_name_mapping: dict[str, str]
    parameter_mapping: dict[str, str]
    enabled: bool
    priority: int
    arguments_group: int | None
    max_window: int | None
    models: list[str]
    endpoints: list[str]
    notes: str | None
    engine: Literal["regex", "builtin"]
    example: str | None
    warnings: list[str]
    version: int
    created_at: int
    updated_at: int


class SavedToolPattern(ToolPatternRow):
    status: Literal["ok"] = "ok"


class ToolPatternChange(Form):
    """Only what is sent changes; null unsets."""

    passed_over: ClassVar[tuple[str, ...]] = (
        "id", "status", "engine", "example", "warnings", "created_at", "updated_at",
    )  # fmt: skip

    # what a client left out is never read: `given` looks at what it sent
    pattern_name: Name = ""
    pattern_type: PatternType = "fence"
    regex_pattern: Annotated[str, BeforeValidator(lambda value: _regex(value) if isinstance(value, str) else value)] = (
        ""
    )
    tool_name: Word = None
    tool_name_group: Group = None
    tool_name_json_path: Word = None
    tool_name_mapping: Mapped = Field(default_factory=dict)
    parameter_mapping: Mapped = Field(default_factory=dict)
    enabled: Flag = True
    priority: Priority = 50
    arguments_group: Group = None
    max_window: Window = None
    models: Globs = Field(default_factory=list)
    endpoints: Globs = Field(default_factory=list)
    notes: Annotated[Annotated[str, Field(max_length=10_000)] | None, Blank] = None
    version: Version | None = None

    def changes(self, current: ToolPatternRecord) -> dict[str, Any]:
        """The record's new fields; raises InvalidFields with what the engine says of the whole."""
        changes = self.given(*_WRITTEN)
        changes |= {name: tuple(changes[name]) for name in _GLOBS if name in changes}
        changes = {name: value for name, value in changes.items() if getattr(current, name) != value}
        # what does not touch the expression is not held up by it: a broken pattern can be switched off
        if changes.keys() - {"enabled", "priority", "notes", *_GLOBS}:
            check(replace(current, **changes))
        return changes


class DraftToolPattern(ToolPatternChange):
    """A pattern that is only tried: its name may be missing."""

    pattern_name: Name = "draft"
    regex_pattern: Annotated[str, BeforeValidator(lambda value: _regex(value) if isinstance(value, str) else value)] = (
        Field()
    )

    def record(self) -> ToolPatternRecord:
        """Raises InvalidFields."""
        return replace(_NEW, **{"pattern_name": self.pattern_name, **self.changes(_NEW)})


class NewToolPattern(DraftToolPattern):
    """The original's defaults: type fence, priority 50, empty mappings."""

    pattern_name: Name = Field()


def check(record: ToolPatternRecord) -> None:
    """Raises InvalidFields when the engine cannot use it."""
    try:
        compiled(record.pattern())
    except PatternError as error:
        raise _invalid(error) from None


def tool_pattern_row(record: ToolPatternRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        **{name: getattr(record, name) for name in _WRITTEN},
        **{name: list(getattr(record, name)) for name in _GLOBS},
        **{name: dict(getattr(record, name)) for name in _MAPPINGS},
        "engine": "regex",
        "example": None,
        "warnings": _warnings(record),
        "version": record.version,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }


def _warnings(record: ToolPatternRecord) -> list[str]:
    try:
        return list(compiled(record.pattern()).warnings)
    except PatternError as error:
        return [f"not used: {error}"]


def _invalid(error: PatternError) -> InvalidFields:
    return invalid_field(error.field, str(error))
