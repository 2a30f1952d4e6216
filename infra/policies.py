"""A function's grants as policy statements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam

from infra.grants import Grant, KeyUse
from infra.keys import Keys

_KMS_ACTIONS: Mapping[KeyUse, str] = {"encrypt": "kms:Encrypt", "decrypt": "kms:Decrypt"}


def statements(grant: Grant, tables: Mapping[str, dynamodb.Table], keys: Keys) -> list[iam.PolicyStatement]:
    found = [
        iam.PolicyStatement(
            actions=[f"dynamodb:{action}" for action in each.actions],
            resources=[tables[each.table].table_arn],
            conditions=_only(each.scopes),
        )
        for each in grant.tables
    ]
    found += [
        iam.PolicyStatement(
            actions=[_KMS_ACTIONS[each.use]],
            resources=[keys.providers.key_arn],
            conditions={
                "Null": {f"kms:EncryptionContext:{each.sealed_for}": "false"},
                "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": [each.sealed_for]},
            },
        )
        for each in grant.provider_keys
    ]
    return found


def _only(scopes: tuple[str, ...]) -> dict[str, Any] | None:
    return {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": list(scopes)}} if scopes else None
