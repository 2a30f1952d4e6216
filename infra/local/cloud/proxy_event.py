"""The event of API Gateway's Lambda proxy integration.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html (input
format for payload version 1.0).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from infra.local.cloud.aws_process import ACCOUNT
from shared.web.asgi import Scope


class Matched(NamedTuple):
    """A resource's path as the API has it, and the values of its parameters."""

    resource: str
    parameters: Mapping[str, str]


def proxy_event(scope: Scope, stage: str, path: str, matched: Matched, body: bytes) -> dict[str, Any]:
    """`path` is without the stage. A body is told as text: the API names no binary media types."""
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    address = scope["client"][0] if scope.get("client") else "127.0.0.1"
    headers["x-forwarded-for"] = [", ".join([*headers.get("x-forwarded-for", ()), address])]
    headers["x-forwarded-proto"], headers["x-forwarded-port"] = ["https"], ["443"]
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        query.setdefault(name, []).append(value)
    now = time.time()
    return {
        "resource": matched.resource,
        "path": path,
        "httpMethod": scope["method"],
        "headers": {name: values[-1] for name, values in headers.items()} or None,
        "multiValueHeaders": headers or None,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(matched.parameters) or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "emulated",
            "resourcePath": matched.resource,
            "httpMethod": scope["method"],
            "path": f"/{stage}{path}",
            "stage": stage,
            "protocol": f"HTTP/{scope['http_version']}",
            "requestId": str(uuid.uuid4()),
            "requestTimeEpoch": round(now * 1_000),
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "domainName": next(iter(headers.get("host", ())), ""),
            "identity": {"sourceIp": address, "userAgent": next(iter(headers.get("user-agent", ())), None)},
        },
        "body": body.decode("utf-8", "replace") if body else None,
        "isBase64Encoded": False,
    }
