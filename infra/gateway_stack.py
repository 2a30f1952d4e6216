"""The stack: keys under tables under functions under the API, and what looks after them."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from infra.api import make_api
from infra.context import Context
from infra.functions import CodeOf, Surroundings, make_functions
from infra.keys import make_keys
from infra.tables import make_tables


class GatewayStack(Stack):
    def __init__(self, scope: Construct, chosen: Context, code_of: CodeOf, **stack: Any) -> None:
        super().__init__(
            scope,
            chosen.prefix,
            description=f"Serverless Proxy, stage {chosen.stage}",
            termination_protection=chosen.production,
            **stack,
        )
        keys = make_keys(self, chosen)
        tables = make_tables(self, chosen, keys.data)
        functions = make_functions(self, Surroundings(chosen, tables, keys, code_of, {}))
        api = make_api(self, chosen, functions, None)
        CfnOutput(self, "ApiUrl", value=api.url, description="the base URL of clients is this and v1")
