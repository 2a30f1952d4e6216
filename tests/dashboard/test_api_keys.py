"""Client keys: made with limits, shown once, rotated, revoked."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import Site

pytestmark = pytest.mark.dashboard

KEY = re.compile(r"spk_[A-Za-z0-9_-]{40,}")


def shown_key(page: Page) -> str:
    text = page.get_by_label("The new key").inner_text()
    assert KEY.fullmatch(text)
    return text


def test_makes_a_key_shows_it_once_and_it_opens(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/api-keys"))
    page.get_by_role("button", name="Make a key").first.click()
    page.get_by_label("Label").fill("made in the page")
    page.get_by_label("Requests per minute").press_sequentially("60")
    page.get_by_label("Budget per day").press_sequentially("0.5")
    page.get_by_role("combobox", name="Allowed virtual models").click()
    page.get_by_role("option", name="demo", exact=True).click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Make the key").click()
    key = shown_key(page)
    (row,) = [each for each in site.send("GET", "/api-keys")["items"] if each["label"] == "made in the page"]
    assert (row["requests_per_minute"], row["daily_budget"], row["allowed_models"]) == (60, 0.5, ["demo"])
    expect(page.get_by_text("of $0.50")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="made in the page")).to_be_visible()
    assert key not in page.content()


def test_rotates_with_overlap_and_revokes_by_name(site: Site, visit: Callable[..., Page]) -> None:
    made = site.send("POST", "/api-keys", {"label": "turned over"})
    page = visit(site.url(f"/api-keys/{made['id']}"))
    page.get_by_role("button", name="Rotate").click()
    page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    assert shown_key(page) != made["api_key"]
    expect(page.get_by_text("The secret before the last rotation opens until")).to_be_visible()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("dialog")).to_contain_text("Revoke the key turned over?")
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page).to_have_url(re.compile(r"/api-keys$"))
    assert site.send("GET", f"/api-keys/{made['id']}")["status"] == "revoked"


def test_a_label_that_is_taken_is_said_at_the_field(site: Site, visit: Callable[..., Page]) -> None:
    site.send("POST", "/api-keys", {"label": "only one of me"})
    page = visit(site.url("/api-keys/new"))
    page.get_by_label("Label").fill("only one of me")
    page.get_by_label("Notes").fill("kept")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_text("another key has the label")).to_be_visible()
    expect(page.get_by_label("Notes")).to_have_value("kept")
