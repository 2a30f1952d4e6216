"""What every answer says about itself in its headers."""

from __future__ import annotations

import math
import re
import secrets
import time
from dataclasses import replace
from functools import lru_cache
from urllib.parse import quote

from shared.chat.request import ChatRequest
from shared.errors import GatewayError, MethodNotAllowed, Unauthenticated
from shared.gateway.answer import Answer
from shared.gateway.metering import Caller
from shared.gateway.routing import Stop
from shared.web.asgi import Headers, Scope, header
from shared.web.client_address import client_address
from shared.web.extensions import BEGUN, CALLER, deadline_of, key_id_of

_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,128}")
_PASSED_ON = (b"x-source", b"x-priority", b"x-user-id")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{1,256}")


def caller_of(scope: Scope) -> Caller:
    """Who asks, the same for the whole request; a well-formed `x-request-id` of the client is kept, so that its log
    and ours meet."""
    known = scope.get(CALLER)
    if known is None:
        given = header(scope, b"x-request-id")
        known = scope[CALLER] = Caller(
            given if _REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(12)}",
            header(scope, b"user-agent"),
            deadline_of(scope),
            key_id_of(scope),
            str(scope.get("path", "")),
            client_address(scope),
            scope.get(BEGUN) or time.monotonic(),
        )
    caller: Caller = known
    return caller


def wanted_headers(request: ChatRequest, scope: Scope) -> ChatRequest:
    """The request with those of the client's headers that a queue server wants to see."""
    found = [(key.decode(), value) for key in _PASSED_ON if _HEADER_VALUE.fullmatch(value := header(scope, key))]
    return replace(request, headers=tuple(found)) if found else request


def answer_headers(caller: Caller, answer: Answer | None) -> Headers:
    if answer is None:
        return [(b"x-request-id", caller.request_id.encode())]
    headers = stop_headers(caller, answer.stop)
    if answer.attempts > 1:
        headers.append((b"x-gateway-attempts", str(answer.attempts).encode()))
    if answer.dropped:
        headers.append((b"x-gateway-dropped", _word(",".join(answer.dropped)[:2_000])))
    return headers


def stop_headers(caller: Caller, stop: Stop) -> Headers:
    """Who served the request."""
    return [
        (b"x-request-id", caller.request_id.encode()),
        (b"x-gateway-endpoint", _word(stop.endpoint.name)),
        (b"x-gateway-model", _word(stop.actual_model)),
    ]


def error_headers(caller: Caller, error: GatewayError) -> Headers:
    """`retry-after` where it is known, `x-should-retry: false` where the SDKs' own retries cannot help."""
    headers: Headers = [(b"x-request-id", caller.request_id.encode())]
    if error.retry_after_seconds is not None:
        headers.append((b"retry-after", str(math.ceil(error.retry_after_seconds)).encode()))
    if not error.client_may_retry:
        headers.append((b"x-should-retry", b"false"))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b"Bearer"))
    return headers


@lru_cache(maxsize=512)
def _word(text: str) -> bytes:
    """Text as a header's value: names may hold any character, headers only ASCII."""
    return quote(text, safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~").encode()
