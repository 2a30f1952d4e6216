"""IAM's rules as the emulated cloud keeps them: nothing is allowed that no statement allows."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local.cloud.policies import Ask, first_refused
from infra.local.cloud.requests import Cloud, asks_of

TABLE = "arn:aws:dynamodb:eu-central-1:1:table/config"
READ = Ask("dynamodb:Query", TABLE, {"dynamodb:LeadingKeys": ("config",)})
CLOUD = Cloud("1", "eu-central-1", lambda table: "scope", lambda name: "k" * 36)


def allow(**changes: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "dynamodb:Query", "Resource": TABLE, **changes}


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([], False),
        ([allow()], True),
        ([allow(Action=["dynamodb:GetItem", "dynamodb:query"])], True),
        ([allow(Action="dynamodb:Q*")], True),
        ([allow(Action="*", Resource="*")], True),
        ([allow(Action="dynamodb:GetItem")], False),
        ([allow(Resource=TABLE + "-other")], False),
        ([allow(Resource="arn:aws:dynamodb:*:1:table/conf?g")], True),
        ([allow(), allow(Effect="Deny", Action="*", Resource="*")], False),
        ([allow(Condition={"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["config", "name"]}})], True),
        ([allow(Condition={"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["name"]}})], False),
        ([allow(Condition={"ForAllValues:StringEquals": {"nothing:Told": ["x"]}})], True),
        ([allow(Condition={"StringEquals": {"nothing:Told": "x"}})], False),
        ([allow(Condition={"Null": {"nothing:Told": "true"}})], True),
        ([allow(Condition={"Null": {"nothing:Told": "false"}})], False),
    ],
)
def test_a_statement_allows_what_it_says(statements: list[dict[str, Any]], allowed: bool) -> None:
    assert (first_refused([READ], statements) is None) is allowed


def test_every_action_of_a_request_must_be_allowed() -> None:
    write = READ._replace(action="dynamodb:PutItem")
    assert first_refused([READ, write], [allow()]) == write


@pytest.mark.parametrize("statement", [allow(Condition={"IpAddress": {"aws:SourceIp": "::"}}), allow(NotAction="x")])
def test_what_is_not_understood_is_never_allowed(statement: dict[str, Any]) -> None:
    with pytest.raises(NotImplementedError):
        first_refused([READ], [statement])


def value(text: str) -> dict[str, str]:
    return {"S": text}


ITEM = {"scope": value("config"), "key": value("k")}
REQUESTS: list[tuple[str, dict[str, Any], list[tuple[str, tuple[str, ...]]]]] = [
    ("GetItem", {"TableName": "config", "Key": ITEM}, [("GetItem", ("config",))]),
    ("PutItem", {"TableName": "config", "Item": ITEM}, [("PutItem", ("config",))]),
    (
        "Query",
        {
            "TableName": "config",
            "KeyConditionExpression": "#1 > :0 AND #0 = :1",
            "ExpressionAttributeNames": {"#0": "scope", "#1": "key"},
            "ExpressionAttributeValues": {":0": value("a"), ":1": value("config")},
        },
        [("Query", ("config",))],
    ),
    (
        "Query",
        {"TableName": "t", "KeyConditionExpression": "scope = :v", "ExpressionAttributeValues": {":v": value("x")}},
        [("Query", ("x",))],
    ),
    (
        "BatchWriteItem",
        {"RequestItems": {"t": [{"PutRequest": {"Item": ITEM}}, {"DeleteRequest": {"Key": {"scope": value("b")}}}]}},
        [("BatchWriteItem", ("config", "b"))],
    ),
    ("BatchGetItem", {"RequestItems": {"t": {"Keys": [ITEM]}}}, [("BatchGetItem", ("config",))]),
    (
        "TransactWriteItems",
        {
            "TransactItems": [
                {"Put": {"TableName": "t", "Item": ITEM}},
                {"ConditionCheck": {"TableName": "t", "Key": {"scope": value("b")}}},
            ]
        },
        [("PutItem", ("config",)), ("ConditionCheckItem", ("b",))],
    ),
]


@pytest.mark.parametrize(("operation", "body", "wanted"), REQUESTS)
def test_a_request_asks_for_its_actions_and_names_its_partitions(
    operation: str, body: dict[str, Any], wanted: list[tuple[str, tuple[str, ...]]]
) -> None:
    asks = asks_of("dynamodb", operation, body, CLOUD)
    assert [(ask.action.partition(":")[2], ask.facts["dynamodb:LeadingKeys"]) for ask in asks] == wanted
    assert all(ask.resource.startswith("arn:aws:dynamodb:eu-central-1:1:table/") for ask in asks)


def test_a_scan_names_no_partition() -> None:
    """So that a statement for some partitions does not allow it: AWS lets an empty list pass, and so do we."""
    (ask,) = asks_of("dynamodb", "Scan", {"TableName": "config"}, CLOUD)
    assert (ask.action, ask.facts) == ("dynamodb:Scan", {})


def test_a_query_without_its_partition_is_malformed() -> None:
    body = {"TableName": "t", "KeyConditionExpression": "#0 = :0", "ExpressionAttributeNames": {"#0": "key"}}
    with pytest.raises(ValueError, match="partition key"):
        asks_of("dynamodb", "Query", body, CLOUD)


def test_a_key_is_known_by_its_name_or_by_what_it_has_sealed() -> None:
    (sealing,) = asks_of("kms", "Encrypt", {"KeyId": "alias/x", "EncryptionContext": {"endpoint": "7"}}, CLOUD)
    assert sealing.resource == f"arn:aws:kms:eu-central-1:1:key/{'k' * 36}"
    assert sealing.facts == {"kms:EncryptionContext:endpoint": ("7",), "kms:EncryptionContextKeys": ("endpoint",)}
    import base64

    blob = base64.b64encode(b"a" * 36 + b"sealed").decode()
    (revealing,) = asks_of("kms", "Decrypt", {"CiphertextBlob": blob}, CLOUD)
    assert (revealing.resource[-36:], revealing.facts) == ("a" * 36, {})
