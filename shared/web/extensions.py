"""What the Lambda runtime offers an app beyond ASGI, by the names under which `scope["extensions"]` has it.

`DEADLINE` holds `monotonic`, the instant by which the answer must have ended, the protocol's own error included.
`FAILURE` invites a last message of that type, `error_type` and `message` with it, in place of the end of the body: an
answer broke off after its status was given away, and the platform would not know.
`CLIENT_KEY` is our own: the id and the limits of the client key with which the request was let in.

`BEGUN`, `REQUEST_ID`, `CALLER` and `TRUSTED` stand in the scope itself: when the request arrived (monotonic), its id,
who asks, once that is known, and the networks of the proxies whose word about the client's address is taken.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from shared.errors import UpstreamTimedOut
from shared.gateway.limits import UNLIMITED, Limits
from shared.web.asgi import Scope

DEADLINE = "serverless_proxy.deadline"
FAILURE = "serverless_proxy.failure"
CLIENT_KEY = "serverless_proxy.client_key"
BEGUN = "serverless_proxy.begun"
CALLER = "serverless_proxy.caller"
REQUEST_ID = "serverless_proxy.request_id"
TRUSTED = "serverless_proxy.trusted"


def deadline_of(scope: Scope) -> float | None:
    """The deadline on the monotonic clock, where there is one."""
    deadline = scope.get("extensions", {}).get(DEADLINE)
    return None if deadline is None else float(deadline["monotonic"])


def key_of(scope: Scope) -> tuple[str, Limits]:
    """The id of the client's key and what it may use; empty and everything where none was shown."""
    found: tuple[str, Limits] = scope.get("extensions", {}).get(CLIENT_KEY, ("", UNLIMITED))
    return found


def takes_failures(scope: Scope) -> bool:
    return FAILURE in scope.get("extensions", {})


def ending_before(deadline: float | None) -> AbstractAsyncContextManager[None]:
    """Raises UpstreamTimedOut in the middle of the work when the deadline has come."""
    return nullcontext() if deadline is None else _timed(deadline)


@asynccontextmanager
async def _timed(deadline: float) -> AsyncIterator[None]:
    timer = asyncio.timeout(max(0.0, deadline - time.monotonic()))
    try:
        async with timer:
            yield
    except TimeoutError:
        if not timer.expired():
            raise
        raise UpstreamTimedOut("the time that the platform gives to a request was up before the answer") from None
