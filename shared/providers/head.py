"""The head of an HTTP/1.1 request as bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from shared.errors import InvalidRequest
from shared.providers.address import Address

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNSENDABLE = re.compile(r"[\r\n\0\ud800-\udfff]")
_WITH_BODY = ("POST", "PUT", "PATCH")
_FRAMING = frozenset(("connection", "content-length", "expect", "te", "trailer", "transfer-encoding", "upgrade"))
_DEFAULTS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "serverless-proxy"}


def write_head(
    method: str, address: Address, proxy: Address | None, headers: Mapping[str, str], body: bytes | None
) -> bytes:
    """Raises InvalidRequest for a header that would break out of its line."""
    length = b"content-length: %d\r\n" % len(body or b"") if body is not None or method in _WITH_BODY else b""
    return _head_lines(method, address, proxy, tuple(headers.items())) + length + b"\r\n"


@lru_cache(maxsize=256)
def _head_lines(method: str, address: Address, proxy: Address | None, headers: tuple[tuple[str, str], ...]) -> bytes:
    """All lines that do not depend on the body: the same ones for request after request to an endpoint."""
    target, forwarded = address.path, proxy is not None and not address.secure
    if forwarded:
        target = f"http://{address.authority}{target}"
    lines = [f"{method} {target} HTTP/1.1"]
    given = {"host": address.authority, **_DEFAULTS}
    if address.authorization:
        given["authorization"] = address.authorization
    for name, value in headers:
        key = name.lower()
        if not _TOKEN.fullmatch(key) or _UNSENDABLE.search(value):
            raise InvalidRequest(
                f"the header {name[:80]!r} cannot be sent: it holds a line break or a forbidden letter"
            )
        if key not in _FRAMING:
            given[key] = value
    if forwarded and proxy is not None and proxy.authorization:
        given["proxy-authorization"] = proxy.authorization
    lines += [f"{name}: {value}" for name, value in given.items()]
    return joined(lines)


def joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()
