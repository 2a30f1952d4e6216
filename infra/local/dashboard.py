"""What CloudFront does in the cloud: the dashboard's files with strict headers, told of this gateway by `config.json`,
and the client route that its playground calls."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from infra.site_headers import FURTHER, STANDARD, content_security_policy
from shared.errors import Forbidden, GatewayError, MethodNotAllowed
from shared.providers.base import Timeouts, Upstream
from shared.settings import Settings
from shared.web.asgi import App, Headers, Receive, Scope, Send, header, read_body, send_json, while_client_stays
from shared.wire import dumps

PREFIX = "/proxy-dashboard"
PLAYGROUND = "/v1/chat/completions"
_NOT_BUILT = "The dashboard is not built yet: `make dashboard` builds it, with Node 20 or newer.\n"
_SENT_ON = ("content-type", "authorization", "accept", "x-api-key")
_NOT_RELAYED = frozenset(("connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"))
_READS = ("GET", "HEAD")


class Dashboard:
    """Answers for the page's own paths, passes on the playground's chats, and leaves the rest to the admin API."""

    def __init__(self, files: Path, rest: App, upstream: Upstream, chosen: Settings) -> None:
        self._files = files.resolve()
        self._rest = rest
        self._chats = Relay(upstream, f"http://{_dialled(chosen.host)}:{chosen.api_port}", chosen)
        self._told = dumps(told(chosen))
        self._headers = [(name.encode(), value.encode()) for name, value in (*STANDARD, *FURTHER)]
        policy = content_security_policy(_sign_in_origins(chosen))
        self._headers.append((b"content-security-policy", policy.encode()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path == PLAYGROUND:
            await self._chats(scope, receive, send)
        elif path in ("/", PREFIX) or path.startswith(f"{PREFIX}/"):
            await self._page(scope["method"], path.removeprefix(PREFIX).lstrip("/"), scope, send)
        else:
            await self._rest(scope, receive, send)

    async def _page(self, method: str, name: str, scope: Scope, send: Send) -> None:
        if method not in _READS:
            await self._send(send, method, 405, b"", "text/plain", [(b"allow", b"GET, HEAD")])
        elif name == "config.json":
            await self._send(send, method, 200, self._told, "application/json", [(b"cache-control", b"no-store")])
        elif not (self._files / "index.html").is_file():
            await self._send(send, method, 503, _NOT_BUILT.encode(), "text/plain", [(b"cache-control", b"no-store")])
        elif "." in name.rpartition("/")[2]:
            await self._file(scope, send, name)
        else:
            await self._file(scope, send, "index.html")  # the page's own paths lead to its one document

    async def _file(self, scope: Scope, send: Send, name: str) -> None:
        method = scope["method"]
        path = (self._files / name.replace("\0", "")).resolve()
        if not path.is_relative_to(self._files) or not path.is_file():
            await self._send(send, method, 404, b"no such file\n", "text/plain", [])
            return
        body = path.read_bytes()
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        kept: Headers = [(b"etag", tag.encode()), (b"cache-control", b"no-cache")]
        if header(scope, b"if-none-match") == tag:
            await self._send(send, method, 304, b"", kind, kept)
        else:
            await self._send(send, method, 200, body, kind, kept)

    async def _send(self, send: Send, method: str, status: int, body: bytes, kind: str, further: Headers) -> None:
        text = "; charset=utf-8" if kind.startswith("text/") or kind.endswith("javascript") else ""
        headers: Headers = [
            (b"content-type", f"{kind}{text}".encode()),
            (b"content-length", str(len(body)).encode()),
            *self._headers,
            *further,
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body if method == "GET" else b""})


class Relay:
    """A page's chat, passed on to the API as any client would send it, and its answer as it comes."""

    def __init__(self, upstream: Upstream, api: str, chosen: Settings) -> None:
        self._upstream = upstream
        self._api = api
        self._most_bytes = chosen.max_body_bytes
        # the API has its own deadline with the backend; this one only keeps a hung process from holding the page
        patience = chosen.timeout_seconds + 30
        self._timeouts = Timeouts(connect=5.0, idle=patience, total=None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowed("the playground posts", ("POST",))
            if header(scope, b"sec-fetch-site") not in ("", "none", "same-origin"):
                raise Forbidden("a page of another site cannot chat here")
            body = await read_body(scope, receive, self._most_bytes)
        except GatewayError as error:
            await _refuse(send, error)
            return
        await while_client_stays(self._pass_on(scope, body, send), receive)

    async def _pass_on(self, scope: Scope, body: bytes, send: Send) -> None:
        found = {name: header(scope, name.encode()) for name in _SENT_ON}
        headers = {name: value for name, value in found.items() if value} | {"user-agent": "dashboard-playground"}
        begun = False
        try:
            async with self._upstream.request(
                "POST", self._api + PLAYGROUND, headers=headers, body=body, timeouts=self._timeouts
            ) as answer:
                relayed = [
                    (name.lower().encode(), value.encode("latin-1"))
                    for name, value in answer.headers.items()
                    if name.lower() not in _NOT_RELAYED
                ]
                await send({"type": "http.response.start", "status": answer.status, "headers": relayed})
                begun = True
                async for chunk in answer.chunks():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        except GatewayError as error:
            if begun:
                raise  # the server closes the connection, so that the page sees an answer that broke off
            await _refuse(send, error)


def told(chosen: Settings) -> Mapping[str, str]:
    """The page's `config.json`: how administrators sign in, and where clients call."""
    words = {"auth": chosen.admin_auth, "api_url": f"http://{chosen.host}:{chosen.api_port}"}
    if chosen.admin_auth == "session":
        words["login_url"] = f"{chosen.aimenu_public_url or chosen.aimenu_url}/login"
    if chosen.admin_auth == "oidc":
        words |= {
            "issuer": chosen.oidc_issuer or "",
            "client_id": chosen.oidc_audience or "",
            "scopes": "openid email",
        }
    return words


def _sign_in_origins(chosen: Settings) -> tuple[str, ...]:
    """Of the issuer, and of what its discovery document leads to elsewhere."""
    if chosen.admin_auth != "oidc" or not chosen.oidc_issuer:
        return ()
    parts = urlsplit(chosen.oidc_issuer)
    return (f"{parts.scheme}://{parts.netloc}", *sorted(chosen.oidc_origins))


def _dialled(host: str) -> str:
    """An address that can be called where `host` says on which ones to listen."""
    named = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - read, not bound
    return f"[{named}]" if ":" in named and not named.startswith("[") else named


async def _refuse(send: Send, error: GatewayError) -> None:
    body = {"error": {"message": error.message, "type": error.type, "code": error.code}}
    await send_json(send, error.status, dumps(body), [])
