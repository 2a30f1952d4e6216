"""The gateway as `make run` serves it: every client function, behind the local router, on uvicorn."""

from __future__ import annotations

import os
import sys

import uvloop

from infra.local.router import Router
from infra.local.serving import bind, server
from shared.web.app import send_error
from shared.web.log_lines import log_to_stderr
from tests.benchmarks.processes import announce, pin


async def serve() -> None:
    listener = bind("127.0.0.1", 0, "API_PORT")
    Router(("client",), send_error).preload()
    router = Router(("client", "public"), send_error)
    announce(listener.getsockname()[1])
    await server(router).serve(sockets=[listener])


if __name__ == "__main__":
    pin(sys.argv[1])
    log_to_stderr(os.environ.get("LOG_LEVEL", "INFO"), as_json=False)
    uvloop.run(serve())
