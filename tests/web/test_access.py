"""Client keys at the door: who is let in, what others are told, and that nothing of theirs is read."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from shared.errors import GatewayError, StoreUnavailable
from shared.store.client_key import ClientKey, Shown, new_key, read_key
from shared.web.access import KeyAccess
from shared.web.app import ClientApp
from shared.web.asgi import Receive, Scope, Send, read_body, send_json
from shared.web.responses import caller_of


class Keys:
    """A memory of keys; `away` when its table is."""

    def __init__(self) -> None:
        self.good: set[Shown] = set()
        self.asked: list[Shown] = []
        self.settled = 0
        self.away = False

    def add(self) -> tuple[str, Shown]:
        key = new_key()
        shown = read_key(key)
        assert shown is not None
        self.good.add(shown)
        return key, shown

    async def verify(self, shown: Shown) -> ClientKey | None:
        self.asked.append(shown)
        if self.away:
            raise StoreUnavailable("the client keys cannot be read; try again")
        return ClientKey(*shown, prefix="spk_", label="x") if shown in self.good else None

    async def settle(self) -> None:
        self.settled += 1


class Asked:
    """One request through the app; the handler tells the caller's key."""

    def __init__(self, keys: Keys, *, required: bool, body_of: Any = None, **headers: str) -> None:
        more = (body_of,) if body_of else ()
        self.app = ClientApp(self._handler, KeyAccess(lambda: keys, required=required), *more)
        self.scope: Scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/chat/completions",
            "headers": [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()],
        }
        self.body_was_read = False
        self.sent: list[Any] = []

    async def _handler(self, scope: Scope, receive: Receive, send: Send) -> None:
        await read_body(scope, receive, 1_000)
        await send_json(send, 200, json.dumps({"key_id": caller_of(scope).key_id}).encode(), [])

    async def _receive(self) -> dict[str, Any]:
        self.body_was_read = True
        return {"type": "http.request", "body": b"{}"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        await self.app(self.scope, self._receive, self._send)
        start, body = self.sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], headers, json.loads(body["body"])


@pytest.fixture
def keys() -> Keys:
    return Keys()


SHOWN = [
    {"authorization": "Bearer {}"},
    {"authorization": "bearer  {} "},
    {"x_api_key": "{}"},
    {"authorization": "Bearer sk-something-else", "x_api_key": "{}"},
    {"authorization": "Basic dXNlcjpw", "x_api_key": " {}"},
]


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("headers", SHOWN)
async def test_a_good_key_opens_and_says_whose_request_it_is(
    keys: Keys, headers: dict[str, str], required: bool
) -> None:
    key, shown = keys.add()
    asked = Asked(keys, required=required, **{name: text.format(key) for name, text in headers.items()})
    status, _, body = await asked.answer()
    assert (status, body) == (200, {"key_id": shown.key_id})
    assert keys.settled == 1


RUBBISH = [
    {},
    {"authorization": ""},
    {"authorization": "Bearer "},
    {"authorization": "Bearer sk-proj-0123456789"},
    {"authorization": "Bearer spk_short"},
    {"authorization": f"Bearer {new_key()[:-1]}"},
    {"authorization": f"Bearer {new_key()}x"},
    {"authorization": f"Basic {new_key()}"},
    {"authorization": new_key()},
    {"x_api_key": "dummy"},
    {"x_api_key": "schlüssel"},
    {"cookie": f"x-api-key={new_key()}"},
]


@pytest.mark.parametrize("headers", RUBBISH)
async def test_rubbish_is_refused_without_a_read(keys: Keys, headers: dict[str, str]) -> None:
    asked = Asked(keys, required=True, **headers)
    status, told, body = await asked.answer()
    assert status == 401
    assert body["error"]["code"] == "invalid_api_key"
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert (told["x-should-retry"], told["www-authenticate"]) == ("false", "Bearer")
    assert told["x-request-id"]
    assert "retry-after" not in told
    assert not keys.asked
    assert not asked.body_was_read
    for value in headers.values():
        secret = value.rpartition(" ")[2]
        assert len(secret) < 4 or secret not in json.dumps(body)


async def test_an_unknown_or_revoked_key_is_refused_without_reading_the_body(keys: Keys) -> None:
    key, shown = keys.add()
    keys.good.clear()
    asked = Asked(keys, required=True, authorization=f"Bearer {key}")
    status, told, body = await asked.answer()
    assert (status, body["error"]["code"], told["x-should-retry"]) == (401, "invalid_api_key", "false")
    assert keys.asked == [shown]
    assert not asked.body_was_read
    assert key not in json.dumps(body)


async def test_when_keys_cannot_be_read_the_client_may_try_again(keys: Keys) -> None:
    key, _ = keys.add()
    keys.away = True
    asked = Asked(keys, required=True, x_api_key=key)
    status, told, body = await asked.answer()
    assert (status, body["error"]["code"]) == (503, "store_unavailable")
    assert "x-should-retry" not in told
    assert not asked.body_was_read


@pytest.mark.parametrize("headers", [*RUBBISH, {"authorization": f"Bearer {new_key()}"}])
async def test_where_no_key_is_needed_a_bad_one_is_ignored(keys: Keys, headers: dict[str, str]) -> None:
    for keys.away in (False, True):
        assert (await Asked(keys, required=False, **headers).answer())[::2] == (200, {"key_id": ""})


