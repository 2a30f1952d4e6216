"""Every environment variable, typed, read once.

A table instead of a settings library: pydantic-settings adds 90 ms to the import of a chat function (docs/adr/0001).
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

Networks: TypeAlias = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


class SettingsError(ValueError):
    """A variable has a value that cannot be used; the message is one line that names it."""


def _int(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text)
        if not low <= number <= high:
            raise ValueError
        return number

    read.__doc__ = f"a whole number from {low} to {high}"
    return read


def _seconds(text: str) -> float:
    """a number of seconds above 0 and at most 86400"""
    number = float(text)
    if not 0 < number <= 86_400:
        raise ValueError
    return number


def _bool(text: str) -> bool:
    """true or false"""
    return {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}[
        text.lower()
    ]


def _url(text: str) -> str:
    """an http or https URL"""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError
    return text.rstrip("/")


def _issuer(text: str) -> str:
    """an https URL (http on this machine only) without query, exactly as the issuer calls itself"""
    parts = urlsplit(text)
    local = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not (parts.scheme == "https" or local) or not parts.hostname or parts.query or parts.fragment:
        raise ValueError
    return text


def is_loopback(host: str) -> bool:
    """Whether nobody else can reach what is bound to that name."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origins(text: str) -> frozenset[str]:
    """web origins like https://app.example with commas between, or *"""
    found = frozenset(part.strip() for part in text.split(",") if part.strip())
    for origin in found - {"*"}:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.hostname or f"{parts.scheme}://{parts.netloc}" != origin:
            raise ValueError
    return found


def _named_origins(text: str) -> frozenset[str]:
    """web origins like https://app.example with commas between"""
    if "*" in text:
        raise ValueError
    return _origins(text)


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        found = next((value for value in allowed if value.lower() == text.lower()), None)
        if found is None:
            raise ValueError
        return found

    read.__doc__ = "one of " + ", ".join(allowed)
    return read


def _networks(text: str) -> Networks:
    """addresses or networks like 10.0.0.0/8, separated by commas"""
    return tuple(ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip())


def _text(text: str) -> str:
    """text"""
    return text


def _setting(name: str, read: Callable[[str], Any], default: Any, *aliases: str, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"names": (name, *aliases), "read": read, "secret": secret})


