"""axe on every page in both schemes, at a desk and on a phone, with a screenshot of each kept as an artefact."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import DESK, PHONE, Site, check_accessibility, keep_screenshot

pytestmark = pytest.mark.dashboard


class Place(NamedTuple):
    name: str
    path: str
    shows: str


@pytest.fixture(scope="module")
def furnished(start_site: Callable[..., Site]) -> Site:
    """A gateway with something on every page."""
    site = start_site()
    dead = {"name": "openai", "endpoint_type": "openai", "url": "http://127.0.0.1:9", "priority": 10}
    dead_id = site.send("POST", "/endpoints", {**dead, "api_key": "sk-0123456789abcdefgh"})["id"]
    targets = [{"endpoint_id": dead_id, "actual_model": "gpt-5-mini"}, {"endpoint_id": 1, "actual_model": "demo"}]
    prices = {"cost_per_1m_tokens_in": 0.25, "cost_per_1m_tokens_out": 2}
    site.send("POST", "/virtual-models", {"name": "smart", "targets": targets, "description": "Falls back", **prices})
    site.send("POST", "/api-keys", {"label": "ci", "daily_budget": 5, "allowed_models": ["smart"]})
    for _ in range(4):
        assert site.chat("smart").is_success
    return site


def places(site: Site) -> list[Place]:
    key = site.send("GET", "/api-keys")["items"][0]["id"]
    request = site.send("GET", "/activity?model=smart")["items"][0]
    return [
        Place("overview", "/", "At a glance"),
        Place("endpoints", "/endpoints", "Add endpoint"),
        Place("endpoint", "/endpoints/2", "Ask for its models"),
        Place("endpoint-new", "/endpoints/new", "Add endpoint"),
        Place("virtual-models", "/virtual-models", "gpt-5-mini"),
        Place("virtual-model", "/virtual-models/2", "Add a fallback"),
        Place("patterns", "/patterns", "hermes"),
        Place("pattern", "/patterns/1", "What a model wrote"),
        Place("pattern-built-in", "/patterns/builtin:hermes", "The text that is left"),
        Place("usage", "/usage", "Tokens per day"),
        Place("activity", "/activity", "gpt-5-mini"),
        Place("request", f"/activity/{request['request_id']}?at={int(request['created_at'])}", "Attempt 2"),
        Place("api-keys", "/api-keys", "Make a key"),
        Place("api-key", f"/api-keys/{key}", "Cost today"),
        Place("playground", "/playground?model=demo", "Virtual model"),
        Place("audit", "/audit", "pattern_name"),
        Place("settings", "/settings", "Set by the deployment"),
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desk", "phone"])
def test_axe_finds_nothing_on_any_page(furnished: Site, visit: Callable[..., Page], scheme: str, device: str) -> None:
    page = visit(furnished.url(), scheme=scheme, size=PHONE if device == "phone" else DESK)
    for place in places(furnished):
        page.goto(furnished.url(place.path))
        expect(page.get_by_role("main").get_by_text(place.shows).first).to_be_visible()
        check_accessibility(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{place.name} is too wide"
        keep_screenshot(page, f"{place.name}-{device}-{scheme}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_what_opens_and_appears(furnished: Site, visit: Callable[..., Page], scheme: str) -> None:
    page = visit(furnished.url("/endpoints"), scheme=scheme)
    page.get_by_role("button", name="Delete openai").click()
    expect(page.get_by_role("dialog").get_by_text("smart")).to_be_visible()
    check_accessibility(page)
    keep_screenshot(page, f"dialog-{scheme}")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Test openai").click()
    expect(page.get_by_text("It cannot be reached")).to_be_visible()
    check_accessibility(page)
    keep_screenshot(page, f"notice-{scheme}")
    page.goto(furnished.url("/endpoints/new"))
    page.get_by_role("combobox", name="Type").click()
    expect(page.get_by_role("option", name="Ollama")).to_be_visible()
    check_accessibility(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Add endpoint").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    check_accessibility(page)
    keep_screenshot(page, f"refused-{scheme}")
    page.goto(furnished.url("/playground?model=demo"))
    page.get_by_role("button", name="Use an example tool").click()
    page.get_by_label("Message").fill("How is the weather in Paris?")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("button", name="Send the result")).to_be_visible()
    check_accessibility(page)
    keep_screenshot(page, f"conversation-{scheme}")
