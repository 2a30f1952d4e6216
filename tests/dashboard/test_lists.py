"""What every list has: loading, empty and error states, a search, sorting, and the next page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Page, Route, expect

from tests.dashboard.conftest import PHONE, Site

pytestmark = pytest.mark.dashboard


class Listed(NamedTuple):
    path: str
    call: str
    nothing: object
    empty: str


NO_RECORDS = {"items": [], "next_cursor": None, "count": 0}
LISTS = [
    Listed("/endpoints", "**/api/admin/endpoints", [], "No endpoints yet"),
    Listed("/virtual-models", "**/api/admin/virtual-models", [], "No virtual models yet"),
    Listed("/patterns", "**/api/admin/tool-patterns", [], "No patterns"),
    Listed("/api-keys", "**/api/admin/api-keys", {"items": []}, "No keys yet"),
    Listed("/activity", "**/api/admin/activity*", NO_RECORDS, "Nothing yet"),
    Listed("/audit", "**/api/admin/audit*", NO_RECORDS, "No changes yet"),
    Listed("/usage?by=model", "**/api/admin/usage/by_model*", [], "Nothing was used"),
    Listed("/usage?by=endpoint", "**/api/admin/usage/by_endpoint*", [], "Nothing was used"),
    Listed("/usage?by=key", "**/api/admin/usage/by_key*", NO_RECORDS, "Nothing was used"),
]


@pytest.mark.parametrize("listed", LISTS, ids=lambda each: each.path)
def test_says_that_it_loads_that_it_failed_and_that_there_is_nothing(
    site: Site, visit: Callable[..., Page], listed: Listed
) -> None:
    page = visit("about:blank")
    held: list[Route] = []
    answers: list[dict[str, Any]] = []  # the last one holds; without one the call waits

    def reply(route: Route) -> None:
        if answers:
            route.fulfill(**answers[-1])
        else:
            held.append(route)

    page.route(listed.call, reply)
    page.goto(site.url(listed.path))
    expect(page.get_by_role("main").get_by_role("status", name="Loading").first).to_be_visible()
    while not held:
        page.wait_for_timeout(20)
    answers.append({"status": 422, "json": {"error": {"message": "the store is away"}}})
    for each in held:
        each.fulfill(**answers[-1])
    alert = page.get_by_role("main").get_by_role("alert").filter(has_text="the store is away").first
    expect(alert).to_be_visible()
    answers.append({"json": listed.nothing})
    alert.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("main").get_by_text(listed.empty).first).to_be_visible()


@pytest.fixture(scope="module")
def many(site: Site) -> Site:
    target = {"endpoint_id": 1, "actual_model": "demo"}
    for number in range(120):
        site.send("POST", "/virtual-models", {"name": f"many-{number:03}", "targets": [target]})
    return site


def test_a_long_list_is_searched_sorted_and_shown_in_parts(many: Site, visit: Callable[..., Page]) -> None:
    page = visit(many.url("/virtual-models?q=many-"))
    rows = page.get_by_role("row").filter(has_text="many-")
    expect(rows).to_have_count(100)
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(120)
    page.get_by_role("button", name="Name").click()
    expect(rows.first).to_contain_text("many-119")
    page.get_by_label("Search virtual models").fill("many-007")
    expect(rows).to_have_count(1)
    page.reload()
    expect(rows).to_have_count(1)


def test_on_a_phone_rows_are_cards_that_can_be_sorted(many: Site, visit: Callable[..., Page]) -> None:
    page = visit(many.url("/virtual-models?q=many-"), size=PHONE)
    rows = page.get_by_role("row").filter(has_text="many-")
    expect(rows.first).to_contain_text("many-000")
    page.get_by_role("button", name="Upwards").click()
    expect(rows.first).to_contain_text("many-119")
    first = rows.first.get_by_role("cell")
    assert first.nth(0).bounding_box()["y"] < first.nth(1).bounding_box()["y"]


def test_records_are_sorted_among_those_that_are_loaded(site: Site, visit: Callable[..., Page]) -> None:
    for number in range(60):
        site.send("PUT", "/endpoints/1", {"priority": number})
    page = visit(site.url("/audit?subject=demo"))
    rows = page.get_by_role("row").filter(has_text="priority")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Who").click()
    expect(page.get_by_text("Sorted are the 50 changes that are loaded.")).to_be_visible()
    page.get_by_role("button", name="Show older ones").click()
    expect(rows.nth(55)).to_be_visible()
