"""Every way in which a request can fail, with what the client is told.

GatewayError                      status  code
├── InvalidRequest                400     invalid_request / what is given
│   ├── BodyTooLarge              413     request_too_large
│   └── ModelNotFound             404     model_not_found
├── RouteNotFound                 404     unknown_url
├── MethodNotAllowed              405     method_not_allowed
├── Unauthenticated               401     invalid_api_key
├── Forbidden                     403     permission_denied
│   └── ModelNotAllowed           403     model_not_allowed
├── RateLimited                   429     rate_limit_exceeded / insufficient_quota
├── NoEndpointEnabled             503     endpoint_disabled
├── StoreUnavailable              503     store_unavailable
├── InternalError                 500     internal_error
└── UpstreamFailure               502     upstream_error
    ├── UpstreamUnreachable       502     upstream_unreachable
    ├── UpstreamTimedOut          504     upstream_timeout
    ├── UpstreamJobTimedOut       408     request_timeout (a queued job, as the original answers it)
    ├── UpstreamCut               502     upstream_cut
    ├── UpstreamMalformed         502     upstream_malformed
    └── UpstreamRefused           by UPSTREAM_STATUSES
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class GatewayError(Exception):
    """A failure with its answer: `status`, OpenAI's `type`, `code` and `param`, and a message that names the way out.

    `another_target_may_help` says whether failover makes sense, `client_may_retry` whether the client's SDK should
    try again by itself (`x-should-retry`), `retry_after_seconds` when. Messages never hold a secret or a prompt.
    """

    status: int = 500
    type: str = "server_error"
    code: str | None = None
    another_target_may_help: ClassVar[bool] = False
    client_may_retry: bool = False

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_seconds = retry_after_seconds
        if code is not None:
            self.code = code


class InvalidRequest(GatewayError):
    """The client's own mistake; `param` names the field, as in `messages[2].content`."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_request"


class BodyTooLarge(InvalidRequest):
    status = 413
    code = "request_too_large"


class ModelNotFound(InvalidRequest):
    status = 404
    code = "model_not_found"


class RouteNotFound(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "unknown_url"


class MethodNotAllowed(GatewayError):
    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"

    def __init__(self, message: str, allowed: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allowed = allowed


class Unauthenticated(GatewayError):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class Forbidden(GatewayError):
    status = 403
    type = "permission_error"
    code = "permission_denied"


class ModelNotAllowed(Forbidden):
    """The client's key is for other models."""

    code = "model_not_allowed"


class RateLimited(GatewayError):
    """The client's key has used up what it may use for now. `headers` say how much that is and when there is more;
    `may_pass`: as soon as another of its requests ends."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    client_may_retry = True
    headers: Mapping[str, str] = {}
    may_pass: bool = False


class NoEndpointEnabled(GatewayError):
    status = 503
    type = "server_error"
    code = "endpoint_disabled"


class StoreUnavailable(GatewayError):
    status = 503
    code = "store_unavailable"
    client_may_retry = True


class InternalError(GatewayError):
    code = "internal_error"
    client_may_retry = True


class UpstreamFailure(GatewayError):
    """The backend, or the way to it, failed."""

    status = 502
    type = "upstream_error"
    code = "upstream_error"
    another_target_may_help = True
    client_may_retry = True


class UpstreamUnreachable(UpstreamFailure):
    """No connection: refused, no such host, TLS."""

    code = "upstream_unreachable"


class UpstreamTimedOut(UpstreamFailure):
    status = 504
    type = "timeout_error"
    code = "upstream_timeout"


class UpstreamJobTimedOut(UpstreamFailure):
    """A queued job did not end in time; 408, as the original answered it."""

    status = 408
    type = "timeout_error"
    code = "request_timeout"


class UpstreamCut(UpstreamFailure):
    """The answer ended before it was complete."""

    code = "upstream_cut"


class UpstreamMalformed(UpstreamFailure):
    """The answer is not what the wire promises: HTML, cut JSON, a wrong shape."""

    code = "upstream_malformed"


# upstream status -> (our status, type, code, another target may help, client may retry)
# A refused gateway key is no fault of the client's key: 502, and never a 401 that SDKs take for their own.
UPSTREAM_STATUSES: Mapping[int, tuple[int, str, str, bool, bool]] = {
    400: (400, "invalid_request_error", "upstream_rejected", False, False),
    401: (502, "upstream_error", "upstream_authentication_failed", False, False),
    402: (502, "upstream_error", "upstream_payment_required", False, False),
    403: (502, "upstream_error", "upstream_permission_denied", False, False),
    404: (404, "invalid_request_error", "upstream_not_found", False, False),
    405: (502, "upstream_error", "upstream_method_not_allowed", False, False),
    408: (504, "timeout_error", "upstream_timeout", True, True),
    409: (409, "invalid_request_error", "upstream_conflict", False, True),
    413: (413, "invalid_request_error", "request_too_large", False, False),
    415: (400, "invalid_request_error", "upstream_rejected", False, False),
    422: (400, "invalid_request_error", "upstream_rejected", False, False),
    429: (429, "rate_limit_error", "rate_limit_exceeded", True, True),
    503: (503, "upstream_error", "upstream_overloaded", True, True),
    504: (504, "timeout_error", "upstream_timeout", True, True),
    529: (503, "upstream_error", "upstream_overloaded", True, True),
}
_OTHER_4XX = (400, "invalid_request_error", "upstream_rejected", False, False)
_OTHER = (502, "upstream_error", "upstream_error", True, True)
DEFAULT_RETRY_AFTER_SECONDS = 5.0  # Codex gives a 429 up at once when it has no retry-after


class UpstreamRefused(UpstreamFailure):
    """The backend answered with an error status.

    `upstream_status` is the backend's own; its message is passed through, because clients match its text
    ("maximum context length"), and so is its `code` where it has one that a client may know. What it says of the
    gateway's own key or account (401, 402, 403) is not the client's: an `invalid_api_key` would be taken for its own.
    """

    another_target_may_help: bool  # type: ignore[misc]

    def __init__(
        self,
        message: str,
        *,
        upstream_status: int,
        code: str | None = None,
        param: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        fallback = _OTHER_4XX if 400 <= upstream_status < 500 else _OTHER
        row = UPSTREAM_STATUSES.get(upstream_status, fallback)
        self.upstream_status = upstream_status
        self.status, self.type, own_code, self.another_target_may_help, self.client_may_retry = row
        if self.status == 429 and retry_after_seconds is None:
            retry_after_seconds = DEFAULT_RETRY_AFTER_SECONDS
        if code is None or upstream_status in (401, 402, 403):
            code = own_code
        super().__init__(message, param=param, code=code, retry_after_seconds=retry_after_seconds)
