"""API Gateway's events as ASGI requests."""

from __future__ import annotations

import base64
import json
import time
from typing import Any
from urllib.parse import parse_qs

import pytest

from shared.lambda_runtime.deadline import deadline_of
from shared.lambda_runtime.runtime_api import Invocation
from shared.lambda_runtime.scope import Request, request_of
from shared.web.extensions import deadline_of as told_deadline
from tests.lambda_runtime.events import rest_event


def converted(event: Any, *, seconds: float = 60.0) -> Request:
    deadline_ms = round((time.time() + seconds) * 1_000)
    invocation = Invocation("id-1", deadline_ms, json.dumps(event).encode(), invoked_function_arn="arn:x", trace_id="t")
    request = request_of(invocation, deadline_of(deadline_ms))
    assert request is not None
    return request


def test_a_rest_event_becomes_an_asgi_scope() -> None:
    scope, body = converted(rest_event(body='{"é":1}'))
    assert body == '{"é":1}'.encode()
    assert scope["type"] == "http"
    assert scope["method"] == "POST"
    assert (scope["path"], scope["raw_path"]) == ("/v1/chat/completions", b"/v1/chat/completions")
    assert scope["query_string"] == b""
    assert scope["scheme"] == "https"
    assert scope["client"] == ("203.0.113.7", 0)
    assert scope["server"] == ("abc123.execute-api.eu-central-1.amazonaws.com", 80)
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.4"}
    assert scope["aws.event"]["requestContext"]["stage"] == "prod"
    context = scope["aws.context"]
    assert (context.aws_request_id, context.invoked_function_arn, context.trace_id) == ("id-1", "arn:x", "t")
    assert 55_000 < context.get_remaining_time_in_millis() <= 60_000


# path in the event, resource, its parameters -> path and raw path of the scope
PATHS = {
    "no parameters": ("/v1/messages", "/v1/messages", None, "/v1/messages", b"/v1/messages"),
    "greedy": ("/v1/models/a/b", "/v1/models/{model+}", {"model": "a/b"}, "/v1/models/a/b", b"/v1/models/a/b"),
    "custom domain": ("/llm/v1/messages", "/v1/messages", None, "/v1/messages", b"/v1/messages"),
    "custom domain of two parts": ("/team/llm/v1/messages", "/v1/messages", None, "/v1/messages", b"/v1/messages"),
    "stage in front": ("/prod/v1/messages", "/v1/messages", None, "/v1/messages", b"/v1/messages"),
    "base equal to the first part": ("/v1/v1/messages", "/v1/messages", None, "/v1/messages", b"/v1/messages"),
    "base and greedy": ("/llm/v1/models/a/b", "/v1/models/{m+}", {"m": "a/b"}, "/v1/models/a/b", b"/v1/models/a/b"),
    "base and proxy": ("/llm/x/y", "/{proxy+}", {"proxy": "x/y"}, "/x/y", b"/x/y"),
    "base that only looks alike": ("/llmv1/messages", "/messages", None, "/messages", b"/messages"),
    "trailing slash": ("/llm/v1/messages/", "/v1/messages", None, "/v1/messages/", b"/v1/messages/"),
    "root": ("/", "/", None, "/", b"/"),
    "root below a base": ("/llm", "/", None, "/", b"/"),
    "no match": ("/elsewhere", "/v1/messages", None, "/elsewhere", b"/elsewhere"),
    "encoded": ("/v1/m/a%2Fb%20c", "/v1/m/{m}", {"m": "a%2Fb%20c"}, "/v1/m/a/b c", b"/v1/m/a%2Fb%20c"),
    "encoded, parameter decoded": (
        "/llm/v1/models/a%2Fb", "/v1/models/{m}", {"m": "a/b"}, "/v1/models/a/b", b"/v1/models/a%2Fb",
    ),
    "encoded twice": ("/v1/m/100%2525", "/v1/m/{m}", {"m": "100%2525"}, "/v1/m/100%25", b"/v1/m/100%2525"),
    "utf-8": ("/v1/models/%C3%A9", "/v1/models/{m}", {"m": "%C3%A9"}, "/v1/models/é", b"/v1/models/%C3%A9"),
    "utf-8, decoded": ("/v1/models/é", "/v1/models/{m}", {"m": "é"}, "/v1/models/é", b"/v1/models/%C3%A9"),
    "colon and at": ("/v1/m/qwen3:8b@q4", "/v1/m/{m}", {"m": "qwen3:8b@q4"}, "/v1/m/qwen3:8b@q4", b"/v1/m/qwen3:8b@q4"),
    "lone percent": ("/v1/models/50%", "/v1/models/{m}", {"m": "50%"}, "/v1/models/50%", b"/v1/models/50%"),
}  # fmt: skip


