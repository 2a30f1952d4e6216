"""The dashboard's files on the laptop: where they lie, with which headers, and the playground's way to the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from infra.local.dashboard import Dashboard
from infra.site_headers import content_security_policy
from shared.providers.upstream import PooledUpstream
from shared.settings import read_settings
from shared.web.asgi import Receive, Scope, Send, send_json
from tests.local.process import Gateway


async def rest(scope: Scope, receive: Receive, send: Send) -> None:
    await send_json(send, 200, b'"the admin API"', [])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    built = tmp_path / "dist"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("<!doctype html>the page")
    (built / "assets" / "app-1a.js").write_text("run()")
    (tmp_path / "secret.txt").write_text("secret")
    return built


@pytest.fixture
async def page(files: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(files) as client:
        yield client


def serve(files: Path, **variables: str) -> httpx.AsyncClient:
    app = Dashboard(files, rest, PooledUpstream(), read_settings({"API_PORT": "8002", **variables}))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:5001")


@pytest.mark.parametrize(
    "path", ["/", "/proxy-dashboard", "/proxy-dashboard/", "/proxy-dashboard/endpoints/3", "/proxy-dashboard/a/b/c"]
)
async def test_the_pages_own_paths_lead_to_its_document(page: httpx.AsyncClient, path: str) -> None:
    answer = await page.get(path)
    assert (answer.status_code, answer.text) == (200, "<!doctype html>the page")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_nothing_inline_is_allowed_and_nobody_may_frame_it(page: httpx.AsyncClient) -> None:
    for path in ("/proxy-dashboard", "/proxy-dashboard/assets/app-1a.js", "/proxy-dashboard/config.json"):
        headers = (await page.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "style-src 'self';" in policy
        assert "unsafe" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"


async def test_a_file_is_asked_for_anew_by_its_tag(page: httpx.AsyncClient) -> None:
    first = await page.get("/proxy-dashboard/assets/app-1a.js")
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    again = await page.get("/proxy-dashboard/assets/app-1a.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["../secret.txt", "..%2fsecret.txt", "assets/%2e%2e/%2e%2e/secret.txt", "a%00.js"])
async def test_nothing_outside_of_the_folder_is_served(page: httpx.AsyncClient, path: str) -> None:
    answer = await page.get(f"/proxy-dashboard/{path}")
    assert "secret" not in answer.text.replace("no such file", "")
    assert answer.status_code in (200, 404)


async def test_the_rest_is_the_admin_apis(page: httpx.AsyncClient) -> None:
    for path in ("/endpoints", "/api/admin/endpoints", "/proxy-dashboards"):
        assert (await page.get(path)).json() == "the admin API"


async def test_only_reading_is_for_files(page: httpx.AsyncClient) -> None:
    answer = await page.post("/proxy-dashboard")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    head = await page.head("/proxy-dashboard")
    assert (head.status_code, head.content) == (200, b"")


async def test_without_a_build_it_says_how_to_make_one(tmp_path: Path) -> None:
    async with serve(tmp_path / "nothing") as page:
        answer = await page.get("/proxy-dashboard")
        assert answer.status_code == 503
        assert "make dashboard" in answer.text
        assert (await page.get("/proxy-dashboard/config.json")).json()["auth"] == "none"


async def test_the_page_is_told_how_administrators_sign_in(files: Path) -> None:
    oidc = {"ADMIN_AUTH": "oidc", "OIDC_ISSUER": "https://issuer.example.org/pool", "OIDC_AUDIENCE": "client"}
    async with serve(files, **oidc) as page:
        told = (await page.get("/proxy-dashboard/config.json")).json()
        assert told["issuer"] == "https://issuer.example.org/pool"
        assert told["client_id"] == "client"
        policy = (await page.get("/")).headers["content-security-policy"]
        assert "connect-src 'self' https://issuer.example.org;" in policy
    async with serve(files, **oidc, OIDC_ORIGINS="https://token.example.net, https://issuer.example.org") as page:
        policy = (await page.get("/")).headers["content-security-policy"]
        assert "connect-src 'self' https://issuer.example.org https://token.example.net;" in policy
    async with serve(files, AUTH_ENABLED="true", AIMENU_URL="https://menu.example.org") as page:
        told = (await page.get("/proxy-dashboard/config.json")).json()
        assert (told["auth"], told["login_url"]) == ("session", "https://menu.example.org/login")


@pytest.mark.parametrize("origin", ["*", "https://*.example.org", "https://a.example; script-src *", "https://a/path"])
def test_what_is_no_origin_comes_into_no_policy(origin: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        content_security_policy([origin])


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    gateway = Gateway(tmp_path_factory.mktemp("gateway"))
    yield gateway.wait_until_ready()[1]
    gateway.stop()


def chat(admin: str, **headers: str) -> httpx.Response:
    body = {"model": "demo", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    return httpx.post(f"{admin}/v1/chat/completions", json=body, headers=headers, timeout=20)


def test_a_chat_of_the_page_is_the_apis(admin: str) -> None:
    answer = chat(admin, **{"sec-fetch-site": "same-origin"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-gateway-endpoint"] == "demo"
    assert answer.text.endswith("data: [DONE]\n\n")


def test_a_page_of_another_site_gets_no_chat(admin: str) -> None:
    assert chat(admin, **{"sec-fetch-site": "cross-site"}).status_code == 403


def test_what_the_api_refuses_is_passed_on(admin: str) -> None:
    answer = httpx.post(f"{admin}/v1/chat/completions", content=b"{", timeout=20)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert httpx.get(f"{admin}/v1/chat/completions", timeout=20).status_code == 405
