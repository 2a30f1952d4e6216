"""The runtime's loop: ask for an invocation, serve it to its end, ask again; N of them side by side where allowed."""

from __future__ import annotations

import asyncio
import os

from shared.lambda_runtime.invocation import serve
from shared.lambda_runtime.runtime_api import RuntimeApi
from shared.web.asgi import App


async def run(address: str, app: App, *, pollers: int = 1, snap_start: bool = False) -> None:
    """Serve for ever. Raises RuntimeApiGone, or OSError, when the Runtime API is no more: the process must end then.

    `pollers` above 1 is for Lambda Managed Instances only, which say so in AWS_LAMBDA_MAX_CONCURRENCY: everywhere
    else an environment is given one invocation at a time.
    """
    if snap_start:
        await RuntimeApi(address).wait_for_restore()
    await asyncio.gather(*(_poll(RuntimeApi(address), app, alone=pollers == 1) for _ in range(pollers)))


async def _poll(api: RuntimeApi, app: App, *, alone: bool) -> None:
    try:
        while True:
            invocation = await api.next()
            if alone:  # a process has one environment: with several invocations at once it can be nobody's
                _set_trace(invocation.trace_id)
            await serve(invocation, app, api)
    finally:
        api.close()


def _set_trace(trace_id: str) -> None:
    """Where the X-Ray SDK looks for the invocation's trace."""
    if trace_id:
        os.environ["_X_AMZN_TRACE_ID"] = trace_id
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