@dataclass(frozen=True, slots=True)
class Settings:
    """The process's settings; `.env.example` lists the variables with what they mean."""

    host: str = _setting("HOST", _text, "127.0.0.1")
    api_port: int = _setting("API_PORT", _int(0, 65_535), 8002)
    admin_port: int = _setting("ADMIN_PORT", _int(0, 65_535), 5001, "FLASK_PORT")
    data_dir: Path = _setting("DATA_DIR", Path, Path(".data"))
    timeout_seconds: float = _setting("TIMEOUT", _seconds, 300.0)
    connect_timeout_seconds: float = _setting("CONNECT_TIMEOUT", _seconds, 10.0)
    keep_alive_seconds: float = _setting("KEEP_ALIVE", _seconds, 10.0)
    max_body_bytes: int = _setting("MAX_BODY_BYTES", _int(1_024, 1 << 30), 32 << 20)
    log_level: str = _setting("LOG_LEVEL", _one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO")

    log_format: str = _setting("LOG_FORMAT", _one_of("text", "json"), "text")
    metrics: str = _setting("METRICS", _one_of("off", "total", "models"), "off")

    table_prefix: str = _setting("TABLE_PREFIX", _text, "serverless-proxy")
    region: str = _setting("AWS_REGION", _text, "us-east-1", "AWS_DEFAULT_REGION")
    dynamodb_url: str | None = _setting("AWS_ENDPOINT_URL_DYNAMODB", _url, None)
    kms_key_id: str | None = _setting("KMS_KEY_ID", _text, None)
    ledger_ttl_days: int = _setting("LEDGER_TTL_DAYS", _int(1, 3_650), 90, "ACTIVITY_MAX_AGE_DAYS")
    ledger_local_records: int = _setting("LEDGER_LOCAL_RECORDS", _int(1, 1_000_000), 50_000, "ACTIVITY_MAX_ROWS")

    trusted_proxies: Networks = _setting("TRUSTED_PROXIES", _networks, ())

    private_upstreams: str = _setting("PRIVATE_UPSTREAMS", _one_of("refused", "networks", "allowed"), "allowed")

    cors_origins: frozenset[str] = _setting("CORS_ORIGINS", _origins, frozenset())

    client_access: str = _setting("CLIENT_ACCESS", _one_of("open", "required"), "open")

    admin_auth: str = _setting("ADMIN_AUTH", _one_of("none", "session", "oidc"), "none", "ADMIN_ACCESS")
    allow_open_admin: bool = _setting("ALLOW_OPEN_ADMIN", _bool, False)
    auth_enabled: bool = _setting("AUTH_ENABLED", _bool, False)
    aimenu_url: str = _setting("AIMENU_URL", _url, "http://localhost:5000")
    aimenu_public_url: str | None = _setting("AIMENU_PUBLIC_URL", _url, None)
    oidc_issuer: str | None = _setting("OIDC_ISSUER", _issuer, None)
    oidc_audience: str | None = _setting("OIDC_AUDIENCE", _text, None)
    oidc_admin_group: str | None = _setting("OIDC_ADMIN_GROUP", _text, None)
    oidc_viewer_group: str | None = _setting("OIDC_VIEWER_GROUP", _text, None)
    oidc_origins: frozenset[str] = _setting("OIDC_ORIGINS", _named_origins, frozenset())
    audit_ttl_days: int = _setting("AUDIT_TTL_DAYS", _int(1, 3_650), 400)

    use_ai_queue: bool = _setting("USE_AI_QUEUE", _bool, False)
    ai_queue_url: str = _setting("AI_QUEUE_URL", _url, "http://localhost:8102")
    ai_queue_api_key: str | None = _setting("AI_QUEUE_API_KEY", _text, None, secret=True)
    ai_queue_priority: str = _setting("AI_QUEUE_PRIORITY", _one_of("HIGH", "NORMAL", "LOW"), "NORMAL")
    ai_queue_source: str = _setting("AI_QUEUE_SOURCE", _text, "serverless-proxy")

    runpod_api_key: str | None = _setting("RUNPOD_API_KEY", _text, None, secret=True)
    runpod_endpoint_id: str | None = _setting("RUNPOD_ENDPOINT_ID", _text, None)
    runpod_worker: str = _setting("ENDPOINT_TYPE", _one_of("ollama", "vllm"), "ollama")
    default_model: str = _setting("MODEL_NAME", _text, "project-system-ai")
    embedding_model: str | None = _setting("EMBEDDING_MODEL", _text, None)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in `environment`; an empty variable counts as absent. Raises SettingsError."""
    values: dict[str, Any] = {}
    for setting in dataclasses.fields(Settings):
        name = next((name for name in setting.metadata["names"] if environment.get(name, "").strip()), None)
        if name is None:
            continue
        text = environment[name].strip()
        read = setting.metadata["read"]
        try:
            values[setting.name] = read(text)
        except (ValueError, KeyError):
            shown = "what it is" if setting.metadata["secret"] else repr(text[:100])
            raise SettingsError(f"{name} must be {read.__doc__}, not {shown}") from None
    return Settings(**_decided(values, environment))


def _decided(values: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """With what follows from other variables: in the cloud clients need keys and logs are for machines, AUTH_ENABLED
    asks for sessions."""
    if in_cloud(environment):
        values.setdefault("client_access", "required")
        values.setdefault("private_upstreams", "refused")
        values.setdefault("log_format", "json")
        values.setdefault("metrics", "models")
    if values.get("auth_enabled") and values.setdefault("admin_auth", "session") == "none":
        raise SettingsError("ADMIN_AUTH=none and AUTH_ENABLED=true contradict each other; leave one out")
    if values.get("admin_auth") == "oidc":
        for name, setting in (("OIDC_ISSUER", "oidc_issuer"), ("OIDC_AUDIENCE", "oidc_audience")):
            if not values.get(setting):
                raise SettingsError(f"ADMIN_AUTH=oidc needs {name}")
    return values


def in_cloud(environment: Mapping[str, str]) -> bool:
    """Whether this process is a Lambda function."""
    return bool(environment.get("AWS_LAMBDA_RUNTIME_API"))
