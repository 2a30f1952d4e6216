"""Activity: live, filtered, page by page, and one request with its attempts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import Site

pytestmark = pytest.mark.dashboard


def test_new_requests_come_by_themselves(site: Site, visit: Callable[..., Page]) -> None:
    site.send("POST", "/virtual-models", {"name": "watched", "endpoint_id": 1, "actual_model": "demo"})
    page = visit(site.url("/activity?model=watched"))
    expect(page.get_by_text("Nothing matches these filters")).to_be_visible()
    assert site.chat("watched").is_success
    expect(page.get_by_role("row").filter(has_text="watched")).to_have_count(1)
    page.get_by_role("button", name="Clear the filters").click()
    expect(page).to_have_url(site.url("/activity"))


def test_shows_every_attempt_of_a_request(site: Site, visit: Callable[..., Page]) -> None:
    dead = {"name": "dead", "endpoint_type": "openai", "url": "http://127.0.0.1:9", "priority": 5}
    dead_id = site.send("POST", "/endpoints", dead)["id"]
    targets = [{"endpoint_id": dead_id, "actual_model": "gone"}, {"endpoint_id": 1, "actual_model": "demo"}]
    site.send("POST", "/virtual-models", {"name": "rescued", "targets": targets, "cost_per_1m_tokens_in": 1})
    assert site.chat("rescued").is_success
    page = visit(site.url("/activity?model=rescued"))
    expect(page.get_by_role("row").filter(has_text="rescued")).to_have_count(2)
    page.get_by_role("row").filter(has_text="attempt 2").get_by_role("link").click()
    expect(page.get_by_role("heading", name="Attempt 1: dead › gone")).to_be_visible()
    expect(page.get_by_role("heading", name="Attempt 2: demo › demo")).to_be_visible()
    expect(page.get_by_role("region", name="Attempt 1")).to_contain_text("upstream_unreachable")
    page.reload()
    expect(page.get_by_role("heading", name="Attempt 2")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(site.url("/activity?model=rescued"))


def test_older_ones_are_a_page_away(site: Site, visit: Callable[..., Page]) -> None:
    site.send("POST", "/virtual-models", {"name": "busy", "endpoint_id": 1, "actual_model": "demo"})
    for _ in range(60):
        assert site.chat("busy").is_success
    page = visit(site.url("/activity?model=busy"))
    rows = page.get_by_role("row").filter(has_text="busy")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Show older ones").click()
    expect(rows).to_have_count(60)
