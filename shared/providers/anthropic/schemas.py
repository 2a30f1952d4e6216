"""JSON schemas as the Messages wire takes them: for tools, and in the narrow form of structured outputs."""

from __future__ import annotations

from typing import Any

from shared.wire import JsonObject, dumps

_FORMATS = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
)  # fmt: skip
_KEPT = frozenset(("type", "title", "description", "enum", "const", "$ref", "default"))
_MAPS = ("properties", "$defs", "definitions")
_LISTS = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}


def tool_schema(parameters: JsonObject | None) -> JsonObject:
    """`input_schema` must be an object schema; without parameters it takes none."""
    if not parameters:
        return {"type": "object", "properties": {}}
    if "type" not in parameters:
        return {"type": "object", **parameters}
    return parameters


def strict_schema(schema: Any) -> Any:
    """`schema` with what structured outputs refuse taken out: objects are closed, `oneOf` becomes `anyOf`, and bounds
    that the decoder does not know (`minimum`, `pattern`, …) go into the description, where the model can read them."""
    if not isinstance(schema, dict):
        return schema
    fit: JsonObject = {}
    unknown: JsonObject = {}
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, dict):
            fit[key] = {name: strict_schema(inner) for name, inner in value.items()}
        elif key in _LISTS and isinstance(value, list):
            fit.setdefault(_LISTS[key], []).extend(strict_schema(inner) for inner in value)
        elif key == "items" and isinstance(value, dict):
            fit[key] = strict_schema(value)
        elif (
            key in _KEPT
            or (key == "required" and isinstance(value, list))
            or (key == "format" and value in _FORMATS)
            or (key == "minItems" and value in (0, 1))
        ):
            fit[key] = value
        elif key not in ("additionalProperties", "$schema", "$id"):
            unknown[key] = value
    kind = schema.get("type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema:
        fit["additionalProperties"] = False
    if unknown:
        words = dumps(unknown).decode()
        fit["description"] = f"{fit['description']}\n\n{words}" if fit.get("description") else words
    return fit
