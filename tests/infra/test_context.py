"""What a deployment is told: read, explained, and refused where it is unsafe."""

from __future__ import annotations

import dataclasses

import pytest

from infra.context import Context, ContextError, help_text, read_context


def test_unset_values_have_their_defaults() -> None:
    chosen = read_context({})
    assert chosen == Context()
    assert (chosen.auth, chosen.clients, chosen.keeps_data) == ("cognito", "required", False)


def test_cdks_own_context_is_passed_over() -> None:
    assert read_context({"@aws-cdk/core:x": True, "aws:cdk:y": 1, "availability-zones:account=1": []}) == Context()


def test_values_are_typed() -> None:
    chosen = read_context({"rate": "50", "snapstart": "true", "cors": "https://a.example, http://localhost:5173"})
    assert (chosen.rate, chosen.snapstart) == (50, True)
    assert chosen.cors == ("https://a.example", "http://localhost:5173")


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ContextError) as raised:
        read_context({"rate": "many", "stge": "prod", "log_level": "LOUD"})
    lines = str(raised.value).splitlines()
    assert [line.split()[0] for line in lines] == ["rate", "stge:", "log_level"]
    assert "stage is meant" in lines[1]


@pytest.mark.parametrize("stage", ["dev", "prod", "production"])
@pytest.mark.parametrize("opening", [{"auth": "none"}, {"clients": "open"}])
def test_an_open_gateway_is_refused_without_the_override(stage: str, opening: dict[str, str]) -> None:
    with pytest.raises(ContextError, match="accept_open=true"):
        read_context({"stage": stage, **opening})
    assert read_context({"stage": stage, "accept_open": "true", **opening}).stage == stage


def test_production_keeps_its_data_unless_the_loss_is_accepted() -> None:
    assert read_context({"stage": "prod"}).keeps_data
    with pytest.raises(ContextError, match="accept_loss=true"):
        read_context({"stage": "prod", "removal": "destroy"})
    assert not read_context({"stage": "prod", "removal": "destroy", "accept_loss": "true"}).keeps_data


@pytest.mark.parametrize(
    "given",
    [
        {"domain": "llm.example.org"},
        {
            "dashboard_domain": "a.example.org",
            "dashboard_certificate": "arn:aws:acm:eu-west-1:123456789012:certificate/a",
        },
        {"vpc": "vpc-0a1b2c3d"},
        {"auth": "oidc"},
        {"auth": "oidc", "oidc_issuer": "https://issuer.example"},
        {"oidc_issuer": "https://issuer.example", "oidc_audience": "gateway"},
        {"oidc_origins": "https://token.example.net"},
        {"auth": "session"},
        {"snapstart": "true", "provisioned": "1"},
        {"provisioned": "5", "concurrency": "4"},
        {"log_days": "31"},
        {"auth": "oidc", "oidc_issuer": "http://issuer.example", "oidc_audience": "gateway"},
        {"cors": "https://app.example.org/path"},
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ContextError):
        read_context(given)


def test_help_names_every_value() -> None:
    shown = help_text()
    assert all(f"  {each.name}=" in shown for each in dataclasses.fields(Context))