@pytest.mark.parametrize("name", PATHS)
def test_paths_lose_their_base_and_keep_their_encoding(name: str) -> None:
    path, resource, parameters, wanted, raw = PATHS[name]
    scope, _ = converted(rest_event(path=path, resource=resource, pathParameters=parameters))
    assert (scope["path"], scope["raw_path"]) == (wanted, raw)


def test_query_strings_of_several_values_are_whole_and_encoded_again() -> None:
    several = {"tag": ["a", "b&c"], "empty": [""], "é": ["ü +%"]}
    event = rest_event(queryStringParameters={"tag": "b&c"}, multiValueQueryStringParameters=several)
    query = converted(event).scope["query_string"]
    assert parse_qs(query.decode("ascii"), keep_blank_values=True) == several


def test_headers_of_several_values_are_joined_by_commas_and_cookies_by_semicolons() -> None:
    event = rest_event(headers={"Accept": "b"})
    event["multiValueHeaders"] = {"Accept": ["a", "b"], "Cookie": ["x=1", "y=2; z=3"], "X-One": ["1"]}
    headers = dict(converted(event).scope["headers"])
    assert headers == {b"accept": b"a, b", b"cookie": b"x=1; y=2; z=3", b"x-one": b"1"}


def test_an_event_with_single_headers_only_keeps_them() -> None:
    event = rest_event(headers={"Cookie": "a=1", "X-A": "b"}, multiValueHeaders=None)
    assert dict(converted(event).scope["headers"]) == {b"cookie": b"a=1", b"x-a": b"b"}


@pytest.mark.parametrize("body", [None, ""])
def test_an_empty_body_is_no_bytes(body: str | None) -> None:
    assert converted(rest_event(body=body)).body == b""


def test_a_base64_body_is_decoded() -> None:
    every_byte = bytes(range(256))
    event = rest_event(body=base64.b64encode(every_byte).decode(), isBase64Encoded=True)
    assert converted(event).body == every_byte


def test_a_caller_without_an_address_is_no_client() -> None:
    assert converted(rest_event(requestContext={"stage": "prod"})).scope["client"] is None


def test_a_function_urls_event_is_a_request_too() -> None:
    event = {
        "version": "2.0",
        "rawPath": "/v1/x%20y",
        "rawQueryString": "a=1&a=2",
        "cookies": ["p=1", "q=2"],
        "headers": {"host": "u.lambda-url.eu-central-1.on.aws", "x-forwarded-proto": "https"},
        "requestContext": {
            "http": {"method": "GET", "path": "/v1/x%20y", "sourceIp": "198.51.100.1"},
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }
    scope, body = converted(event)
    assert (scope["method"], scope["path"], scope["raw_path"], body) == ("GET", "/v1/x y", b"/v1/x%20y", b"")
    assert scope["query_string"] == b"a=1&a=2"
    assert dict(scope["headers"])[b"cookie"] == b"p=1; q=2"


@pytest.mark.parametrize(("seconds", "margin"), [(900, 2.0), (29, 2.0), (10, 1.0), (3, 0.3), (0, 0)])
def test_the_app_is_told_a_deadline_before_lambdas_own(seconds: float, margin: float) -> None:
    told = told_deadline(converted(rest_event(), seconds=seconds).scope)
    assert told is not None
    assert told - time.monotonic() == pytest.approx(seconds - margin, abs=0.2)


def test_an_app_elsewhere_is_told_no_deadline() -> None:
    assert told_deadline({"type": "http"}) is None
