"""The functions of ROUTES, each with its own role, log group and bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.bundling import functions as function_names
from infra.context import Context
from infra.grants import GRANTS
from infra.keys import Keys
from infra.policies import statements
from infra.reach import streams
from infra.routes import ROUTES, Route
from infra.wheels import LAMBDA

CodeOf: TypeAlias = Callable[[str], lambda_.Code]

RUNTIME = lambda_.Runtime(f"python{LAMBDA.python}", lambda_.RuntimeFamily.PYTHON, supports_snap_start=True)
_BOOTSTRAP = "/var/task/shared/lambda_runtime/bootstrap"
# Lambda's limit for an event is 6 MB, of which a request's head takes some; API Gateway's 10 MB lie above it
_MOST_REQUEST_BYTES = (6 << 20) - (64 << 10)
_UPSTREAM_MARGIN_SECONDS = 20  # between the longest wait for an upstream and the end of the function


class Function(NamedTuple):
    """`entry` is what integrations call: an alias where versions are needed, else the function itself."""

    name: str
    function: lambda_.Function
    entry: lambda_.IFunction
    streams: bool

    @property
    def memory_gb(self) -> float:
        return max(route.memory_mb for route in _rows(self.name)) / 1024


class Surroundings(NamedTuple):
    """What all functions of a deployment share."""

    chosen: Context
    tables: Mapping[str, dynamodb.Table]
    keys: Keys
    code_of: CodeOf
    access: Mapping[str, str]  # environment variables that say who is let in


def make_functions(scope: Construct, around: Surroundings) -> dict[str, Function]:
    """One for each `function` in ROUTES, by its name."""
    network = _network(scope, around.chosen)
    return {name: _routed(scope, around, name, network) for name in function_names()}


def make_function(
    scope: Construct,
    around: Surroundings,
    name: str,
    *,
    handler: str,
    environment: Mapping[str, str],
    memory_mb: int,
    timeout_seconds: int,
    concurrency: int | None = None,
    snap_start: bool = False,
    network: Mapping[str, object] | None = None,
) -> lambda_.Function:
    """A function with its role, which holds what GRANTS says and its own log group's writing, and nothing more."""
    chosen = around.chosen
    place = Construct(scope, name.title().replace("_", ""))
    full_name = f"{chosen.prefix}-{name.replace('_', '-')}"
    log_group = logs.LogGroup(
        place,
        "Logs",
        log_group_name=f"/aws/lambda/{full_name}",
        retention=retention(chosen),
        removal_policy=RemovalPolicy.DESTROY,
    )
    role = iam.Role(place, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    role.add_to_policy(
        iam.PolicyStatement(actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group.log_group_arn])
    )
    for statement in statements(GRANTS[name], around.tables, around.keys):
        role.add_to_policy(statement)
    if network:
        role.add_managed_policy(
            iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AWSLambdaVPCAccessExecutionRole")
        )
    return lambda_.Function(
        place,
        "Function",
        function_name=full_name,
        code=around.code_of(name),
        handler=handler,
        runtime=RUNTIME,
        architecture=lambda_.Architecture.ARM_64,
        role=role,
        log_group=log_group,
        logging_format=lambda_.LoggingFormat.JSON,
        application_log_level_v2=_passed_level(name, chosen),
        system_log_level_v2=lambda_.SystemLogLevel.WARN,
        environment={**_environment(around, name), **environment},
        memory_size=memory_mb,
        timeout=Duration.seconds(timeout_seconds),
        reserved_concurrent_executions=concurrency,
        snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if snap_start else None,
        **(network or {}),
    )


def retention(chosen: Context) -> logs.RetentionDays:
    return _RETENTION[chosen.log_days]


def _routed(scope: Construct, around: Surroundings, name: str, network: Mapping[str, object] | None) -> Function:
    chosen, rows, streamed = around.chosen, _rows(name), streams(name)
    timeout = max(row.timeout_seconds for row in rows)
    handler, environment = _start(name, chosen, timeout, streamed)
    function = make_function(
        scope,
        around,
        name,
        handler=handler,
        environment=environment,
        memory_mb=max(row.memory_mb for row in rows),
        timeout_seconds=timeout,
        concurrency=max((row.concurrency or 0 for row in rows), default=0) or (streamed and chosen.concurrency) or None,
        snap_start=streamed and chosen.snapstart,
        network=network if _asks_others(name, chosen) else None,
    )
    entry: lambda_.IFunction = function
    if streamed and (chosen.snapstart or chosen.provisioned):
        entry = lambda_.Alias(
            function,
            "Live",
            alias_name="live",
            version=function.current_version,
            provisioned_concurrent_executions=chosen.provisioned or None,
        )
    return Function(name, function, entry, streamed)


