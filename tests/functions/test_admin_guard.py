"""Wrong credentials are counted by the address of whoever shows them, also behind proxies, and by all functions of a
process together."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from functions.admin_audit.audit import admin_audit_app
from functions.admin_endpoints.endpoints import admin_endpoints_app
from functions.admin_session.session import admin_session_app
from shared.providers.upstream import PooledUpstream
from shared.settings import read_settings
from shared.store.audit import AuditLog
from shared.store.config_store import ConfigStore
from shared.store.seal import KeyFileSealer
from shared.store.tables import Tables
from shared.web.admin_access import SessionAccess, Sessions
from shared.web.admin_guard import Guard
from tests.providers.loopback import Answer, Loopback, Seen, loopback

PROXY = "10.0.0.1"
TRUSTED = (ipaddress.ip_network("10.0.0.0/8"),)
GOOD, WRONG = {"x-session-token": "good"}, {"x-session-token": "wrong"}


class Site:
    """Three admin functions behind one guard, called from any peer."""

    def __init__(self, apps: list[Any]) -> None:
        self.endpoints, self.session, self.audit = apps

    async def ask(self, app: Any, method: str, path: str, peer: str, headers: dict[str, str], **more: Any) -> Any:
        transport = httpx.ASGITransport(app, client=(peer, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway.example") as calls:
            return await calls.request(method, path, headers=headers, **more)

    async def look(self, peer: str, headers: dict[str, str]) -> int:
        answer = await self.ask(self.endpoints, "GET", "/api/admin/endpoints", peer, headers)
        return int(answer.status_code)

    async def fail(self, peer: str, forwarded: str = "", times: int = 20) -> None:
        headers = {**WRONG, **({"x-forwarded-for": forwarded} if forwarded else {})}
        for _ in range(times):
            assert await self.look(peer, headers) == 401


@pytest.fixture
async def service() -> AsyncIterator[Loopback]:
    async with loopback() as server:

        def validates(seen: Seen) -> Answer:
            good = seen.headers.get("x-session-token") == "good"
            return Answer({"valid": good, "user": "ada"}, status=200 if good else 401)

        server.on("GET", "/session/validate", validates)
        yield server


@pytest.fixture
async def site(
    service: Loopback, shared_tables: Tables, store: ConfigStore, sealer: KeyFileSealer
) -> AsyncIterator[Site]:
    upstream = PooledUpstream()
    sessions = Sessions(service.url, upstream)
    guard = Guard(SessionAccess(sessions), TRUSTED)
    chosen = read_settings({"AUTH_ENABLED": "true", "AIMENU_URL": service.url})
    yield Site(
        [
            admin_endpoints_app(store, sealer, guard),
            admin_session_app(chosen, sessions, guard),
            admin_audit_app(AuditLog(shared_tables), guard),
        ]
    )
    await upstream.aclose()


async def test_an_address_behind_a_proxy_waits_and_its_neighbours_do_not(site: Site) -> None:
    await site.fail(PROXY, "198.51.100.1")
    assert await site.look(PROXY, {**GOOD, "x-forwarded-for": "198.51.100.1"}) == 429
    assert await site.look(PROXY, {**GOOD, "x-forwarded-for": "198.51.100.2"}) == 200
    assert await site.look(PROXY, GOOD) == 200
    assert await site.look("198.51.100.1", GOOD) == 429  # it is the same without the proxy


async def test_nobody_gets_another_address_by_saying_so(site: Site) -> None:
    for number in range(10):  # without a proxy that is trusted, and before the hop that the proxy saw
        await site.fail("203.0.113.9", f"198.51.100.{number}", times=1)
        await site.fail(PROXY, f"198.51.100.{number}, 203.0.113.9", times=1)
    assert await site.look("203.0.113.9", {**GOOD, "x-forwarded-for": "198.51.100.77"}) == 429
    assert await site.look(PROXY, {**GOOD, "x-forwarded-for": "198.51.100.77, 203.0.113.9"}) == 429
    assert await site.look("198.51.100.1", GOOD) == 200


async def test_the_functions_of_a_process_count_together(site: Site, service: Loopback) -> None:
    await site.fail("203.0.113.9", times=10)
    for _ in range(10):
        answer = await site.ask(site.session, "GET", "/session/validate", "203.0.113.9", WRONG)
        assert (answer.status_code, answer.json()) == (200, {"valid": False})
    asked = len(service.seen)
    for app, path in (
        (site.endpoints, "/api/admin/endpoints"),
        (site.audit, "/api/admin/audit"),
        (site.session, "/session/validate"),
    ):
        answer = await site.ask(app, "GET", path, "203.0.113.9", GOOD)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
    assert len(service.seen) == asked  # the session service is left in peace


async def test_the_audit_log_names_the_address_behind_the_proxy(site: Site) -> None:
    body = {"name": "x", "url": "https://x.example"}
    headers = {**GOOD, "x-forwarded-for": "192.0.2.66, 198.51.100.1"}
    made = await site.ask(site.endpoints, "POST", "/api/admin/endpoints", PROXY, headers, json=body)
    assert made.status_code == 201
    entries = (await site.ask(site.audit, "GET", "/api/admin/audit?user=ada", PROXY, headers)).json()["items"]
    assert [(entry["user"], entry["address"]) for entry in entries] == [("ada", "198.51.100.1")]


@pytest.mark.parametrize("answer", [Answer({"valid": False}, status=503), Answer(cut=True, pieces=(b"{",))])
async def test_an_outage_of_the_session_service_is_nobodys_failure(
    site: Site, service: Loopback, answer: Answer
) -> None:
    service.on("GET", "/session/validate", *[answer] * 22, Answer({"valid": True, "user": "ada"}))
    for _ in range(11):
        assert await site.look("203.0.113.9", GOOD) == 401
        told = await site.ask(site.session, "GET", "/session/validate", "203.0.113.9", GOOD)
        assert (told.status_code, told.json()) == (200, {"valid": False})
    assert await site.look("203.0.113.9", GOOD) == 200


async def test_a_service_that_does_not_say_it_in_json_refuses_all_the_same(site: Site, service: Loopback) -> None:
    service.on("GET", "/session/validate", Answer(b"<h1>log in</h1>", status=401))
    await site.fail("203.0.113.9")
    assert await site.look("203.0.113.9", GOOD) == 429
