"""A viewer reads every page, and is shown nothing that would be refused."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import PHONE, Site, check_accessibility, keep_screenshot

pytestmark = pytest.mark.dashboard

CHANGES = re.compile(
    r"^(Add |Make |Save|Delete|Revoke|Rotate|Test|Remove|Move|Cancel|Import|Choose a file|Show the diff)"
)
LOOK_ONLY = "you may look at everything and change nothing"


@pytest.fixture(scope="module")
def furnished(behind_sessions: Site) -> Site:
    target = {"endpoint_id": 1, "actual_model": "demo"}
    behind_sessions.send("POST", "/virtual-models", {"name": "seen", "aliases": ["also-seen"], "targets": [target]})
    behind_sessions.send("POST", "/api-keys", {"label": "somebody's", "requests_per_minute": 7})
    assert behind_sessions.chat("seen").is_success
    return behind_sessions


def look(site: Site, visit: Callable[..., Page], **how: object) -> Page:
    page = visit(site.url(), **how)
    page.get_by_label("Session token").fill("viewer-token")
    page.get_by_role("button", name="Use this token").click()
    expect(page.get_by_role("heading", name="At a glance")).to_be_visible()
    return page


def offers(page: Page) -> list[str]:
    """What can be pressed or followed in the page, by its name."""
    main = page.get_by_role("main")
    pressed = [*main.get_by_role("button", disabled=False).all(), *main.get_by_role("link").all()]
    named = [each.get_attribute("aria-label") or each.inner_text() for each in pressed]
    return [name for name in named if CHANGES.match(name.strip())]


def test_lists_offer_no_change(furnished: Site, visit: Callable[..., Page]) -> None:
    page = look(furnished, visit)
    assert not offers(page)
    expect(page.get_by_text("First steps")).to_have_count(0)
    expect(page.get_by_text("Viewer: may look only")).to_be_visible()
    for path, shows in (
        ("/endpoints", "demo"),
        ("/virtual-models", "also-seen"),
        ("/patterns", "hermes"),
        ("/api-keys", "somebody's"),
        ("/usage", "Tokens per day"),
        ("/activity", "seen"),
        ("/audit", "pattern_name"),
    ):
        page.goto(furnished.url(path))
        expect(page.get_by_role("main").get_by_text(shows).first).to_be_visible()
        assert not offers(page), path
        expect(page.get_by_role("main").get_by_role("switch", name=re.compile("enabled"))).to_have_count(0)
        expect(page.get_by_role("columnheader", name="Actions")).to_have_count(1 if path == "/virtual-models" else 0)


def test_forms_are_to_be_read_and_say_why(furnished: Site, visit: Callable[..., Page]) -> None:
    page = look(furnished, visit)
    key = furnished.send("GET", "/api-keys")["items"][0]["id"]
    for path, field, value in (
        ("/endpoints/1", "Name", "demo"),
        ("/virtual-models/2", "Name", "seen"),
        ("/patterns/1", "Name", "fence_json"),
        (f"/api-keys/{key}", "Requests per minute", "7"),
        ("/settings", "Queue's source", "serverless-proxy"),
    ):
        page.goto(furnished.url(path))
        expect(page.get_by_text(LOOK_ONLY)).to_be_visible()
        expect(page.get_by_label(field).first).to_have_value(value)
        expect(page.get_by_label(field).first).to_be_disabled()
        assert not offers(page), path
        check_accessibility(page)
        keep_screenshot(page, f"viewer{path.replace('/', '-').removesuffix(key)}")
    page.goto(furnished.url("/patterns/builtin:hermes"))
    expect(page.get_by_text("What it looks like")).to_be_visible()
    assert not offers(page)


def test_what_is_new_is_for_administrators(furnished: Site, visit: Callable[..., Page]) -> None:
    page = look(furnished, visit, size=PHONE)
    for path in ("/endpoints/new", "/virtual-models/new", "/patterns/new", "/api-keys/new"):
        page.goto(furnished.url(path))
        expect(page.get_by_text(LOOK_ONLY)).to_be_visible()
        expect(page.get_by_role("main").get_by_role("textbox")).to_have_count(0)


def test_what_is_read_from_the_gateway_is_there(furnished: Site, visit: Callable[..., Page]) -> None:
    page = look(furnished, visit)
    page.goto(furnished.url("/endpoints/1"))
    page.get_by_role("button", name="Ask for its models").click()
    expect(page.get_by_role("list", name="Models")).to_contain_text("demo")
    page.goto(furnished.url("/settings"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Export YAML").click()
    assert "also-seen" in download.value.path().read_text()
    page.goto(furnished.url("/usage?range=24h"))
    page.get_by_role("button", name="Export CSV").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="for each attempt").click()
    assert "seen" in download.value.path().read_text()
    page.goto(furnished.url("/playground?model=seen"))
    page.get_by_label("Message").fill("Hello")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("link", name="Its record")).to_be_visible()
