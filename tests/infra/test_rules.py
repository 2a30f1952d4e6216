"""The template before AWS's own rules: cfn-lint's, and cdk-nag's with every exception explained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.reach import ROOT
from infra.routes import ROUTES, Route
from tests.infra.conftest import Synth

pytestmark = pytest.mark.infra


@pytest.mark.parametrize("stage", ["production", "plain"])
def test_cfn_lint_finds_nothing(synth: Synth, stage: str) -> None:
    template: Path = getattr(synth, stage).path
    # W3005: CDK names dependencies that follow from references already
    command = [Path(sys.executable).with_name("cfn-lint"), "--ignore-checks", "W3005", "--", template]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (found.stdout, found.returncode) == ("", 0)


def test_cdk_nag_finds_nothing_unexplained(synth: Synth) -> None:
    found = [
        (violation["ruleName"], construct["constructPath"])
        for report in synth.report["pluginReports"]
        for violation in report["violations"]
        for construct in violation["violatingConstructs"]
    ]
    assert found == []


def test_every_acknowledgement_has_a_reason() -> None:
    from infra.acknowledged import ACKNOWLEDGED

    assert all(len(each.reason.split()) >= 5 for each in ACKNOWLEDGED)


@pytest.mark.parametrize(
    ("context", "said"),
    [({"stage": "prod", "auth": "none"}, "accept_open=true"), ({"help": "1"}, "spend_usd_per_hour=10")],
)
def test_cdk_is_told_why_there_is_no_template(context: dict[str, str], said: str) -> None:
    environment = {**os.environ, "CDK_CONTEXT_JSON": json.dumps(context)}
    ran = subprocess.run(
        [sys.executable, "-m", "infra.app"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 2
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_two_parameters_in_one_place_are_refused() -> None:
    from infra.api import check_paths

    check_paths(ROUTES)
    row = Route(("GET",), "/api/admin/endpoints/{name}/usage", "admin_endpoints", "admin")
    with pytest.raises(ValueError, match="two path parameters"):
        check_paths((*ROUTES, row))
    with pytest.raises(ValueError, match="nothing can follow"):
        check_paths((Route(("GET",), "/files/{path+}/info", "models", "client"),))


def test_a_function_cannot_be_streamed_and_buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    from infra import reach

    first = next(route for route in ROUTES if route.streams)
    monkeypatch.setattr(reach, "ROUTES", (*ROUTES, first._replace(streams=not first.streams)))
    with pytest.raises(ValueError, match=first.function):
        reach.streams(first.function)
