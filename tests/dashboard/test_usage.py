"""Usage and cost: cards, charts, tables and CSV over the same requests; and the overview of the day."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import Site

pytestmark = pytest.mark.dashboard


@pytest.fixture(scope="module")
def used(start_site: Callable[..., Site]) -> Iterator[Site]:
    """A gateway with three priced requests and one failed attempt, all of them counted."""
    site = start_site()
    prices = {"cost_per_1m_tokens_in": 1000, "cost_per_1m_tokens_out": 2000}
    site.send("POST", "/virtual-models", {"name": "priced", "endpoint_id": 1, "actual_model": "demo", **prices})
    dead = site.send("POST", "/endpoints", {"name": "dead", "endpoint_type": "openai", "url": "http://127.0.0.1:9"})
    site.send("POST", "/virtual-models", {"name": "broken", "endpoint_id": dead["id"], "actual_model": "gone"})
    for _ in range(3):
        assert site.chat("priced").is_success
    assert site.chat("broken").status_code == 502
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(KeyError):
            if site.send("GET", "/usage")["summary"]["request_count"] == 4:
                yield site
                return
        time.sleep(0.2)
    raise AssertionError(site.send("GET", "/usage")["summary"])


def test_the_tables_say_what_the_api_says(used: Site, visit: Callable[..., Page]) -> None:
    summary = used.send("GET", "/usage")["summary"]
    page = visit(used.url("/usage?range=24h"))
    expect(page.get_by_role("definition").filter(has_text="4 attempts")).to_be_visible()
    day = page.get_by_role("region", name="usage by day").get_by_role("row").nth(1)
    expect(day).to_contain_text(str(summary["total_prompt_tokens"]))
    expect(page.get_by_role("rowheader", name="priced")).to_be_visible()
    expect(page.get_by_role("img", name="Tokens per hour")).to_be_visible()
    page.get_by_role("tab", name="By endpoint").click()
    expect(page.get_by_role("row").filter(has_text="dead")).to_contain_text("100 %")
    page.get_by_role("tab", name="By key").click()
    expect(page.get_by_role("row").filter(has_text="without a key")).to_be_visible()
    page.get_by_role("tab", name="By model").click()
    expect(page.get_by_role("row").filter(has_text="priced")).to_be_visible()
    page.reload()
    expect(page.get_by_role("tab", name="By model")).to_have_attribute("aria-selected", "true")


def test_filters_narrow_all_of_it(used: Site, visit: Callable[..., Page]) -> None:
    page = visit(used.url("/usage"))
    page.get_by_role("combobox", name="Virtual model").click()
    page.get_by_role("option", name="priced").click()
    expect(page.get_by_role("definition").filter(has_text="3 attempts")).to_be_visible()
    expect(page.get_by_role("rowheader", name="broken")).to_have_count(0)
    page.get_by_text("Custom", exact=True).click()
    expect(page.get_by_text("Choose the first and the last day.")).to_be_visible()
    page.get_by_role("textbox", name="From").fill("2020-01-01")
    page.get_by_role("textbox", name="To").fill("2020-01-03")
    expect(page.get_by_text("Nothing was used")).to_be_visible()


def test_exports_the_same_requests_as_csv(used: Site, visit: Callable[..., Page]) -> None:
    page = visit(used.url("/usage?range=24h&model=priced"))
    page.get_by_role("button", name="Export CSV").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="for each attempt").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert len(rows) == 3


def test_exports_what_the_table_of_days_shows_as_csv(used: Site, visit: Callable[..., Page]) -> None:
    page = visit(used.url("/usage?range=24h"))
    for choice, lines in (("A line for each day", 1), ("for each day and model", 2), ("for each day and endpoint", 2)):
        page.get_by_role("button", name="Export CSV").click()
        with page.expect_download() as download:
            page.get_by_role("menuitem", name=choice, exact=choice.startswith("A")).click()
        rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
        assert len(rows) >= lines, choice
    page.goto(used.url("/usage?range=24h&model=priced"))
    page.get_by_role("button", name="Export CSV").click()
    expect(page.get_by_role("menuitem", name="for each day and endpoint")).to_be_disabled()


def test_days_are_sorted_by_any_figure(used: Site, visit: Callable[..., Page]) -> None:
    page = visit(used.url("/usage?range=24h"))
    table = page.get_by_role("region", name="usage by day")
    table.get_by_role("button", name="Attempts").click()
    expect(table.get_by_role("columnheader", name="Attempts")).to_have_attribute("aria-sort", "descending")
    expect(table.get_by_role("row").nth(2)).to_contain_text("priced")
    table.get_by_role("button", name="Attempts").click()
    expect(table.get_by_role("row").nth(2)).to_contain_text("broken")


def test_the_overview_counts_them_and_names_what_failed(used: Site, visit: Callable[..., Page]) -> None:
    page = visit(used.url())
    expect(page.get_by_role("definition").filter(has_text="1 failed")).to_be_visible()
    expect(page.get_by_role("list", name="Failed lately").get_by_role("link", name="broken")).to_be_visible()
    expect(page.get_by_role("list", name="Endpoints")).to_contain_text("Fails: upstream_unreachable")
