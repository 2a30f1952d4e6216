"""What each function's role may not do, asked with its own credentials; and that all of them can do their work."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.bundling import functions
from tests.cloud.conftest import EmulatedCloud

pytestmark = pytest.mark.cloud

PREFIX = "serverless-proxy-dev"
Do = Callable[[Callable[[str], Any], str], object]


def table(name: str) -> str:
    return f"{PREFIX}-{name}"


def key(**names: str) -> dict[str, Any]:
    return {name: {"S": value} for name, value in names.items()}


def query(name: str, partition: str, value: str) -> Do:
    return lambda aws, _: aws("dynamodb").query(
        TableName=table(name),
        KeyConditionExpression="#p = :v",
        ExpressionAttributeNames={"#p": partition},
        ExpressionAttributeValues={":v": {"S": value}},
    )


def put(name: str, **item: str) -> Do:
    return lambda aws, _: aws("dynamodb").put_item(TableName=table(name), Item=key(**item))


def get(name: str, **item: str) -> Do:
    return lambda aws, _: aws("dynamodb").get_item(TableName=table(name), Key=key(**item))


def scan(name: str) -> Do:
    return lambda aws, _: aws("dynamodb").scan(TableName=table(name))


def delete(name: str, **item: str) -> Do:
    return lambda aws, _: aws("dynamodb").delete_item(TableName=table(name), Key=key(**item))


def encrypt(context: dict[str, str] | None) -> Do:
    more = {"EncryptionContext": context} if context else {}
    return lambda aws, key_id: aws("kms").encrypt(KeyId=key_id, Plaintext=b"sk", **more)


def decrypt(context: dict[str, str] | None) -> Do:
    """What the operator has encrypted just now."""
    more = {"EncryptionContext": context} if context else {}
    return lambda aws, sealed: aws("kms").decrypt(CiphertextBlob=sealed, **more)


THINGS: dict[str, Do] = {
    "read the configuration": query("config", "scope", "config"),
    "read who holds a name": query("config", "scope", "name"),
    "read the seeds": query("config", "scope", "seed"),
    "read the whole configuration table": scan("config"),
    "write the configuration": put("config", scope="config", key="nothing#1"),
    "delete from the configuration": delete("config", scope="config", key="endpoint#999"),
    "write a seed": put("config", scope="seed", key="x"),
    "note an endpoint's health": put("config", scope="health", key="999"),
    "read one client key": get("api_keys", key_id="none"),
    "list the client keys": scan("api_keys"),
    "make a client key": put("api_keys", key_id="forged"),
    "write the ledger": put("ledger", bucket="test", moment="test"),
    "read the ledger": query("ledger", "bucket", "test"),
    "scan the ledger": scan("ledger"),
    "delete from the ledger": delete("ledger", bucket="test", moment="none"),
    "read what a key has used": get("limits", key_id="none"),
    "count what a key uses": lambda aws, _: aws("dynamodb").update_item(
        TableName=table("limits"),
        Key=key(key_id="none"),
        UpdateExpression="ADD n :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    ),
    "read the history of prices": query("config", "scope", "prices"),
    "read roll-ups in a batch": lambda aws, _: aws("dynamodb").batch_get_item(
        RequestItems={table("rollups"): {"Keys": [key(dimension="test", moment="test")]}}
    ),
    "read the labels of client keys": lambda aws, _: aws("dynamodb").batch_get_item(
        RequestItems={table("api_keys"): {"Keys": [key(key_id="none")]}}
    ),
    "read the audit log": query("audit", "bucket", "test"),
    "write a line of the audit log": put("audit", bucket="test", moment="test"),
    "delete from the audit log": delete("audit", bucket="test", moment="test"),
    "write a roll-up": put("rollups", dimension="test", moment="test"),
    "read roll-ups": query("rollups", "dimension", "test"),
    "drop a table": lambda aws, _: aws("dynamodb").delete_table(TableName=table("rollups")),
    "list the tables": lambda aws, _: aws("dynamodb").list_tables(),
    "list the functions": lambda aws, _: aws("lambda").list_functions(),
}
SEALING: dict[str, Do] = {
    "seal a provider's key": encrypt({"endpoint": "1"}),
    "seal without a context": encrypt(None),
    "seal a secret header": encrypt({"virtual_model": "1"}),
    "seal under another context": encrypt({"endpoint": "1", "other": "2"}),
}
REVEALING: dict[str, Do] = {
    "reveal a provider's key": decrypt({"endpoint": "1"}),
    "reveal a secret header": decrypt({"virtual_model": "1"}),
    "reveal under another context": decrypt({"other": "1"}),
}

CONTEXTS = {
    "reveal a provider's key": {"endpoint": "1"},
    "reveal a secret header": {"virtual_model": "1"},
    "reveal under another context": {"other": "1"},
}

_CLIENT = {"read the configuration", "read one client key"}
_ANSWERS = _CLIENT | {
    "note an endpoint's health", "write the ledger", "reveal a provider's key", "reveal a secret header",
    "read what a key has used", "count what a key uses",
}  # fmt: skip
_EDITS = {
    "read the configuration", "write the configuration", "delete from the configuration", "note an endpoint's health",
    "write a line of the audit log",
}  # fmt: skip
# everything above that is not named here is refused
ALLOWED: dict[str, set[str]] = {
    "chat_completions": _ANSWERS,
    "completions": _ANSWERS,
    "embeddings": _ANSWERS,
    "models": _CLIENT,
    "health": {"read the configuration"},
    "admin_endpoints": _EDITS | {"seal a provider's key"},
    "admin_endpoint_probe": {"read the configuration", "note an endpoint's health", "reveal a provider's key"},
    "admin_virtual_models": _EDITS | {"seal a secret header", "read the history of prices"},
    "admin_api_keys": {
        "read one client key", "list the client keys", "make a client key", "read what a key has used",
        "write a line of the audit log",
    },
    "admin_tool_patterns": _EDITS,
    "admin_activity": {"read the ledger"},
    "admin_usage": {"read roll-ups", "read roll-ups in a batch", "read the labels of client keys"},
    "admin_usage_export": {
        "read the ledger", "read roll-ups", "read roll-ups in a batch", "read the labels of client keys",
    },
    "admin_settings": _EDITS,
    "admin_config": _EDITS | {"seal a provider's key", "seal a secret header"},
    "admin_audit": {"read the audit log"},
    "admin_session": set(),
    "usage_rollup": {"write a roll-up", "read roll-ups in a batch"},
}  # fmt: skip
CASES = [(function, thing) for function in (*functions(), "usage_rollup") for thing in (*THINGS, *SEALING, *REVEALING)]


@pytest.fixture(scope="session")
def client_as(cloud: EmulatedCloud) -> Callable[[str, str], Any]:
    """A client of a service with the credentials of a function's own role."""

    @cache
    def assume(function: str) -> dict[str, str]:
        name = f"{PREFIX}-{function.replace('_', '-')}"
        role = cloud.aws("lambda").get_function_configuration(FunctionName=name)["Role"]
        given = cloud.aws("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        return {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }

    return cache(lambda function, service: cloud.aws(service, **assume(function)))


@pytest.fixture(scope="session")
def provider_key(cloud: EmulatedCloud) -> str:
    name = f"{PREFIX}-chat-completions"
    return str(
        cloud.aws("lambda").get_function_configuration(FunctionName=name)["Environment"]["Variables"]["KMS_KEY_ID"]
    )


@pytest.mark.parametrize(("function", "thing"), CASES)
def test_a_function_may_do_what_it_needs_and_nothing_else(
    function: str,
    thing: str,
    cloud: EmulatedCloud,
    client_as: Callable[[str, str], Any],
    provider_key: str,
) -> None:
    given: Any = provider_key
    if thing in REVEALING:
        context = CONTEXTS[thing]
        sealed = cloud.aws("kms").encrypt(KeyId=provider_key, Plaintext=b"sk", EncryptionContext=context)
        given = sealed["CiphertextBlob"]
    do = {**THINGS, **SEALING, **REVEALING}[thing]

    def attempt() -> None:
        do(lambda service: client_as(function, service), given)

    if thing in ALLOWED[function]:
        attempt()
    else:
        with pytest.raises(ClientError, match="AccessDenied"):
            attempt()


def test_a_stranger_is_nobody(cloud: EmulatedCloud) -> None:
    stranger = cloud.aws("dynamodb", aws_access_key_id="AKIASTRANGER", aws_secret_access_key="x")
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        stranger.scan(TableName=table("config"))
