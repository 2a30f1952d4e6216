"""The built-in formats as rows of the list of patterns: shown, and switched on and off, but not edited."""

from __future__ import annotations

from typing import Any

from shared.store.config_records import FormatSwitches
from shared.tool_calls.formats import BY_ID, FORMATS, Format
from shared.web.admin_errors import AdminRefusal, FieldError, InvalidFields
from shared.web.admin_fields import Flag, Form
from shared.web.tool_pattern_schemas import MOST_PRIORITY

PREFIX = "builtin:"
PRIORITY = MOST_PRIORITY + 1  # where a format and a pattern begin alike, the format is tried first


class Switch(Form):
    """All that can change of a built-in format."""

    enabled: Flag


def format_of(row_id: str) -> Format:
    """The format of `builtin:hermes`; raises AdminRefusal."""
    found = BY_ID.get(row_id.removeprefix(PREFIX))
    if found is None:
        raise AdminRefusal(404, f"no built-in format {row_id[:50]!a}; GET the list to see them")
    return found


def format_rows(switches: FormatSwitches) -> list[dict[str, Any]]:
    return [format_row(each, switches) for each in FORMATS]


def format_row(row: Format, switches: FormatSwitches) -> dict[str, Any]:
    return {
        "id": PREFIX + row.id,
        "pattern_name": row.id,
        "pattern_type": "builtin",
        "regex_pattern": None,
        "tool_name": None,
        "tool_name_group": None,
        "tool_name_json_path": None,
        "tool_name_mapping": {},
        "parameter_mapping": {},
        "enabled": row.id not in switches.off and (row.on or row.id in switches.on),
        "priority": PRIORITY,
        "arguments_group": None,
        "max_window": None,
        "models": [],
        "endpoints": [],
        "notes": row.title,
        "engine": "builtin",
        "example": row.example,
        "warnings": [],
        "version": 0,
        "created_at": 0,
        "updated_at": switches.updated_at if row.id in switches.on | switches.off else 0,
    }


def wished(body: dict[str, Any], row: dict[str, Any]) -> bool:
    """Whether the row shall be on; raises InvalidFields for what differs otherwise, so that a row can be sent back."""
    others = [name for name, value in body.items() if name not in ("enabled", "status") and value != row.get(name)]
    unknown = [name for name in others if name not in row]
    if others:
        raise InvalidFields(
            FieldError(
                name,
                "there is no such field"
                if name in unknown
                else "belongs to a built-in format: only enabled can change; write a pattern of your own beside it",
            )
            for name in others
        )
    return Switch.model_validate({"enabled": body.get("enabled", row["enabled"])}).enabled
