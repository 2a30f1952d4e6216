"""The two keys of a deployment: one under the tables, one under the providers' keys."""

from __future__ import annotations

from typing import NamedTuple

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.context import Context


class Keys(NamedTuple):
    """`data` encrypts what AWS stores for us, `providers` the provider keys inside it (shared/store/seal.py)."""

    data: kms.Key
    providers: kms.Key


def make_keys(scope: Construct, chosen: Context) -> Keys:
    return Keys(_data_key(scope, chosen), _key(scope, chosen, "ProviderKeys", "the API keys of providers"))


def _data_key(scope: Construct, chosen: Context) -> kms.Key:
    """Usable through DynamoDB only, by whoever may use the table: the words of AWS's own key for DynamoDB."""
    key = _key(scope, chosen, "DataKey", "the tables")
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="ThroughDynamoDB",
            principals=[iam.AnyPrincipal()],
            actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
            resources=["*"],  # a key policy speaks of its own key
            conditions={
                "StringEquals": {
                    "kms:CallerAccount": Aws.ACCOUNT_ID,
                    "kms:ViaService": f"dynamodb.{Stack.of(scope).region}.amazonaws.com",
                }
            },
        )
    )
    return key


def _key(scope: Construct, chosen: Context, name: str, what: str) -> kms.Key:
    return kms.Key(
        scope,
        name,
        alias=f"{chosen.prefix}-{name.lower()}",
        description=f"{chosen.prefix}: {what}",
        enable_key_rotation=True,
        pending_window=Duration.days(30 if chosen.keeps_data else 7),
        removal_policy=RemovalPolicy.RETAIN if chosen.keeps_data else RemovalPolicy.DESTROY,
    )
