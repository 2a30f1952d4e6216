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


def test_times_in_filters_are_those_of_the_shown_zone(site: Site, visit: Callable[..., Page]) -> None:
    def show_in(zone: str | None) -> None:
        site.send("PUT", "/settings", {"version": site.send("GET", "/settings")["version"], "display_timezone": zone})

    show_in("Asia/Tokyo")
    page = visit(site.url("/activity"))
    expect(page.get_by_text("time of Asia/Tokyo").first).to_be_visible()
    page.get_by_label("Since").fill("2026-01-01T09:00")
    expect(page).to_have_url(site.url("/activity?since=1767225600"))
    show_in("Europe/Berlin")
    page.reload()
    expect(page.get_by_label("Since")).to_have_value("2026-01-01T01:00")
    show_in(None)


def test_a_request_is_found_by_its_id(site: Site, visit: Callable[..., Page]) -> None:
    wanted = site.chat("demo").headers["x-request-id"]
    page = visit(site.url("/activity"))
    page.get_by_label("Request").fill(wanted)
    expect(page.get_by_role("region", name="activity").get_by_role("row")).to_have_count(2)
