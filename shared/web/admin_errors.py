"""The admin API's errors: `{"error": "text", …}` with what a form needs beside the text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from shared.errors import GatewayError, InvalidRequest, MethodNotAllowed, RateLimited, Unauthenticated
from shared.store.refusals import DuplicateName, InUse
from shared.wire import JsonObject

_MOST_FIELDS = 50
_SHOWN_FIELDS = 5
_FIELD_CHARS = 100


class FieldError(NamedTuple):
    """What is wrong with one field, named as in `targets[0].endpoint_id`."""

    field: str
    message: str


class AdminRefusal(GatewayError):
    """An error whose body says more than its text."""

    type = "invalid_request_error"

    def __init__(self, status: int, message: str, details: JsonObject | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.details = details or {}


class InvalidFields(AdminRefusal):
    def __init__(self, fields: Iterable[FieldError]) -> None:
        found = [FieldError(each.field[:_FIELD_CHARS], each.message) for each in fields][:_MOST_FIELDS]
        text = "; ".join(f"{each.field}: {each.message}" for each in found[:_SHOWN_FIELDS])
        super().__init__(422, text, {"fields": [each._asdict() for each in found]})
        self.fields = found


def invalid_field(field: str, message: str) -> InvalidFields:
    return InvalidFields([FieldError(field, message)])


def field_errors(errors: Iterable[Mapping[str, Any]], prefix: tuple[str, ...] = ()) -> list[FieldError]:
    """pydantic's errors in our words. What was sent is never repeated: it may be a key."""
    return [FieldError(_path((*prefix, *error["loc"])), _message(error)) for error in errors]


def refusal(error: GatewayError) -> tuple[int, JsonObject, dict[str, str]]:
    """The status, the body and the extra headers that tell an administrator of `error`."""
    match error:
        case AdminRefusal():
            return error.status, {"error": error.message, **error.details}, {}
        case Unauthenticated():
            return 401, {"error": "Unauthorized"}, {}
        case RateLimited():
            return 429, {"error": error.message}, {"retry-after": str(math.ceil(error.retry_after_seconds or 1))}
        case MethodNotAllowed():
            return 405, {"error": error.message}, {"allow": ", ".join(error.allowed)}
        case InUse():
            text = (
                f"the endpoint is used by the virtual models {', '.join(error.names)}; with ?cascade=true those that "
                "have no other endpoint are deleted too, and the others lose this one"
            )
            return error.status, {"error": text, "virtual_models": list(error.names)}, {}
        case DuplicateName():
            return error.status, {"error": error.message, **_field(error.param or "name", error.message)}, {}
        case InvalidRequest() if error.status == 400 and error.param:
            return 422, {"error": error.message, **_field(error.param, error.message)}, {}
        case _:
            return error.status, {"error": error.message}, {}


class WrongField(BaseModel):
    field: str
    message: str


class Problem(BaseModel):
    """Every error's body; `fields` with 422 and duplicate names, the others where the route says so."""

    error: str = Field(description="what is wrong and the way out")
    fields: list[WrongField] | None = None


def _field(field: str, message: str) -> JsonObject:
    return {"fields": [{"field": field, "message": message}]}


def _path(place: tuple[str | int, ...]) -> str:
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "body"


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such field"
    return str(error["msg"]).removeprefix("Value error, ")
