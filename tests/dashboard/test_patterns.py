"""Patterns: one list, an editor whose trial marks what is read while it is written."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import Site

pytestmark = pytest.mark.dashboard


def test_writes_a_pattern_while_trying_it(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/patterns"))
    page.get_by_role("link", name="Add pattern").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("execute")
    page.get_by_role("combobox", name="Type").click()
    page.get_by_role("option", name="Brackets").click()
    page.get_by_label("What a model wrote").fill("Gern 🙂: [EXECUTE:bash:ls -la] und weiter")
    page.get_by_label("Regular expression").fill(r"\[EXECUTE:(\w+):([^\]]+)\]")
    expect(page.get_by_text("1 call", exact=True)).to_be_visible()
    expect(page.locator("mark")).to_have_text("[EXECUTE:bash:ls -la]")
    expect(page.get_by_label("The text that is left")).to_contain_text("Gern 🙂:  und weiter")
    page.get_by_role("button", name="Add pattern").click()
    expect(page).to_have_url(re.compile(r"/patterns/\d+$"))
    (row,) = [each for each in site.send("GET", "/tool-patterns") if each["pattern_name"] == "execute"]
    assert (row["pattern_type"], row["tool_name_group"]) == ("bracket", 1)


def test_says_at_the_field_what_the_engine_cannot_use(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/patterns/new"))
    page.get_by_role("textbox", name="Name", exact=True).fill("broken")
    page.get_by_label("Regular expression").fill(r"(?<=x)y(")
    page.get_by_role("button", name="Add pattern").click()
    expect(page.get_by_label("Regular expression")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Regular expression")).to_have_value(r"(?<=x)y(")


def test_switches_a_built_in_format_and_tries_its_example(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/patterns?which=builtin&q=nexus"))
    page.get_by_role("link", name="nexus").click()
    expect(page.get_by_text("1 call", exact=True)).to_be_visible()
    page.get_by_role("switch", name="nexus enabled").press("Space")
    expect(page.get_by_text("nexus is disabled.")).to_be_visible()
    assert not site.send("GET", "/tool-patterns/builtin:nexus")["enabled"]
    page.go_back()
    expect(page.get_by_role("switch", name="nexus enabled")).not_to_be_checked()


def test_deletes_a_pattern_by_name(site: Site, visit: Callable[..., Page]) -> None:
    site.send("POST", "/tool-patterns", {"pattern_name": "passing", "regex_pattern": r"<x>(\w+)</x>"})
    page = visit(site.url("/patterns?q=passing"))
    page.get_by_role("button", name="Delete passing").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("The pattern passing is deleted.")).to_be_visible()
