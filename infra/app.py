"""`cdk synth`: the context read, the bundles built, the stack made. `python -m infra.app` is what CDK runs."""

from __future__ import annotations

import sys
from pathlib import Path

from aws_cdk import App, Validations
from aws_cdk import aws_lambda as lambda_
from cdk_nag import AwsSolutionsChecks

from infra.bundling import build
from infra.context import ContextError, help_text, read_context
from infra.gateway_stack import GatewayStack
from infra.reach import ROOT
from infra.rollup import rollup_exists
from infra.wheels import LAMBDA, Target


def bundled(function: str, target: Target = LAMBDA) -> lambda_.Code:
    """The function's bundle as CDK's asset, under the digest that it has wherever it is built."""
    bundle = build(function, target)
    return lambda_.Code.from_asset(str(bundle.folder), asset_hash=bundle.digest)


def built_site() -> Path | None:
    """The dashboard's files, when `npm run build` in admin_frontend has made them."""
    files = ROOT / "admin_frontend" / "dist"
    return files if (files / "index.html").is_file() else None


def main() -> int:
    app = App(analytics_reporting=False)
    given = app.node.get_all_context() or {}
    if given.get("help"):
        sys.stderr.write(help_text())
        return 2
    try:
        chosen = read_context(given)
    except ContextError as problems:
        sys.stderr.write(f"{problems}\n")
        return 2
    GatewayStack(app, chosen, bundled, site=built_site(), rollup=rollup_exists())
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
