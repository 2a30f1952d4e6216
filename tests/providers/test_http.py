"""URLs, retry-after and the words of refusals."""

import email.utils
import time

import pytest

from shared.errors import UpstreamMalformed
from shared.providers.http import error_words, join_url, parse_object, refuse, retry_after_seconds

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("base", "path", "joined"),
    [
        ("https://host", CHAT, "https://host/v1/chat/completions"),
        ("https://host/", CHAT, "https://host/v1/chat/completions"),
        ("https://host/v1", CHAT, "https://host/v1/chat/completions"),
        ("https://host/v1//", CHAT, "https://host/v1/chat/completions"),
        (" https://host:8443/proxy/v1/ ", CHAT, "https://host:8443/proxy/v1/chat/completions"),
        ("https://host/v1/chat/completions", CHAT, "https://host/v1/chat/completions"),
        ("https://host/v1?key=x#y", CHAT, "https://host/v1/chat/completions"),
        ("https://api.deepinfra.com", "/v1/openai/models", "https://api.deepinfra.com/v1/openai/models"),
        ("https://api.deepinfra.com/v1/openai", "/v1/openai/models", "https://api.deepinfra.com/v1/openai/models"),
        ("https://api.deepinfra.com/v1/", "/v1/openai/models", "https://api.deepinfra.com/v1/openai/models"),
        ("http://[::1]:11434/api", "/api/chat", "http://[::1]:11434/api/chat"),
        ("https://host/v11", CHAT, "https://host/v11/v1/chat/completions"),
    ],
)
def test_urls_join_however_they_are_written(base: str, path: str, joined: str) -> None:
    assert join_url(base, path) == joined


def test_retry_after_is_read_as_seconds_as_a_date_and_in_milliseconds() -> None:
    assert retry_after_seconds({"retry-after": "7"}) == 7
    assert retry_after_seconds({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    date = email.utils.formatdate(time.time() + 60, usegmt=True)
    assert retry_after_seconds({"retry-after": date}) == pytest.approx(60, abs=2)
    assert retry_after_seconds({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    for rubbish in ("soon", "-1", "nan", "inf", ""):
        assert retry_after_seconds({"retry-after": rubbish}) is None
    assert retry_after_seconds({"retry-after": "99999999"}) == 86_400


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error":{"message":"no","type":"x","param":"n","code":"c"}}', ("no", "c", "n")),
        (b'{"error":"no such model"}', ("no such model", None, None)),
        (b'{"detail":"Not Found"}', ("Not Found", None, None)),
        (b'{"detail":[{"loc":["body"],"msg":"field required"}]}', ("field required", None, None)),
        (b'{"detail":[{"loc":["body","n",0],"msg":"field required"}]}', ("field required", None, "n.0")),
        (b'{"error_type":"x","error_message":"busy"}', ("busy", None, None)),
        (rb'{"error":"{\"error\": {\"message\": \"queue full\", \"code\": \"full\"}}"}', ("queue full", "full", None)),
        (b'[{"error":{"message":"listed"}}]', ("listed", None, None)),
        (b'{"error":{"message":"code is a number","code":400}}', ("code is a number", None, None)),
        (b"Internal Server Error", ("Internal Server Error", None, None)),
        (b"<html><body>oops</body></html>", (None, None, None)),
        (b"", (None, None, None)),
        (b'{"error":null}', (None, None, None)),
        (b'{"error":{}}', (None, None, None)),
        (b"[]", (None, None, None)),
        (b"7", (None, None, None)),
    ],
)  # fmt: skip
def test_the_words_of_an_error_body_are_found(body: bytes, words: tuple[str | None, str | None, str | None]) -> None:
    assert error_words(body) == words


def test_words_that_look_like_keys_are_masked_and_bounded() -> None:
    message, _, _ = error_words(b'{"error":{"message":"Incorrect API key provided: sk-proj-abcdef123456. \\u0007See"}}')
    assert (
        message == "Incorrect API key provided: [masked]. See" or message == "Incorrect API key provided: [masked]  See"
    )
    long, _, _ = error_words(b'{"error":"' + b"x" * 100_000 + b'"}')
    assert long is not None
    assert len(long) == 2_000


@pytest.mark.parametrize(
    ("upstream", "status", "code", "elsewhere", "retry"),
    [
        (400, 400, "upstream_rejected", False, False),
        (401, 502, "upstream_authentication_failed", False, False),
        (403, 502, "upstream_permission_denied", False, False),
        (404, 404, "upstream_not_found", False, False),
        (418, 400, "upstream_rejected", False, False),
        (429, 429, "rate_limit_exceeded", True, True),
        (500, 502, "upstream_error", True, True),
        (503, 503, "upstream_overloaded", True, True),
        (504, 504, "upstream_timeout", True, True),
        (529, 503, "upstream_overloaded", True, True),
    ],
)
def test_upstream_statuses_are_mapped(upstream: int, status: int, code: str, elsewhere: bool, retry: bool) -> None:
    failure = refuse(upstream, {}, b"", "acme")
    assert (failure.status, failure.code) == (status, code)
    assert (failure.another_target_may_help, failure.client_may_retry) == (elsewhere, retry)
    assert "acme" in failure.message


def test_a_rate_limit_always_says_when_to_come_back() -> None:
    assert refuse(429, {}, b"", "acme").retry_after_seconds == 5
    assert refuse(429, {"retry-after": "30"}, b"", "acme").retry_after_seconds == 30
    assert refuse(503, {"retry-after": "2"}, b"", "acme").retry_after_seconds == 2


@pytest.mark.parametrize(
    ("body", "what"),
    [(b"<!doctype html>", "web page"), (b"  ", "empty body"), (b'{"a":', "broken JSON"), (b"[]", "not an object")],
)
def test_a_body_that_is_no_json_object_is_told_apart(body: bytes, what: str) -> None:
    with pytest.raises(UpstreamMalformed, match=what):
        parse_object(body, "acme")
