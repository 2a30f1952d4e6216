"""One synth for all tests of the template: a production with everything, and a plain stage with a session service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.reach import ROOT

PRODUCTION = {
    "stage": "prod",
    "domain": "llm.example.org",
    "certificate": "arn:aws:acm:eu-central-1:123456789012:certificate/0a",
    "dashboard_domain": "admin.example.org",
    "dashboard_certificate": "arn:aws:acm:us-east-1:123456789012:certificate/0b",
    "vpc": "vpc-0a1b2c3d",
    "subnets": "subnet-0a1b2c3d,subnet-0b1b2c3d",
    "cors": "https://app.example.org",
    "alarm_email": "ops@example.org",
    "snapstart": "true",
    "concurrency": "50",
}
PLAIN = {"auth": "session", "session_url": "https://sessions.example.org", "log_level": "WARNING"}


@dataclass(frozen=True)
class Template:
    path: Path
    body: dict[str, Any]

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of every resource of the type, by logical id."""
        return {
            name: each.get("Properties", {}) for name, each in self.body["Resources"].items() if each["Type"] == kind
        }

    def function(self, name: str) -> dict[str, Any]:
        """The function's properties by its name in ROUTES."""
        ending = f"-{name.replace('_', '-')}"
        prefix = "serverless-proxy-"
        found = [
            each
            for each in self.of_type("AWS::Lambda::Function").values()
            if each.get("FunctionName", "").removeprefix(prefix).partition("-")[2] == ending[1:]
        ]
        assert len(found) == 1, name
        return found[0]

    def statements(self, function: str) -> list[dict[str, Any]]:
        """What the function's role is allowed."""
        role = self.function(function)["Role"]["Fn::GetAtt"][0]
        return [
            statement
            for policy in self.of_type("AWS::IAM::Policy").values()
            if {"Ref": role} in policy["Roles"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]

    def methods(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Every method's path, verb and properties."""
        resources = self.of_type("AWS::ApiGateway::Resource")

        def path_of(reference: dict[str, Any]) -> str:
            if "Ref" not in reference:
                return ""
            resource = resources[reference["Ref"]]
            return f"{path_of(resource['ParentId'])}/{resource['PathPart']}"

        for method in self.of_type("AWS::ApiGateway::Method").values():
            yield path_of(method["ResourceId"]), method["HttpMethod"], method


@dataclass(frozen=True)
class Synth:
    production: Template
    plain: Template
    report: dict[str, Any]


@pytest.fixture(scope="session")
def synth(tmp_path_factory: pytest.TempPathFactory) -> Synth:
    from aws_cdk import App, Validations
    from aws_cdk import aws_lambda as lambda_
    from cdk_nag import AwsSolutionsChecks

    from infra.context import read_context
    from infra.gateway_stack import GatewayStack

    folder = tmp_path_factory.mktemp("synth")
    for name, content in (("site/index.html", "<!doctype html>"), ("code/app.py", "")):
        (folder / name).parent.mkdir()
        (folder / name).write_text(content)
    out = folder / "out"
    app = App(
        analytics_reporting=False, outdir=str(out), context=json.loads((ROOT / "cdk.json").read_text())["context"]
    )

    def code_of(function: str) -> lambda_.Code:
        return lambda_.Code.from_asset(str(folder / "code"))

    GatewayStack(app, read_context(PRODUCTION), code_of, site=folder / "site", rollup=True)
    GatewayStack(app, read_context(PLAIN), code_of, site=None, rollup=False)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError as failure:
        if "ValidationFailed" not in str(failure):  # what it found is for a test to say
            raise
    report = out / "validation-report.json"
    return Synth(
        *(_template(out / f"serverless-proxy-{stage}.template.json") for stage in ("prod", "dev")),
        json.loads(report.read_text()) if report.exists() else {"pluginReports": []},
    )


@pytest.fixture(scope="session")
def production(synth: Synth) -> Template:
    return synth.production


@pytest.fixture(scope="session")
def plain(synth: Synth) -> Template:
    return synth.plain


def _template(path: Path) -> Template:
    return Template(path, json.loads(path.read_text()))
