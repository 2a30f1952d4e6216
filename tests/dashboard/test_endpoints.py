"""Endpoints: made, tested, changed, switched, deleted."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import Site

pytestmark = pytest.mark.dashboard


def test_makes_an_endpoint_and_tests_it(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/endpoints"))
    page.get_by_role("link", name="Add endpoint").click()
    page.get_by_label("Name").fill("second demo")
    page.get_by_role("combobox", name="Type").click()
    page.get_by_role("option", name="Built-in demo").click()
    page.get_by_role("button", name="Add endpoint").click()
    expect(page.get_by_role("heading", name="second demo")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/proxy-dashboard/endpoints/\d+$"))
    page.get_by_role("button", name="Test the connection").click()
    expect(page.get_by_text("It works")).to_be_visible()
    page.get_by_role("link", name="Endpoints", exact=True).first.click()
    expect(page.get_by_role("link", name="second demo")).to_be_visible()
    (row,) = [each for each in site.send("GET", "/endpoints") if each["name"] == "second demo"]
    assert row["endpoint_type"] == "demo"
