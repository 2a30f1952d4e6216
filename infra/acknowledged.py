"""What cdk-nag would have otherwise, and why it is as it is: each rule at the narrowest place that it speaks of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_apigateway as apigateway
from constructs import IConstruct

from infra.context import Context
from infra.routes import ROUTES


class Acknowledged(NamedTuple):
    """`place` is a path in the stack; a last part that ends in * is the beginning of a name."""

    place: str
    rule: str
    reason: str


_CDK_COPIES = "CDK's own function that copies the dashboard's files at deployment; it runs at no other time"

ACKNOWLEDGED: tuple[Acknowledged, ...] = (
    Acknowledged(
        "", "AwsSolutions-L1", "bundles are compiled and tested for Python 3.13; the newest is taken on with its tests"
    ),
    Acknowledged(
        "",
        "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole]",
        "with `vpc` only: Lambda places network interfaces with it, which have no ARN before they are there",
    ),
    Acknowledged(
        "Api",
        "AwsSolutions-APIG2",
        "the functions validate: a client must be refused in its own protocol's words, and unknown fields pass through",
    ),
    Acknowledged(
        "Api", "AwsSolutions-APIG6", "execution logs hold headers and so keys; the access log has a line for every call"
    ),
    Acknowledged(
        "Api", "AwsSolutions-APIG3", "a web ACL costs more than a small gateway; clients and administrators need keys"
    ),
    Acknowledged(
        "Api/CloudWatchRole",
        "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
        "AmazonAPIGatewayPushToCloudWatchLogs]",
        "the account's one role with which API Gateway writes access logs; AWS names this policy for it",
    ),
    Acknowledged("AdminSite/Bucket", "AwsSolutions-S1", "it holds public build results and is read by CloudFront only"),
    Acknowledged("AdminSite/Distribution", "AwsSolutions-CFR1", "administrators sign in from wherever they are"),
    Acknowledged("AdminSite/Distribution", "AwsSolutions-CFR2", "static files, and an API that lets administrators in"),
    Acknowledged(
        "AdminSite/Distribution", "AwsSolutions-CFR3", "what is worth a log is the API's, which has its access log"
    ),
    Acknowledged(
        "AdminSite/Distribution",
        "AwsSolutions-CFR4",
        "CloudFront's own name has CloudFront's own certificate; with dashboard_domain it is TLS 1.2 of 2021",
    ),
    Acknowledged(
        "Administrators", "AwsSolutions-COG2", "a second factor is offered everywhere and required in production"
    ),
    Acknowledged(
        "Administrators", "AwsSolutions-COG8", "threat protection is priced by the user; nobody can sign up by himself"
    ),
    Acknowledged(
        "Custom::CDKBucketDeployment*",
        "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]",
        _CDK_COPIES,
    ),
    *(
        Acknowledged("Custom::CDKBucketDeployment*", f"AwsSolutions-IAM5[{wide}]", _CDK_COPIES)
        for wide in (
            "Action::s3:Abort*",
            "Action::s3:DeleteObject*",
            "Action::s3:GetBucket*",
            "Action::s3:GetObject*",
            "Action::s3:List*",
            "Resource::<AdminSiteBucket973138B1.Arn>/*",
            "Resource::arn:<AWS::Partition>:s3:::cdk-hnb659fds-assets-<AWS::AccountId>-<AWS::Region>/*",
        )
    ),
    Acknowledged(
        "UsageRollup/Role",
        "AwsSolutions-IAM5[Resource::*]",
        "dynamodb:ListStreams knows no resource; reading is limited to the ledger's stream",
    ),
    Acknowledged("RollupDeadLetters", "AwsSolutions-SQS3", "it is itself where dead letters go"),
)

_CLIENT_ROUTE = "clients show a key that the function checks; the public routes tell nothing that is secret"
_OWN_ACCESS = "the function checks the session or the token itself: shared/web/admin_access.py"
_PREFLIGHT = "browsers ask before they have credentials"


def acknowledge(stack: Stack, chosen: Context, api: apigateway.RestApi) -> None:
    for each in ACKNOWLEDGED:
        for place in _places(stack, each.place):
            Validations.of(place).acknowledge(Acknowledgment(id=each.rule, reason=each.reason))
    for method, reason in _unauthorized(chosen, api):
        for rule in ("AwsSolutions-APIG4", "AwsSolutions-COG4"):
            Validations.of(method).acknowledge(Acknowledgment(id=rule, reason=reason))


def _places(stack: Stack, path: str) -> Iterator[IConstruct]:
    """Those that this deployment has."""
    if path.endswith("*"):
        yield from (child for child in stack.node.children if child.node.id.startswith(path[:-1]))
        return
    place: IConstruct | None = stack
    for part in filter(None, path.split("/")):
        place = place.node.try_find_child(part) if place else None
    if place:
        yield place


def _unauthorized(chosen: Context, api: apigateway.RestApi) -> Iterator[tuple[IConstruct, str]]:
    """The methods that API Gateway itself lets everybody call. Admin routes under Cognito are none of them."""
    for route in ROUTES:
        if route.access == "admin" and chosen.auth == "cognito":
            continue
        for path in route.paths:
            resource = api.root.resource_for_path(path)
            for method in (*route.served_methods, "ANY"):
                reason = _OWN_ACCESS if route.access == "admin" else _CLIENT_ROUTE
                if found := resource.node.try_find_child(method):
                    yield found, reason
            if preflight := resource.node.try_find_child("OPTIONS"):
                yield preflight, _PREFLIGHT
