"""Endpoints: made, tested, changed, switched, deleted."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import Site

pytestmark = pytest.mark.dashboard


def choose_type(page: Page, label: str) -> None:
    page.get_by_role("combobox", name="Type").click()
    page.get_by_role("option", name=label).click()


def test_makes_an_endpoint_tests_it_and_finds_its_models(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/endpoints"))
    page.get_by_role("link", name="Add endpoint").click()
    page.get_by_label("Name").fill("second demo")
    choose_type(page, "Built-in demo")
    page.get_by_role("button", name="Add endpoint").click()
    expect(page.get_by_role("heading", name="second demo")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/proxy-dashboard/endpoints/\d+$"))
    page.get_by_role("button", name="Test the connection").click()
    expect(page.get_by_text("It works", exact=True)).to_be_visible()
    page.get_by_role("button", name="Ask for its models").click()
    page.get_by_role("link", name="Make a virtual model of demo").click()
    expect(page.get_by_role("combobox", name="Actual model")).to_have_value("demo")
    page.get_by_role("link", name="Endpoints", exact=True).click()
    expect(page.get_by_role("link", name="second demo")).to_be_visible()
    (row,) = [each for each in site.send("GET", "/endpoints") if each["name"] == "second demo"]
    assert row["endpoint_type"] == "demo"


def test_shows_what_the_server_refuses_and_loses_nothing(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/endpoints/new"))
    page.get_by_label("Name").fill("typed with care")
    page.get_by_label("URL").fill("ftp://nowhere")
    page.get_by_label("API key").fill("sk-0123456789abcdefgh")
    page.get_by_role("button", name="Add endpoint").click()
    expect(page.get_by_text("must begin with http:// or https://")).to_be_visible()
    expect(page.get_by_label("URL")).to_be_focused()
    expect(page.get_by_label("Name")).to_have_value("typed with care")
    expect(page.get_by_label("API key")).to_have_value("sk-0123456789abcdefgh")
    page.get_by_label("URL").fill("http://127.0.0.1:9")
    page.get_by_role("button", name="Add endpoint").click()
    expect(page.get_by_role("heading", name="typed with care")).to_be_visible()
    expect(page.get_by_text("A key that ends with efgh is stored.")).to_be_visible()
    assert "0123456789" not in page.content()
    page.get_by_role("button", name="Test the connection").click()
    expect(page.get_by_text("It cannot be reached")).to_be_visible()


def test_asks_before_unsaved_changes_are_left(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/endpoints/1"))
    page.get_by_label("Name").fill("half a thought")
    page.get_by_role("link", name="Activity", exact=True).click()
    expect(page.get_by_text("Leave without saving?")).to_be_visible()
    page.get_by_role("button", name="Stay").click()
    expect(page.get_by_label("Name")).to_have_value("half a thought")
    page.get_by_role("link", name="Activity", exact=True).click()
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_role("heading", name="Activity")).to_be_visible()


def test_tells_of_somebody_elses_change(site: Site, visit: Callable[..., Page]) -> None:
    made = site.send("POST", "/endpoints", {"name": "edited by two", "endpoint_type": "demo"})
    page = visit(site.url(f"/endpoints/{made['id']}"))
    page.get_by_label("Name").fill("mine")
    site.send("PUT", f"/endpoints/{made['id']}", {"priority": 7})
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Somebody else has changed this meanwhile")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("mine")
    page.get_by_role("button", name="Save mine over it").click()
    expect(page.get_by_role("heading", name="mine")).to_be_visible()
    assert site.send("GET", f"/endpoints/{made['id']}")["name"] == "mine"


def test_switches_one_off_in_the_list(site: Site, visit: Callable[..., Page]) -> None:
    made = site.send("POST", "/endpoints", {"name": "switched", "endpoint_type": "demo"})
    page = visit(site.url("/endpoints?q=switched"))
    page.get_by_role("switch", name="switched enabled").press("Space")
    expect(page.get_by_text("switched is disabled.")).to_be_visible()
    assert not site.send("GET", f"/endpoints/{made['id']}")["enabled"]


def test_names_what_a_deletion_takes_along(site: Site, visit: Callable[..., Page]) -> None:
    doomed = site.send("POST", "/endpoints", {"name": "doomed", "endpoint_type": "demo"})["id"]
    other = site.send("POST", "/endpoints", {"name": "other one", "endpoint_type": "demo"})["id"]
    alone = {"endpoint_id": doomed, "actual_model": "demo"}
    site.send("POST", "/virtual-models", {"name": "leads only there", "targets": [alone]})
    both = [alone, {"endpoint_id": other, "actual_model": "demo"}]
    site.send("POST", "/virtual-models", {"name": "leads elsewhere too", "targets": both})
    page = visit(site.url("/endpoints"))
    page.get_by_role("button", name="Delete doomed").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("leads only there")).to_be_visible()
    expect(dialog.get_by_text("leads elsewhere too")).to_be_visible()
    dialog.get_by_role("button", name="Delete it and 1 virtual model").click()
    expect(page.get_by_text("doomed is deleted.")).to_be_visible()
    left = [each["name"] for each in site.send("GET", "/virtual-models")]
    assert "leads only there" not in left
    assert "leads elsewhere too" in left


def test_searches_and_sorts_and_keeps_both_in_the_address(site: Site, visit: Callable[..., Page]) -> None:
    for name in ("sort b", "sort a"):
        site.send("POST", "/endpoints", {"name": name, "endpoint_type": "demo"})
    page = visit(site.url("/endpoints"))
    page.get_by_role("searchbox").press_sequentially("sort ")
    links = page.get_by_role("table").get_by_role("link")
    expect(links).to_have_text(["sort a", "sort b"])
    page.get_by_role("button", name="Name").click()
    expect(links).to_have_text(["sort b", "sort a"])
    page.reload()
    expect(links).to_have_text(["sort b", "sort a"])
    expect(page.get_by_role("searchbox")).to_have_value("sort ")
    page.get_by_role("searchbox").fill("nothing like it")
    expect(page.get_by_text("Nothing matches")).to_be_visible()


def test_says_when_there_is_no_such_endpoint(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/endpoints/9999"))
    expect(page.get_by_role("alert")).to_contain_text("Not found")


def test_a_script_in_a_name_stays_text(site: Site, visit: Callable[..., Page]) -> None:
    name = '<img src=x onerror="document.title=1">'
    site.send("POST", "/endpoints", {"name": name, "endpoint_type": "demo"})
    page = visit(site.url("/endpoints"))
    expect(page.get_by_role("link", name=name)).to_be_visible()
    assert page.locator("table img").count() == 0


def test_another_origin_asks_for_the_key_again(site: Site, visit: Callable[..., Page]) -> None:
    body = {"name": "moving", "endpoint_type": "openai", "url": "http://127.0.0.1:9", "api_key": "sk-0123456789abcdef"}
    made = site.send("POST", "/endpoints", body)
    page = visit(site.url(f"/endpoints/{made['id']}"))
    page.get_by_label("URL").fill("http://127.0.0.1:19")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("textbox", name="API key")).to_have_attribute("aria-invalid", "true")
    page.get_by_role("textbox", name="API key").fill("sk-another-0123456789")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("moving is saved.")).to_be_visible()
