"""Which actions on which resources a request to DynamoDB or KMS asks for, as IAM sees it.

Sources: the service authorization reference of DynamoDB and of KMS; for `dynamodb:LeadingKeys` the developer guide's
"Using IAM policy conditions for fine-grained access control".
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from infra.local.cloud.policies import Ask, Facts
from shared.wire import JsonObject

_KEY_EQUALS = re.compile(r"(#?[\w.-]+)\s*=\s*(:[\w.-]+)")
_ONE_ITEM = {"GetItem": "Key", "UpdateItem": "Key", "DeleteItem": "Key", "PutItem": "Item"}
_IN_TRANSACTIONS = {
    "Put": ("PutItem", "Item"),
    "Update": ("UpdateItem", "Key"),
    "Delete": ("DeleteItem", "Key"),
    "ConditionCheck": ("ConditionCheckItem", "Key"),
    "Get": ("GetItem", "Key"),
}
_KEY_ID_BYTES = 36  # of a ciphertext, in moto's own form


class Cloud(NamedTuple):
    """What must be known of the account: its id, region, each table's partition key, and the id behind a key's name."""

    account: str
    region: str
    partition_key: Callable[[str], str]
    key_id: Callable[[str], str]


def asks_of(service: str, operation: str, body: JsonObject, cloud: Cloud) -> list[Ask]:
    """Raises KeyError or ValueError for a request that the service would refuse as malformed."""
    if service == "dynamodb":
        return list(_table_asks(operation, body, cloud))
    if service == "kms":
        return [_key_ask(operation, body, cloud)]
    return [Ask(f"{service}:{operation}", "*", {})]


def _table_asks(operation: str, body: JsonObject, cloud: Cloud) -> Iterator[Ask]:
    if operation in _ONE_ITEM:
        yield _table_ask(operation, body["TableName"], [body[_ONE_ITEM[operation]]], cloud)
    elif operation == "Query":
        hash_key = cloud.partition_key(body["TableName"])
        yield _table_ask(operation, body["TableName"], [{hash_key: _queried(body, hash_key)}], cloud)
    elif operation in ("BatchWriteItem", "BatchGetItem"):
        for table, wanted in body["RequestItems"].items():
            yield _table_ask(operation, table, _of_batch(wanted), cloud)
    elif operation in ("TransactWriteItems", "TransactGetItems"):
        for entry in body["TransactItems"]:
            ((kind, item),) = entry.items()
            action, holder = _IN_TRANSACTIONS[kind]
            yield _table_ask(action, item["TableName"], [item[holder]], cloud)
    else:
        table = body.get("TableName")
        yield Ask(f"dynamodb:{operation}", _table_arn(table, cloud) if table else "*", {})


def _of_batch(wanted: Any) -> Iterable[JsonObject]:
    if isinstance(wanted, dict):
        return list(wanted["Keys"])
    return [each["PutRequest"]["Item"] if "PutRequest" in each else each["DeleteRequest"]["Key"] for each in wanted]


def _table_ask(operation: str, table: str, items: Iterable[JsonObject], cloud: Cloud) -> Ask:
    hash_key = cloud.partition_key(table)
    leading = tuple(str(next(iter(item[hash_key].values()))) for item in items)
    return Ask(f"dynamodb:{operation}", _table_arn(table, cloud), {"dynamodb:LeadingKeys": leading})


def _queried(body: JsonObject, hash_key: str) -> JsonObject:
    """The value that a Query wants the partition key to equal."""
    names: Mapping[str, str] = body.get("ExpressionAttributeNames") or {}
    for name, value in _KEY_EQUALS.findall(body["KeyConditionExpression"]):
        if names.get(name, name) == hash_key:
            found: JsonObject = body["ExpressionAttributeValues"][value]
            return found
    raise ValueError("a Query without its partition key")


def _table_arn(table: str, cloud: Cloud) -> str:
    return table if table.startswith("arn:") else f"arn:aws:dynamodb:{cloud.region}:{cloud.account}:table/{table}"


def _key_ask(operation: str, body: JsonObject, cloud: Cloud) -> Ask:
    if operation == "Decrypt":
        key = base64.b64decode(body["CiphertextBlob"])[:_KEY_ID_BYTES].decode("ascii", "replace")
    else:
        key = cloud.key_id(body["KeyId"])
    context: Mapping[str, str] = body.get("EncryptionContext") or {}
    facts: Facts = {f"kms:EncryptionContext:{name}": (value,) for name, value in context.items()}
    if context:
        facts = {**facts, "kms:EncryptionContextKeys": tuple(context)}
    return Ask(f"kms:{operation}", f"arn:aws:kms:{cloud.region}:{cloud.account}:key/{key}", facts)
