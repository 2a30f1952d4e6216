"""Who may use the admin API: the open mode of a laptop and the session service of the original."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from functions.admin_endpoints.endpoints import admin_endpoints_app
from functions.admin_session.session import admin_session_app
from shared.providers.upstream import PooledUpstream
from shared.settings import Settings, read_settings
from shared.store.config_store import ConfigStore
from shared.store.seal import KeyFileSealer
from shared.web.admin_access import OpenAccess, SessionAccess, Sessions, admin_access
from tests.functions.admin_calls import client
from tests.providers.loopback import Answer, Loopback, Seen, loopback

VALIDATE = "/session/validate"


# -- open --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def open_app(shared_store: ConfigStore, sealer: KeyFileSealer) -> FastAPI:
    return admin_endpoints_app(shared_store, sealer, OpenAccess(["gateway.lan"]))


@pytest.fixture
async def open_admin(open_app: FastAPI, store: ConfigStore) -> AsyncIterator[httpx.AsyncClient]:
    async with client(open_app) as calls:
        yield calls


@pytest.mark.parametrize(
    "host", ["127.0.0.1:5001", "localhost", "LOCALHOST:5001", "[::1]:5001", "127.9.9.9", "a.localhost", "gateway.lan:1"]
)
async def test_open_serves_this_machine(open_admin: httpx.AsyncClient, host: str) -> None:
    assert (await open_admin.get("/endpoints", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:5001", "10.0.0.1", "[", "", "169.254.1.1"],
)
async def test_open_refuses_a_name_that_was_pointed_here(open_admin: httpx.AsyncClient, host: str) -> None:
    for answer in (
        await open_admin.get("/endpoints", headers={"host": host}),
        await open_admin.post("/endpoints", json={"name": "x"}, headers={"host": host}),
        await open_admin.get("/docs", headers={"host": host}),
    ):
        assert answer.status_code == 403
        assert "AUTH_ENABLED" in answer.json()["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "http://localhost:5001"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://127.0.0.1:5001", "sec-fetch-site": "cross-site"},
    ],
)
async def test_open_refuses_changes_by_other_sites(open_admin: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for answer in (
        await open_admin.post("/endpoints", json={"name": "x"}, headers=headers),
        await open_admin.put("/endpoints/1", json={"name": "x"}, headers=headers),
        await open_admin.delete("/endpoints/1", headers=headers),
    ):
        assert answer.status_code == 403
    assert (await open_admin.get("/endpoints")).json() == []


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": "http://127.0.0.1:5001", "sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}],
)
async def test_open_serves_its_own_pages(open_admin: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert (await open_admin.post("/endpoints", json={"name": "x"}, headers=headers)).status_code == 201


# -- sessions ----------------------------------------------------------------------------------------------------------


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def service() -> AsyncIterator[Loopback]:
    def answer(seen: Seen) -> Answer:
        cookie, token = seen.headers.get("cookie"), seen.headers.get("x-session-token")
        if cookie == "session=good" or token == "good":
            return Answer({"valid": True, "user": "ada"})
        return Answer({"valid": False}, status=401)

    async with loopback() as server:
        server.on("GET", VALIDATE, answer)
        yield server


@pytest.fixture
async def upstream() -> AsyncIterator[PooledUpstream]:
    upstream = PooledUpstream()
    yield upstream
    await upstream.aclose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def guarded(
    store: ConfigStore, sealer: KeyFileSealer, service: Loopback, upstream: PooledUpstream, clock: Clock
) -> AsyncIterator[httpx.AsyncClient]:
    access = SessionAccess(Sessions(service.url, upstream, clock=clock))
    async with client(admin_endpoints_app(store, sealer, access)) as calls:
        yield calls


@pytest.mark.parametrize("headers", [{"cookie": "session=good"}, {"x-session-token": "good"}])
async def test_a_valid_session_opens(guarded: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert (await guarded.get("/endpoints", headers=headers)).status_code == 200
    assert (await guarded.post("/endpoints", json={"name": "x"}, headers=headers)).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"cookie": "session=bad"},
        {"cookie": "other=good"},
        {"cookie": "session="},
        {"x-session-token": "bad"},
        {"authorization": "Bearer good"},
    ],
)
async def test_anything_else_is_unauthorized(guarded: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for answer in (
        await guarded.get("/endpoints", headers=headers),
        await guarded.post("/endpoints", content=b"{", headers=headers),
        await guarded.get("/nothing", headers=headers),
        await guarded.get("/openapi.json", headers=headers),
    ):
        assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized"})


async def test_the_service_sees_the_session_and_nothing_else(guarded: httpx.AsyncClient, service: Loopback) -> None:
    headers = {"cookie": "a=1; session=good; b=2", "authorization": "Bearer mine", "x-other": "1"}
    assert (await guarded.get("/endpoints", headers=headers)).status_code == 200
    (seen,) = service.seen
    assert seen.headers["cookie"] == "session=good"
    assert not {"authorization", "x-other", "x-session-token"} & set(seen.headers)


async def test_without_credentials_the_service_is_not_asked(guarded: httpx.AsyncClient, service: Loopback) -> None:
    await guarded.get("/endpoints", headers={"cookie": "a=1"})
    assert service.seen == []


async def test_a_valid_session_is_remembered_for_15_seconds(
    guarded: httpx.AsyncClient, service: Loopback, clock: Clock
) -> None:
    good = {"cookie": "session=good"}
    for _ in range(3):
        assert (await guarded.get("/endpoints", headers=good)).status_code == 200
    assert len(service.seen) == 1
    assert (await guarded.get("/endpoints", headers={"cookie": "session=bad"})).status_code == 401
    assert len(service.seen) == 2
    clock.now += 14
    assert (await guarded.get("/endpoints", headers=good)).status_code == 200
    assert len(service.seen) == 2
    clock.now += 2
    service.on("GET", VALIDATE, Answer({"valid": False}))
    assert (await guarded.get("/endpoints", headers=good)).status_code == 401
    assert len(service.seen) == 3


@pytest.mark.parametrize(
    "answer",
    [
        Answer({"valid": "true", "user": "ada"}),
        Answer({"valid": 1}),
        Answer({"user": "ada"}),
        Answer([True]),
        Answer(b"<html>login</html>", content_type="text/html"),
        Answer(b""),
        Answer({"valid": True}, status=500),
        Answer({"valid": True}, status=302, headers={"location": "/login"}),
        Answer({"valid": True, "padding": "x" * 100_000}),
    ],
)
async def test_only_a_clear_yes_is_one(guarded: httpx.AsyncClient, service: Loopback, answer: Answer) -> None:
    service.on("GET", VALIDATE, answer)
    assert (await guarded.get("/endpoints", headers={"cookie": "session=good"})).status_code == 401


async def test_an_outage_of_the_service_shuts_the_door(
    store: ConfigStore, sealer: KeyFileSealer, upstream: PooledUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    access = SessionAccess(Sessions("http://127.0.0.1:9", upstream))
    async with client(admin_endpoints_app(store, sealer, access)) as admin:
        answer = await admin.get("/endpoints", headers={"cookie": "session=top-secret"})
    assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized"})
    assert "could not be asked" in caplog.text
    assert "top-secret" not in caplog.text


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_page_of_another_origin_cannot_borrow_a_session(guarded: httpx.AsyncClient, site: str) -> None:
    """Another port or host of the same site gets the cookie, and needs no leave for a POST without a body."""
    headers = {"cookie": "session=good", "sec-fetch-site": site}
    assert (await guarded.post("/endpoints", json={"name": "x"}, headers=headers)).status_code == 403
    assert (await guarded.post("/endpoints", headers=headers)).status_code == 403
    assert (await guarded.get("/endpoints", headers={"cookie": "session=good"})).json() == []
    own = {"cookie": "session=good", "sec-fetch-site": "same-origin"}
    assert (await guarded.post("/endpoints", headers=own)).status_code == 422


@pytest.mark.parametrize(("variables", "kind"), [({}, OpenAccess), ({"AUTH_ENABLED": "true"}, SessionAccess)])
def test_the_settings_choose(variables: dict[str, str], kind: type) -> None:
    assert isinstance(admin_access(read_settings(variables), PooledUpstream()), kind)


# -- /session/validate -------------------------------------------------------------------------------------------------


async def validated(chosen: Settings, upstream: PooledUpstream, **headers: str) -> dict[str, Any]:
    async with client(admin_session_app(chosen, Sessions(chosen.aimenu_url, upstream))) as calls:
        answer = await calls.get("/session/validate", headers=headers)
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


async def test_tells_that_no_login_is_needed(upstream: PooledUpstream) -> None:
    chosen = read_settings({"USE_AI_QUEUE": "true"})
    assert await validated(chosen, upstream) == {
        "valid": True,
        "user": "admin",
        "role": "admin",
        "auth_enabled": False,
        "use_ai_queue": True,
    }


async def test_relays_who_is_logged_in(upstream: PooledUpstream, service: Loopback) -> None:
    chosen = read_settings({"AUTH_ENABLED": "true", "AIMENU_URL": service.url})
    assert await validated(chosen, upstream, cookie="session=good") == {
        "valid": True,
        "user": "ada",
        "role": "admin",
        "auth_enabled": True,
        "use_ai_queue": False,
    }
    assert await validated(chosen, upstream, cookie="session=bad") == {"valid": False}
    assert await validated(chosen, upstream) == {"valid": False}
