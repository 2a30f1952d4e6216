"""One invocation, from its event to the moment when the next may be asked for."""

from __future__ import annotations

import asyncio
import logging
import time

from shared.errors import UpstreamTimedOut
from shared.lambda_runtime.deadline import Deadline, deadline_of
from shared.lambda_runtime.failure import Failure
from shared.lambda_runtime.http1 import Malformed
from shared.lambda_runtime.response import Response
from shared.lambda_runtime.runtime_api import Invocation, RuntimeApi
from shared.lambda_runtime.scope import Request, request_of
from shared.web.asgi import App

log = logging.getLogger(__name__)


class AnswerIncomplete(Exception):
    """The app returned before it had sent the last of its answer."""


async def serve(invocation: Invocation, app: App, api: RuntimeApi) -> None:
    """Returns when the app has returned and the Runtime API has the whole response.

    The app is awaited to its very end: what it does after its last byte is done before the next invocation, and the
    client has its answer by then. Raises OSError or EOFError when the Runtime API cannot be reached.
    """
    deadline = deadline_of(invocation.deadline_ms)
    try:
        request = request_of(invocation, deadline)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        log.error("an event is not what API Gateway sends: %s", type(error).__name__)
        await api.report(invocation, Failure("Runtime.UnmarshalError", "the event is not what API Gateway sends"))
        return
    if request is None:
        await api.acknowledge(invocation)
        return
    await _answer(
        request, Response(api, invocation, request.body, head_only=request.scope["method"] == "HEAD"), app, deadline
    )


async def _answer(request: Request, response: Response, app: App, deadline: Deadline) -> None:
    try:
        error = await _run(app, request, response, deadline)
        if response.broken:
            log.info("the Runtime API closed the response before its end")
        async with asyncio.timeout(max(0.0, deadline.end - time.monotonic())):
            await response.close(error)
    except (OSError, EOFError, Malformed) as failure:  # TimeoutError is an OSError
        log.warning("the response did not reach its end: %s", type(failure).__name__)
    finally:
        response.abandon()


async def _run(app: App, request: Request, response: Response, deadline: Deadline) -> Exception | None:
    """What the app ended with; None when its answer is complete."""
    timer = asyncio.timeout(max(0.0, deadline.cut - time.monotonic()))
    try:
        async with timer:
            await app(request.scope, response.receive, response.send)
    except Exception as error:  # the outermost handler: whatever the app raises is told to the client and the platform
        if timer.expired():
            log.error("the app did not end at its deadline and was cancelled")
            return UpstreamTimedOut("the time that the platform gives to a request was up before the answer")
        if not response.broken:
            log.exception("the app failed")
        return error
    if response.ended:
        return None
    if not response.broken:
        log.error("the app returned before its answer was complete")
    return AnswerIncomplete()
