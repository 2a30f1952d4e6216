"""What API Gateway answers by itself, in the words in which the functions would."""

from __future__ import annotations

import json
from typing import NamedTuple

from aws_cdk import aws_apigateway as apigateway

from infra.routes import Route

_NEVER_AGAIN = "'false'"  # x-should-retry: the SDKs ask again otherwise


class Refusal(NamedTuple):
    """`status` None leaves API Gateway's own; `type` and `code` are those of OpenAI's error body."""

    name: str
    kind: apigateway.ResponseType
    status: str | None
    type: str
    code: str
    final: bool = True

    def add_to(self, api: apigateway.RestApi, *, cors: bool) -> None:
        """With `cors` a page may read it, whatever its origin: it says nothing of the gateway."""
        body = _body("$context.error.messageString", self.type, self.code)
        api.add_gateway_response(
            self.name,
            type=self.kind,
            status_code=self.status,
            templates={"application/json": body},
            response_headers={
                **({"x-should-retry": _NEVER_AGAIN} if self.final else {}),
                **({"Access-Control-Allow-Origin": "'*'"} if cors else {}),
            },
        )


_BAD = "invalid_request_error"
REFUSALS: tuple[Refusal, ...] = (
    Refusal("NoRoute", apigateway.ResponseType.MISSING_AUTHENTICATION_TOKEN, "404", _BAD, "unknown_url"),
    Refusal("TooLarge", apigateway.ResponseType.REQUEST_TOO_LARGE, None, _BAD, "request_too_large"),
    Refusal("Throttled", apigateway.ResponseType.THROTTLED, None, "rate_limit_error", "rate_limit_exceeded", False),
    Refusal("Unauthorized", apigateway.ResponseType.UNAUTHORIZED, None, "authentication_error", "unauthenticated"),
    Refusal("Other4xx", apigateway.ResponseType.DEFAULT_4_XX, None, _BAD, "invalid_request"),
    Refusal("Other5xx", apigateway.ResponseType.DEFAULT_5_XX, None, "server_error", "gateway_error", False),
)


def refuse_other_methods(resource: apigateway.IResource, route: Route, path: str) -> None:
    """405 with `Allow`: API Gateway itself would say that a token is missing."""
    message = json.dumps(f"{path} takes {' or '.join(route.methods)}")
    headers = {
        "method.response.header.Allow": f"'{', '.join(route.methods)}'",
        "method.response.header.x-should-retry": _NEVER_AGAIN,
        "method.response.header.Content-Type": "'application/json'",
    }
    resource.add_method(
        "ANY",
        apigateway.MockIntegration(
            request_templates={"application/json": '{"statusCode": 405}'},
            integration_responses=[
                apigateway.IntegrationResponse(
                    status_code="405",
                    response_parameters=headers,
                    response_templates={"application/json": _body(message, _BAD, "method_not_allowed")},
                )
            ],
        ),
        method_responses=[
            apigateway.MethodResponse(status_code="405", response_parameters=dict.fromkeys(headers, True))
        ],
    )


def _body(message: str, kind: str, code: str) -> str:
    """`message` is JSON, or stands for it."""
    return f'{{"error":{{"message":{message},"type":"{kind}","param":null,"code":"{code}"}}}}'
