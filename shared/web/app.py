"""What every client function's app is: plain ASGI around one handler.

No framework on this path: Starlette adds 90 ms of CPU to a cold start and FastAPI 330, and a function that serves one
route needs neither's router (docs/adr/0001). API Gateway, or `infra/local` on the laptop, has matched path and method.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from shared.errors import GatewayError, InternalError
from shared.protocols.openai_errors import error_body
from shared.settings import Networks
from shared.web.access import Access
from shared.web.asgi import App, Receive, Scope, Send, send_json
from shared.web.extensions import BEGUN, CLIENT_KEY, TRUSTED
from shared.web.log_lines import REQUEST_ID
from shared.web.request_log import Metrics, log_request
from shared.web.responses import caller_of, error_headers, new_request_id
from shared.wire import JsonObject, dumps

log = logging.getLogger(__name__)


class ClientApp:
    """Answers lifespan messages, lets in whom `access` admits, hands requests on, and lets no failure out but as the
    protocol's error body. `access` None lets everyone in.

    When all is over, the request's line is written, with `metrics` in it; a `quiet` app writes none."""

    def __init__(
        self,
        handler: App,
        access: Access | None = None,
        body_of: Callable[[GatewayError], JsonObject] = error_body,
        *,
        trusted_proxies: Networks = (),
        metrics: Metrics | None = None,
        quiet: bool = False,
    ) -> None:
        self._handler = handler
        self._trusted_proxies = trusted_proxies
        self._metrics = metrics
        self._quiet = quiet
        self._access = access
        self._body_of = body_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            scope[BEGUN], scope[TRUSTED] = time.monotonic(), self._trusted_proxies
            token = REQUEST_ID.set(new_request_id(scope))
            try:
                await self._serve(scope, receive, send)
            finally:
                if not self._quiet:
                    log_request(scope, caller_of(scope), self._metrics)
                REQUEST_ID.reset(token)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if self._access is None:
                await self._handler(scope, receive, send)
            else:
                if key := await self._access.admit(scope):
                    scope["extensions"] = {**scope.get("extensions", {}), CLIENT_KEY: (key.key_id, key.limits)}
                try:
                    await self._handler(scope, receive, send)
                finally:
                    await self._access.settle()
        except GatewayError as error:
            await send_error(scope, send, error, self._body_of)
        except Exception:  # the outermost handler: the client gets the protocol's error and never a traceback
            log.exception("request failed")
            failure = InternalError("the gateway failed; its log names the reason")
            await send_error(scope, send, failure, self._body_of)


async def send_error(
    scope: Scope, send: Send, error: GatewayError, body_of: Callable[[GatewayError], JsonObject] = error_body
) -> None:
    await send_json(send, error.status, dumps(body_of(error)), error_headers(caller_of(scope), error))


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
