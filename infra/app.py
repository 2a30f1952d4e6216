"""`cdk synth`: the context read, the bundles built, the stack made and checked. CDK runs `python -m infra.app`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import App, Validations
from aws_cdk import aws_lambda as lambda_
from cdk_nag import AwsSolutionsChecks

from infra.bundling import build
from infra.context import ContextError, help_text, read_context
from infra.gateway_stack import GatewayStack
from infra.reach import ROOT
from infra.rollup import rollup_exists
from infra.wheels import LAMBDA, Target


def gateway_app(target: Target = LAMBDA, context: Mapping[str, Any] | None = None, out: Path | None = None) -> App:
    """The app, to be synthesized; `context` is laid over what CDK's command line gave. Raises ContextError.

    With another target the template stays what it is for Lambda, and the bundles run where the target says.
    """
    app = App(analytics_reporting=False, context=dict(context or {}), outdir=str(out) if out else None)
    chosen = read_context(app.node.get_all_context() or {})

    def code_of(function: str) -> lambda_.Code:
        bundle = build(function, target)
        sys.stderr.write(f"{function:24} {bundle.size_bytes / 1e6:5.1f} MB unzipped\n")
        return lambda_.Code.from_asset(str(bundle.folder), asset_hash=bundle.digest)

    GatewayStack(app, chosen, code_of, site=built_site(), rollup=rollup_exists())
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def built_site() -> Path | None:
    """The dashboard's files, when `npm run build` in admin_frontend has made them."""
    files = ROOT / "admin_frontend" / "dist"
    return files if (files / "index.html").is_file() else None


def main() -> int:
    if App(analytics_reporting=False).node.try_get_context("help"):
        sys.stderr.write(help_text())
        return 2
    try:
        gateway_app().synth()
    except ContextError as problems:
        sys.stderr.write(f"{problems}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
