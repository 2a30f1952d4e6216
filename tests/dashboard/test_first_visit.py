"""Somebody who has configured nothing is led from an endpoint to a first answer, and the frame around the pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import PHONE, Site, keep_screenshot

pytestmark = pytest.mark.dashboard


def test_leads_from_an_endpoint_to_a_first_answer(start_site: Callable[..., Site], visit: Callable[..., Page]) -> None:
    backend, site = start_site(), start_site()  # another gateway is an OpenAI-compatible backend
    page = visit(site.url())
    expect(page.get_by_role("heading", name="First steps")).to_be_visible()
    keep_screenshot(page, "first-visit")
    page.get_by_role("link", name="Add endpoint").click()
    page.get_by_label("Name").fill("backend")
    page.get_by_label("URL").fill(backend.api)
    page.get_by_role("button", name="Add endpoint").click()
    page.get_by_role("button", name="Test the connection").click()
    expect(page.get_by_text("it lists 1 model")).to_be_visible()
    page.get_by_role("link", name="Overview").click()
    page.get_by_role("link", name="Add virtual model").click()
    page.get_by_label("Name").fill("first")
    page.get_by_role("combobox", name="Actual model").fill("demo")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Add virtual model").click()
    expect(page.get_by_role("heading", name="first")).to_be_visible()
    page.get_by_role("link", name="Overview").click()
    page.get_by_role("link", name="Open the playground").click()
    page.get_by_label("Message").fill("Hello")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("backend › demo")).to_be_visible()
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("heading", name="At a glance")).to_be_visible()
    expect(page.get_by_role("heading", name="First steps")).to_have_count(0)


def test_a_link_to_anywhere_opens_there(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/activity?status=failed"))
    expect(page.get_by_role("combobox", name="Outcome")).to_have_value("Failed")
    page = visit(f"{site.admin}/")
    expect(page).to_have_url(site.url())
    page = visit(site.url("/nowhere/at/all"))
    expect(page.get_by_text("There is no such page")).to_be_visible()


def test_the_scheme_is_chosen_and_kept(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url())
    root = page.locator("html")
    expect(root).to_have_attribute("data-mantine-color-scheme", "light")
    page.get_by_role("button", name="Use dark colours").click()
    expect(root).to_have_attribute("data-mantine-color-scheme", "dark")
    page.reload()
    expect(root).to_have_attribute("data-mantine-color-scheme", "dark")


def test_a_phone_has_a_menu(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url(), size=PHONE)
    expect(page.get_by_role("link", name="Endpoints")).to_be_hidden()
    page.get_by_role("button", name="Open the menu").click()
    page.get_by_role("navigation").get_by_role("link", name="Endpoints").click()
    expect(page.get_by_role("heading", name="Endpoints")).to_be_visible()
    expect(page.get_by_role("navigation")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_keyboard_is_enough(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/endpoints"))
    expect(page.get_by_role("link", name="Add endpoint")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Add endpoint")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("by keyboard")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", name="Built-in demo")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_label("URL").press("Enter")
    expect(page.get_by_role("heading", name="by keyboard")).to_be_visible()


def test_a_gateway_that_went_away_is_said(start_site: Callable[..., Site], visit: Callable[..., Page]) -> None:
    site = start_site()
    page = visit(site.url("/patterns"))
    expect(page.get_by_role("link", name="hermes", exact=True)).to_be_visible()
    page.route("**/api/admin/endpoints", lambda route: route.abort())
    page.get_by_role("link", name="Endpoints", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The gateway cannot be reached")
    page.unroute("**/api/admin/endpoints")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("link", name="demo", exact=True)).to_be_visible()
