"""Errors in OpenAI's shape."""

from __future__ import annotations

from shared.errors import GatewayError
from shared.wire import JsonObject


def error_body(error: GatewayError) -> JsonObject:
    """`{"error": {"message", "type", "param", "code"}}`: the four fields that OpenAI's SDKs read."""
    return {
        "error": {"message": error.message, "type": error.type, "param": error.param, "code": error.code},
    }
