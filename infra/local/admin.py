"""The admin API and the dashboard on their own port, in a process of its own: `python -m infra.local.admin`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from infra.local.dashboard import Dashboard
from infra.local.leash import follow_parent
from infra.local.router import Router
from infra.local.serving import PortTaken, bind, server
from shared.errors import GatewayError, MethodNotAllowed
from shared.web.asgi import Headers, Scope, Send, send_json
from shared.web.log_lines import log_to_stderr
from shared.web.responses import new_request_id
from shared.web.wiring import adapters, settings
from shared.wire import dumps

DASHBOARD = Path(__file__).parents[2] / "admin_frontend" / "dist"


async def send_error(scope: Scope, send: Send, error: GatewayError) -> None:
    """Errors in the admin API's shape."""
    headers: Headers = [(b"x-request-id", new_request_id(scope).encode())]
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    await send_json(send, error.status, dumps({"error": error.message}), headers)


def main() -> int:
    chosen = settings()
    log_to_stderr(chosen.log_level, as_json=chosen.log_format == "json")
    follow_parent()
    try:
        listener = bind(chosen.host, chosen.admin_port, "ADMIN_PORT")
    except PortTaken as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    router = Router(("admin", "public"), send_error)
    router.preload()
    app = Dashboard(DASHBOARD, router, adapters().upstream, chosen)
    asyncio.run(server(app).serve(sockets=[listener]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
