"""What API Gateway makes of a function's answer, and what it answers by itself."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from shared.wire import dumps, loads

_PRELUDE_END = bytes(8)
_STREAM_KEYS = {"statusCode", "headers", "multiValueHeaders", "cookies"}
_BUFFERED_KEYS = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
# what API Gateway sets itself: the function's own values travel under another name, or not at all
_REMAPPED = frozenset({"connection", "date", "server", "via", "www-authenticate"})
_DROPPED = frozenset({"transfer-encoding", "content-length"})


class Head(NamedTuple):
    status: int
    headers: list[tuple[bytes, bytes]]


class GatewayError(NamedTuple):
    """One of API Gateway's own answers: the type by which a template is found, the default status and the message."""

    kind: str
    status: int
    message: str


NO_ROUTE = GatewayError("MISSING_AUTHENTICATION_TOKEN", 403, "Missing Authentication Token")
FORBIDDEN = GatewayError("ACCESS_DENIED", 403, "Forbidden")
UNAUTHORIZED = GatewayError("UNAUTHORIZED", 401, "Unauthorized")
TOO_LARGE = GatewayError("REQUEST_TOO_LARGE", 413, "Request Too Long")
THROTTLED = GatewayError("THROTTLED", 429, "Too Many Requests")
BROKEN = GatewayError("API_CONFIGURATION_ERROR", 502, "Internal server error")
TIMED_OUT = GatewayError("INTEGRATION_TIMEOUT", 504, "Endpoint request timed out")


class Malformed(Exception):
    """The function's answer is not what the integration takes."""


def own_answer(error: GatewayError, templates: Mapping[str, Mapping[str, Any]]) -> tuple[Head, bytes]:
    """By the template's GatewayResponse of its type, or of its family."""
    found = templates.get(error.kind) or templates.get(f"DEFAULT_{error.status // 100}XX") or {}
    text = found.get("ResponseTemplates", {}).get("application/json", '{"message":$context.error.messageString}')
    body = text.replace("$context.error.messageString", dumps(error.message).decode()).encode()
    status = int(found.get("StatusCode") or error.status)
    headers = [(b"content-type", b"application/json"), (b"x-amzn-errortype", error.kind.encode())]
    for name, value in found.get("ResponseParameters", {}).items():
        headers.append((name.removeprefix("gatewayresponse.header.").encode(), value.strip("'").encode()))
    return Head(status, headers), body


def buffered_answer(payload: bytes) -> tuple[Head, bytes]:
    """Raises Malformed."""
    told = _object(payload)
    if told.keys() - _BUFFERED_KEYS:
        raise Malformed("fields that a proxy integration does not know")
    body = told.get("body") or ""
    if not isinstance(body, str):
        raise Malformed("a body that is no text")
    try:
        content = base64.b64decode(body, validate=True) if told.get("isBase64Encoded") else body.encode()
    except binascii.Error:
        raise Malformed("a body that is not base64") from None
    return _head(told), content


def split_prelude(begun: bytes) -> tuple[Head, bytes] | None:
    """The head and the first bytes of the body; None when more must come. Raises Malformed."""
    prelude, end, rest = begun.partition(_PRELUDE_END)
    if not end:
        return None
    told = _object(prelude)
    if told.keys() - _STREAM_KEYS:
        raise Malformed("fields that a streamed answer does not know")
    return _head(told), rest


def _object(payload: bytes) -> dict[str, Any]:
    try:
        told = loads(payload)
    except ValueError:
        told = None
    if not isinstance(told, dict) or not isinstance(told.get("statusCode"), int):
        raise Malformed("not an object with a statusCode")
    return told


def _head(told: Mapping[str, Any]) -> Head:
    headers: list[tuple[bytes, bytes]] = []
    several = told.get("multiValueHeaders") or {}
    for name, value in (told.get("headers") or {}).items():
        if name not in several:
            headers += _lines(name, [value])
    for name, values in several.items():
        headers += _lines(name, values)
    headers += [(b"set-cookie", cookie.encode("latin-1")) for cookie in told.get("cookies") or ()]
    return Head(told["statusCode"], headers)


def _lines(name: str, values: Iterable[Any]) -> list[tuple[bytes, bytes]]:
    lowered = name.lower()
    if lowered in _DROPPED:
        return []
    shown = f"x-amzn-remapped-{lowered}" if lowered in _REMAPPED else lowered
    return [(shown.encode("latin-1"), str(value).encode("latin-1")) for value in values]
