"""The consumer of the ledger's stream: it appears when `functions/usage_rollup` is there."""

from __future__ import annotations

from typing import NamedTuple

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.functions import Surroundings, make_function
from infra.reach import ROOT

FUNCTION = "usage_rollup"


class Rollup(NamedTuple):
    function: lambda_.Function
    dead_letters: sqs.Queue


def rollup_exists() -> bool:
    return (ROOT / "functions" / FUNCTION / "app.py").is_file()


def make_rollup(scope: Construct, around: Surroundings) -> Rollup:
    """New ledger records in batches, in order; a bad one is found by halving, tried again, and then set aside."""
    function = make_function(
        scope,
        around,
        FUNCTION,
        handler=f"functions.{FUNCTION}.app.handler",
        environment={},
        memory_mb=256,
        timeout_seconds=60,
    )
    dead_letters = sqs.Queue(
        scope,
        "RollupDeadLetters",
        queue_name=f"{around.chosen.prefix}-rollup-dead-letters",
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(14),
    )
    ledger: dynamodb.Table = around.tables["ledger"]
    function.add_event_source(
        event_sources.DynamoEventSource(
            ledger,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=500,
            max_batching_window=Duration.seconds(10),
            # a record is written once and never changed; what TTL removes stays counted
            filters=[lambda_.FilterCriteria.filter({"eventName": lambda_.FilterRule.is_equal("INSERT")})],
            bisect_batch_on_error=True,
            report_batch_item_failures=True,
            retry_attempts=10,
            max_record_age=Duration.hours(20),  # the stream forgets after 24
            on_failure=event_sources.SqsDlq(dead_letters),
        )
    )
    return Rollup(function, dead_letters)
