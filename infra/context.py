"""What a deployment can be told with `-c name=value`: typed, checked before anything is built, and explained."""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

PRODUCTION = ("prod", "production")


class ContextError(ValueError):
    """The context cannot be deployed; one line per problem, each naming the value and the way out."""


def _matching(pattern: str, what: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    read.__doc__ = what
    return read


def _one_of(*allowed: str) -> Callable[[str], str]:
    return _matching("|".join(map(re.escape, allowed)), "one of " + ", ".join(allowed))


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text)
        if not low <= number <= high:
            raise ValueError
        return number

    read.__doc__ = f"a whole number from {low} to {high}"
    return read


def _bool(text: str) -> bool:
    """true or false"""
    return {"true": True, "1": True, "false": False, "0": False}[text.lower()]


def _list_of(read_one: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        return tuple(read_one(part.strip()) for part in text.split(",") if part.strip())

    read.__doc__ = f"{read_one.__doc__}, several with commas between"
    return read


def _https_url(text: str) -> str:
    """an https URL"""
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise ValueError
    return text.rstrip("/")


def _network(text: str) -> str:
    """an address or a network like 10.0.0.0/8"""
    return str(ipaddress.ip_network(text))


def _origin(text: str) -> str:
    """a web origin like https://app.example"""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or f"{parts.scheme}://{parts.netloc}" != text:
        raise ValueError
    return text


_host = _matching(r"(?=.{4,253}$)([a-z0-9-]{1,63}\.)+[a-z]{2,63}", "a host name")
_certificate = _matching(r"arn:aws[\w-]*:acm:[\w-]+:\d{12}:certificate/[\w-]+", "the ARN of an ACM certificate")


def _value(read: Callable[[str], Any], default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"read": read, "meaning": meaning})


@dataclass(frozen=True, slots=True)
class Context:
    """One deployment. Fields that depend on others are resolved by the properties below."""

    stage: str = _value(
        _matching("[a-z][a-z0-9]{0,15}", "up to 16 small letters and digits"),
        "dev",
        "part of every name; `prod` and `production` keep data and refuse what is unsafe",
    )
    domain: str = _value(_host, "", "the API's own host name, beside the one that AWS gives it")
    certificate: str = _value(_certificate, "", "for `domain`, in the stack's region")
    dashboard_domain: str = _value(_host, "", "the dashboard's own host name")
    dashboard_certificate: str = _value(_certificate, "", "for `dashboard_domain`, in us-east-1")
    vpc: str = _value(_matching("vpc-[0-9a-f]{8,17}", "a VPC's id"), "", "where private backends are reached")
    subnets: tuple[str, ...] = _value(
        _list_of(_matching("subnet-[0-9a-f]{8,17}", "a subnet's id")),
        (),
        "private subnets of `vpc`, with a way to DynamoDB, KMS and the providers",
    )
    private_upstreams: str = _value(
        _one_of("refused", "networks", "allowed"),
        "",
        "backends at private addresses; networks: but not on a host itself. Unset: networks with `vpc`, else refused",
    )
    auth: str = _value(
        _one_of("cognito", "oidc", "session", "none"), "cognito", "who is an administrator, and who says so"
    )
    oidc_issuer: str = _value(_https_url, "", "with auth=oidc: the issuer")
    oidc_audience: str = _value(
        _matching(r"[\x21-\x7e]{1,200}", "text without spaces"), "", "with auth=oidc: what tokens must be made for"
    )
    oidc_admin_group: str = _value(
        _matching(r"[\x21-\x7e]{1,200}", "text without spaces"), "", "with auth=oidc: who administers; unset: everybody"
    )
    oidc_viewer_group: str = _value(
        _matching(r"[\x21-\x7e]{1,200}", "text without spaces"), "", "with auth=oidc: who may look and not change"
    )
    oidc_origins: tuple[str, ...] = _value(
        _list_of(_origin),
        (),
        "with auth=oidc: origins beside the issuer's that the sign-in calls, as of its token endpoint",
    )
    session_url: str = _value(_https_url, "", "with auth=session: the session service")
    clients: str = _value(_one_of("required", "open"), "required", "whether clients need a key")
    accept_open: bool = _value(_bool, False, "deploy although `auth` or `clients` leaves the gateway open")
    cors: tuple[str, ...] = _value(_list_of(_origin), (), "web origins that may call the client routes from a browser")
    timeout: int = _value(_whole(1, 880), 880, "seconds that a backend may take for its whole answer")
    log_level: str = _value(_one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO", "of the functions")
    metrics: str = _value(
        _one_of("off", "total", "models"), "models", "of requests: none, sums, or also by virtual model and endpoint"
    )
    trusted_proxies: tuple[str, ...] = _value(
        _list_of(_network), (), "networks in front of the API whose X-Forwarded-For names the client"
    )
    log_days: int = _value(_whole(1, 3653), 30, "how long logs are kept: one of CloudWatch's steps (1, 3, 5, 7, 14, …)")
    ledger_days: int = _value(_whole(1, 3650), 90, "how long the usage of single requests is kept")
    audit_days: int = _value(_whole(1, 3650), 400, "how long the audit log remembers a change")
    removal: str = _value(_one_of("retain", "destroy"), "", "what `destroy` does to data; unset: production retains")
    accept_loss: bool = _value(_bool, False, "allow removal=destroy in production")
    provisioned: int = _value(_whole(0, 1000), 0, "environments of each streaming function that are kept warm")
    snapstart: bool = _value(_bool, False, "start streaming functions from a snapshot; not with `provisioned`")
    concurrency: int = _value(
        _whole(0, 10_000), 0, "streams that one function may hold at once, taken out of the account's; 0: no limit"
    )
    rate: int = _value(_whole(1, 10_000), 200, "requests a second that the API lets through")
    burst: int = _value(_whole(1, 5_000), 400, "requests that it lets through at once")
    alarm_email: str = _value(_matching(r"[^@\s,]+@[^@\s,]+\.[^@\s,]+", "a mail address"), "", "who is told of alarms")
    spend_usd_per_hour: int = _value(
        _whole(1, 100_000), 10, "the alarms: on what AWS costs, as estimated, and on what providers cost by your prices"
    )

    @property
    def upstreams(self) -> str:
        """What PRIVATE_UPSTREAMS is."""
        return self.private_upstreams or ("networks" if self.vpc else "refused")

    @property
    def production(self) -> bool:
        return self.stage in PRODUCTION

    @property
    def keeps_data(self) -> bool:
        return self.removal == "retain" or (not self.removal and self.production)

    @property
    def prefix(self) -> str:
        """What the names of tables and of the stack begin with."""
        return f"serverless-proxy-{self.stage}"


def read_context(given: Mapping[str, Any]) -> Context:
    """`given` is CDK's whole context: its own flags and lookups, whose names are no words, are passed over.

    Raises ContextError with every problem at once.
    """
    fields = {each.name: each for each in dataclasses.fields(Context)}
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, raw in given.items():
        if not re.fullmatch("[A-Za-z_]+", name) or name == "help":
            continue
        text = str(raw).strip()
        if name not in fields:
            near = difflib.get_close_matches(name, fields, 1)
            problems.append(f"{name}: no such value" + (f"; {near[0]} is meant?" if near else "; -c help=1 lists all"))
        elif text:
            read = fields[name].metadata["read"]
            try:
                values[name] = read(text)
            except (ValueError, KeyError):
                problems.append(f"{name} must be {read.__doc__}, not {text[:100]!r}")
    if not problems:
        chosen = Context(**values)
        problems = [problem for applies, problem in _RULES if applies(chosen)]
    if problems:
        raise ContextError("\n".join(problems))
    return chosen


# CloudWatch's steps
LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653)

