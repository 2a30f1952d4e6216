"""The stack: keys under tables under functions under the API, the dashboard beside them, and what looks after all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from infra.acknowledged import acknowledge
from infra.admin_access import make_admin_access
from infra.admin_site import AdminSite
from infra.alarms import make_alarms
from infra.api import add_routes, make_api
from infra.context import Context
from infra.functions import CodeOf, Surroundings, make_functions
from infra.keys import make_keys
from infra.rollup import make_rollup
from infra.tables import make_tables

# where the sign-in page leads to while the dashboard is not part of the deployment: `make run` serves it there
_LAPTOP_DASHBOARD = "http://localhost:5001/"


class GatewayStack(Stack):
    """`code_of` gives a function's bundle, `site` has the dashboard's files, `rollup` whether usage is added up."""

    def __init__(
        self, scope: Construct, chosen: Context, code_of: CodeOf, *, site: Path | None, rollup: bool, **stack: Any
    ) -> None:
        super().__init__(
            scope,
            chosen.prefix,
            description=f"Serverless Proxy, stage {chosen.stage}",
            termination_protection=chosen.production,
            **stack,
        )
        keys = make_keys(self, chosen)
        tables = make_tables(self, chosen, keys.data)
        api = make_api(self, chosen)
        dashboard = AdminSite(self, chosen, api) if site else None
        access = make_admin_access(self, chosen, dashboard.url if dashboard else _LAPTOP_DASHBOARD)
        told = {**access.environment, "CLIENT_ACCESS": chosen.clients}
        if chosen.cors:
            told["CORS_ORIGINS"] = ",".join(chosen.cors)
        around = Surroundings(chosen, tables, keys, code_of, told)
        functions = make_functions(self, around)
        add_routes(api, chosen, functions, access.authorizer)
        if dashboard and site:
            called = f"https://{chosen.domain}" if chosen.domain else api.url
            dashboard.publish(site, {**access.sign_in, "api_url": called})
        make_alarms(self, chosen, functions, api, tables, make_rollup(self, around) if rollup else None)
        CfnOutput(self, "ApiUrl", value=api.url, description="the base URL of clients is this and v1")
        CfnOutput(self, "TablePrefix", value=chosen.prefix)
        acknowledge(self, chosen, api)
