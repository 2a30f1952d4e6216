"""API Gateway's events, as its documentation shows them, with fields to override."""

from __future__ import annotations

from typing import Any


def rest_event(method: str = "POST", path: str = "/v1/chat/completions", body: str | None = "{}", **fields: Any) -> Any:
    """A REST API's proxy event; header names and values as `headers`, one each, unless given otherwise."""
    headers = fields.pop(
        "headers", {"Host": "abc123.execute-api.eu-central-1.amazonaws.com", "X-Forwarded-Proto": "https"}
    )
    return {
        "resource": fields.pop("resource", path),
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "stage": "prod",
            "path": f"/prod{path}",
            "identity": {"sourceIp": "203.0.113.7"},
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        },
        "body": body,
        "isBase64Encoded": False,
        **fields,
    }
