"""The REST API made from ROUTES: a resource for each path, the integration in the mode of its function."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from aws_cdk import CfnOutput, Duration, RemovalPolicy
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.context import Context
from infra.functions import Function, retention
from infra.refusals import REFUSALS, refuse_other_methods
from infra.routes import ROUTES, Route

_STREAM_TIMEOUT = Duration.minutes(15)
_BUFFERED_TIMEOUT = Duration.seconds(29)
_CLIENT_HEADERS = ("authorization", "content-type", "x-api-key", "anthropic-version", "anthropic-beta", "openai-beta")

# One line a request: who, which route, how long. No body, no header, no query string, and the route's pattern in place
# of its path.
_ACCESS_LOG = {
    "time": "$context.requestTimeEpoch",
    "request_id": "$context.requestId",
    "extended_request_id": "$context.extendedRequestId",
    "method": "$context.httpMethod",
    "route": "$context.resourcePath",
    "status": "$context.status",
    "protocol": "$context.protocol",
    "source": "$context.identity.sourceIp",
    "response_bytes": "$context.responseLength",
    "latency_ms": "$context.responseLatency",
    "mode": "$context.integration.responseTransferMode",
    "headers_ms": "$context.integration.timeToAllHeaders",
    "first_content_ms": "$context.integration.timeToFirstContent",
    "integration_ms": "$context.integration.latency",
    "integration_status": "$context.integration.status",
    "error": "$context.error.responseType",
    "authorizer_error": "$context.authorizer.error",
}


def check_paths(routes: Iterable[Route]) -> None:
    """Raises ValueError where API Gateway would: a resource has one path-parameter child, a greedy one has none."""
    parameters: dict[str, str] = {}
    for path in (path for route in routes for path in route.paths):
        parts = path.strip("/").split("/")
        for depth, part in enumerate(parts):
            if not part.startswith("{"):
                continue
            parent = "/".join(parts[:depth])
            if parameters.setdefault(parent, part) != part:
                raise ValueError(f"/{parent} has two path parameters: {parameters[parent]} and {part}")
            if part.endswith("+}") and depth < len(parts) - 1:
                raise ValueError(f"{path}: nothing can follow {part}")


def make_api(scope: Construct, chosen: Context) -> apigateway.RestApi:
    """The API without its routes: they need the functions, and these need to know where the dashboard calls them."""
    api = apigateway.RestApi(
        scope,
        "Api",
        rest_api_name=chosen.prefix,
        endpoint_types=[apigateway.EndpointType.REGIONAL],  # edge-optimized ones end a stream after 30 s of silence
        cloud_watch_role=True,
        deploy_options=_stage(scope, chosen),
    )
    for refusal in REFUSALS:
        refusal.add_to(api, cors=bool(chosen.cors))
    if chosen.domain:
        _name(api, chosen)
    return api


def add_routes(
    api: apigateway.RestApi,
    chosen: Context,
    functions: Mapping[str, Function],
    authorizer: apigateway.IAuthorizer | None,
) -> None:
    """`authorizer` guards the admin routes where API Gateway can; the functions check again themselves."""
    check_paths(ROUTES)
    for route in ROUTES:
        _add(api, chosen, route, functions[route.function], authorizer)


def _stage(scope: Construct, chosen: Context) -> apigateway.StageOptions:
    access_log = logs.LogGroup(
        scope,
        "AccessLog",
        log_group_name=f"/aws/apigateway/{chosen.prefix}",
        retention=retention(chosen),
        removal_policy=RemovalPolicy.DESTROY,
    )
    return apigateway.StageOptions(
        stage_name=chosen.stage,
        throttling_rate_limit=chosen.rate,
        throttling_burst_limit=chosen.burst,
        metrics_enabled=True,
        # execution logs would hold headers, and so keys
        logging_level=apigateway.MethodLoggingLevel.OFF,
        data_trace_enabled=False,
        access_log_destination=apigateway.LogGroupLogDestination(access_log),
        access_log_format=apigateway.AccessLogFormat.custom(json.dumps(_ACCESS_LOG)),
    )


def _add(
    api: apigateway.RestApi,
    chosen: Context,
    route: Route,
    function: Function,
    authorizer: apigateway.IAuthorizer | None,
) -> None:
    integration = apigateway.LambdaIntegration(
        function.entry,
        proxy=True,
        scope_permission_to_method=False,  # one permission a function, not one a method
        response_transfer_mode=apigateway.ResponseTransferMode.STREAM if route.streams else None,
        timeout=_STREAM_TIMEOUT if route.streams else _BUFFERED_TIMEOUT,
    )
    guarded = route.access == "admin" and authorizer is not None
    for path in route.paths:
        resource = _resource(api, path)
        for method in route.served_methods:
            resource.add_method(
                method,
                integration,
                authorizer=authorizer if guarded else None,
                authorization_type=apigateway.AuthorizationType.COGNITO
                if guarded
                else apigateway.AuthorizationType.NONE,
            )
        if route.access != "admin":
            refuse_other_methods(resource, route, path)
        if chosen.cors and route.access == "client":
            resource.add_cors_preflight(
                allow_origins=list(chosen.cors),
                allow_methods=[*route.methods, "OPTIONS"],
                allow_headers=list(_CLIENT_HEADERS),
                max_age=Duration.hours(2),
            )


def _resource(api: apigateway.RestApi, path: str) -> apigateway.IResource:
    place = api.root
    for part in path.strip("/").split("/"):
        place = place.get_resource(part) or place.add_resource(part)
    return place


def _name(api: apigateway.RestApi, chosen: Context) -> None:
    name = api.add_domain_name(
        "Domain",
        domain_name=chosen.domain,
        certificate=acm.Certificate.from_certificate_arn(api, "Certificate", chosen.certificate),
        endpoint_type=apigateway.EndpointType.REGIONAL,
        security_policy=apigateway.SecurityPolicy.TLS_1_2,
    )
    CfnOutput(api, "DomainAlias", value=name.domain_name_alias_domain_name, description=f"CNAME of {chosen.domain}")
