"""Answers that pages of other origins may read, and the preflights that browsers send before they ask.

Source: the Fetch standard, https://fetch.spec.whatwg.org/#http-cors-protocol. Keys travel in headers, so credentials
(cookies) are never allowed.
"""

from __future__ import annotations

from shared.web.asgi import App, Headers, Receive, Scope, Send, header

ANY = "*"
_METHODS = b"GET, POST, HEAD, OPTIONS"
_HEADERS = b"authorization, content-type, x-api-key, anthropic-version, anthropic-beta, openai-beta, x-request-id"
_EXPOSED = (
    b"x-request-id, x-should-retry, retry-after, x-gateway-attempts, x-gateway-cost-usd, x-gateway-dropped, "
    b"x-gateway-endpoint, x-gateway-model, x-gateway-overhead-ms, x-ratelimit-limit-requests, "
    b"x-ratelimit-limit-tokens, x-ratelimit-remaining-requests, x-ratelimit-remaining-tokens, "
    b"x-ratelimit-reset-requests, x-ratelimit-reset-tokens"
)
_MOST_AGE_SECONDS = b"7200"  # what Chromium keeps a preflight for at most


class WithCors:
    """An app whose answers the pages of `origins` may read; `*` is every origin."""

    def __init__(self, app: App, origins: frozenset[str]) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = header(scope, b"origin") if scope["type"] == "http" else ""
        if not origin:
            await self._app(scope, receive, send)
            return
        headers = self._headers(origin)
        if scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method"):
            await _preflight(send, headers)
            return

        async def send_marked(message: Scope) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *headers]}
            await send(message)

        await self._app(scope, receive, send_marked)

    def _headers(self, origin: str) -> Headers:
        vary = (b"vary", b"origin")
        if ANY not in self._origins and origin not in self._origins:
            return [vary]
        allowed = b"*" if ANY in self._origins else origin.encode("latin-1")
        return [(b"access-control-allow-origin", allowed), (b"access-control-expose-headers", _EXPOSED), vary]


async def _preflight(send: Send, headers: Headers) -> None:
    """204; without the allowing headers for an origin that is not one of ours."""
    if len(headers) > 1:
        headers = [
            headers[0],
            headers[-1],
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _HEADERS),
            (b"access-control-max-age", _MOST_AGE_SECONDS),
        ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
