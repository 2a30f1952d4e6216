"""The playground: a streamed chat, tools and their results, thinking, the request for other tools."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import Site

pytestmark = pytest.mark.dashboard


def test_streams_an_answer_and_links_to_its_record(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/playground?model=demo"))
    page.get_by_label("Message").fill("Hello there")
    page.get_by_label("Message").press("Enter")
    answer = page.get_by_role("article").nth(1)
    expect(answer).to_contain_text("Hello there")
    expect(answer.get_by_text("demo › demo")).to_be_visible()
    expect(answer.get_by_text(re.compile("first word after .* whole after .* tokens? in"))).to_be_visible()
    answer.get_by_role("link", name="Its record").click()
    expect(page.get_by_role("heading", name="Attempt 1")).to_be_visible()


def test_words_appear_before_the_answer_is_whole(site: Site, visit: Callable[..., Page]) -> None:
    slow = site.send("POST", "/endpoints", {"name": "slow", "endpoint_type": "demo", "options": {"delay_ms": 400}})
    site.send("POST", "/virtual-models", {"name": "slow", "endpoint_id": slow["id"], "actual_model": "demo"})
    page = visit(site.url("/playground?model=slow"))
    page.get_by_label("Message").fill("Hello")
    page.get_by_role("button", name="Send").click()
    words = page.get_by_role("article").nth(1).locator(".words")
    expect(words).to_be_visible()
    first = words.inner_text()
    expect(words).not_to_have_text(first)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(page.get_by_text("ended: broken off")).to_be_visible()


def test_calls_a_tool_and_takes_its_result(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/playground?model=demo"))
    page.get_by_role("button", name="Use an example tool").click()
    page.get_by_label("Message").fill("How is the weather in Paris?")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_label("Call of get_weather")).to_contain_text("get_weather({")
    page.get_by_label("What get_weather returns").fill("sunny")
    page.get_by_role("button", name="Send the result").click()
    expect(page.get_by_role("article")).to_have_count(4)
    expect(page.get_by_role("article").nth(3)).to_contain_text("sunny")


def test_the_shown_curl_runs_as_it_is(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/playground?model=demo"))
    page.get_by_label("System prompt").fill("It's a test")
    page.get_by_label("Message").fill('Say "yes" & no')
    command = page.get_by_label("The request as curl").inner_text()
    ran = subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True, timeout=20)
    assert "data: [DONE]" in ran.stdout
    page.get_by_role("tab", name="Python").click()
    code = page.get_by_label("The request as Python").inner_text()
    compile(code, "snippet", "exec")
    assert "stream=True" in code


def test_says_what_the_gateway_refuses_and_keeps_the_question(site: Site, visit: Callable[..., Page]) -> None:
    page = visit(site.url("/playground?model=not-there"))
    page.get_by_label("Message").fill("Hello")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("Refused with HTTP 404")
    expect(page.get_by_role("article").first).to_contain_text("Hello")
    expect(page.get_by_role("button", name="Ask again")).to_be_visible()


def test_shows_a_key_where_clients_need_one(start_site: Callable[..., Site], visit: Callable[..., Page]) -> None:
    site = start_site(CLIENT_ACCESS="required")
    page = visit(site.url("/playground"))
    page.get_by_label("Message").fill("Hello")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("This gateway asks clients for a key")
    page.get_by_label("API key").fill(site.send("POST", "/api-keys", {"label": "page"})["api_key"])
    page.get_by_role("button", name="Ask again").click()
    expect(page.get_by_text("demo › demo")).to_be_visible()