def _start(name: str, chosen: Context, timeout_seconds: int, streamed: bool) -> tuple[str, dict[str, str]]:
    """The handler, and the variables with which our loop or the managed runtime finds the app."""
    app = f"functions.{name}.app"
    if not streamed:
        return "shared.lambda_runtime.buffered.handler", {"GATEWAY_APP": app}
    patience = min(chosen.timeout, max(1, timeout_seconds - _UPSTREAM_MARGIN_SECONDS))
    return f"{app}.app", {"AWS_LAMBDA_EXEC_WRAPPER": _BOOTSTRAP, "TIMEOUT": str(patience)}


def _environment(around: Surroundings, name: str) -> dict[str, str]:
    """What `shared/settings.py` reads; AWS_REGION is Lambda's own."""
    variables = {
        "TABLE_PREFIX": around.chosen.prefix,
        "LOG_LEVEL": around.chosen.log_level,
        "METRICS": around.chosen.metrics,
        "LEDGER_TTL_DAYS": str(around.chosen.ledger_days),
        "AUDIT_TTL_DAYS": str(around.chosen.audit_days),
        "MAX_BODY_BYTES": str(_MOST_REQUEST_BYTES),
        "PRIVATE_UPSTREAMS": around.chosen.upstreams,
        **around.access,
    }
    if around.chosen.trusted_proxies:
        variables["TRUSTED_PROXIES"] = ",".join(around.chosen.trusted_proxies)
    if GRANTS[name].provider_keys:
        variables["KMS_KEY_ID"] = around.keys.providers.key_arn
    return variables


def _passed_level(name: str, chosen: Context) -> lambda_.ApplicationLogLevel:
    """What Lambda lets through of a function's lines. Our own loop keeps to LOG_LEVEL by itself, and its lines with
    metrics must pass at every level."""
    passed = _LOG_LEVELS[chosen.log_level]
    by_itself = name in function_names() and streams(name)
    return lambda_.ApplicationLogLevel.INFO if by_itself and chosen.log_level != "DEBUG" else passed


def _rows(name: str) -> list[Route]:
    return [route for route in ROUTES if route.function == name]


def _asks_others(name: str, chosen: Context) -> bool:
    """Whether it calls upstreams, or the session service."""
    admin = any(row.access == "admin" for row in _rows(name)) or name == "admin_session"
    return GRANTS[name].uses("decrypt") or (admin and chosen.auth == "session")


def _network(scope: Construct, chosen: Context) -> dict[str, object] | None:
    """Where private upstreams are reached."""
    if not chosen.vpc:
        return None
    vpc = ec2.Vpc.from_vpc_attributes(
        scope,
        "Vpc",
        vpc_id=chosen.vpc,
        availability_zones=[Stack.of(scope).availability_zones[0]] * len(chosen.subnets),
        private_subnet_ids=list(chosen.subnets),
    )
    door = ec2.SecurityGroup(
        scope, "Upstreams", vpc=vpc, description="Functions that call providers: out only", allow_all_outbound=True
    )
    return {"vpc": vpc, "vpc_subnets": ec2.SubnetSelection(subnets=vpc.private_subnets), "security_groups": [door]}


_LOG_LEVELS: Mapping[str, lambda_.ApplicationLogLevel] = {
    "DEBUG": lambda_.ApplicationLogLevel.DEBUG,
    "INFO": lambda_.ApplicationLogLevel.INFO,
    "WARNING": lambda_.ApplicationLogLevel.WARN,
    "ERROR": lambda_.ApplicationLogLevel.ERROR,
}
_RETENTION: Mapping[int, logs.RetentionDays] = {
    1: logs.RetentionDays.ONE_DAY,
    3: logs.RetentionDays.THREE_DAYS,
    5: logs.RetentionDays.FIVE_DAYS,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    120: logs.RetentionDays.FOUR_MONTHS,
    150: logs.RetentionDays.FIVE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    400: logs.RetentionDays.THIRTEEN_MONTHS,
    545: logs.RetentionDays.EIGHTEEN_MONTHS,
    731: logs.RetentionDays.TWO_YEARS,
    1827: logs.RetentionDays.FIVE_YEARS,
    3653: logs.RetentionDays.TEN_YEARS,
}
