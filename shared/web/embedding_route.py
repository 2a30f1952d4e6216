"""The ASGI handler of the embeddings route."""

from __future__ import annotations

from collections.abc import Callable

from shared.errors import GatewayError
from shared.gateway.answer import Gateway
from shared.protocols.fields import read_object
from shared.protocols.openai_embeddings import parse, render
from shared.web.app import send_error
from shared.web.asgi import Receive, Scope, Send, read_body, send_json, while_client_stays
from shared.web.responses import caller_of, stop_headers
from shared.wire import dumps


class EmbeddingRoute:
    """Parse, embed, render; a client that leaves cancels the work."""

    def __init__(self, gateway: Callable[[], Gateway], *, max_body_bytes: int, default_model: str | None) -> None:
        self._gateway = gateway
        self._max_body_bytes = max_body_bytes
        self._default_model = default_model

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(scope, receive, self._max_body_bytes)
        try:
            await while_client_stays(self._embed(scope, send, body), receive)
        finally:
            await self._gateway().settle(caller_of(scope))

    async def _embed(self, scope: Scope, send: Send, body: bytes) -> None:
        caller = caller_of(scope)
        try:
            request = parse(read_object(body), self._default_model)
            embeddings, stop = await self._gateway().embed(request, caller)
        except GatewayError as error:
            await send_error(scope, send, error)
            return
        await send_json(send, 200, dumps(render(request, embeddings)), stop_headers(caller, stop))
