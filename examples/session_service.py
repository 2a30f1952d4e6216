"""A session service for Serverless Proxy in one file of the standard library: copy it, or write your own by it.

    python examples/session_service.py add-user ada --role admin      # asks for a password; users.json
    python examples/session_service.py serve --port 5000
    AUTH_ENABLED=true AIMENU_URL=http://localhost:5000 make run

What the gateway needs of it is `GET /session/validate` and, if there is one, `POST /session/logout`
(docs/authentication.md). The rest is how this one lets people log in. Sessions are in memory: a restart ends them.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import hashlib
import hmac
import html
import json
import os
import secrets
import sys
import threading
import time
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

SESSION_SECONDS = 8 * 3_600
MOST_BODY_BYTES = 10_000
MOST_FAILURES = 5  # a minute and user
_PAGE = """<!doctype html><meta charset="utf-8"><title>Log in</title>
<h1>Log in</h1><p role="alert">{problem}</p>
<form method="post" action="/login?redirect={redirect}">
<p><label>User <input name="user" autocomplete="username" required></label>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<p><button>Log in</button></form>"""


class Session(NamedTuple):
    user: str
    role: str
    ends_at: float


class Users:
    """Names, roles and salted scrypt hashes in a JSON file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, name: str, password: str, role: str) -> None:
        users = self._read()
        salt = secrets.token_bytes(16)
        users[name] = {"role": role, "salt": salt.hex(), "hash": _scrypt(password, salt).hex()}
        draft = self._path.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(users, indent=2))
        os.replace(draft, self._path)

    def role_of(self, name: str, password: str) -> str | None:
        """None for a wrong password, and for a name that nobody has: both take as long."""
        user = self._read().get(name, {"role": "", "salt": "00" * 16, "hash": "00" * 64})
        same = hmac.compare_digest(_scrypt(password, bytes.fromhex(user["salt"])), bytes.fromhex(user["hash"]))
        return str(user["role"]) if same and user["role"] else None

    def _read(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._path.read_text()) if self._path.exists() else {}
        return found


class Sessions:
    """By the hashes of their tokens, so that memory holds nothing that opens."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._failures: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    def begin(self, user: str, role: str) -> str:
        token, now = secrets.token_urlsafe(32), time.time()
        with self._lock:
            self._sessions = {key: each for key, each in self._sessions.items() if each.ends_at > now}
            self._sessions[_hash(token)] = Session(user, role, now + SESSION_SECONDS)
        return token

    def find(self, token: str) -> Session | None:
        found = self._sessions.get(_hash(token))
        return found if found and found.ends_at > time.time() else None

    def end(self, token: str) -> None:
        with self._lock:
            self._sessions.pop(_hash(token), None)

    def may_try(self, user: str) -> bool:
        recent = [at for at in self._failures.get(user, []) if at > time.time() - 60]
        self._failures[user] = recent
        return len(recent) < MOST_FAILURES

    def note_failure(self, user: str) -> None:
        with self._lock:
            if len(self._failures) > 10_000:
                self._failures.clear()
            self._failures.setdefault(user, []).append(time.time())


class Handler(BaseHTTPRequestHandler):
    users: Users
    sessions: Sessions
    secure: bool
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/session/validate":
            session = next(filter(None, map(self.sessions.find, self._tokens())), None)
            if session is None:
                self._json(401, {"valid": False})
            else:
                self._json(200, {"valid": True, "user": session.user, "role": session.role})
        elif path == "/login":
            self._page(200, "")
        else:
            self._json(404, {"error": "there is /login and /session/validate"})

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        size = self.headers.get("content-length", "0")
        if not size.isdigit() or int(size) > MOST_BODY_BYTES:
            self.close_connection = True
            self._json(413, {"error": "too large"})
            return
        body = self.rfile.read(int(size))
        if path == "/session/logout":
            for token in self._tokens():
                self.sessions.end(token)
            self._json(200, {"status": "ok"}, self._cookie("", 0))
        elif path == "/login":
            self._log_in(parse_qs(body.decode("utf-8", "replace")))
        else:
            self._json(404, {"error": "there is /login and /session/logout"})

    def _log_in(self, form: dict[str, list[str]]) -> None:
        user, password = form.get("user", [""])[0], form.get("password", [""])[0]
        if not self.sessions.may_try(user):
            self._page(429, "Too many tries; wait a minute.")
            return
        role = self.users.role_of(user, password)
        if role is None:
            self.sessions.note_failure(user)
            self._page(403, "This user and this password do not belong together.")
            return
        self.send_response(303)
        self.send_header("set-cookie", self._cookie(self.sessions.begin(user, role), SESSION_SECONDS))
        self.send_header("location", self._redirect())
        self.send_header("content-length", "0")
        self.end_headers()

    def _tokens(self) -> list[str]:
        """The cookie `session`, and the header that programs send."""
        try:
            cookie = SimpleCookie(self.headers.get("cookie", "")).get("session")
        except CookieError:
            cookie = None
        return [token for token in (cookie.value if cookie else "", self.headers.get("x-session-token", "")) if token]

    def _redirect(self) -> str:
        """Where the dashboard wants its user back; a path of this host, and nobody else's."""
        path = parse_qs(urlsplit(self.path).query).get("redirect", ["/"])[0]
        safe = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
        return path if safe else "/"

    def _cookie(self, token: str, seconds: int) -> str:
        flags = "; Secure" if self.secure else ""
        return f"session={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{flags}"

    def _page(self, status: int, problem: str) -> None:
        text = _PAGE.format(problem=html.escape(problem), redirect=html.escape(self._redirect(), quote=True))
        self._send(status, "text/html; charset=utf-8", text.encode(), None)

    def _json(self, status: int, body: dict[str, Any], cookie: str | None = None) -> None:
        self._send(status, "application/json", json.dumps(body).encode(), cookie)

    def _send(self, status: int, media_type: str, body: bytes, cookie: str | None) -> None:
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.send_header("content-security-policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'")
        if cookie:
            self.send_header("set-cookie", cookie)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """The path without its query, and never a header."""
        status = args[1] if len(args) > 1 else ""
        print(self.command, urlsplit(self.path).path, status, file=sys.stderr)  # noqa: T201


def serve(users: Users, host: str, port: int, *, secure: bool) -> ThreadingHTTPServer:
    handler = type("BoundHandler", (Handler,), {"users": users, "sessions": Sessions(), "secure": secure})
    return ThreadingHTTPServer((host, port), handler)


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=1 << 14, r=8, p=1)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=Path, default=Path("users.json"))
    verbs = parser.add_subparsers(required=True, dest="verb")
    add = verbs.add_parser("add-user")
    add.add_argument("name")
    add.add_argument("--role", choices=("admin", "viewer"), default="admin")
    run = verbs.add_parser("serve")
    run.add_argument("--host", default="127.0.0.1")
    run.add_argument("--port", type=int, default=5000)
    run.add_argument("--secure", action="store_true", help="behind HTTPS: the cookie is sent over nothing else")
    told = parser.parse_args()
    users = Users(told.users)
    if told.verb == "add-user":
        password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
        if len(password) < 12:
            print("a password has at least 12 characters", file=sys.stderr)  # noqa: T201
            return 2
        users.add(told.name, password, told.role)
        return 0
    server = serve(users, told.host, told.port, secure=told.secure)
    print(f"session service on http://{told.host}:{server.server_port}", flush=True)  # noqa: T201
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
