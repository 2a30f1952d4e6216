"""The dashboard in Debian's Chromium against the real local gateway: `make dashboard-test` builds it first."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from infra.local.admin import DASHBOARD
from tests.local.process import ROOT, Gateway

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

# the other tests are collected without the browser's driver too
collect_ignore_glob = [] if find_spec("playwright") else ["test_*.py"]

ARTEFACTS = ROOT / "tests" / "artefacts" / "dashboard"
AXE = ROOT / "admin_frontend" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


class Site:
    """A running gateway: its page, its admin API, its client API."""

    def __init__(self, api: str, admin: str) -> None:
        self.api = api
        self.admin = admin
        self.http = httpx.Client(base_url=admin, timeout=20)

    def url(self, path: str = "/") -> str:
        return f"{self.admin}/proxy-dashboard{path}"

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self.http.request(method, f"/api/admin{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def chat(self, model: str = "demo", text: str = "Hello", **fields: Any) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
        return httpx.post(f"{self.api}/v1/chat/completions", json=body, timeout=20)


@pytest.fixture(scope="session")
def start_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """Start a gateway of one's own; all of them end with the session."""
    if not (DASHBOARD / "index.html").is_file():
        pytest.fail("the dashboard is not built: make dashboard")
    running: list[tuple[Gateway, Site]] = []

    def start(**variables: str) -> Site:
        gateway = Gateway(tmp_path_factory.mktemp("gateway"), **variables)
        site = Site(*gateway.wait_until_ready())
        running.append((gateway, site))
        return site

    yield start
    for gateway, site in running:
        site.http.close()
        gateway.stop()


@pytest.fixture(scope="session")
def site(start_site: Callable[..., Site]) -> Site:
    """One gateway for all journeys; each brings names of its own."""
    return start_site()


class SessionService(BaseHTTPRequestHandler):
    """The original's contract, for one cookie and one token."""

    def do_GET(self) -> None:
        good = "session=good" in self.headers.get("cookie", "") or self.headers.get("x-session-token") == "good-token"
        viewer = self.headers.get("x-session-token") == "viewer-token"
        told = {"valid": good or viewer, "user": "ada", "role": "viewer" if viewer else "admin"}
        body = json.dumps(told if told["valid"] else {"valid": False}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing of it is of interest."""


@pytest.fixture(scope="session")
def behind_sessions(start_site: Callable[..., Site]) -> Iterator[Site]:
    """A gateway whose administrators are vouched for by the session service; the admin API is spoken to as ada."""
    service = ThreadingHTTPServer(("127.0.0.1", 0), SessionService)
    thread = threading.Thread(target=service.serve_forever, daemon=True)
    thread.start()
    site = start_site(AUTH_ENABLED="true", AIMENU_URL=f"http://127.0.0.1:{service.server_port}")
    site.http.headers["x-session-token"] = "good-token"
    yield site
    service.shutdown()
    service.server_close()
    thread.join(10)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.fail("these tests drive Debian's Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page as a visitor would; what its scripts threw, or its policy forbade, fails the test at its end."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []
    expected: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # a refusal of the API is the test's to look at; Chromium logs each as an error too
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            complaints.append(message.text)

    def open_page(url: str, *, scheme: str = "light", size: dict[str, int] = DESK, forgiven: str = "") -> Page:
        """`forgiven` is found in complaints that are what the test is about."""
        expected.extend([forgiven] if forgiven else [])
        context = browser.new_context(color_scheme=scheme, viewport=size, locale="en-GB", reduced_motion="reduce")
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", note)
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    unexpected = [each for each in complaints if not any(re.search(pattern, each) for pattern in expected)]
    assert not unexpected, unexpected


def check_accessibility(page: Page) -> None:
    """axe finds nothing on the page as it is now."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text())  # the page's policy holds for its own scripts, not for the debugger's
    found = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})"
        ".then(result => result.violations.map(each => ({id: each.id, help: each.help, nodes: each.nodes.slice(0, 5)"
        ".map(node => node.html.slice(0, 200) + ' ' + (node.any[0]?.message ?? ''))})))",
        RULES,
    )
    assert not found, json.dumps(found, indent=1)


def keep_screenshot(page: Page, name: str) -> Path:
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    path = ARTEFACTS / f"{name}.png"
    size = page.viewport_size or DESK
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": max(height, size["height"])})  # for what sticks to it
    page.screenshot(path=path)
    page.set_viewport_size(size)
    return path
