"""What somebody should hear of, and one screen to look at: alarms and the CloudWatch dashboard."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Aws, Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.context import Context
from infra.functions import Function
from infra.rollup import Rollup

_FIVE_MINUTES = Duration.minutes(5)
_HOUR = Duration.hours(1)
_CONCURRENT = "ConcurrentExecutions"
_MOST_METRICS = 10  # of one alarm
_MOST_LAG_MS = 3_600_000  # the stream forgets after a day

# us-east-1, arm64 (docs/deploy.md): an estimate to wake somebody, no bill
_USD_PER_GB_SECOND = 0.0000133334
_USD_PER_REQUEST = 3.50e-6 + 0.20e-6 + 1.25e-6 + 0.50e-6  # API, invocation, usage write, logs


class Alarms(Construct):
    def __init__(self, scope: Construct, chosen: Context) -> None:
        super().__init__(scope, "Alarms")
        self._prefix = chosen.prefix
        self._action: actions.SnsAction | None = None
        if chosen.alarm_email:
            topic = sns.Topic(self, "Topic", topic_name=f"{chosen.prefix}-alarms", enforce_ssl=True)
            # enforcing TLS replaces the topic's own policy, which lets alarms in
            topic.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                    actions=["sns:Publish"],
                    resources=[topic.topic_arn],
                    conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
                )
            )
            topic.add_subscription(subscriptions.EmailSubscription(chosen.alarm_email))
            self._action = actions.SnsAction(topic)

    def add(
        self, name: str, meaning: str, metric: cloudwatch.IMetric, threshold: float, *, periods: int = 1, of: int = 1
    ) -> None:
        """Above or at `threshold` in `periods` of the last `of`; silence is well."""
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{self._prefix}-{name}",
            alarm_description=meaning,
            metric=metric,
            threshold=threshold,
            datapoints_to_alarm=periods,
            evaluation_periods=of,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        if self._action:
            alarm.add_alarm_action(self._action)


def make_alarms(
    scope: Construct,
    chosen: Context,
    functions: Mapping[str, Function],
    api: apigateway.RestApi,
    tables: Mapping[str, dynamodb.Table],
    rollup: Rollup | None,
) -> None:
    alarms = Alarms(scope, chosen)
    for each in functions.values():
        _watch(alarms, each.name, each.function)
    alarms.add(
        "api-5xx",
        "the API answers with failures",
        api.metric_server_error(period=_FIVE_MINUTES, statistic="Sum"),
        10,
        periods=2,
        of=3,
    )
    for name, table in tables.items():
        throttled = table.metric("WriteThrottleEvents", period=_FIVE_MINUTES, statistic="Sum")
        alarms.add(f"{name}-throttled", f"DynamoDB throttles writes of {name}", throttled, 1, periods=2, of=3)
    if rollup:
        _watch(alarms, "usage_rollup", rollup.function)
        waiting = rollup.dead_letters.metric_approximate_number_of_messages_visible(
            period=_FIVE_MINUTES, statistic="Maximum"
        )
        alarms.add("dead-letters", "usage that could not be added up waits in the dead-letter queue", waiting, 1)
        behind = rollup.function.metric("IteratorAge", period=_FIVE_MINUTES, statistic="Maximum")
        alarms.add(
            "usage-rollup-lag", "usage is added up more than an hour late", behind, _MOST_LAG_MS, periods=2, of=3
        )
    spend = _spend_per_hour(functions, api)
    alarms.add("spend", "AWS costs this much an hour, as estimated", spend, chosen.spend_usd_per_hour)
    providers = _of_requests(chosen, "Cost", _HOUR)
    alarms.add(
        "provider-spend", "providers cost this much an hour by the prices set", providers, chosen.spend_usd_per_hour
    )
    _screen(scope, chosen, functions, api, tables, spend)


def _of_requests(chosen: Context, name: str, period: Duration, statistic: str = "Sum") -> cloudwatch.Metric:
    """What the request lines bring (shared/web/embedded_metrics.py), over all models and endpoints."""
    return cloudwatch.Metric(namespace=chosen.prefix, metric_name=name, period=period, statistic=statistic)


def _watch(alarms: Alarms, name: str, function: lambda_.Function) -> None:
    word = name.replace("_", "-")
    limit_ms = function.timeout.to_milliseconds() if function.timeout else 3_000
    errors = function.metric_errors(period=_FIVE_MINUTES, statistic="Sum")
    throttles = function.metric_throttles(period=_FIVE_MINUTES, statistic="Sum")
    slowest = function.metric_duration(period=_FIVE_MINUTES, statistic="p99")
    alarms.add(f"{word}-errors", f"{name} fails", errors, 5, periods=2, of=3)
    alarms.add(f"{word}-throttles", f"{name} is refused environments", throttles, 1, periods=2, of=3)
    alarms.add(f"{word}-p99", f"{name} comes near its time limit", slowest, 0.9 * limit_ms, periods=2, of=3)


def _spend_per_hour(functions: Mapping[str, Function], api: apigateway.RestApi) -> cloudwatch.MathExpression:
    """API calls and the held memory of the streaming functions, which dominate; provider costs are in the ledger."""
    streaming = [each for each in functions.values() if each.streams][: _MOST_METRICS - 1]
    metrics: dict[str, cloudwatch.IMetric] = {"calls": api.metric_count(period=_HOUR, statistic="Sum")}
    terms = [f"calls * {_USD_PER_REQUEST:.8f}"]
    for number, each in enumerate(streaming):
        metrics[f"ms{number}"] = each.function.metric_duration(period=_HOUR, statistic="Sum")
        terms.append(f"FILL(ms{number}, 0) * {each.memory_gb * _USD_PER_GB_SECOND / 1000:.12f}")
    return cloudwatch.MathExpression(
        expression=" + ".join(terms), using_metrics=metrics, period=_HOUR, label="USD an hour, estimated"
    )


def _screen(
    scope: Construct,
    chosen: Context,
    functions: Mapping[str, Function],
    api: apigateway.RestApi,
    tables: Mapping[str, dynamodb.Table],
    spend: cloudwatch.IMetric,
) -> None:
    streaming = [each.function for each in functions.values() if each.streams]
    every = [each.function for each in functions.values()]

    def graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(title=title, left=list(metrics), width=8, height=6)

    cloudwatch.Dashboard(
        scope,
        "Screen",
        dashboard_name=chosen.prefix,
        widgets=[
            [
                graph("Requests", api.metric_count(statistic="Sum")),
                graph("Refused", api.metric_client_error(statistic="Sum")),
                graph("Failed", api.metric_server_error(statistic="Sum")),
            ],
            [
                graph("Streams held", *(each.metric(_CONCURRENT, statistic="Maximum") for each in streaming)),
                graph("Duration p99", *(each.metric_duration(statistic="p99") for each in streaming)),
            ],
            [
                graph("Errors", *(each.metric_errors() for each in every)),
                graph("Throttles", *(each.metric_throttles() for each in every)),
            ],
            [
                graph("Read units", *(each.metric_consumed_read_capacity_units() for each in tables.values())),
                graph("Write units", *(each.metric_consumed_write_capacity_units() for each in tables.values())),
            ],
            [
                graph("Estimated cost of AWS", spend),
                graph("Cost of providers", _of_requests(chosen, "Cost", _HOUR)),
                graph("Tokens", *(_of_requests(chosen, f"{way}Tokens", _FIVE_MINUTES) for way in ("Input", "Output"))),
            ],
            [
                graph("Requests that failed", _of_requests(chosen, "Errors", _FIVE_MINUTES)),
                graph("Time to first token p90", _of_requests(chosen, "TimeToFirstToken", _FIVE_MINUTES, "p90")),
                graph("Overhead p99", _of_requests(chosen, "Overhead", _FIVE_MINUTES, "p99")),
            ],
        ],
    )
