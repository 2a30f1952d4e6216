"""Audit and settings, and the configuration as a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import Site

pytestmark = pytest.mark.dashboard


def test_the_audit_says_what_was_before_and_after(site: Site, visit: Callable[..., Page]) -> None:
    made = site.send(
        "POST", "/endpoints", {"name": "audited", "endpoint_type": "openai", "api_key": "sk-secret-value-1"}
    )
    site.send("PUT", f"/endpoints/{made['id']}", {"priority": 42})
    page = visit(site.url("/audit?subject=audited"))
    rows = page.get_by_role("row").filter(has_text="audited")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("Changed")
    expect(rows.first).to_contain_text("priority: 0 → 42")
    page.get_by_role("combobox", name="Action").click()
    page.get_by_role("option", name="Created").click()
    expect(rows).to_have_count(1)
    assert "sk-secret-value" not in page.content()


def test_a_setting_is_changed_and_left_to_the_deployment_again(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/settings"))
    field = page.get_by_label("Longest answer of keys with a budget", exact=True)
    field.fill("")
    field.press_sequentially("4096")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The settings are saved.")).to_be_visible()
    rows = {row["name"]: row for row in site.send("GET", "/settings")["settings"]}
    assert (rows["budget_output_tokens"]["value"], rows["budget_output_tokens"]["source"]) == (4096, "dashboard")
    page.get_by_role("button", name="Leave Longest answer of keys with a budget to the deployment").click()
    page.get_by_role("button", name="Save").click()
    expect(field).to_have_value("8192")
    expect(page.get_by_role("button", name="Leave Longest answer")).to_have_count(0)


def test_a_wrong_setting_is_refused_at_its_field(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/settings"))
    page.get_by_role("textbox", name="Queue's URL").fill("not a URL")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("textbox", name="Queue's URL")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("textbox", name="Queue's URL")).to_have_value("not a URL")


def test_times_are_shown_in_the_zone_of_the_settings(
    start_site: Callable[..., Site], visit: Callable[..., Page]
) -> None:
    site = start_site()
    page = visit(site.url("/settings"))
    page.get_by_role("combobox", name="Time zone").click()
    page.get_by_role("combobox", name="Time zone").fill("Kolkata")
    page.get_by_role("option", name="Asia/Kolkata").click()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Usage and cost").click()
    expect(page.get_by_text("days are those of Asia/Kolkata")).to_be_visible()


def test_the_configuration_goes_out_and_comes_in_after_its_difference(
    start_site: Callable[..., Site], visit: Callable[..., Page], tmp_path: Path
) -> None:
    site = start_site()
    page = visit(site.url("/settings"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Export YAML").click()
    text = download.value.path().read_text()
    assert "demo://built-in" in text
    page.get_by_label("YAML to import").fill(text)
    page.get_by_role("button", name="Show the difference").click()
    expect(page.get_by_text("Nothing would change.")).to_be_visible()
    page.get_by_label("YAML to import").fill(text.replace("name: demo\n", "name: renamed\n", 1))
    expect(page.get_by_text("Nothing would change.")).to_have_count(0)
    page.get_by_role("button", name="Show the difference").click()
    expect(page.get_by_text("An import would make")).to_be_visible()
    assert [each["name"] for each in site.send("GET", "/endpoints")] == ["demo"]
    page.get_by_role("button", name="Import 1 change").click()
    expect(page.get_by_text("1 change imported.")).to_be_visible()
    assert [each["name"] for each in site.send("GET", "/endpoints")] == ["demo", "renamed"]
