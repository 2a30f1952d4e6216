"""What all adapters do with HTTP: join URLs, read JSON, turn refusals into failures."""

from __future__ import annotations

import asyncio
import email.utils
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from shared.errors import UpstreamFailure, UpstreamMalformed, UpstreamRefused
from shared.providers.base import UpstreamResponse
from shared.providers.sse import EventDecoder, ServerEvent
from shared.wire import JsonObject, loads

MAX_MESSAGE_CHARS = 2_000
DRAIN_SECONDS = 0.1
_LONGEST_RETRY_AFTER_SECONDS = 86_400.0
_MOST_BYTES_AT_ONCE = 16 * 1024
_KEY_LIKE = re.compile(r"\b(?:sk|pk|rk|gsk|hf|key|xai|rpa)[-_][A-Za-z0-9_\-*.]{6,}|(?i:bearer)\s+[A-Za-z0-9._\-]{8,}")


@lru_cache(maxsize=512)
def join_url(base: str, path: str) -> str:
    """`path` (which begins with a slash) under `base`, however the administrator wrote `base`.

    Trailing slashes, queries and fragments go; a path whose beginning the base already ends with is not repeated, so
    that `https://host`, `https://host/v1` and `https://host/v1/` all give `https://host/v1/models`.
    """
    parts = urlsplit(base.strip())
    have = [segment for segment in parts.path.split("/") if segment]
    want = [segment for segment in path.split("/") if segment]
    for overlap in range(min(len(have), len(want)), 0, -1):
        if have[-overlap:] == want[:overlap]:
            want = want[overlap:]
            break
    return urlunsplit((parts.scheme, parts.netloc, "/" + "/".join(have + want), "", ""))


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """`retry-after-ms`, or `retry-after` in seconds or as a date (RFC 9110 §10.2.3), within a day."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return min(milliseconds / 1000, _LONGEST_RETRY_AFTER_SECONDS)
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is None and value:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return None if seconds is None else min(max(seconds, 0.0), _LONGEST_RETRY_AFTER_SECONDS)


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < float("inf") else None


def refuse(status: int, headers: Mapping[str, str], body: bytes, endpoint: str) -> UpstreamRefused:
    """The failure that a backend's error answer means; its own words are kept, because clients match them."""
    message, code, param = error_words(body)
    return UpstreamRefused(
        _explain(status, message, endpoint),
        upstream_status=status,
        code=code,
        param=param,
        retry_after_seconds=retry_after_seconds(headers),
    )


def _explain(status: int, message: str | None, endpoint: str) -> str:
    if status in (401, 403):
        return (
            f"endpoint '{endpoint}' refused the gateway's API key with HTTP {status}; an administrator must check it"
            + (f" ({message})" if message else "")
        )
    return message or f"endpoint '{endpoint}' answered HTTP {status}"


def error_words(body: bytes) -> tuple[str | None, str | None, str | None]:
    """(message, code, param) of an error body in any shape the providers use; HTML and rubbish give none.

    OpenAI `{"error":{"message","code","param"}}`, Ollama `{"error":"text"}`, FastAPI `{"detail":…}`, DeepInfra
    `{"error_type","error_message"}`, queue servers that put a whole error body as a JSON string into `error`.
    """
    try:
        value: Any = loads(body)
    except ValueError:
        text = body.decode("utf-8", "replace").strip()
        return (None if text.startswith("<") else clean(text) or None), None, None
    code = param = None
    for _ in range(6):
        if isinstance(value, str):
            try:
                value = loads(value) if value.lstrip().startswith("{") else value
            except ValueError:
                break
            if isinstance(value, str):
                break
        if isinstance(value, list):
            value = value[0] if value else None
        if not isinstance(value, dict):
            break
        code = _text(value.get("code")) or code
        param = _text(value.get("param")) or _place(value.get("loc")) or param
        inner = (
            value.get("error") or value.get("message") or value.get("detail") or value.get("error_message")
            or value.get("msg")
        )  # fmt: skip
        if inner is None:
            return None, code, param
        value = inner
    message = value if isinstance(value, str) else None
    return (clean(message) or None) if message else None, code, param


def clean(text: str) -> str:
    """A backend's words made safe to repeat: bounded, one secret-looking word masked, no control characters."""
    shown = "".join(c if c.isprintable() or c == "\n" else " " for c in text[:MAX_MESSAGE_CHARS]).strip()
    return _KEY_LIKE.sub("[masked]", shown)


def _place(steps: Any) -> str | None:
    """Where FastAPI found the fault: `["body", "messages", 0, "content"]` is `messages.0.content`."""
    if not isinstance(steps, list) or steps[:1] != ["body"]:
        return None
    return _text(".".join(str(step) for step in steps[1:] if isinstance(step, str | int)))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 100 else None


async def json_object(response: UpstreamResponse, endpoint: str) -> JsonObject:
    """The JSON object a 2xx answer must be; raises UpstreamRefused for an error status."""
    body = await response.read()
    if not 200 <= response.status < 300:
        raise refuse(response.status, response.headers, body, endpoint)
    return parse_object(body, endpoint)


def parse_object(body: bytes, endpoint: str) -> JsonObject:
    try:
        value = loads(body)
    except ValueError:
        kind = "a web page" if body.lstrip()[:1] == b"<" else "an empty body" if not body.strip() else "broken JSON"
        raise UpstreamMalformed(
            f"endpoint '{endpoint}' answered with {kind} where JSON was expected; check its URL"
        ) from None
    if not isinstance(value, dict):
        raise UpstreamMalformed(f"endpoint '{endpoint}' answered with JSON that is not an object")
    return value


async def event_batches(response: UpstreamResponse) -> AsyncGenerator[list[ServerEvent], None]:
    """The server-sent events of a 2xx answer, one list per read; what the last empty line is missing for comes too.

    A long read is several lists: parsed JSON takes ten times the memory of its text, and a backend that is faster than
    its client would have that of every stream at once.
    """
    decoder = EventDecoder()
    async for chunk in response.chunks():
        for start in range(0, len(chunk), _MOST_BYTES_AT_ONCE):
            events = decoder.feed(chunk[start : start + _MOST_BYTES_AT_ONCE])
            if events:
                yield events
    last = decoder.rest()
    if last is not None:
        yield [last]


def media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


async def drain(batches: AsyncIterator[object]) -> None:
    """Read the end of the body behind a terminal frame, so that the connection can serve again; it is there at once
    or never."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in batches:
                return
    except (TimeoutError, UpstreamFailure):
        return
