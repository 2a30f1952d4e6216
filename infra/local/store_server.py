"""DynamoDB's HTTP on loopback: `POST /` with `X-Amz-Target`, and `GET /ready`."""

from __future__ import annotations

import logging

from infra.local.store_engine import Answer, Engine
from shared import wire
from shared.errors import GatewayError
from shared.web.asgi import Receive, Scope, Send, header, read_body

log = logging.getLogger(__name__)

_MOST_BYTES = 17 * 1024 * 1024  # a BatchWriteItem has at most 16 MB
_HOSTS = frozenset({"127.0.0.1", "localhost"})


class StoreServer:
    """An ASGI app. One call at a time: the engine is called on the event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(scope, receive)
        headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        # A page in a browser can neither send the target header nor, by rebinding a name, this host.
        if header(scope, b"host").rpartition(":")[0] not in _HOSTS:
            return _refusal(403, "AccessDeniedException", "only clients of this machine are served")
        if (scope["method"], scope["path"]) == ("GET", "/ready"):
            return Answer(200, {"content-type": "application/json"}, b'{"status":"ready"}')
        operation = header(scope, b"x-amz-target").rpartition(".")[2]
        if scope["method"] != "POST" or not operation:
            return _refusal(400, "UnknownOperationException", "this is DynamoDB: POST with X-Amz-Target")
        try:
            body = await read_body(scope, receive, _MOST_BYTES)
            return self._engine.call(operation, body)
        except GatewayError as error:
            return _refusal(error.status, "SerializationException", error.message)
        except Exception:  # the outermost handler: callers get DynamoDB's error shape
            log.exception("the store could not answer %s", operation[:50])
            return _refusal(500, "InternalServerError", "the embedded store failed; its log says why")


def _refusal(status: int, kind: str, message: str) -> Answer:
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{kind}", "message": message}
    return Answer(status, {"content-type": "application/x-amz-json-1.0"}, wire.dumps(body))
