"""What each endpoint type accepts: addresses, and the options its adapter reads. One row per type."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from shared.errors import UpstreamUnreachable
from shared.providers.address import locate
from shared.providers.presets import PRESETS
from shared.providers.registry import TYPES
from shared.web.admin_errors import FieldError, field_errors
from shared.web.admin_fields import Flag

_URL_CHARS = 2_048
_NO_URL_CHARS = re.compile(r"[\x00-\x20\x7f\\]")
_DURATION = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h)")
_RUNPOD_ID = re.compile(r"[A-Za-z0-9_-]{4,64}")

Milliseconds: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=1_000)]
Tokens: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=100_000_000)]
HeaderWord: TypeAlias = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,100}$")]
Shape: TypeAlias = Literal["openai_route", "openai", "vllm", "ollama", "ollama_generate", "ollama_chat"]


def _keep_alive(value: Any) -> int | str | None:
    if value is None:
        return None
    if (type(value) is int and -1 <= value < 10**9) or (isinstance(value, str) and _DURATION.fullmatch(value)):
        return value
    raise ValueError("must be seconds (-1 for ever) or a duration like 10m")


class Options(BaseModel):
    """`timeout_seconds` is the patience with this endpoint, in place of `TIMEOUT`."""

    model_config = ConfigDict(extra="forbid")

    timeout_seconds: Annotated[float, Field(strict=True, gt=0, le=86_400)] | None = None


class HabitOptions(Options):
    """The habits of an OpenAI-compatible backend, where they differ from its type's (`providers/presets.py`)."""

    developer_role: Literal["developer", "system", "user"] | None = None
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    null_content: Flag | None = None
    stream_usage: Flag | None = None


class OllamaOptions(HabitOptions):
    num_ctx: Tokens | None = None
    keep_alive: Annotated[Any, BeforeValidator(_keep_alive)] = None
    raw: Flag | None = None
    private_image_urls: Flag | None = None


class RunPodOptions(HabitOptions):
    mode: Literal["auto", "openai", "job"] | None = None
    input_shape: Shape | None = None
    private_image_urls: Flag | None = None


class QueueOptions(HabitOptions):
    priority: Literal["HIGH", "NORMAL", "LOW"] | None = None
    source: HeaderWord | None = None
    stream: Flag | None = None


class DemoOptions(Options):
    delay_ms: Milliseconds | None = None


class Rules(NamedTuple):
    """`check` returns what is wrong with a URL, None for nothing; `default` is the URL when none is given."""

    options: type[Options]
    default: str | None = None
    check: Callable[[str], str | None] = lambda url: _web_problem(url)


def _web_problem(url: str) -> str | None:
    if len(url) > _URL_CHARS or _NO_URL_CHARS.search(url):
        return f"must be a URL of at most {_URL_CHARS} characters without spaces"
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            return "must begin with http:// or https://"
        if "@" in parts.netloc:
            return "must not hold a user or a password; the key goes into api_key"
        if "#" in url:
            return "must not have a fragment (#…)"
        if "?" in url:
            return "must not have a query (?…): paths are put behind the URL"
        locate(url)
    except (ValueError, UpstreamUnreachable):
        return "must name a host, and a port from 1 to 65535 if any"
    return None


def _runpod_problem(url: str) -> str | None:
    problem = _web_problem(url)
    return problem and (None if _RUNPOD_ID.fullmatch(url) else f"{problem}, or be a RunPod endpoint's id")


def _demo_problem(url: str) -> str | None:
    return None if url == "demo://built-in" else "must be demo://built-in, for it answers out of the gateway itself"


RULES: Mapping[str, Rules] = {
    **{name: Rules(HabitOptions, preset.url) for name, preset in PRESETS.items()},
    "ollama": Rules(OllamaOptions, "http://127.0.0.1:11434"),
    "anthropic": Rules(Options, "https://api.anthropic.com"),
    "runpod": Rules(RunPodOptions, None, _runpod_problem),
    "queue": Rules(QueueOptions),
    "demo": Rules(DemoOptions, "demo://built-in", _demo_problem),
}


def known_type(value: str) -> str:
    if value not in TYPES:
        raise ValueError(f"must be one of {', '.join(TYPES)}")
    return value


def check_address(endpoint_type: str, url: str | None) -> tuple[str, list[FieldError]]:
    """The URL to store, the type's own where none is given, and what is wrong with it."""
    rules = RULES[endpoint_type]
    url = (url or "").strip() or rules.default
    if url is None:
        return "", [FieldError("url", f"is required: the type {endpoint_type} has no usual address")]
    problem = rules.check(url)
    return url, [FieldError("url", problem)] if problem else []


def check_options(endpoint_type: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    """The options to store, null ones left out, and what is wrong with them."""
    try:
        checked = RULES[endpoint_type].options.model_validate(dict(options))
    except ValidationError as error:
        return {}, field_errors(error.errors(include_input=False), ("options",))
    return checked.model_dump(exclude_none=True), []