# what no single value can say: when it is so, and what then is wrong
_RULES: tuple[tuple[Callable[[Context], bool], str], ...] = (
    (lambda it: bool(it.domain) != bool(it.certificate), "domain and certificate go together"),
    (
        lambda it: bool(it.dashboard_domain) != bool(it.dashboard_certificate),
        "dashboard_domain and dashboard_certificate go together",
    ),
    (
        lambda it: bool(it.dashboard_certificate) and ":acm:us-east-1:" not in it.dashboard_certificate,
        "dashboard_certificate must be in us-east-1: CloudFront reads no other",
    ),
    (lambda it: bool(it.vpc) != bool(it.subnets), "vpc and subnets go together"),
    (
        lambda it: (it.auth == "oidc") != bool(it.oidc_issuer and it.oidc_audience),
        "auth=oidc goes with oidc_issuer and oidc_audience",
    ),
    (
        lambda it: it.auth != "oidc" and bool(it.oidc_admin_group or it.oidc_viewer_group or it.oidc_origins),
        "oidc_admin_group, oidc_viewer_group and oidc_origins go with auth=oidc; Cognito has the group viewers",
    ),
    (lambda it: (it.auth == "session") != bool(it.session_url), "auth=session goes with session_url"),
    (
        lambda it: it.auth == "none" and not it.accept_open,
        "auth=none opens the admin API to the internet; -c accept_open=true if that is meant",
    ),
    (
        lambda it: it.clients == "open" and not it.accept_open,
        "clients=open lets everybody spend on your providers; -c accept_open=true if that is meant",
    ),
    (
        lambda it: it.production and it.removal == "destroy" and not it.accept_loss,
        "removal=destroy deletes a production's data with the stack; -c accept_loss=true if that is meant",
    ),
    (lambda it: it.snapstart and it.provisioned > 0, "snapstart and provisioned exclude each other: choose one"),
    (
        lambda it: 0 < it.concurrency < it.provisioned,
        "provisioned cannot be more than concurrency",
    ),
    (lambda it: it.log_days not in LOG_DAYS, f"log_days must be one of {', '.join(map(str, LOG_DAYS))}"),
)


def help_text() -> str:
    """Every value with its default, what it may be and what it means."""
    lines = ["cdk synth -c name=value …; make deploy CONTEXT='stage=prod alarm_email=ops@example.org'", ""]
    for each in dataclasses.fields(Context):
        default = ",".join(each.default) if isinstance(each.default, tuple) else str(each.default)
        shown = f"  {each.name}={default.lower() if isinstance(each.default, bool) else default}"
        lines.append(f"{shown:32} {each.metadata['meaning']} ({each.metadata['read'].__doc__})")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(help_text())
