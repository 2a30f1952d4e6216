"""CloudWatch's embedded metrics: what makes numbers of a request's line into metrics, without a call to anybody.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import time

from shared.gateway.metering import Caller
from shared.gateway.pricing import PICODOLLARS
from shared.wire import JsonObject

OTHER = "(other)"
_MOST_NAMES = 200  # of a dimension in this process: each name is a metric that is paid for by the month
_UNITS = {
    "Requests": "Count",
    "Errors": "Count",
    "InputTokens": "Count",
    "OutputTokens": "Count",
    "Cost": "None",  # dollars
    "TimeToFirstToken": "Milliseconds",
    "Overhead": "Milliseconds",
}
_DIMENSION_CHARS = 200


class EmbeddedMetrics:
    """Adds them to a line: in total, and `by_model` also by virtual model and by endpoint, which administrators define.

    What a client made up is no name: a model that does not exist has no record, and counts in the total alone.
    """

    def __init__(self, namespace: str, *, by_model: bool) -> None:
        self._namespace = namespace
        self._by_model = by_model
        self._known: dict[str, set[str]] = {"virtual_model": set(), "endpoint": set()}

    def __call__(self, fields: JsonObject, caller: Caller) -> JsonObject:
        records = caller.tally.records
        failed = fields["http.response.status_code"] >= 500 or any(each.outcome == "truncated" for each in records)
        values: JsonObject = {"Requests": 1, "Errors": int(failed), "Overhead": fields["gateway.overhead_ms"]}
        dimensions: list[list[str]] = [[]]
        names: JsonObject = {}
        if records:
            values["InputTokens"] = fields["gen_ai.usage.input_tokens"]
            values["OutputTokens"] = fields["gen_ai.usage.output_tokens"]
            values["Cost"] = sum(each.cost for each in records) / PICODOLLARS
            last = records[-1]
            if last.time_to_first_token_ms is not None:
                values["TimeToFirstToken"] = last.time_to_first_token_ms
            if self._by_model:
                dimensions += [["virtual_model"], ["endpoint"]]
                names["virtual_model"] = self._name("virtual_model", last.virtual_model)
                names["endpoint"] = self._name("endpoint", last.endpoint_name)
        metrics = [{"Name": name, "Unit": _UNITS[name]} for name in values]
        directive = {"Namespace": self._namespace, "Dimensions": dimensions, "Metrics": metrics}
        return {
            "_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]},
            **names,
            **values,
        }

    def _name(self, dimension: str, name: str) -> str:
        """As CloudWatch takes it, in ASCII, and the same for all that come after the first so many."""
        known = self._known[dimension]
        if name not in known:
            if len(known) >= _MOST_NAMES:
                return OTHER
            known.add(name)
        return name.encode("ascii", "backslashreplace").decode()[:_DIMENSION_CHARS].lstrip(":") or OTHER
