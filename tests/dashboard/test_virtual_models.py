"""Virtual models: made with targets in order, prices and defaults, changed, deleted."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import Site

pytestmark = pytest.mark.dashboard


def test_makes_one_with_a_fallback_prices_and_defaults(site: Site, visit: Callable[..., Page]) -> None:
    spare = site.send("POST", "/endpoints", {"name": "spare", "endpoint_type": "demo"})["id"]
    page = visit(site.url("/virtual-models"))
    page.get_by_role("link", name="Add virtual model").click()
    page.get_by_label("Name").fill("made in the page")
    aliases = page.get_by_role("combobox", name="Aliases")
    aliases.press_sequentially("first alias")
    aliases.press("Enter")
    aliases.press_sequentially("gpt-4o-mini")
    aliases.press("Enter")
    first = page.get_by_role("group", name="Asked first")
    first.get_by_role("combobox", name="Endpoint").click()
    page.get_by_role("option", name="demo", exact=True).click()
    expect(first.get_by_text("The endpoint offers 1")).to_be_visible()
    first.get_by_role("combobox", name="Actual model").fill("demo")
    page.get_by_role("button", name="Add a fallback").click()
    fallback = page.get_by_role("group", name="Fallback 1")
    fallback.get_by_role("combobox", name="Endpoint").click()
    page.get_by_role("option", name="spare").click()
    fallback.get_by_role("combobox", name="Actual model").fill("spare-model")
    page.get_by_role("button", name="Move target 2 up").click()
    page.get_by_label("Input", exact=True).press_sequentially("0.25")
    page.get_by_label("Output", exact=True).press_sequentially("2.000001")
    page.get_by_text("Defaults, headers and streaming").click()
    page.get_by_label("Temperature").press_sequentially("0.05")
    page.get_by_role("button", name="Add a header").click()
    page.get_by_label("Name of header 1").fill("X-Api-Key")
    page.get_by_label("Value of header 1").fill("a secret value")
    page.get_by_role("button", name="Add virtual model").click()
    expect(page).to_have_url(re.compile(r"/virtual-models/\d+$"))
    expect(page.get_by_label("Value of header 1")).to_have_value("********")
    (row,) = [each for each in site.send("GET", "/virtual-models") if each["name"] == "made in the page"]
    assert row["aliases"] == ["first alias", "gpt-4o-mini"]
    assert row["targets"] == [
        {"endpoint_id": spare, "actual_model": "spare-model"},
        {"endpoint_id": 1, "actual_model": "demo"},
    ]
    assert (row["cost_per_1m_tokens_in"], row["cost_per_1m_tokens_out"]) == (0.25, 2.000001)
    assert row["temperature"] == 0.05
    assert row["max_tokens"] is None


def test_a_name_that_is_taken_is_said_at_the_field(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/virtual-models/new?endpoint=1&model=demo"))
    page.get_by_label("Name").fill("demo")
    page.get_by_label("Description").fill("kept through the refusal")
    page.get_by_role("button", name="Add virtual model").click()
    expect(page.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Description")).to_have_value("kept through the refusal")


def test_an_alias_that_is_taken_is_said_at_the_field(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/virtual-models/new?endpoint=1&model=demo"))
    page.get_by_label("Name").fill("not demo")
    aliases = page.get_by_role("combobox", name="Aliases")
    aliases.press_sequentially("demo")
    aliases.press("Enter")
    page.get_by_role("button", name="Add virtual model").click()
    expect(page.get_by_text("Look at the marked fields")).to_be_visible()
    expect(aliases).to_have_attribute("aria-invalid", "true")


def test_published_prices_are_proposed_and_taken_on_request(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/virtual-models/new?endpoint=1&model=gpt-4o-mini"))
    page.get_by_role("button", name="Propose prices of gpt-4o-mini").click()
    expect(page.get_by_label("Input", exact=True)).to_have_value("")
    page.get_by_role("button", name="Use these").first.click()
    expect(page.get_by_label("Input", exact=True)).to_have_value(re.compile(r"^\$\d"))


def test_changes_one_and_shows_the_history_of_its_prices(site: Site, visit: Callable[..., Page]) -> None:
    target = {"endpoint_id": 1, "actual_model": "demo"}
    made = site.send("POST", "/virtual-models", {"name": "repriced", "targets": [target], "cost_per_1m_tokens_in": 1})
    page = visit(site.url(f"/virtual-models/{made['id']}"))
    page.get_by_label("Input", exact=True).fill("")
    page.get_by_label("Input", exact=True).press_sequentially("3.5")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("repriced is saved.")).to_be_visible()
    page.get_by_text("History of prices (2)").click()
    expect(page.get_by_role("cell", name="$3.50")).to_be_visible()


def test_deletes_one_by_name(site: Site, visit: Callable[..., Page]) -> None:
    site.send("POST", "/virtual-models", {"name": "short-lived", "endpoint_id": 1, "actual_model": "demo"})
    page = visit(site.url("/virtual-models?q=short-lived"))
    page.get_by_role("button", name="Delete short-lived").click()
    expect(page.get_by_role("dialog")).to_contain_text("Clients that ask for short-lived get an error")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("The virtual model short-lived is deleted.")).to_be_visible()
    assert "short-lived" not in [each["name"] for each in site.send("GET", "/virtual-models")]
