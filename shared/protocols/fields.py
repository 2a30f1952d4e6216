"""Reading a client's JSON: each reader returns the value in the type it must have, or says which field is wrong."""

from __future__ import annotations

from typing import Any

from shared.errors import InvalidRequest
from shared.wire import JsonObject, loads


def read_object(body: bytes) -> JsonObject:
    """The JSON object that a request's body must be."""
    if not body.strip():
        raise InvalidRequest("the request has no body; send a JSON object", code="invalid_json")
    try:
        value = loads(body)
    except (ValueError, RecursionError):
        raise InvalidRequest("the body is not valid JSON", code="invalid_json") from None
    if not isinstance(value, dict):
        raise InvalidRequest(f"the body must be a JSON object, not {kind(value)}", code="invalid_type")
    return value


def missing(field: str) -> InvalidRequest:
    return InvalidRequest(f"you must provide `{field}`", param=field, code="missing_required_parameter")


def mistyped(field: str, expected: str, value: Any) -> InvalidRequest:
    return InvalidRequest(f"`{field}` must be {expected}, not {kind(value)}", param=field, code="invalid_type")


def invalid(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"`{field}` {message}", param=field, code="invalid_value")


def kind(value: Any) -> str:
    """JSON's name for the type of `value`."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def string(body: JsonObject, field: str, path: str = "") -> str | None:
    value = body.get(field)
    if value is None or isinstance(value, str):
        return value
    raise mistyped(path + field, "a string", value)


def required_string(body: JsonObject, field: str, path: str = "") -> str:
    value = string(body, field, path)
    if value is None:
        raise missing(path + field)
    if not value:
        raise invalid(path + field, "must not be empty")
    return value


def number(body: JsonObject, field: str, low: float | None = None, high: float | None = None) -> float | None:
    value = body.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise mistyped(field, "a number", value)
    _within(field, value, low, high)
    return value


def integer(body: JsonObject, field: str, low: int | None = None, high: int | None = None) -> int | None:
    value = body.get(field)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise mistyped(field, "an integer", value)
    _within(field, value, low, high)
    return value


def _within(field: str, value: float, low: float | None, high: float | None) -> None:
    if low is not None and value < low:
        raise invalid(field, f"must be at least {low:g}")
    if high is not None and value > high:
        raise invalid(field, f"must be at most {high:g}")


def boolean(body: JsonObject, field: str, path: str = "") -> bool | None:
    value = body.get(field)
    if value is None or isinstance(value, bool):
        return value
    raise mistyped(path + field, "a boolean", value)


def mapping(body: JsonObject, field: str, path: str = "") -> JsonObject | None:
    value = body.get(field)
    if value is None or isinstance(value, dict):
        return value
    raise mistyped(path + field, "an object", value)


def array(body: JsonObject, field: str, path: str = "") -> list[Any] | None:
    value = body.get(field)
    if value is None or isinstance(value, list):
        return value
    raise mistyped(path + field, "an array", value)


def stop_sequences(body: JsonObject, field: str = "stop") -> tuple[str, ...]:
    value = body.get(field)
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise mistyped(field, "a string or an array of strings", value)
    for position, item in enumerate(value):
        if not isinstance(item, str):
            raise mistyped(f"{field}[{position}]", "a string", item)
    return tuple(value)
