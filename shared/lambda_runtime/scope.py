"""An API Gateway event as an ASGI request: Mangum's conversion, with what it leaves open filled in."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from mangum.handlers.api_gateway import APIGateway, HTTPGateway
from mangum.types import LambdaConfig

from shared.lambda_runtime.deadline import Deadline
from shared.lambda_runtime.runtime_api import Invocation
from shared.web.asgi import Scope
from shared.web.extensions import DEADLINE, FAILURE
from shared.wire import loads

_AS_SENT = "/%:@!$&'()*+,;=~-._"  # what RFC 3986 lets a path hold besides letters and digits


class Request(NamedTuple):
    scope: Scope
    body: bytes


def request_of(invocation: Invocation, deadline: Deadline) -> Request | None:
    """The HTTP request in the event, or None for an event that is none (a schedule, a warm-up, API Gateway's own).

    Raises ValueError, LookupError, TypeError or AttributeError for an event that is not what API Gateway sends.
    """
    event = loads(invocation.event)
    if not isinstance(event, dict) or not isinstance(event.get("requestContext"), dict):
        return None
    if "httpMethod" in event:
        gateway: type[APIGateway | HTTPGateway] = APIGateway
        path, base = event["path"], base_path(event)
    elif event.get("version") == "2.0" and "http" in event["requestContext"]:  # a function URL
        gateway = HTTPGateway
        path, base = event["requestContext"]["http"]["path"], ""
    else:
        return None
    _join_cookies(event)
    config = LambdaConfig(api_gateway_base_path=base, text_mime_types=[], exclude_headers=[])
    request = gateway(event, invocation, config)  # type: ignore[arg-type]
    scope = request.scope
    scope["path"] = scope["path"] or "/"
    scope["raw_path"] = quote(path[len(base) :] or "/", safe=_AS_SENT).encode()
    scope["client"] = scope["client"] if scope["client"][0] else None
    # with 2.0, Mangum's own word, Starlette runs a second task a request that listens for a disconnect
    scope["asgi"] = {"version": "3.0", "spec_version": "2.4"}
    scope["extensions"] = {DEADLINE: {"monotonic": deadline.told}, FAILURE: {}}
    return Request(scope, request.body)


def base_path(event: dict[str, Any]) -> str:
    """What stands before the resource's own path in `path`: a custom domain's mapping, or a stage.

    API Gateway says neither, so the resource is filled with its parameters and looked for at the path's end.
    """
    path: str = event["path"]
    own: str = event.get("resource") or path
    for name, value in (event.get("pathParameters") or {}).items():
        own = own.replace("{" + name + "+}", value).replace("{" + name + "}", value)
    decoded, own = unquote(path).rstrip("/"), unquote(own).rstrip("/")
    base = decoded[: len(decoded) - len(own)] if decoded.endswith(own) else ""
    return base if path.startswith(base) else ""


def _join_cookies(event: dict[str, Any]) -> None:
    """By semicolons, as RFC 6265 has it: Mangum joins the values of every header by commas."""
    headers = event.get("multiValueHeaders") or {}
    for name, values in headers.items():
        if name.lower() == "cookie":
            headers[name] = ["; ".join(values)]
