"""An example value for a JSON schema: what the demo model writes into a tool call."""

from __future__ import annotations

from typing import Any

from shared.wire import JsonObject

_DEEPEST = 8
_PLAIN: dict[str, Any] = {"integer": 1, "number": 1.0, "boolean": True, "null": None}


def example_arguments(schema: JsonObject, words: str) -> JsonObject:
    """An object with every required property (all of them where none is required); strings say `words`."""
    value = _example(schema, words, schema, 0)
    return value if isinstance(value, dict) else {}


def _example(schema: Any, words: str, root: JsonObject, depth: int) -> Any:
    schema = _resolve(schema, root)
    if depth > _DEEPEST or not isinstance(schema, dict):
        return None
    if "const" in schema:
        return schema["const"]
    for field in ("enum", "examples"):
        if isinstance(schema.get(field), list) and schema[field]:
            return schema[field][0]
    if "default" in schema:
        return schema["default"]
    for field in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(field), list) and schema[field]:
            return _example(schema[field][0], words, root, depth + 1)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    properties = schema.get("properties")
    if kind == "object" or isinstance(properties, dict):
        properties = properties if isinstance(properties, dict) else {}
        required = schema.get("required")
        names = [name for name in required if name in properties] if isinstance(required, list) else list(properties)
        return {name: _example(properties[name], words, root, depth + 1) for name in names}
    if kind == "array":
        least = schema.get("minItems", 1)
        item = _example(schema.get("items", {}), words, root, depth + 1)
        return [item] * min(least if isinstance(least, int) else 1, 10)
    if kind in ("integer", "number"):
        least = schema.get("minimum")
        return least if isinstance(least, int | float) else _PLAIN[kind]
    return _PLAIN.get(str(kind), words or "demo")


def _resolve(schema: Any, root: JsonObject) -> Any:
    """Follow a local `$ref`, a few times at most."""
    for _ in range(_DEEPEST):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        schema = root
        for step in reference[2:].split("/"):
            schema = schema.get(step) if isinstance(schema, dict) else None
    return None
