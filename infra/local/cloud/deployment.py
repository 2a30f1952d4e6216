"""Deploys an assembly to the emulated AWS and says what came of it: each function as Lambda would start it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import boto3

from infra.local.cloud.aws_process import ACCOUNT, OPERATOR, REGION
from infra.local.cloud.template import Assembly, Method, made_here, methods_of
from shared.wire import dumps, loads

_ASSETS = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"  # where `cdk bootstrap` has the bundles put
_EMPTY_ZIP = b"PK\x05\x06" + bytes(18)  # moto wants an object there; the bundle itself is run from its folder


class DeployedFunction(NamedTuple):
    """`environment` is the template's, resolved. `concurrency` None: as much as the account has."""

    name: str
    bundle: Path
    handler: str
    environment: Mapping[str, str]
    role_arn: str
    memory_mb: int
    timeout_seconds: int
    concurrency: int | None

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}"


class Deployment(NamedTuple):
    """`functions` by logical id."""

    functions: Mapping[str, DeployedFunction]
    methods: tuple[Method, ...]
    gateway_responses: Mapping[str, Mapping[str, Any]]
    stage: str
    burst: int
    rate: float
    streams: tuple[EventSource, ...]


class EventSource(NamedTuple):
    """A function that is called with a table's new records, as its event source mapping has it."""

    function: str
    table: str
    batch_size: int
    window_seconds: float
    retries: int
    bisects: bool
    dead_letters: str | None  # the queue's URL
    only: tuple[str, ...]  # the names of the events that are let through; empty: all


class Aws(NamedTuple):
    """The operator's way to the emulated AWS."""

    endpoint: str

    @property
    def variables(self) -> dict[str, str]:
        """The environment of the operator's commands."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": OPERATOR,
            "AWS_SECRET_ACCESS_KEY": "operator",
            "AWS_REGION": REGION,
        }

    def client(self, service: str) -> Any:
        session = boto3.Session(OPERATOR, "operator", region_name=REGION)
        return session.client(service, endpoint_url=self.endpoint)

    def session_of(self, role_arn: str, name: str) -> dict[str, str]:
        """Credentials of the role, as Lambda puts them into a function's environment."""
        given = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=name)["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        }


def deploy(assembly: Assembly, aws: Aws, stand_ins: Mapping[tuple[str, str], str]) -> Deployment:
    """Raises RuntimeError when the stack cannot be created."""
    storage = aws.client("s3")
    storage.create_bucket(Bucket=_ASSETS, CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in assembly.bundles:
        storage.put_object(Bucket=_ASSETS, Key=key, Body=_EMPTY_ZIP)
    formation = aws.client("cloudformation")
    body = dumps(made_here(assembly, stand_ins)).decode()
    formation.create_stack(StackName="gateway", TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    stack = formation.describe_stacks(StackName="gateway")["Stacks"][0]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise RuntimeError(f"the stack is {stack['StackStatus']}: {stack.get('StackStatusReason', '')}")
    physical = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in formation.describe_stack_resources(StackName="gateway")["StackResources"]
    }
    (stage,) = assembly.of_type("AWS::ApiGateway::Stage").values()
    throttle = next(each for each in stage["MethodSettings"] if each["ResourcePath"] == "/*")
    return Deployment(
        functions=dict(_functions(assembly, aws, physical)),
        methods=tuple(methods_of(assembly)),
        gateway_responses={
            each["ResponseType"]: each for each in assembly.of_type("AWS::ApiGateway::GatewayResponse").values()
        },
        stage=stage["StageName"],
        burst=int(throttle["ThrottlingBurstLimit"]),
        rate=float(throttle["ThrottlingRateLimit"]),
        streams=tuple(_event_sources(assembly, physical)),
    )


def _functions(assembly: Assembly, aws: Aws, physical: Mapping[str, str]) -> Iterator[tuple[str, DeployedFunction]]:
    """What Lambda says of each, not what the template says."""
    service = aws.client("lambda")
    for logical, properties in assembly.of_type("AWS::Lambda::Function").items():
        told = service.get_function_configuration(FunctionName=physical[logical])
        yield (
            logical,
            DeployedFunction(
                name=told["FunctionName"],
                bundle=assembly.bundle(properties),
                handler=told["Handler"],
                environment=told.get("Environment", {}).get("Variables", {}),
                role_arn=told["Role"],
                memory_mb=told["MemorySize"],
                timeout_seconds=told["Timeout"],
                concurrency=properties.get("ReservedConcurrentExecutions"),
            ),
        )


def _event_sources(assembly: Assembly, physical: Mapping[str, str]) -> Iterator[EventSource]:
    for properties in assembly.of_type("AWS::Lambda::EventSourceMapping").values():
        table, attribute = properties["EventSourceArn"]["Fn::GetAtt"]
        if attribute != "StreamArn" or "ReportBatchItemFailures" not in properties.get("FunctionResponseTypes", ()):
            raise ValueError("an event source that is not emulated")
        failed = properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        yield EventSource(
            function=properties["FunctionName"]["Ref"],
            table=physical[table],
            batch_size=properties["BatchSize"],
            window_seconds=float(properties.get("MaximumBatchingWindowInSeconds", 0)),
            retries=properties.get("MaximumRetryAttempts", -1),
            bisects=bool(properties.get("BisectBatchOnFunctionError")),
            dead_letters=physical[failed["Fn::GetAtt"][0]] if failed else None,
            only=tuple(_event_names(properties.get("FilterCriteria", {}).get("Filters", ()))),
        )


def _event_names(filters: Any) -> Iterator[str]:
    for each in filters:
        pattern = loads(each["Pattern"])
        if pattern.keys() != {"eventName"}:
            raise ValueError("a filter of an event source that is not emulated")
        yield from pattern["eventName"]
