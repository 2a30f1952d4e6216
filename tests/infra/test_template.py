"""What must hold of the template, whatever is in ROUTES."""

from __future__ import annotations

import json
import shutil
import subprocess
from fnmatch import fnmatch
from itertools import product

import pytest

from infra.grants import GRANTS
from infra.reach import streams
from infra.routes import ROUTES, Route
from shared.store.tables import Tables
from tests.infra.conftest import Template

pytestmark = pytest.mark.infra

# what API Gateway answers itself: preflights, and methods that a path does not take
MOCKED = ("OPTIONS", "ANY")
EVERY_FUNCTION = sorted({route.function for route in ROUTES})
ADMIN_FUNCTIONS = sorted({route.function for route in ROUTES if route.access == "admin"})


def _words(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _rows() -> dict[tuple[str, str], Route]:
    return {(path, method): route for route in ROUTES for path in route.paths for method in route.served_methods}


def test_the_stack_is_not_too_large_for_cloudformation(production: Template, plain: Template) -> None:
    """A stack has at most 500 resources, and a template at most 1 MB: `cdk deploy` would say so at the very end."""
    for template in (production, plain):
        assert len(template.body["Resources"]) < 490
        assert template.path.stat().st_size < 1_000_000


def test_every_row_is_a_method_that_calls_its_function(production: Template, plain: Template) -> None:
    for template in (production, plain):
        methods = {(path, verb): each for path, verb, each in template.methods() if verb not in MOCKED}
        assert methods.keys() == _rows().keys()
        for place, route in _rows().items():
            target = json.dumps(methods[place]["Integration"]["Uri"])
            assert route.function.title().replace("_", "") in target


def test_streamed_rows_and_only_they_are_in_stream_mode(production: Template) -> None:
    for path, verb, method in production.methods():
        if verb in MOCKED:
            continue
        integration = method["Integration"]
        target = json.dumps(integration["Uri"])
        assert integration["Type"] == "AWS_PROXY"
        if _rows()[path, verb].streams:
            assert integration["ResponseTransferMode"] == "STREAM"
            assert integration["TimeoutInMillis"] == 900_000
            assert "response-streaming-invocations" in target
        else:
            assert "ResponseTransferMode" not in integration
            assert integration["TimeoutInMillis"] == 29_000
            assert "response-streaming-invocations" not in target


@pytest.mark.parametrize("function", EVERY_FUNCTION)
def test_a_function_starts_in_the_mode_of_its_rows(production: Template, function: str) -> None:
    properties = production.function(function)
    variables = properties["Environment"]["Variables"]
    assert properties["Runtime"] == "python3.13"
    assert properties["Architectures"] == ["arm64"]
    if streams(function):
        assert variables["AWS_LAMBDA_EXEC_WRAPPER"] == "/var/task/shared/lambda_runtime/bootstrap"
        assert properties["Handler"] == f"functions.{function}.app.app"
        assert 0 < int(variables["TIMEOUT"]) < properties["Timeout"]
    else:
        assert "AWS_LAMBDA_EXEC_WRAPPER" not in variables
        assert properties["Handler"] == "shared.lambda_runtime.buffered.handler"
        assert variables["GATEWAY_APP"] == f"functions.{function}.app"


@pytest.mark.parametrize("function", [*EVERY_FUNCTION, "usage_rollup"])
def test_a_function_has_its_own_bounded_json_log(production: Template, function: str) -> None:
    logging = production.function(function)["LoggingConfig"]
    group = production.of_type("AWS::Logs::LogGroup")[logging["LogGroup"]["Ref"]]
    assert logging["LogFormat"] == "JSON"
    assert group["RetentionInDays"] == 30
    assert group["LogGroupName"].endswith(function.replace("_", "-"))


def test_lines_with_metrics_pass_at_every_level(plain: Template) -> None:
    levels = {
        name: plain.function(name)["LoggingConfig"]["ApplicationLogLevel"] for name in ("embeddings", "admin_audit")
    }
    assert levels == {"embeddings": "INFO", "admin_audit": "WARN"}


@pytest.mark.parametrize("function", EVERY_FUNCTION)
def test_a_role_holds_what_grants_says_and_nothing_more(production: Template, function: str) -> None:
    tables = {
        name: properties["TableName"].removeprefix("serverless-proxy-prod-")
        for name, properties in production.of_type("AWS::DynamoDB::Table").items()
    }
    seen: set[tuple[str, str, tuple[str, ...]]] = set()
    for statement in production.statements(function):
        assert statement["Effect"] == "Allow"
        condition = statement.get("Condition", {}).get("ForAllValues:StringEquals", {})
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        for action, resource in product(_words(statement["Action"]), resources):
            if action.startswith("dynamodb:"):
                place = tables[resource["Fn::GetAtt"][0]]
                scopes = tuple(_words(condition.get("dynamodb:LeadingKeys", [])))
            elif action.startswith("kms:"):
                (sealed_for,) = _words(condition["kms:EncryptionContextKeys"])
                place, scopes = "provider key", (sealed_for,)
                assert resource["Fn::GetAtt"][0].startswith("ProviderKeys")
                assert statement["Condition"]["Null"] == {f"kms:EncryptionContext:{sealed_for}": "false"}
            else:
                assert action in ("logs:CreateLogStream", "logs:PutLogEvents")
                assert resource["Fn::GetAtt"][0].startswith(function.title().replace("_", ""))
                continue
            seen.add((action.partition(":")[2], place, scopes))
    grant = GRANTS[function]
    allowed = {(action, each.table, each.scopes) for each in grant.tables for action in each.actions}
    allowed |= {(each.use.title(), "provider key", (each.sealed_for,)) for each in grant.provider_keys}
    assert seen == allowed


def test_no_own_policy_has_a_wildcard_but_the_list_of_streams(production: Template, plain: Template) -> None:
    for template in (production, plain):
        for name, policy in template.of_type("AWS::IAM::Policy").items():
            if name.startswith("CustomCDKBucketDeployment"):  # CDK's own, acknowledged with its reason
                continue
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = _words(statement["Action"])
                assert not any("*" in action for action in actions)
                if actions != ["dynamodb:ListStreams"]:
                    assert "*" not in json.dumps(statement["Resource"])


def test_admin_routes_are_guarded(production: Template, plain: Template) -> None:
    (authorizer,) = production.of_type("AWS::ApiGateway::Authorizer")
    rows = _rows()
    for path, verb, method in production.methods():
        guarded = verb not in MOCKED and rows[path, verb].access == "admin"
        assert method["AuthorizationType"] == ("COGNITO_USER_POOLS" if guarded else "NONE")
        assert not guarded or method["AuthorizerId"] == {"Ref": authorizer}
    for function in ADMIN_FUNCTIONS:
        told = production.function(function)["Environment"]["Variables"]
        assert told["ADMIN_ACCESS"] == "oidc"
        assert told["OIDC_ISSUER"]
        assert told["OIDC_AUDIENCE"]
        told = plain.function(function)["Environment"]["Variables"]
        assert (told["ADMIN_ACCESS"], told["AUTH_ENABLED"]) == ("session", "true")
        assert told["AIMENU_URL"] == "https://sessions.example.org"


def test_clients_need_keys(production: Template, plain: Template) -> None:
    for template in (production, plain):
        for function in EVERY_FUNCTION:
            assert template.function(function)["Environment"]["Variables"]["CLIENT_ACCESS"] == "required"


def test_tables_are_what_the_store_asks_for(production: Template) -> None:
    deployed = {
        each["TableName"]: tuple(key["AttributeName"] for key in each["KeySchema"])
        for each in production.of_type("AWS::DynamoDB::Table").values()
    }
    asked = Tables("serverless-proxy-prod", region="us-east-1").key_names()
    assert {name: deployed[name] for name in asked} == asked


def test_tables_are_kept_encrypted_and_recoverable(production: Template, plain: Template) -> None:
    for template, kept in ((production, True), (plain, False)):
        for name, table in template.of_type("AWS::DynamoDB::Table").items():
            assert table["BillingMode"] == "PAY_PER_REQUEST"
            assert table["SSESpecification"]["SSEType"] == "KMS"
            assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
            assert table["DeletionProtectionEnabled"] is kept
            assert template.body["Resources"][name]["DeletionPolicy"] == ("Retain" if kept else "Delete")
    streamed = [t for t in production.of_type("AWS::DynamoDB::Table").values() if "StreamSpecification" in t]
    assert [table["TableName"] for table in streamed] == ["serverless-proxy-prod-ledger"]
    assert streamed[0]["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_keys_rotate(production: Template) -> None:
    assert all(key["EnableKeyRotation"] for key in production.of_type("AWS::KMS::Key").values())


def test_the_rollup_halves_retries_and_sets_aside(production: Template, plain: Template) -> None:
    (source,) = production.of_type("AWS::Lambda::EventSourceMapping").values()
    assert source["BisectBatchOnFunctionError"]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["MaximumBatchingWindowInSeconds"] > 0
    assert source["MaximumRetryAttempts"] > 0
    (queue,) = production.of_type("AWS::SQS::Queue")
    assert source["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0] == queue
    assert not plain.of_type("AWS::Lambda::EventSourceMapping")


def test_no_bucket_is_public(production: Template) -> None:
    for bucket in production.of_type("AWS::S3::Bucket").values():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    for policy in production.of_type("AWS::S3::BucketPolicy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Deny" or statement["Principal"] != {"AWS": "*"}


def test_the_access_log_has_no_body_header_or_query(production: Template) -> None:
    (stage,) = production.of_type("AWS::ApiGateway::Stage").values()
    written = json.loads(stage["AccessLogSetting"]["Format"])
    said = " ".join(written.values()).lower()
    assert not any(word in said for word in ("querystring", "header.", "body", "apikey", "$context.path", "claims"))
    (settings,) = stage["MethodSettings"]
    assert (settings["LoggingLevel"], settings["DataTraceEnabled"]) == ("OFF", False)
    assert settings["ThrottlingRateLimit"] > 0
    assert settings["ThrottlingBurstLimit"] > 0


def test_the_api_is_regional_and_speaks_json_when_it_refuses(production: Template) -> None:
    (api,) = production.of_type("AWS::ApiGateway::RestApi").values()
    assert api["EndpointConfiguration"]["Types"] == ["REGIONAL"]
    assert "BinaryMediaTypes" not in api
    for answer in production.of_type("AWS::ApiGateway::GatewayResponse").values():
        template = answer["ResponseTemplates"]["application/json"].replace("$context.error.messageString", '"x"')
        assert json.loads(template)["error"]["message"] == "x"


def test_cors_is_only_where_it_was_asked_for(production: Template, plain: Template) -> None:
    asked = {path for path, verb, _ in production.methods() if verb == "OPTIONS"}
    assert asked == {path for route in ROUTES if route.access == "client" for path in route.paths}
    assert not [path for path, verb, _ in plain.methods() if verb == "OPTIONS"]


def test_the_dashboard_may_call_the_issuer_and_what_the_deployment_names_beside_it() -> None:
    from aws_cdk import Stack

    from infra.admin_access import sign_in_origins
    from infra.context import read_context

    issuer = {"auth": "oidc", "oidc_issuer": "https://issuer.example.org/pool", "oidc_audience": "gateway"}
    chosen = read_context({**issuer, "oidc_origins": "https://token.example.net"})
    assert sign_in_origins(Stack(), chosen) == ("https://issuer.example.org", "https://token.example.net")


def test_the_dashboard_has_a_strict_policy_and_the_admin_api_on_its_origin(production: Template) -> None:
    (headers,) = production.of_type("AWS::CloudFront::ResponseHeadersPolicy").values()
    said = json.dumps(headers["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]["ContentSecurityPolicy"])
    assert "default-src 'none'" in said
    assert "script-src 'self';" in said
    assert "unsafe-" not in said
    (distribution,) = production.of_type("AWS::CloudFront::Distribution").values()
    behaviors = distribution["DistributionConfig"]["CacheBehaviors"]
    assert len(behaviors) < 25
    caching_disabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    assert {each["CachePolicyId"] for each in behaviors} == {caching_disabled}
    patterns = [each["PathPattern"] for each in behaviors]
    for path in (path for route in ROUTES if route.access == "admin" for path in route.paths):
        assert any(path == pattern or path.startswith(pattern.removesuffix("*")) for pattern in patterns)
    served = {path for route in ROUTES if route.access != "admin" for path in route.paths}
    asked = {path for path in served if any(fnmatch(path, each) for each in patterns)}
    assert asked == {
        "/health",
        "/v1/chat/completions",
        "/session/validate",
        "/session/logout",
    }  # no more of the data path than it uses


def test_a_plain_stage_without_a_built_dashboard_has_no_site(plain: Template) -> None:
    for kind in ("AWS::S3::Bucket", "AWS::CloudFront::Distribution", "AWS::Cognito::UserPool"):
        assert not plain.of_type(kind)


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("/", "/index.html"),
        ("/virtual-models/3", "/index.html"),
        ("/assets/index-1a.js", "/assets/index-1a.js"),
        ("/proxy-dashboard", "/index.html"),
        ("/proxy-dashboard/endpoints", "/index.html"),
        ("/proxy-dashboard/config.json", "/config.json"),
        ("/proxy-dashboards", "/index.html"),
    ],
)
def test_the_pages_own_paths_lead_to_its_document(production: Template, asked: str, served: str) -> None:
    (rewrite,) = production.of_type("AWS::CloudFront::Function").values()
    call = f"{rewrite['FunctionCode']}; console.log(handler({{request: {{uri: {json.dumps(asked)}}}}}).uri)"
    node = shutil.which("node")
    assert node
    answer = subprocess.run([node, "-e", call], check=True, capture_output=True, text=True, timeout=30)
    assert answer.stdout.strip() == served


def test_alarms_reach_somebody_and_each_function_has_its_three(production: Template) -> None:
    alarms = production.of_type("AWS::CloudWatch::Alarm").values()
    assert all(alarm["AlarmActions"] for alarm in alarms)
    (policy,) = production.of_type("AWS::SNS::TopicPolicy").values()
    publishers = [each["Principal"] for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]
    assert publishers == [{"Service": "cloudwatch.amazonaws.com"}]
    names = {alarm["AlarmName"].removeprefix("serverless-proxy-prod-") for alarm in alarms}
    for function in (*EVERY_FUNCTION, "usage_rollup"):
        word = function.replace("_", "-")
        assert {f"{word}-errors", f"{word}-throttles", f"{word}-p99"} <= names
    assert {"dead-letters", "usage-rollup-lag", "spend", "provider-spend", "api-5xx"} <= names
    assert all(len(alarm.get("Metrics", ())) <= 11 for alarm in alarms)  # ten and the expression


def test_streaming_functions_are_called_by_their_snapshots_alias(production: Template, plain: Template) -> None:
    assert len(production.of_type("AWS::Lambda::Alias")) == sum(map(streams, EVERY_FUNCTION))
    for function in EVERY_FUNCTION:
        properties = production.function(function)
        assert ("SnapStart" in properties) is streams(function)
        assert properties.get("ReservedConcurrentExecutions") == (50 if streams(function) else None)
    assert not plain.of_type("AWS::Lambda::Alias")


def test_functions_that_call_upstreams_and_no_others_are_in_the_vpc(production: Template) -> None:
    within = {name for name in EVERY_FUNCTION if "VpcConfig" in production.function(name)}
    assert within == {name for name in EVERY_FUNCTION if GRANTS[name].uses("decrypt")}
