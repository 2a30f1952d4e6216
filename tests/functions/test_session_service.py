"""The documented sample of a session service, run as it is told and used by the gateway."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from functions.admin_endpoints.endpoints import admin_endpoints_app
from functions.admin_session.session import admin_session_app
from shared.providers.upstream import PooledUpstream
from shared.settings import read_settings
from shared.store.config_store import ConfigStore
from shared.store.seal import KeyFileSealer
from shared.web.admin_access import SessionAccess, Sessions
from tests.functions.admin_calls import client

SAMPLE = Path(__file__).parents[2] / "examples" / "session_service.py"
PASSWORD = "correct horse battery"


def run(folder: Path, *arguments: str, password: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SAMPLE), "--users", str(folder / "users.json"), *arguments]
    return subprocess.run(command, input=password + "\n", capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("service")
    for name, role in (("ada", "admin"), ("eve", "viewer")):
        assert run(folder, "add-user", name, "--role", role, password=PASSWORD).returncode == 0
    assert run(folder, "add-user", "bob", password="short").returncode == 2
    stored = (folder / "users.json").read_text()
    assert PASSWORD not in stored
    assert (os.stat(folder / "users.json").st_mode & 0o777) == 0o600
    command = [sys.executable, str(SAMPLE), "--users", str(folder / "users.json"), "serve", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        yield found[0]
    finally:
        process.terminate()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def log_in(service: str, user: str, password: str = PASSWORD, redirect: str = "/proxy-dashboard") -> httpx.Response:
    form = {"user": user, "password": password}
    return httpx.post(f"{service}/login", params={"redirect": redirect}, data=form, trust_env=False)


@pytest.fixture
async def admin(service: str, store: ConfigStore, sealer: KeyFileSealer) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    upstream = PooledUpstream()
    sessions = Sessions(service, upstream)
    chosen = read_settings({"AUTH_ENABLED": "true", "AIMENU_URL": service})
    calls = {
        "endpoints": client(admin_endpoints_app(store, sealer, SessionAccess(sessions))),
        "session": client(admin_session_app(chosen, sessions)),
    }
    yield calls
    for each in calls.values():
        await each.aclose()
    await upstream.aclose()


async def test_who_logs_in_administers_until_the_logout(service: str, admin: dict[str, httpx.AsyncClient]) -> None:
    answer = log_in(service, "ada")
    assert (answer.status_code, answer.headers["location"]) == (303, "/proxy-dashboard")
    told = answer.headers["set-cookie"]
    assert "HttpOnly" in told
    assert "SameSite=Lax" in told
    token = answer.cookies["session"]
    body = {"name": "one", "url": "https://one.example"}
    for number, headers in enumerate(({"cookie": f"session={token}"}, {"x-session-token": token})):
        made = await admin["endpoints"].post("/endpoints", json={**body, "name": f"n{number}"}, headers=headers)
        assert made.status_code == 201
    shown = (await admin["session"].get("/session/validate", headers={"cookie": f"session={token}"})).json()
    assert (shown["valid"], shown["user"], shown["role"]) == (True, "ada", "admin")
    foreign = {"cookie": f"session={token}", "sec-fetch-site": "cross-site"}
    assert (await admin["session"].post("/session/logout", headers=foreign)).status_code == 403
    gone = await admin["session"].post("/session/logout", headers={"cookie": f"session={token}"})
    assert gone.json() == {"status": "ok", "login_url": f"{service}/login"}
    assert "Max-Age=0" in gone.headers["set-cookie"]
    after = await admin["endpoints"].get("/endpoints", headers={"cookie": f"session={token}"})
    assert after.status_code == 401


async def test_a_viewer_looks(service: str, admin: dict[str, httpx.AsyncClient]) -> None:
    headers = {"cookie": f"session={log_in(service, 'eve').cookies['session']}"}
    assert (await admin["endpoints"].get("/endpoints", headers=headers)).status_code == 200
    refused = await admin["endpoints"].post(
        "/endpoints", json={"name": "x", "url": "https://x.example"}, headers=headers
    )
    assert (refused.status_code, "viewer" in refused.json()["error"]) == (403, True)
    assert (await admin["session"].get("/session/validate", headers=headers)).json()["role"] == "viewer"


def test_wrong_passwords_are_refused_and_then_not_listened_to(service: str) -> None:
    answers = [log_in(service, "mallory", "wrong password").status_code for _ in range(7)]
    assert answers == [403, 403, 403, 403, 403, 429, 429]
    assert "session" not in log_in(service, "mallory").cookies


@pytest.mark.parametrize("redirect", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", ""])
def test_nobody_is_led_elsewhere(service: str, redirect: str) -> None:
    assert log_in(service, "ada", redirect=redirect).headers["location"] == "/"


@pytest.mark.parametrize("headers", [{}, {"cookie": "session=x"}, {"cookie": 'session="'}, {"x-session-token": "x"}])
def test_what_it_did_not_give_is_not_valid(service: str, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{service}/session/validate", headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()) == (401, {"valid": False})
    page = httpx.get(f"{service}/login", params={"redirect": '/"><script>'}, trust_env=False)
    assert "<script>" not in page.text