async def test_a_client_cannot_name_its_key_itself(keys: Keys) -> None:
    asked = Asked(keys, required=False, x_gateway_key_id="mine", key_id="mine")
    assert (await asked.answer())[2] == {"key_id": ""}


async def test_the_refusal_is_in_the_routes_protocol(keys: Keys) -> None:
    def anthropic(error: GatewayError) -> dict[str, Any]:
        return {"type": "error", "error": {"type": error.type, "message": error.message}}

    status, _, body = await Asked(keys, required=True, body_of=anthropic).answer()
    assert (status, body["type"], body["error"]["type"]) == (401, "error", "authentication_error")


# Every row of ROUTES, through the apps that are deployed. In a process of its own: the apps read the environment once.
_WALK = """
import asyncio, itertools, json, re, sys
from infra.local.router import Router
from infra.routes import ROUTES
from shared.web.app import send_error

asked = itertools.count()  # each from an address of its own, for one that fails often is not listened to

async def ask(router, method, path, headers):
    read, sent = [], []
    async def receive():
        read.append(1)
        return {"type": "http.request", "body": b"{}", "more_body": False}
    async def send(message):
        sent.append(message)
    raw = [(b"host", b"127.0.0.1:5001"), (b"content-type", b"application/json")]
    raw += [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
             "headers": raw, "http_version": "1.1", "scheme": "http", "root_path": "", "asgi": {"version": "3.0"},
             "server": ("127.0.0.1", 5001), "client": (f"10.0.{next(asked) // 200}.{next(asked) % 200}", 1)}
    await router(scope, receive, send)
    return sent[0]["status"], bool(read)

async def walk():
    router = Router(("client", "admin", "public"), send_error)
    for row in ROUTES:
        for path in row.paths:
            path = re.sub(r"\\{[a-z_]+\\+?\\}", "1", path)
            for method in row.methods:
                for headers in json.loads(sys.argv[1]):
                    print(json.dumps([row.access, method, path, *await ask(router, method, path, headers)]))

asyncio.run(walk())
"""
_CREDENTIALS = [
    {},
    {"authorization": "Bearer sk-anything"},
    {"x-api-key": "anything"},
    {"cookie": "session=anything"},
    {"x-session-token": "anything"},
    {"authorization": "Bearer eyJhbGciOiJub25lIn0.e30."},
]


@pytest.mark.parametrize(
    "variables",
    [
        {"CLIENT_ACCESS": "required", "ADMIN_AUTH": "oidc", "OIDC_ISSUER": "http://127.0.0.1:9", "OIDC_AUDIENCE": "a"},
        {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9", "AUTH_ENABLED": "true", "AIMENU_URL": "http://127.0.0.1:9"},
        {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9"},
    ],
    ids=["tokens", "sessions", "nothing set in the cloud"],
)
def test_no_route_is_reachable_without_its_access(variables: dict[str, str], tmp_path: Path) -> None:
    answers = walk(tmp_path, _CREDENTIALS, variables)
    assert {access for access, *_ in answers} == {"client", "admin", "public"}
    refused = 401 if set(variables) & {"ADMIN_AUTH", "AUTH_ENABLED"} else 403
    for access, method, path, status, body_was_read in answers:
        if access == "public":
            assert status == 200, (method, path)
        else:
            assert (status, body_was_read) == (401 if access == "client" else refused, False), (method, path)


class ViewersOnly(BaseHTTPRequestHandler):
    """A session service to which everybody is a viewer."""

    def do_GET(self) -> None:
        body = b'{"valid": true, "user": "eve", "role": "viewer"}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


EXPORT = "/api/admin/usage/export"  # a POST that reads


def test_a_viewer_changes_nothing_on_any_route(tmp_path: Path) -> None:
    service = ThreadingHTTPServer(("127.0.0.1", 0), ViewersOnly)
    thread = threading.Thread(target=service.serve_forever)
    thread.start()
    try:
        variables = {"AUTH_ENABLED": "true", "AIMENU_URL": f"http://127.0.0.1:{service.server_port}"}
        answers = walk(tmp_path, [{"cookie": "session=x"}], variables)
    finally:
        service.shutdown()
        thread.join()
        service.server_close()
    changing = [row for row in answers if row[0] == "admin" and row[1] not in ("GET", "HEAD") and row[2] != EXPORT]
    assert len(changing) > 20
    for _, method, path, status, body_was_read in changing:
        assert (status, body_was_read) == (403, False), (method, path)
    for access, method, path, status, _ in answers:
        if access == "admin" and (method in ("GET", "HEAD") or path == EXPORT):
            assert status not in (401, 403), (method, path)


def walk(tmp_path: Path, credentials: list[dict[str, str]], variables: dict[str, str]) -> list[Any]:
    """Every route, asked with each of the credentials: access, method, path, status, and whether the body was read."""
    root = Path(__file__).parents[2]
    environment = {
        "PYTHONPATH": str(root),
        "DATA_DIR": str(tmp_path),
        "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "KMS_KEY_ID": "alias/x",
        **variables,
    }
    command = [sys.executable, "-c", _WALK, json.dumps(credentials)]
    ran = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr[-3_000:]
    return [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[")]
