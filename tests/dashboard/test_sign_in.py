"""Administrators sign in at an issuer that nobody here wrote, or at the session service of the original."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.dashboard.conftest import Site, check_accessibility, keep_screenshot

pytestmark = pytest.mark.dashboard

ID_TOKEN_SECONDS = 62  # the page renews one that has less than a minute left


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def guarded(start_site: Callable[..., Site]) -> Iterator[Site]:
    """A gateway whose administrators are vouched for by oidc-provider."""
    port, token_port, admin_port = free_port(), free_port(), free_port()
    script = Path(__file__).with_name("issuer.mjs")
    page = f"http://127.0.0.1:{admin_port}/"
    issuer = subprocess.Popen(
        ["node", str(script), str(port), str(token_port), page, str(ID_TOKEN_SECONDS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert issuer.stdout is not None
    said = b""
    for line in issuer.stdout:
        said += line
        if b"listening" in line:
            break
    else:
        pytest.fail(said.decode())
    drain = threading.Thread(target=issuer.stdout.read, daemon=True)
    drain.start()
    yield start_site(
        ADMIN_PORT=str(admin_port),
        ADMIN_AUTH="oidc",
        OIDC_ISSUER=f"http://127.0.0.1:{port}",
        OIDC_AUDIENCE="dashboard",
        OIDC_ADMIN_GROUP="admins",
        OIDC_ORIGINS=f"http://127.0.0.1:{token_port}",
    )
    issuer.terminate()
    issuer.wait(10)
    drain.join(10)
    issuer.stdout.close()


def sign_in(page: Page, name: str) -> None:
    page.get_by_role("button", name="Sign in").click()
    page.locator("[name=login]").fill(name)
    page.locator("[name=password]").fill("whatever")
    page.get_by_role("button", name=re.compile("Sign-in")).click()
    page.get_by_role("button", name="Continue").click()


def test_signs_in_with_pkce_renews_its_token_and_signs_out(guarded: Site, visit: Callable[..., Page]) -> None:
    page = visit(guarded.url("/endpoints?q=demo"))
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    check_accessibility(page)
    keep_screenshot(page, "sign-in")
    with page.expect_request(re.compile("/auth\\?")) as asked:
        sign_in(page, "root")
    assert "code_challenge_method=S256" in asked.value.url
    expect(page).to_have_url(guarded.url("/endpoints?q=demo"))
    expect(page.get_by_role("link", name="demo", exact=True)).to_be_visible()
    expect(page.get_by_text("root@example.org")).to_be_visible()
    assert "code=" not in page.url
    before = json.loads(page.evaluate("sessionStorage.getItem('sign-in.tokens')"))
    page.wait_for_timeout(2_500)  # less than a minute of the token's life is left then
    page.reload()
    expect(page.get_by_role("link", name="demo", exact=True)).to_be_visible()
    after = json.loads(page.evaluate("sessionStorage.getItem('sign-in.tokens')"))
    assert after["idToken"] != before["idToken"]
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name=re.compile("Yes", re.IGNORECASE)).click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_token_endpoint_that_the_policy_does_not_know_is_named(guarded: Site, visit: Callable[..., Page]) -> None:
    page = visit(guarded.url(), forgiven="Content Security Policy")

    def lead_elsewhere(route: Route) -> None:
        document = route.fetch().json()
        route.fulfill(json={**document, "token_endpoint": "https://token.example.net/token"})

    page.route("**/.well-known/openid-configuration", lead_elsewhere)
    sign_in(page, "root")
    expect(page.get_by_role("alert")).to_contain_text("https://token.example.net could not be asked")
    expect(page.get_by_role("alert")).to_contain_text("OIDC_ORIGINS")


def test_an_account_without_the_group_is_told_so(guarded: Site, visit: Callable[..., Page]) -> None:
    page = visit(guarded.url())
    sign_in(page, "somebody")
    expect(page.get_by_role("alert")).to_contain_text("This account may not administer the gateway.")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_an_answer_with_another_state_is_refused(guarded: Site, visit: Callable[..., Page]) -> None:
    page = visit(guarded.url())
    page.evaluate(
        "flight => sessionStorage.setItem('sign-in.flight', JSON.stringify(flight))",
        {"verifier": "v", "state": "mine", "nonce": "n", "from": "/"},
    )
    page.goto(f"{guarded.admin}/?code=stolen&state=theirs")
    expect(page.get_by_role("alert")).to_contain_text("The sign-in failed")


def test_a_session_of_the_service_opens_the_page(behind_sessions: Site, visit: Callable[..., Page]) -> None:
    page = visit(behind_sessions.url())
    login = page.get_by_role("link", name="Log in")
    expect(login).to_have_attribute("href", re.compile(r"/login\?redirect=%2Fproxy-dashboard"))
    page.context.add_cookies([{"name": "session", "value": "good", "url": behind_sessions.admin}])
    page.reload()
    expect(page.get_by_text("ada")).to_be_visible()
    expect(page.get_by_role("heading", name="At a glance")).to_be_visible()


def test_a_token_is_taken_where_no_cookie_is_and_forgotten_at_the_end(
    behind_sessions: Site, visit: Callable[..., Page]
) -> None:
    page = visit(behind_sessions.url())
    page.get_by_label("Session token").fill("wrong")
    page.get_by_role("button", name="Use this token").click()
    expect(page.get_by_role("alert")).to_contain_text("does not know this token")
    page.get_by_label("Session token").fill("good-token")
    page.get_by_role("button", name="Use this token").click()
    expect(page.get_by_role("heading", name="At a glance")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Session token")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_session_that_ends_while_somebody_writes_loses_nothing(
    behind_sessions: Site, visit: Callable[..., Page]
) -> None:
    page = visit(behind_sessions.url("/endpoints/1"))
    page.get_by_label("Session token").fill("good-token")
    page.get_by_role("button", name="Use this token").click()
    page.get_by_label("Priority").fill("3")
    ended = {"status": 401, "content_type": "application/json", "body": '{"error": "Unauthorized"}'}
    page.route("**/api/admin/endpoints/1", lambda route: route.fulfill(**ended))
    page.get_by_role("button", name="Save").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The session has ended")
    page.unroute("**/api/admin/endpoints/1")
    dialog.get_by_role("button", name="Go on").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_label("Priority")).to_have_value("3")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("demo is saved.")).to_be_visible()
