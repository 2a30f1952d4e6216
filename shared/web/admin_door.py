"""The door of the admin API: who may enter, what may be carried in, and what is said when something breaks inside."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from shared.errors import Forbidden, GatewayError, InternalError, InvalidRequest
from shared.gateway.metering import Caller
from shared.store.actor import ACTOR, Actor
from shared.web.admin_access import READS
from shared.web.admin_errors import AdminRefusal, refusal
from shared.web.admin_guard import Guard
from shared.web.asgi import App, Receive, Scope, Send, header, read_body, send_json
from shared.web.extensions import TRUSTED
from shared.web.log_lines import REQUEST_ID
from shared.web.request_log import log_request
from shared.web.responses import caller_of
from shared.wire import dumps, loads

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1 << 20


class AdminDoor:
    """A middleware in plain ASGI. Access is checked before a byte of the body is read (a FastAPI dependency would be
    asked after it), and the body is bounded and known to be JSON before the framework parses it. `public` lets everyone
    in, to be asked by the function itself; behind a door that `only_reads` a viewer may do all there is."""

    def __init__(
        self,
        app: App,
        guard: Guard,
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
        public: bool = False,
        only_reads: bool = False,
    ) -> None:
        self._app = app
        self._only_reads = only_reads
        self._guard = guard
        self._max_body_bytes = max_body_bytes
        self._public = public or guard.access is None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[TRUSTED] = self._guard.trusted_proxies
        caller = caller_of(scope)
        visit = _Visit(caller, send)
        token = REQUEST_ID.set(caller.request_id)
        try:
            await self._admit(scope, receive, visit)
        finally:
            log_request(scope, caller)
            REQUEST_ID.reset(token)

    async def _admit(self, scope: Scope, receive: Receive, visit: _Visit) -> None:
        try:
            if not self._public:
                await self._identify(scope, visit.caller)
            body = await self._body(scope, receive)
            await self._app(scope, _replay(body, receive), visit.send)
        except GatewayError as error:
            await visit.refuse(error)
        except Exception:  # the outermost handler: an administrator gets an answer and the log gets the reason
            log.exception("an admin request failed", extra={"request_id": visit.caller.request_id})
            failure = InternalError(f"the admin API failed; its log names the reason by {visit.caller.request_id}")
            await visit.refuse(failure)

    async def _identify(self, scope: Scope, caller: Caller) -> None:
        """Let in who may do what is asked, and remember who it is for the audit log."""
        who = await self._guard.admit(scope)
        if who.role != "admin" and not self._only_reads and scope["method"] not in READS:
            raise Forbidden("a viewer may look at everything and change nothing; ask an administrator")
        ACTOR.set(Actor(who.user, caller.request_id, caller.client_address))

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        body = await read_body(scope, receive, self._max_body_bytes)
        if not body:
            return body
        media_type = header(scope, b"content-type").partition(";")[0].strip().lower()
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise AdminRefusal(415, "the body must be JSON: send it with content-type: application/json")
        try:
            loads(body)
        except (ValueError, RecursionError):
            raise InvalidRequest("the body is not valid JSON") from None
        return body


class _Visit:
    """One answer on its way out, with the headers that every answer has."""

    def __init__(self, caller: Caller, send: Send) -> None:
        self.caller = caller
        self._send = send
        self._started = False

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            self.caller.tally.status = message["status"]
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", self.caller.request_id.encode()),
                (b"cache-control", b"no-store"),
                (b"x-content-type-options", b"nosniff"),
            ]
        await self._send(message)

    async def refuse(self, error: GatewayError) -> None:
        if self._started:
            return
        status, body, headers = refusal(error)
        await send_json(self.send, status, dumps(body), [(k.encode(), v.encode()) for k, v in headers.items()])


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> MutableMapping[str, Any]:
        return waiting.pop() if waiting else await receive()

    return replayed
