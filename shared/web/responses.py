"""What every answer says about itself in its headers."""

from __future__ import annotations

import math
import os
import re
import time
from functools import lru_cache
from urllib.parse import quote

from shared.chat.request import ChatRequest
from shared.errors import GatewayError, MethodNotAllowed, RateLimited, Unauthenticated
from shared.gateway.answer import Answer
from shared.gateway.metering import Caller
from shared.gateway.pricing import dollars
from shared.gateway.routing import Stop
from shared.web.asgi import Headers, Scope, header
from shared.web.client_address import client_address
from shared.web.extensions import BEGUN, CALLER, REQUEST_ID, deadline_of, key_of

_WELL_FORMED = re.compile(r"[A-Za-z0-9._\-]{1,128}")
_PASSED_ON = (b"x-source", b"x-priority", b"x-user-id")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{1,256}")


def caller_of(scope: Scope) -> Caller:
    """Who asks, the same for the whole request."""
    known = scope.get(CALLER)
    if known is None:
        key_id, limits = key_of(scope)
        known = scope[CALLER] = Caller(
            scope.get(REQUEST_ID) or new_request_id(scope),
            header(scope, b"user-agent"),
            deadline_of(scope),
            key_id,
            str(scope.get("path", "")),
            client_address(scope),
            scope.get(BEGUN) or time.monotonic(),
            limits=limits,
        )
    caller: Caller = known
    return caller


def new_request_id(scope: Scope) -> str:
    """The request's id from now on; a well-formed one of the client is kept, so that its log and ours meet."""
    given = header(scope, b"x-request-id")
    made = scope[REQUEST_ID] = given if _WELL_FORMED.fullmatch(given) else f"req_{os.urandom(12).hex()}"
    return made


def wanted_headers(request: ChatRequest, scope: Scope) -> ChatRequest:
    """The request with those of the client's headers that a queue server wants to see."""
    found = [(key.decode(), value) for key in _PASSED_ON if _HEADER_VALUE.fullmatch(value := header(scope, key))]
    return request._replace(headers=tuple(found)) if found else request


def answer_headers(caller: Caller, answer: Answer | None, *, whole: bool = False) -> Headers:
    """`whole`: the answer has ended, so that what it cost is known."""
    if answer is None:
        return [*success_headers(caller), *limit_headers(caller)]
    headers = stop_headers(caller, answer.stop, whole=whole)
    if answer.attempts > 1:
        headers.append((b"x-gateway-attempts", str(answer.attempts).encode()))
    if answer.dropped:
        headers.append((b"x-gateway-dropped", _word(",".join(answer.dropped)[:2_000])))
    return headers


def success_headers(caller: Caller) -> Headers:
    """Of a 200: the request's id, and the milliseconds that were not spent waiting for a backend."""
    caller.tally.status = 200
    return _figures(caller)


def stop_headers(caller: Caller, stop: Stop, *, whole: bool = True) -> Headers:
    """Who served the request, and what all its attempts cost together, where that is known by now."""
    return [
        *success_headers(caller),
        *(_cost(caller) if whole else ()),
        (b"x-gateway-endpoint", _word(stop.endpoint.name)),
        (b"x-gateway-model", _word(stop.actual_model)),
        *limit_headers(caller),
    ]


def limit_headers(caller: Caller) -> Headers:
    """What is left of a limited key's minute."""
    lease = caller.tally.lease
    if lease is None:
        return []
    return [(name.encode(), value.encode()) for name, value in lease.standing.headers().items()]


def error_headers(caller: Caller, error: GatewayError) -> Headers:
    """`retry-after` where it is known, `x-should-retry: false` where the SDKs' own retries cannot help."""
    caller.tally.status = error.status
    headers = _figures(caller)
    if records := caller.tally.records:
        headers += _cost(caller)
        headers.append((b"x-gateway-endpoint", _word(records[-1].endpoint_name)))
        headers.append((b"x-gateway-model", _word(records[-1].actual_model)))
    if error.retry_after_seconds is not None:
        headers.append((b"retry-after", str(math.ceil(error.retry_after_seconds)).encode()))
    if not error.client_may_retry:
        headers.append((b"x-should-retry", b"false"))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    if isinstance(error, RateLimited):
        headers += [(name.encode(), value.encode()) for name, value in error.headers.items()]
    else:
        headers += limit_headers(caller)
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b"Bearer"))
    return headers


def _figures(caller: Caller) -> Headers:
    overhead = (time.monotonic() - caller.begun - caller.tally.waited_seconds) * 1_000
    return [
        (b"x-request-id", caller.request_id.encode()),
        (b"x-gateway-overhead-ms", b"%.2f" % max(0.0, overhead)),
    ]


def _cost(caller: Caller) -> Headers:
    """In dollars, the exact decimal; absent where no prices are set."""
    records = caller.tally.records
    if not any(each.price_version for each in records):
        return []
    return [(b"x-gateway-cost-usd", dollars(sum(each.cost for each in records)).encode())]


@lru_cache(maxsize=512)
def _word(text: str) -> bytes:
    """Text as a header's value: names may hold any character, headers only ASCII."""
    return quote(text, safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~").encode()
