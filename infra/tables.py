"""The tables (docs/adr/0002): a row each, and what all of them have in common."""

from __future__ import annotations

from typing import NamedTuple

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.context import Context


class TableRow(NamedTuple):
    """Keys are strings. `expires` is the attribute with the second of an item's end."""

    name: str
    partition: str
    sort: str | None
    expires: str | None = None
    streams: bool = False


TABLES: tuple[TableRow, ...] = (
    TableRow("config", "scope", "key"),
    TableRow("ledger", "bucket", "moment", expires="expires_at", streams=True),
    TableRow("api_keys", "key_id", None),
    TableRow("rollups", "dimension", "moment", expires="expires_at"),
    TableRow("limits", "key_id", None, expires="expires_at"),
    TableRow("audit", "bucket", "moment", expires="expires_at"),
)


def table_name(chosen: Context, row: TableRow) -> str:
    """As `shared/store/tables.py` makes it of TABLE_PREFIX."""
    return f"{chosen.prefix}-{row.name}"


def make_tables(scope: Construct, chosen: Context, key: kms.IKey) -> dict[str, dynamodb.Table]:
    """By their short names. Table, not TableV2: its GlobalTable cannot be deployed to an emulated cloud."""
    return {row.name: _table(scope, chosen, key, row) for row in TABLES}


def _table(scope: Construct, chosen: Context, key: kms.IKey, row: TableRow) -> dynamodb.Table:
    return dynamodb.Table(
        scope,
        f"{row.name.title().replace('_', '')}Table",
        table_name=table_name(chosen, row),
        partition_key=_key(row.partition),
        sort_key=_key(row.sort) if row.sort else None,
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
        encryption_key=key,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        time_to_live_attribute=row.expires,
        stream=dynamodb.StreamViewType.NEW_IMAGE if row.streams else None,
        deletion_protection=chosen.keeps_data,
        removal_policy=RemovalPolicy.RETAIN if chosen.keeps_data else RemovalPolicy.DESTROY,
    )


def _key(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
